"""MIDI files for tests, written byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def chunk(name: bytes, data: bytes, more: int = 0) -> bytes:
    """Return a chunk whose length is wrong by `more`."""
    return name + (len(data) + more).to_bytes(4, "big") + data


def header(form: int = 0, tracks: int = 1, division: int = 4) -> bytes:
    return chunk(b"MThd", b"".join(number.to_bytes(2, "big") for number in (form, tracks, division)))


def midi(*tracks: Sequence[int], division: int = 4) -> bytes:
    """Return a file of tracks, each of which gets its end mark."""
    return header(int(len(tracks) > 1), len(tracks), division) + b"".join(
        chunk(b"MTrk", bytes(track) + b"\x00\xff\x2f\x00") for track in tracks
    )


def number(value: int) -> bytes:
    """Return a variable-length number."""
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


def melody(*pitches: int, ticks: int = 4, division: int = 4) -> bytes:
    """Return a file of successive notes of one length, by default quarter notes."""
    track = b"".join(b"\0\x90" + bytes([pitch, 64]) + number(ticks) + b"\x80" + bytes([pitch, 0]) for pitch in pitches)
    return midi(list(track), division=division)


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path

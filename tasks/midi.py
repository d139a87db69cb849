"""Reader of notes in standard MIDI files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tasks.errors import TaskError
from tasks.piano_rolls import Note

_PERCUSSION = 9  # channel of percussion, counted from 0; its note numbers are not pitches
_NOTE_OFF, _NOTE_ON, _SYSTEM = 0x80, 0x90, 0xF0
_META, _ESCAPES, _END_OF_TRACK = 0xFF, (0xF0, 0xF7), 0x2F
_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}  # by kind of message


class _Message(NamedTuple):
    """Channel message, with its time in ticks from the beginning."""

    ticks: int
    kind: int
    channel: int
    data: bytes


def midi_notes(data: bytes, source: str) -> list[Note]:
    """Return the notes of a MIDI file (format 0 or 1), of all tracks and channels but percussion.

    A note that is struck again before its release ends there; one that is never released ends with its track. Times are
    in quarter notes, so the tempo is ignored.

    Args:
        data: content of the file.
        source: name of the file, for messages.

    Raises:
        TaskError: the data are not such a MIDI file, or are damaged.
    """
    try:
        return list(_notes(data))
    except (IndexError, ValueError) as error:
        what = str(error) if isinstance(error, ValueError) else "it ends too early"
        raise TaskError(f"{source} is not a readable MIDI file ({what}); leave it out") from error


def _notes(data: bytes) -> Iterator[Note]:
    chunks = _chunks(data)
    name, header = next(chunks, (b"", b""))
    if name != b"MThd" or len(header) < 6:
        raise ValueError("it does not begin with MThd")
    form, division = int.from_bytes(header[:2], "big"), int.from_bytes(header[4:6], "big")
    if form > 1:
        raise ValueError(f"its format is {form}; only 0 and 1 are supported")
    if division == 0 or division & 0x8000:
        raise ValueError("its times are not in quarter notes")
    for name, chunk in chunks:
        if name == b"MTrk":
            yield from _track_notes(chunk, division)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        end = place + 8 + int.from_bytes(data[place + 4 : place + 8], "big")
        if end > len(data):
            raise ValueError("it ends too early" if place else "it does not begin with MThd")
        yield data[place : place + 4], data[place + 8 : end]
        place = end


def _track_notes(track: bytes, division: int) -> Iterator[Note]:
    sounding: dict[tuple[int, int], int] = {}
    ticks = 0
    for ticks, kind, channel, data in _messages(track):
        if kind not in (_NOTE_ON, _NOTE_OFF) or channel == _PERCUSSION:
            continue
        begin = sounding.pop((channel, data[0]), None)
        if begin is not None:
            yield Note(data[0], begin / division, ticks / division)
        if kind == _NOTE_ON and data[1] > 0:
            sounding[channel, data[0]] = ticks
    for (_, pitch), begin in sounding.items():
        yield Note(pitch, begin / division, ticks / division)


def _messages(track: bytes) -> Iterator[_Message]:
    """Yield the channel messages of a track; the last one has kind 0 and marks the end."""
    place, ticks, status = 0, 0, 0
    while place < len(track):
        delta, place = _number(track, place)
        ticks += delta
        if track[place] & 0x80:
            status = track[place]
            place += 1
        if status == _META or status in _ESCAPES:
            if status == _META:
                if track[place] == _END_OF_TRACK:
                    break
                place += 1
            length, place = _number(track, place)
            place += length
            status = 0
        elif _NOTE_OFF <= status < _SYSTEM:
            count = _DATA_BYTES[status & 0xF0]
            message = track[place : place + count]
            if len(message) < count or max(message) > 0x7F:
                raise ValueError("a message is damaged")
            yield _Message(ticks, status & 0xF0, status & 0x0F, message)
            place += count
        else:
            raise ValueError(f"a message has the unknown kind {status}")
    yield _Message(ticks, 0, 0, b"")


def _number(track: bytes, place: int) -> tuple[int, int]:
    """Return a variable-length number (seven bits per byte), and the position after it."""
    value = 0
    for last in range(place, place + 4):
        value = value << 7 | track[last] & 0x7F
        if not track[last] & 0x80:
            return value, last + 1
    raise ValueError("a number is longer than four bytes")

"""MIDI files that break rules of the format, and that players read nevertheless."""

from __future__ import annotations

import pytest
from music21.midi import MidiFile
from music21.midi.translate import midiFileToStream

from tasks.errors import TaskError
from tasks.midi import read_midi
from tasks.piano_rolls import Note
from tests.test_tasks.midi_files import chunk, header, midi

END = b"\x00\xff\x2f\x00"
FIRST = b"\x00\x90\x3c\x40\x04\x80\x3c\x00"
SECOND = b"\x00\x90\x40\x40\x08\x80\x40\x00"
NOTES = [Note(60, 0, 1), Note(64, 0, 2)]  # of both tracks; an eighth note is two ticks


def two_tracks(
    *, first: int = 0, second: int = 0, tracks: int = 2, ends: tuple[bytes, bytes] = (END, END), between: bytes = b""
) -> bytes:
    """Return a file of two tracks whose lengths are wrong by these numbers of bytes."""
    parts = [chunk(b"MTrk", FIRST + ends[0], first), between, chunk(b"MTrk", SECOND + ends[1], second)]
    return header(1, tracks) + b"".join(parts)


@pytest.mark.parametrize(
    "between",
    [
        b"\x00\xff\x01\x00",  # a text
        b"\x00\xff\x51\x03\x07\xa1\x20",  # a tempo
        b"\x00\xf0\x01\xf7",  # a system exclusive message
        b"\x00\xf7\x02\xf0\xf7",
        b"\x00\xf8\x00\xfe",  # clock, active sensing
        b"\x00\xf1\x10\x00\xf2\x01\x02\x00\xf3\x05\x00\xf6",  # system common messages, with their data
        b"\x00\xff\x01\x00\x00\xf8\x00\xf0\x01\xf7",
    ],
)
def test_running_status_goes_on_after_messages_of_other_kinds(between: bytes) -> None:
    track = [0, 0x90, 60, 64, *between, 4, 60, 0, *between, 0, 62, 64, 4, 62, 0]
    assert read_midi(midi(track), "a.mid").notes == [Note(60, 0, 1), Note(62, 1, 2)]


def test_clock_bytes_within_a_message_are_skipped() -> None:
    track = [0, 0x90, 60, 0xF8, 64, 4, 0xFE, 0, 0x80, 0xF8, 0xF8, 60, 0xFA, 0]
    assert read_midi(midi(track), "a.mid").notes == [Note(60, 0, 1)]


@pytest.mark.parametrize(
    "data",
    [
        two_tracks() + b"\r\nfrom a page",
        two_tracks() + bytes(100),
        two_tracks() + b"\xff" * 30,
        two_tracks() + b"MTrk of another kind, without any sense",
        two_tracks() + midi([0, 0x90, 90, 64, 4, 0x80, 90, 0]),  # a second file
        header(1, 2) + chunk(b"XFIH", b"\x00\x90\x3c\x40") + two_tracks()[14:] + chunk(b"XFKM", b"words"),
        b"RIFF\x00\x00\x00\x00RMIDdata\x00\x00\x00\x00" + two_tracks(),
        bytes(128) + two_tracks(),  # MacBinary
        chunk(b"MThd", header(1, 2)[8:] + b"more") + two_tracks()[14:],
        two_tracks(ends=(END + b"\x00\x00\x00", END)),  # within the length of the track
        two_tracks(ends=(b"", b"")),
        two_tracks(ends=(b"", b"")) + b"\r\nbehind",
    ],
    ids=[
        *("text", "zeros", "ones", "no-track", "second-file", "other-chunks", "riff", "macbinary", "long-header"),
        *("padded", "without-end", "without-end-and-text"),
    ],
)
def test_bytes_before_between_and_behind_the_tracks_do_not_matter(data: bytes) -> None:
    found = read_midi(data, "a.mid")
    assert (found.notes, found.percussion, found.mended) == (NOTES, 0, False)


@pytest.mark.parametrize(
    "data",
    [
        two_tracks(second=4),
        two_tracks(second=4) + b"behind",
        two_tracks(second=2**31),
        two_tracks(second=-1),
        two_tracks(second=-12),  # no length at all
        two_tracks(first=1),
        two_tracks(first=-3),
        two_tracks(first=-12, second=-5),
        two_tracks(first=24),  # over the second track
        two_tracks(first=10_000),
        two_tracks(tracks=1),
        two_tracks(tracks=7),
        two_tracks(between=b"\r\n"),
        b"MThd\x00\x00\x00\x00" + two_tracks()[8:],
        b"MThd\x00\x00\x00\x99" + two_tracks()[8:],
        b"MThd\xff\xff\xff\xff" + two_tracks()[8:],
    ],
)
def test_wrong_lengths_and_numbers_of_tracks_do_not_matter_and_are_told(data: bytes) -> None:
    found = read_midi(data, "a.mid")
    assert (found.notes, found.mended) == (NOTES, True)


def test_music21_reads_a_track_that_is_said_to_be_longer_alike() -> None:
    data = header() + chunk(b"MTrk", FIRST + SECOND + END, 4)
    file = MidiFile()
    file.readstr(data)
    expected = [(n.pitch.midi, n.offset, n.offset + n.quarterLength) for n in midiFileToStream(file).flatten().notes]
    assert read_midi(data, "a.mid").notes == [Note(*note) for note in expected] == [Note(60, 0, 1), Note(64, 1, 3)]


@pytest.mark.parametrize("cut", range(2, len(SECOND + END) - 1))
def test_a_file_that_ends_within_a_track_is_refused(cut: int) -> None:
    """Its last notes are missing, or last too long."""
    with pytest.raises(TaskError, match=r"^'x.mid' is not a readable MIDI file \(it ends too early\); leave it out$"):
        read_midi(two_tracks()[:-cut], "'x.mid'")


def test_percussion_is_counted() -> None:
    track = [0, 0x99, 35, 64, 0, 0x90, 60, 64, 2, 0x99, 35, 0, 0, 0x99, 38, 64, 2, 0x80, 60, 0]
    found = read_midi(midi(track), "a.mid")
    assert (found.notes, found.percussion) == ([Note(60, 0, 1)], 2)

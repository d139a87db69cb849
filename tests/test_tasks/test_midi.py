"""Notes of MIDI files that music21 or the test has written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from music21.midi.translate import streamToMidiFile
from music21.note import Note as ScoreNote
from music21.note import Rest
from music21.stream import Part, Score

from tasks.errors import TaskError
from tasks.midi import read_midi
from tasks.piano_rolls import Note
from tests.test_tasks.midi_files import chunk, header, midi


def test_a_score_written_by_music21_comes_back() -> None:
    voices = ([(60, 1.0), (62, 0.5), (None, 1.5), (64, 2.0)], [(48, 2.0), (47, 3.0)])
    score, expected = Score(), []
    for voice in voices:
        part, time = Part(), 0.0
        for pitch, length in voice:
            part.append(ScoreNote(pitch, quarterLength=length) if pitch else Rest(quarterLength=length))
            if pitch:
                expected.append(Note(pitch, time, time + length))
            time += length
        score.insert(0, part)
    notes = read_midi(streamToMidiFile(score).writestr(), "a.mid").notes
    begin = min(note.begin for note in notes)  # music21 may put a measure of nothing before
    assert sorted(Note(n.pitch, n.begin - begin, n.end - begin) for n in notes) == sorted(expected)


def test_running_status_meta_events_and_struck_again_notes() -> None:
    track = [
        *(0, 0xFF, 0x51, 3, 7, 161, 32),  # tempo
        *(0, 0x90, 60, 100),
        *(4, 60, 0),  # running status; velocity 0 releases
        *(0, 64, 100),
        *(0x81, 0x00, 64, 90),  # 128 ticks later struck again
        *(0, 0xF0, 2, 1, 0xF7),  # system exclusive
        *(0, 0xC1, 5),  # program change, one data byte
        *(4, 0x80, 64, 0),
        *(0, 0x99, 35, 100),  # a drum
        *(4, 0x90, 67, 1),  # never released
        *(8, 0xB0, 7, 100),
    ]
    assert read_midi(midi(track), "a.mid").notes == [
        Note(60, 0, 1),
        Note(64, 1, 33),
        Note(64, 33, 34),
        Note(67, 35, 37),
    ]


def test_channels_are_apart() -> None:
    track = [0, 0x90, 60, 9, 4, 0x91, 60, 9, 4, 0x80, 60, 0, 4, 0x81, 60, 0]
    assert read_midi(midi(track), "a.mid").notes == [Note(60, 0, 2), Note(60, 1, 3)]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "it is empty"),
        (b"garbage, but long enough to have a length", "it does not begin with MThd"),
        (header() + b"MTrk\x00\x00\x01\x00short", "it ends too early"),
        (header(form=2), "its format is 2; only 0 and 1 are supported"),
        (header(division=0), "its times are not in quarter notes"),
        (header(division=0xE728), "its times are not in quarter notes"),
        (midi([0, 60, 100]), "a message has the unknown kind 0"),
        (midi([0, 0x90, 0x90, 100]), "a message is damaged"),
        (midi([0x80, 0x80, 0x80, 0x80, 0]), "a number is longer than four bytes"),
        (header() + chunk(b"MTrk", bytes([0, 0x90, 60])), "a message is damaged"),
        (header() + chunk(b"MTrk", bytes([0, 0xFF])), "it ends too early"),
    ],
)
def test_what_is_no_midi_is_one_line(data: bytes, what: str) -> None:
    with pytest.raises(TaskError, match=rf"^'x.mid' is not a readable MIDI file \({what}\); leave it out$"):
        read_midi(data, "'x.mid'")


@settings(deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_arbitrary_bytes_are_notes_or_a_task_error(data: bytes, framed: bool) -> None:
    try:
        notes = read_midi(header() + chunk(b"MTrk", data) if framed else data, "x.mid").notes
    except TaskError:
        return
    assert all(0 <= note.pitch < 128 and note.begin <= note.end for note in notes)

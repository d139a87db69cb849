"""Notes end where a player, which merges the tracks, ends them; voices of one channel stay apart."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.midi import MidiNotes, read_midi
from tasks.piano_rolls import Note
from tests.test_tasks.midi_files import midi, number

Event = tuple[int, int, int, int]  # time, status, and two data bytes


def file_of(*tracks: Sequence[Event]) -> bytes:
    """Return a file of tracks with these events, in quarter notes."""
    written = []
    for track in tracks:
        before, data = 0, b""
        for time, *message in track:
            data += number(4 * (time - before)) + bytes(message)
            before = time
        written.append(list(data))
    return midi(*written)


def on(time: int, pitch: int = 60, channel: int = 0) -> Event:
    return time, 0x90 | channel, pitch, 64


def off(time: int, pitch: int = 60, channel: int = 0) -> Event:
    return time, 0x80 | channel, pitch, 0


def control(time: int, number: int, channel: int = 0) -> Event:
    return time, 0xB0 | channel, number, 0


def read(*tracks: Sequence[Event]) -> MidiNotes:
    return read_midi(file_of(*tracks), "a.mid")


def player(*tracks: Sequence[Event]) -> list[Note]:
    """Return what a synthesizer plays of merged tracks: a release or "all notes off" ends all that sounds."""
    events = sorted((event for track in tracks for event in track), key=lambda event: event[0])
    notes: list[Note] = []
    sounding: dict[tuple[int, int], int] = {}
    for time, status, first, second in events:
        channel, kind = status & 0x0F, status & 0xF0
        ends = []
        if kind in (0x80, 0x90):
            ends = [(channel, first)]
        elif kind == 0xB0 and first in (120, 123, 124, 125, 126, 127):
            ends = [key for key in sounding if key[0] == channel]
        notes += [Note(key[1], sounding.pop(key), time) for key in ends if key in sounding]
        if kind == 0x90 and second:
            sounding[channel, first] = time
    assert not sounding
    return sorted(notes)


def test_a_release_in_another_track_ends_a_note() -> None:
    tracks = [on(0), control(4, 7)], [off(1)]
    found = read(*tracks)
    assert found.notes == player(*tracks) == [Note(60, 0, 1)]
    assert (found.elsewhere, found.open) == (1, 0)
    found = read([on(0), on(4), control(9, 7)], [off(2), off(6)])
    assert found.notes == [Note(60, 0, 2), Note(60, 4, 6)]
    assert (found.elsewhere, found.open) == (2, 0)


def test_a_track_may_end_before_its_notes() -> None:
    found = read([on(0)], [off(3)])
    assert (found.notes, found.elsewhere, found.open) == ([Note(60, 0, 3)], 1, 0)


@pytest.mark.parametrize("mode", [120, 123, 124, 125, 126, 127])
@pytest.mark.parametrize("track", [0, 1])
def test_all_notes_off_ends_the_notes_of_its_channel(mode: int, track: int) -> None:
    tracks = [[on(0), on(0, 64, 1), off(5, 64, 1), off(8)], [on(1, 67), off(3, 67)]]
    tracks[track] = sorted([*tracks[track], control(2, mode)])
    found = read(*tracks)
    assert sorted(found.notes) == player(*tracks) == [Note(60, 0, 2), Note(64, 0, 5), Note(67, 1, 2)]
    assert (found.elsewhere, found.open) == (2, 0)


@pytest.mark.parametrize("controller", [7, 64, 119, 121, 122])
def test_other_controllers_end_nothing(controller: int) -> None:
    assert read([on(0), control(2, controller), off(4)]).notes == [Note(60, 0, 4)]


def test_voices_of_one_channel_stay_apart() -> None:
    """A player would end the long note with the short one; both are written out in full."""
    found = read([on(0), off(4)], [on(1), off(2)])
    assert found.notes == [Note(60, 0, 4), Note(60, 1, 2)]
    assert (found.elsewhere, found.open) == (0, 0)


def test_ports_are_apart() -> None:
    def port(value: int) -> bytes:
        return b"\0\xff\x21\1" + bytes([value])

    first = [*port(0), 0, 0x90, 60, 64, 8, 0x80, 60, 0]
    second = [*port(1), 4, 0xB0, 123, 0]
    assert read_midi(midi(first, second), "a.mid").notes == [Note(60, 0, 2)]
    assert read_midi(midi(first, [*port(0), *second[5:]]), "a.mid").notes == [Note(60, 0, 1)]


def test_a_note_that_nothing_ends_lasts_to_the_end_of_its_track_and_is_counted() -> None:
    found = read([on(0), control(3, 7)], [off(0), off(1, 62), off(1, 60, 1), on(5, 64), off(6, 64)])
    assert found.notes == [Note(60, 0, 3), Note(64, 5, 6)]
    assert (found.elsewhere, found.open) == (0, 1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(60, 62), st.integers(1, 3), st.integers(0, 1)), max_size=12))
def test_tracks_of_notes_without_overlap_are_played_alike(steps: list[tuple[int, int, int, int]]) -> None:
    """The notes of each channel and key follow each other; each release is in either track."""
    tracks: tuple[list[Event], list[Event]] = [], []
    free: dict[tuple[int, int], int] = {}
    for channel, pitch, length, releasing in steps:
        begin = free.get((channel, pitch), 0)
        tracks[0].append(on(begin, pitch, channel))
        tracks[releasing].append(off(begin + length, pitch, channel))
        free[channel, pitch] = begin + length + 1
    ordered = [sorted(track, key=lambda event: (event[0], event[1])) for track in tracks]
    assert sorted(read(*ordered).notes) == player(*ordered)

"""Piano rolls of notes, and batches of piano rolls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import TaskError
from tasks.piano_rolls import (
    KEYS,
    Losses,
    Note,
    fitting_grid,
    longest_silence,
    losses_of,
    packed,
    pitch_name,
    roll_of,
    roll_windows,
    unpacked,
)
from tasks.task import Split


@pytest.mark.parametrize(
    ("key", "midi", "name"), [(0, 21, "A0"), (39, 60, "C4"), (48, 69, "A4"), (49, 70, "A#4"), (87, 108, "C8")]
)
def test_keys_have_the_names_of_their_midi_numbers(key: int, midi: int, name: str) -> None:
    assert pitch_name(key) == name
    (column,) = np.flatnonzero(roll_of([Note(midi, 0, 1)], "piece")[0])
    assert column == key


NOTES = st.builds(
    lambda pitch, begin, length: Note(pitch, begin / 12, (begin + length) / 12),
    st.integers(0, 127),
    st.integers(0, 100),
    st.integers(0, 60),
)


@settings(deadline=None)
@given(st.lists(NOTES, min_size=1, max_size=8))
def test_a_key_is_down_on_the_beats_that_a_note_covers(notes: list[Note]) -> None:
    """Compared with a loop over every beat and key; times are multiples of 1/12, hence exact."""
    sounding = [
        [
            any(n.pitch == key + 21 and round(12 * n.begin) <= 12 * t < round(12 * n.end) for n in notes)
            for key in range(KEYS)
        ]
        for t in range(20)
    ]
    beats = [t for t, keys in enumerate(sounding) if any(keys)]
    if beats:
        np.testing.assert_array_equal(roll_of(notes, "piece"), sounding[beats[0] : beats[-1] + 1])
    else:
        with pytest.raises(TaskError, match="piece has no note of a piano on any beat"):
            roll_of(notes, "piece")


@settings(deadline=None)
@given(st.lists(NOTES, min_size=1, max_size=8), st.sampled_from([1, 2, 4]))
def test_a_finer_grid_is_the_quarter_grid_of_a_slower_piece(notes: list[Note], per_quarter: int) -> None:
    slow = [Note(note.pitch, note.begin * per_quarter, note.end * per_quarter) for note in notes]
    assert losses_of(notes, per_quarter) == losses_of(slow)
    if losses_of(slow).dropped + losses_of(slow).outside < len(notes):
        np.testing.assert_array_equal(roll_of(notes, "piece", per_quarter), roll_of(slow, "piece"))


@settings(deadline=None)
@given(st.lists(NOTES, min_size=1, max_size=12))
def test_notes_that_a_roll_lacks_are_those_of_a_plain_count(notes: list[Note]) -> None:
    """Each note is put into the roll alone, in order; times are multiples of 1/12, hence exact."""
    dropped = merged = outside = 0
    down: set[tuple[int, int]] = set()  # key and step
    for note in sorted(notes):
        steps = [t for t in range(20) if round(12 * note.begin) <= 12 * t < round(12 * note.end)]
        if not 21 <= note.pitch <= 108:
            outside += 1
        elif not steps:
            dropped += 1
        else:
            merged += any((note.pitch, step) in down for step in (steps[0] - 1, steps[0]))
            down |= {(note.pitch, step) for step in steps}
    assert losses_of(notes, percussion=2) == Losses(len(notes), dropped, merged, outside, 2)


@pytest.mark.parametrize("per_quarter", [1, 2, 3, 4, 5, 7, 12, 47, 48])
def test_the_grid_that_notes_need_drops_none_of_them(per_quarter: int) -> None:
    notes = [Note(60 + k, k / per_quarter, (k + 0.7) / per_quarter) for k in range(40)]
    assert fitting_grid(notes) == per_quarter
    assert losses_of(notes, per_quarter).dropped == 0
    assert len(roll_of(notes, "piece", per_quarter)) == 40


def test_notes_off_any_grid_get_the_finest() -> None:
    assert fitting_grid([Note(60, time, 9) for time in np.random.default_rng(0).uniform(0, 8, 50)]) == 48
    assert fitting_grid([Note(60, 0.02, 1), Note(62, 1.03, 2), Note(3, 0.4, 2)]) == 1  # imprecise, and no key


@pytest.mark.parametrize(
    ("steps", "longest"), [("1", 0), ("0", 1), ("101", 1), ("001", 2), ("1000", 3), ("10010", 2), ("1111", 0)]
)
def test_the_longest_silence_is_counted_in_steps(steps: str, longest: int) -> None:
    roll = np.zeros((len(steps), KEYS), np.uint8)
    roll[:, 3] = [int(step) for step in steps]
    assert longest_silence(roll) == longest


def test_slightly_late_notes_fall_on_the_beat() -> None:
    roll = roll_of([Note(60, 0.02, 1.03), Note(62, 1.03, 1.97)], "piece")
    assert np.argwhere(roll).tolist() == [[0, 39], [1, 41]]


def test_an_endless_piece_is_refused() -> None:
    with pytest.raises(TaskError, match=r"^piece has 200,000 quarter notes; the limit is 100,000, so cut it$"):
        roll_of([Note(60, 0, 200_000)], "piece")


def test_each_step_is_predicted_from_those_before() -> None:
    rng = np.random.default_rng(0)
    pieces = [rng.integers(2, size=(length, KEYS)).astype(np.uint8) for length in (5, 3)]
    windows = list(roll_windows(pieces, 3, 2))
    assert [window.starts for window in windows] == [True, False, False]
    assert [len(window.inputs) for window in windows] == [2, 2, 1]
    inputs = np.concatenate([window.inputs for window in windows])
    targets = np.concatenate([window.targets for window in windows])
    loss_mask = np.concatenate([window.loss_mask for window in windows])
    assert loss_mask.T.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]]
    assert not inputs[0].any()
    for column, piece in enumerate(pieces):
        np.testing.assert_array_equal(targets[: len(piece), column], piece)
        np.testing.assert_array_equal(inputs[1 : len(piece), column], piece[:-1])
    assert not targets[3:, 1].any()
    assert not targets[:, 2].any()


def test_packed_pieces_come_back() -> None:
    rng = np.random.default_rng(0)
    pieces = {
        split: [rng.integers(2, size=(length, KEYS)).astype(np.uint8) for length in range(1, count)]
        for count, split in enumerate(Split, start=2)
    }
    again = unpacked(packed(pieces))
    assert list(again) == list(pieces)
    for split in Split:
        assert len(again[split]) == len(pieces[split])
        for left, right in zip(again[split], pieces[split], strict=True):
            np.testing.assert_array_equal(left, right)

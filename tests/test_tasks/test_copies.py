"""Copies of pieces are recognised, and are in one split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tasks.copies import groups_of, onset_mark, repeated_pieces, roll_mark, splits_of
from tasks.piano_rolls import Note, roll_of
from tasks.task import Split

TUNE = [60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65, 64]


def notes_of(pitches: Sequence[int], start: float = 0.0, length: float = 1.0, step: float = 1.0) -> list[Note]:
    return [Note(pitch, start + k * step, start + k * step + length) for k, pitch in enumerate(pitches)]


@pytest.mark.parametrize(
    "copy",
    [
        notes_of(TUNE)[::-1],  # another order of tracks
        notes_of(TUNE, start=7.5),
        notes_of(TUNE, length=0.4),
        notes_of([pitch + 5 for pitch in TUNE]),
        notes_of([pitch - 20 for pitch in TUNE], start=1.0, length=0.9),
        [Note(n.pitch, n.begin + 0.005, n.end) for n in notes_of(TUNE, start=1.0)],
    ],
)
def test_a_copy_has_the_mark_of_its_original(copy: list[Note]) -> None:
    assert onset_mark(copy) == onset_mark(notes_of(TUNE))


@pytest.mark.parametrize(
    "other", [notes_of(TUNE[:-1]), notes_of([*TUNE[:-1], 65]), notes_of(TUNE, step=1.5), notes_of(TUNE[::-1])]
)
def test_another_piece_has_another_mark(other: list[Note]) -> None:
    assert onset_mark(other) != onset_mark(notes_of(TUNE))
    assert roll_mark(roll_of(other, "a")) != roll_mark(roll_of(notes_of(TUNE), "b"))


def test_short_pieces_in_two_keys_are_two_pieces() -> None:
    for count, same in ((1, False), (11, False), (12, True)):
        low, high = notes_of(TUNE[:count]), notes_of([pitch + 1 for pitch in TUNE[:count]])
        assert (onset_mark(low) == onset_mark(high)) is same
        assert (roll_mark(roll_of(low, "a")) == roll_mark(roll_of(high, "b"))) is same


def test_pieces_that_share_a_mark_through_a_third_are_one_group() -> None:
    marks = {"d": ["1"], "b": ["2", "1"], "a": ["2"], "c": ["3"], "e": []}
    assert groups_of(marks) == {"a": "a", "b": "a", "d": "a", "c": "c", "e": "e"}


def test_the_split_is_of_the_content_and_not_of_the_name() -> None:
    pieces = [[str(k), f"x{k}"] for k in range(400)]
    first = splits_of({f"a{k}": marks for k, marks in enumerate(pieces)})
    second = splits_of({f"b{400 - k}": marks for k, marks in enumerate(pieces)})
    assert list(first.values()) == [second[f"b{400 - k}"] for k in range(400)]
    shares = [list(first.values()).count(split) / 400 for split in Split]
    np.testing.assert_allclose(shares, [0.75, 0.125, 0.125], atol=0.05)


def test_more_pieces_change_the_split_of_none_and_copies_follow_their_original() -> None:
    pieces = {f"piece {k}": [str(k)] for k in range(100)}
    before = splits_of(pieces)
    after = splits_of(
        pieces | {f"copy of {k}": [str(k)] for k in range(100)} | {f"new {k}": [f"n{k}"] for k in range(50)}
    )
    assert {name: after[name] for name in before} == before
    assert all(after[f"copy of {k}"] is before[f"piece {k}"] for k in range(100))


def test_copies_in_another_split_are_found() -> None:
    tune, high = (roll_of(notes_of([pitch + up for pitch in TUNE]), "a") for up in (0, 3))
    other, short = roll_of(notes_of(TUNE[::-1]), "b"), roll_of(notes_of([60]), "c")
    pieces = {Split.TRAIN: [tune, other, other], Split.VALIDATION: [short, high], Split.TEST: [short.copy()]}
    assert repeated_pieces(pieces) == {
        Split.TRAIN: [True, False, False],
        Split.VALIDATION: [True, True],
        Split.TEST: [True],
    }

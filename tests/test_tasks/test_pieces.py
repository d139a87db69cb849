"""Pieces hold every step as often as they should; windows over them are the steps themselves."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from tasks.batch import Batch
from tasks.pieces import (
    Steps,
    evaluation_pieces,
    evaluation_windows,
    training_pieces,
    training_windows,
)

LENGTHS = ([1000], [7], [300, 40, 5, 1], [30] * 40)


def numbered(lengths: list[int]) -> Steps:
    """Return steps whose input is their number, counted from 1, and whose target is minus that."""
    numbers = np.arange(1, sum(lengths) + 1, dtype=np.float32)[:, None]
    mask = (numbers[:, 0] % 3 > 0).astype(np.float32)
    return Steps(numbers, -numbers, mask, np.array(lengths))


def read(windows: list[Batch]) -> list[list[np.ndarray]]:
    """Return the numbers of each column of each batch of pieces: all that are read, and those that count."""
    found: list[list[np.ndarray]] = []
    runs: list[list[Batch]] = []
    for window in windows:
        if window.starts:
            runs.append([])
        runs[-1].append(window)
    for run in runs:
        inputs = np.concatenate([window.inputs[:, :, 0] for window in run])
        mask = np.concatenate([window.loss_mask for window in run]) > 0
        np.testing.assert_array_equal(inputs, -np.concatenate([window.targets[:, :, 0] for window in run]))
        for column in range(inputs.shape[1]):
            whole = inputs[:, column]
            found.append([whole[whole > 0], whole[mask[:, column]]])
    return found


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("batch", [1, 8, 50])
@pytest.mark.parametrize("context", [1, 25, 10_000])
def test_evaluation_counts_every_step_once_with_what_came_before(lengths: list[int], batch: int, context: int) -> None:
    steps = numbered(lengths)
    windows = list(evaluation_windows(steps, batch, 13, context, 10))
    assert all(window.inputs.shape[1] == batch and len(window.inputs) <= 13 for window in windows)
    counted = []
    first = np.cumsum([1, *lengths])
    for whole, own in read(windows):
        assert (np.diff(whole) == 1).all()  # without a gap
        counted += own.tolist()
        if len(own):
            begin = first[np.searchsorted(first, whole[0], side="right") - 1]
            until = first[np.searchsorted(first, whole[0], side="right")]
            assert whole[-1] < until  # of one sequence
            known = own[0] - whole[0]
            assert known >= min(context, own[0] - begin) or own[0] % 3 == 1  # the step before it does not count itself
    assert sorted(counted) == [number for number in range(1, sum(lengths) + 1) if number % 3]


def test_evaluation_cuts_no_shorter_than_allowed_and_in_about_as_many_pieces_as_columns() -> None:
    assert evaluation_pieces(np.array([1000]), 50, 7, 10).length.tolist() == [20] + [27] * 49
    assert evaluation_pieces(np.array([100]), 50, 7, 10).length.tolist() == [10] + [17] * 9
    assert evaluation_pieces(np.array([100]), 1, 7, 10).length.tolist() == [100]
    assert evaluation_pieces(np.array([9, 1]), 50, 7, 10).length.tolist() == [1, 9]


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("batch", [1, 8, 50])
def test_a_cut_for_training_has_every_step_once(lengths: list[int], batch: int) -> None:
    rng = np.random.default_rng(0)
    begins = set()
    for _ in range(20):
        pieces = training_pieces(np.array(lengths), batch, 25, rng)
        places = []
        for base, size, start, length in zip(pieces.base, pieces.size, pieces.start, pieces.length, strict=True):
            places += [int(base + (start + k) % size) for k in range(length)]
            begins.add(int(base + start))
        assert sorted(places) == list(range(sum(lengths)))
        assert (pieces.length >= np.minimum(pieces.size, 25)).all()
    firsts = set((np.cumsum(lengths) - lengths).tolist())
    if len(pieces.base) > len(lengths):
        assert len(begins - firsts) > 15  # cuts are anywhere
    else:
        assert begins == firsts  # a whole sequence begins with its first step


def test_training_passes_read_every_step_and_are_a_function_of_the_generator() -> None:
    steps = numbered([300, 40, 5])

    def first(seed: int) -> list[Batch]:
        return list(islice(training_windows(steps, 4, 16, 25, np.random.default_rng(seed)), 60))

    windows = first(1)
    assert {int(number) for whole, _ in read(windows) for number in whole} == set(range(1, 346))
    assert windows[0].starts
    assert not windows[1].starts
    assert all(len(window.inputs) <= 16 for window in windows)
    for one, other in zip(windows, first(1), strict=True):
        np.testing.assert_array_equal(one.inputs, other.inputs)
    assert any(not np.array_equal(one.inputs, other.inputs) for one, other in zip(windows, first(2), strict=True))


def test_a_short_series_is_cut_anew_until_it_fills_a_batch() -> None:
    window = next(training_windows(numbered([200]), 20, 35, 100, np.random.default_rng(0)))
    assert len(np.unique(window.inputs[0])) > 15
    assert window.loss_mask.any(axis=0).all()

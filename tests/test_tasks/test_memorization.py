"""Memorization samples repeat their letters, each from a zero state."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from tasks.errors import TaskError
from tasks.memorization import Memorization
from tasks.task import Split


@pytest.mark.parametrize("length", [1, 5, 9])
def test_every_column_is_one_sample_that_repeats_itself(length: int) -> None:
    task = Memorization(length=length)
    for window in islice(task.training(7, 35, np.random.default_rng(0)), 5):
        assert window.starts
        assert window.inputs.shape == (2 * length - 1, 7)
        whole = np.concatenate([window.inputs[:1], window.targets])
        np.testing.assert_array_equal(whole[:length], whole[length:])
        np.testing.assert_array_equal(window.loss_mask[: length - 1], 0)
        np.testing.assert_array_equal(window.loss_mask[length - 1 :], 1)


def test_a_last_group_that_is_not_full_is_padded_with_steps_that_do_not_count() -> None:
    task = Memorization(validation=50)
    (window,) = task.evaluation(Split.VALIDATION, 8, 35)
    assert window.inputs.shape == (9, 8)
    assert window.loss_mask.sum(axis=0).tolist() == [5.0] * 5 + [0.0] * 3


def test_letters_are_uniform() -> None:
    task = Memorization()
    windows = islice(task.training(200, 35, np.random.default_rng(0)), 50)
    counts = sum(np.bincount(window.targets.ravel(), minlength=26) for window in windows)
    np.testing.assert_allclose(counts / np.sum(counts), 1 / 26, atol=0.003)


def test_a_length_of_nothing_is_refused() -> None:
    with pytest.raises(TaskError, match="length = 0, but it must be an integer from 1"):
        Memorization(length=0)

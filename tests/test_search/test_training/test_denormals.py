"""Denormal numbers are zero while a trial trains, and as before afterwards."""

import numpy as np
import pytest
import torch

from search.cells.library import LIBRARY
from search.training.denormals import denormals_flushed
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.trial import Point, train_trial
from tests.test_search.small import small_task


def product() -> float:
    """Return the product of two single-precision numbers, which is denormal."""
    return float((torch.tensor([1e-20]) * torch.tensor([1e-20])).item())


def flushed() -> bool:
    return product() == 0.0 and float(np.float32(1e-20) * np.float32(1e-20)) == 0.0


def test_denormals_are_zero_inside_and_numbers_outside() -> None:
    exact = product()
    assert 0.0 < exact < float(np.finfo(np.float32).tiny)
    with denormals_flushed():
        assert flushed()
        with denormals_flushed():
            assert flushed()
        assert flushed()
    assert product() == exact
    with pytest.raises(ZeroDivisionError), denormals_flushed():
        raise ZeroDivisionError
    assert product() == exact


def test_a_trial_trains_without_them() -> None:
    seen: list[bool] = []

    def note(point: Point) -> None:
        seen.append(flushed())

    budget, setting = Budget(batch=4, unroll=8, epoch_steps=2, epochs=2), Setting(1.0, 0.1, 5.0, 1, 6_000)
    for _ in range(2):  # a decorator made of a context manager serves every call
        train_trial(LIBRARY["mi-lstm"].graph, small_task("xml"), setting, budget, 1, on_epoch=note)
    assert seen == [True] * 4
    assert not flushed()

"""Rows: values that they refuse, and numbers that are not finite."""

from __future__ import annotations

import math

import numpy as np
import pytest

from results.store.errors import ResultsError
from tests.test_results.rows import GRU, make_evaluation, make_trial


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, np.float64("nan"), np.float32("inf")])
def test_a_number_that_is_not_finite_is_none(number: float) -> None:
    row = make_trial(GRU, validation=number, test=number, validation_loss=number, test_se=number)
    assert (row.validation, row.test, row.validation_loss, row.test_se) == (None, None, None, None)
    assert row.validation_se == 0.01
    assert make_evaluation(GRU, ratio=number).ratio is None


def test_a_numpy_number_becomes_a_plain_one() -> None:
    row = make_trial(GRU, validation=np.float32(0.5), curve=((np.int64(3), np.float32(1.5), np.inf),))
    assert type(row.validation) is float
    assert row.curve == ((3, 1.5, math.nan),)
    assert [type(item) for item in row.curve[0]] == [int, float, float]


def test_an_unknown_state_is_refused_by_name() -> None:
    with pytest.raises(ResultsError, match=r"'done' is unknown; use one of .*'at-chance'"):
        make_trial(GRU, state="done")


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_beyond_64_bits_is_refused(seed: int) -> None:
    with pytest.raises(ResultsError, match=f"trial seed {seed} is outside"):
        make_trial(GRU, seed=seed)

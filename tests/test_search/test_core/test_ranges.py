"""Ranges of numbers that a user gives: what is refused, in one line with the value and the rule."""

import math
import re

import numpy as np
import pytest

from search.core.errors import SearchError
from search.core.ranges import MAX_SEED, check_positive, check_whole


@pytest.mark.parametrize("value", [0, 7, np.int64(7), MAX_SEED])
def test_whole_numbers_within_bounds_are_returned_as_int(value: int) -> None:
    assert check_whole("seed", value, 0, MAX_SEED) == value
    assert type(check_whole("seed", value, 0, MAX_SEED)) is int


@pytest.mark.parametrize("value", [-1, 2**63, 1.0, 1.5, "1", None, True, math.nan, "a\nb" * 100])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(SearchError, match=r"^seed is .*; it must be a whole number from 0 to 9223372036854775807$"):
        check_whole("seed", value, 0, MAX_SEED)


@pytest.mark.parametrize("value", [1e-9, 1, np.float32(0.5), 1e6])
def test_positive_numbers_are_accepted(value: float) -> None:
    check_positive("scale", value, 1e6)


@pytest.mark.parametrize("value", [0, -1.0, 1e7, math.inf, math.nan, "1", True, None, [1.0]])
def test_numbers_that_are_not_positive_or_too_large_are_refused(value: object) -> None:
    shown = re.escape(f"scale is {value!r}; it must be a number above 0 and at most 1e+06")
    with pytest.raises(SearchError, match=f"^{shown}$"):
        check_positive("scale", value, 1e6)

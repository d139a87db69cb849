"""How many seeds are needed: against simulated experiments."""

import numpy as np
import pytest

from results.comparison import paired
from results.power import MOST, POWER, repeats_needed


def sample(mean: float, spread: float, size: int = 6) -> np.ndarray:
    """Differences with exactly this mean and this standard deviation."""
    values = np.random.default_rng(0).normal(size=size)
    values = (values - values.mean()) / values.std(ddof=1)
    return np.asarray(mean + spread * values, np.float64)


@pytest.mark.parametrize("effect", [0.5, 1.0, 3.0])
def test_so_many_seeds_find_the_difference_four_times_in_five(effect: float) -> None:
    needed = repeats_needed(sample(0.02 * effect, 0.02), margin=0.0, level=0.01)
    assert needed is not None
    rng = np.random.default_rng(1)
    for count, enough in ((needed, True), (needed - 1, False)):
        found = np.mean([paired(rng.normal(effect, 1.0, count))[2] < 0.01 for _ in range(4000)])
        assert found > POWER - 0.03 if enough else found < POWER + 0.03


def test_a_difference_far_below_the_margin_is_told_from_the_margin_instead() -> None:
    alone = repeats_needed(sample(0.0005, 0.005), margin=0.0, level=0.05)
    with_margin = repeats_needed(sample(0.0005, 0.005), margin=0.01, level=0.05)
    assert alone is None
    assert with_margin is not None
    assert with_margin < 10


def test_no_number_of_seeds_decides_what_is_at_the_margin_or_hidden_in_noise() -> None:
    assert repeats_needed(sample(0.0001, 0.02), margin=0.0, level=0.05) is None
    assert repeats_needed(sample(1.0, 100.0), margin=1.0, level=0.05) is None
    assert MOST == 200


def test_without_spread_there_is_nothing_to_wait_for() -> None:
    assert repeats_needed(np.full(4, 0.1), 0.01, 0.05) == 4

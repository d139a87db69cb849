"""Numbers of seeds, against simulated experiments."""

import numpy as np
import pytest
from scipy import integrate, stats

from results.scores.comparison import paired
from results.scores.power import MOST, POWER, _power, repeats_needed


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


@pytest.mark.parametrize("count", [2, 5, 8, 30, 200])
@pytest.mark.parametrize("effect", [0.05, 0.2, 0.6, 1.0, 3.55, 12.0])
def test_the_power_is_that_of_the_definition_over_all_that_is_asked(effect: float, count: int) -> None:
    """P(Z + effect sqrt(n) > t sqrt(V / df)) with normal Z and chi-squared V, integrated over V; no NaN among them."""
    freedom = count - 1
    for level, alternative in ((0.05, "larger"), (0.05 / 12, "two-sided"), (0.05 / 104, "two-sided")):
        threshold = stats.t.isf(level / 2 if alternative == "two-sided" else level, freedom)

        def found(share: float, threshold: float = threshold) -> float:
            spread = stats.chi2.ppf(share, freedom)
            return float(stats.norm.sf(threshold * np.sqrt(spread / freedom) - effect * np.sqrt(count)))

        exact, _ = integrate.quad(found, 0, 1, limit=200)
        assert _power(effect, count, level, alternative) == pytest.approx(exact, abs=2e-3)

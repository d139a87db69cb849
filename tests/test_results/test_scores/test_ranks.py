"""Ranges of ranks against other draws from the same distribution, and in cases that need no draws."""

import numpy as np
import pytest
from scipy import stats

from results.scores.ranks import TaskRepeats, rank_ranges
from results.store.words import ScoreKind


def draws(values: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return draws of the means from the multivariate t distribution."""
    repeats = values.shape[1]
    shape = np.cov(values) / repeats
    t = stats.multivariate_t(values.mean(axis=1), shape, df=repeats - 1, allow_singular=True, seed=rng)
    return np.asarray(t.rvs(count))


@pytest.mark.parametrize("kind", ScoreKind)
@pytest.mark.parametrize("seed", range(4))
def test_a_range_is_that_of_the_middle_95_percent_of_the_ranks(kind: ScoreKind, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells, repeats, constant = 6, 5, 0.1
    spread = np.arange(cells)[:, None] * 0.01
    accuracy = 0.6 - spread + rng.normal(0, 0.02, (1, repeats)) + rng.normal(0, 0.015, (cells, repeats))
    nats = 3.0 + 5 * spread + rng.normal(0, 0.05, (cells, repeats))
    tasks = [TaskRepeats(accuracy, True, constant), TaskRepeats(nats, False, 6.0)]
    best, worst = rank_ranges(kind, tasks, 0)
    first, second = draws(accuracy, 20_000, rng), draws(nats, 20_000, rng)

    def ranks(accuracies: np.ndarray, losses: np.ndarray) -> np.ndarray:
        if kind is ScoreKind.GAIN:
            shares = (accuracies - constant) / (accuracies[:, [0]] - constant), (6.0 - losses) / (6.0 - losses[:, [0]])
        else:
            shares = accuracies / accuracies[:, [0]], losses[:, [0]] / losses
        return np.asarray(stats.rankdata(-np.minimum(*shares), axis=1, method="min"))

    drawn = ranks(first, second)
    estimated = ranks(accuracy.mean(axis=1)[None], nats.mean(axis=1)[None])[0]
    for cell in range(cells):
        # Both are simulated: the true quantile is between those at slightly other levels.
        low = np.quantile(drawn[:, cell], [0.015, 0.035], method="inverted_cdf")
        high = np.quantile(drawn[:, cell], [0.965, 0.985], method="inverted_cdf")
        assert min(low[0], estimated[cell]) <= best[cell] <= min(low[1], estimated[cell])
        assert max(high[0], estimated[cell]) <= worst[cell] <= max(high[1], estimated[cell])
    assert (best < worst).any()


def test_cells_far_apart_have_one_rank_and_equal_cells_share_it() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.001, (1, 6))
    values = np.array([[0.5], [0.8], [0.2], [0.8]]) + noise  # the noise of the seeds is common to all cells
    best, worst = rank_ranges(ScoreKind.RATIO, [TaskRepeats(values, True, np.nan)], 0)
    assert best.tolist() == worst.tolist() == [3, 1, 4, 1]
    best, worst = rank_ranges(ScoreKind.GAIN, [TaskRepeats(values, False, 0.9)], 0)
    assert best.tolist() == worst.tolist() == [2, 3, 1, 3]


def test_noise_that_all_cells_share_leaves_their_order_and_own_noise_does_not() -> None:
    rng = np.random.default_rng(1)
    levels = np.array([[0.50], [0.51], [0.52]])
    shared = levels + rng.normal(0, 0.05, (1, 8))
    own = levels + rng.normal(0, 0.05, (3, 8))
    best, worst = rank_ranges(ScoreKind.RATIO, [TaskRepeats(shared, True, np.nan)], 0)
    assert (best == worst).all()
    best, worst = rank_ranges(ScoreKind.RATIO, [TaskRepeats(own, True, np.nan)], 0)
    assert (best.tolist(), worst.tolist()) == ([1, 1, 1], [3, 3, 3])


def test_the_same_numbers_give_the_same_ranges_and_one_repeat_or_no_constant_gives_none() -> None:
    values = np.random.default_rng(2).normal(0.5, 0.02, (5, 4))
    task = TaskRepeats(values, True, np.nan)
    first, again = (rank_ranges(ScoreKind.RATIO, [task, task], 2) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.isnan(rank_ranges(ScoreKind.RATIO, [TaskRepeats(values[:, :1], True, np.nan)], 0)).all()
    assert np.isnan(rank_ranges(ScoreKind.GAIN, [task], 0)).all()
    assert np.isnan(rank_ranges(ScoreKind.GAIN, [TaskRepeats(values, True, 0.9)], 0)).all()  # the GRU has no gain

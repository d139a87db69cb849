"""Paired comparisons against scipy, formulas written out, and simulated truth."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from results.scores.comparison import LEVEL, Verdict, compare, holm, paired
from results.scores.finalists import Finalists
from results.scores.ratio import ratio_of_means


@pytest.mark.parametrize("size", [2, 3, 10])
def test_paired_is_the_paired_t_test(size: int) -> None:
    rng = np.random.default_rng(size)
    first, second = rng.normal(0.5, 0.1, (2, size))
    mean, error, p = paired(first - second)
    expected = stats.ttest_rel(first, second)
    assert mean == pytest.approx(first.mean() - second.mean())
    assert mean / error == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue)


def test_equal_differences_decide_nothing() -> None:
    assert paired(np.zeros(5)) == (0.0, 0.0, 1.0)
    assert paired(np.full(5, 0.25)) == (0.25, 0.0, 1.0)


def test_holm_multiplies_the_smallest_by_their_number_the_next_by_one_less_and_never_falls() -> None:
    assert holm([0.03, 0.01, 0.04, 0.5]) == pytest.approx([0.09, 0.04, 0.09, 0.5])
    assert holm([0.01, 0.01, 0.02, 0.9]) == pytest.approx([0.04, 0.04, 0.04, 0.9])
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_ratio_s_error_is_what_repeating_it_all_shows() -> None:
    """Simulate experiments of 8 seeds with noise that both cells share: the spread of the ratios is the error."""
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.05, (4000, 8))
    own, other = 0.6 + shared + rng.normal(0, 0.01, shared.shape), 0.5 + shared + rng.normal(0, 0.01, shared.shape)
    for higher in (True, False):
        found = [ratio_of_means(a, b, higher) for a, b in zip(own, other, strict=True)]
        ratios, errors = np.array(found).T
        assert np.sqrt(np.mean(errors**2)) == pytest.approx(ratios.std(), rel=0.05)
        assert ratios.mean() == pytest.approx(1.2 if higher else 1 / 1.2, rel=0.01)
        shifted = [ratio_of_means(a, rng.permutation(b), higher)[1] for a, b in zip(own, other, strict=True)]
        assert np.mean(shifted) > 1.5 * np.mean(errors)  # what pairing is worth
    assert ratio_of_means(own[0], own[0], True) == (1.0, 0.0)


def make_found(values: dict[str, np.ndarray], higher: bool = True) -> Finalists:
    table = pd.DataFrame(values).T
    return Finalists(table.shape[1], {"task": table}, {"task": dict.fromkeys(values, 0)}, {"task": higher})


def test_verdicts_follow_the_direction_of_the_metric() -> None:
    noise = np.array([0.0, 0.001, -0.001, 0.0005, 0.0])
    values = {"a": 0.6 + noise, "b": 0.5 - noise, "c": 0.6 + 30 * noise[::-1]}
    for higher, first in ((True, Verdict.BETTER), (False, Verdict.WORSE)):
        pairs = [("task", "a", "b"), ("task", "b", "a"), ("task", "a", "c")]
        found = compare(make_found(values, higher), pairs)
        assert [c.verdict for c in found] == [first, first.reversed, Verdict.UNDECIDED]
        assert found[0].difference == pytest.approx(0.1002 if higher else -0.1002)
        assert found[0].adjusted == pytest.approx(3 * found[0].p)
        assert found[2].adjusted == found[2].p


def test_among_equal_cells_a_verdict_is_rare_however_many_there_are() -> None:
    """Test 12 tables of 20 equal cells: 5 % of the tables may have a verdict; without Holm's correction half have."""
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(12):
        values = {str(k): 0.5 + 0.01 * rng.normal(size=5) for k in range(20)}
        found = compare(make_found(values), [("task", str(k), "0") for k in range(1, 20)])
        wrong += any(c.verdict is not Verdict.UNDECIDED for c in found)
    assert stats.binomtest(wrong, 12, LEVEL, alternative="greater").pvalue > 0.01

"""Courses of searches against plain loops, and paired tests against sums over all flips and scipy."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from results.scores.anytime import (
    Course,
    first_reach,
    paired_tests,
    permutation_p,
    quartiles,
    smallest_p,
    steps_of,
)
from results.scores.comparison import Verdict

ONE = Course((0.0, 2.0, 5.0), (1.0, 3.0, 2.0))
TWO = Course((0.0, 4.0), (0.0, 4.0))
THREE = Course((0.0,), (2.5,))


def test_a_course_is_a_step_function() -> None:
    assert [ONE.at(c) for c in (0.0, 1.9, 2.0, 4.9, 5.0, 100.0)] == [1.0, 1.0, 3.0, 3.0, 2.0, 2.0]
    for budget in (1.0, 2.0, 3.5, 5.0, 8.0):
        middles = (np.arange(100_000) + 0.5) * budget / 100_000
        assert ONE.area(budget) == pytest.approx(float(np.mean([ONE.at(c) for c in middles])), abs=1e-4)


def test_the_median_is_over_the_searches_at_each_compute() -> None:
    courses = [ONE, TWO, THREE]
    assert steps_of(courses, 4.5) == [0.0, 2.0, 4.0]
    assert [quartiles(courses, c)[1] for c in (0.0, 2.0, 4.0, 5.0)] == [1.0, 2.5, 3.0, 2.5]
    low, middle, high = quartiles(courses, 0.0)
    assert (low, middle, high) == (0.5, 1.0, 1.75)  # linear between 0, 1 and 2.5
    assert first_reach(courses, 2.5, 10.0) == 2.0
    assert first_reach(courses, 3.0, 10.0) == 4.0
    assert first_reach(courses, 3.0, 3.9) is None
    assert first_reach(courses, 3.1, 10.0) is None


def test_the_permutation_test_counts_all_flips_of_the_signs() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 5, 8):
        own = rng.normal(0.5, 1.0, n)
        means = [float(np.mean(own * flips)) for flips in itertools.product((1, -1), repeat=n)]
        above = sum(mean >= own.mean() - 1e-12 for mean in means) / 2**n
        below = sum(mean <= own.mean() + 1e-12 for mean in means) / 2**n
        assert permutation_p(own) == pytest.approx(min(1.0, 2 * min(above, below)))
    assert permutation_p(np.array([1.0, 2.0, 3.0, 1.0, 5.0])) == smallest_p(5) == 0.0625
    assert permutation_p(np.zeros(5)) == 1.0


def test_many_seeds_are_flipped_at_random_the_same_each_time() -> None:
    own = np.random.default_rng(1).normal(0.3, 1.0, 20)
    assert permutation_p(own) == permutation_p(own)
    assert permutation_p(own) == pytest.approx(float(stats.ttest_1samp(own, 0.0).pvalue), abs=0.02)


def test_a_pair_has_an_effect_an_interval_and_corrected_p_values() -> None:
    rng = np.random.default_rng(2)
    values = {name: rng.normal(mean, 0.1, 8).tolist() for name, mean in (("a", 1.0), ("b", 1.05), ("c", 1.6))}
    found = paired_tests(values, [("b", "a"), ("c", "a"), ("a", "c")])
    for test, (method, other) in zip(found, [("b", "a"), ("c", "a"), ("a", "c")], strict=True):
        scipys = stats.ttest_rel(values[method], values[other])
        interval = scipys.confidence_interval(0.95)
        own = np.array(values[method]) - values[other]
        assert (test.low, test.high) == pytest.approx((interval.low, interval.high))
        assert test.p_normal == pytest.approx(scipys.pvalue)
        assert test.effect == pytest.approx(own.mean() / own.std(ddof=1))
        assert (test.wins, test.losses) == (int((own > 0).sum()), int((own < 0).sum()))
    assert [t.adjusted for t in found][1:] == [pytest.approx(3 * found[1].p)] * 2  # 2 / 2^8, the smallest of three
    assert [t.verdict for t in found[1:]] == [Verdict.BETTER, Verdict.WORSE]


def test_five_seeds_are_judged_by_the_t_test_since_flips_cannot_decide() -> None:
    better = {"a": [1.0, 1.1, 1.2, 1.0, 1.1], "b": [2.0, 2.11, 2.2, 2.01, 2.1]}
    (test,) = paired_tests(better, [("b", "a")])
    assert (test.by_permutation, test.p, test.verdict) == (False, 0.0625, Verdict.BETTER)
    six = {name: [*values, values[0]] for name, values in better.items()}
    (test,) = paired_tests(six, [("b", "a")])
    assert (test.by_permutation, test.verdict) == (True, Verdict.BETTER)
    assert test.p == pytest.approx(2 / 64)


def test_equal_methods_are_undecided() -> None:
    (test,) = paired_tests({"a": [1.0, 1.2, 0.9], "b": [1.0, 1.2, 0.9]}, [("a", "b")])
    assert (test.difference, test.low, test.high, test.p, test.p_normal) == (0.0, 0.0, 0.0, 1.0, 1.0)
    assert math.isnan(test.effect)
    assert test.verdict is Verdict.UNDECIDED

"""Anytime performance of search methods: the score of the incumbent against compute, over matched search seeds.

A course is a step function: from each compute on, the incumbent has a score, until the next one takes over. Methods are
summarised by the median and the quartiles over seeds at each compute, by the area under a course divided by the budget
(the mean score over the search), and by the first compute at which the median reaches a given score.

*Tests.* Two methods are compared on the differences of matched seeds, by the exact permutation test that flips the
signs of the differences: it assumes no distribution. With n seeds its two-sided p value cannot be below 2 / 2^n, which
is 0.0625 for 5 seeds: fewer than 6 seeds decide nothing at 5 %. For so few seeds, verdicts are those of the paired
t-test, which assumes normal differences and says so. Each p value is corrected by Holm's method over all pairs. The
effect is reported beside it: the mean difference with its 95 % interval, and the mean over the standard deviation.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from results.scores.comparison import LEVEL, Verdict, holm, paired
from results.scores.ratio import Floats

EXACT_SEEDS = 14
"""Most seeds for which all flips of the signs are counted; 2^14 of them take a fraction of a second."""

RANDOM_FLIPS = 99_999
"""Random flips for more seeds."""


@dataclass(frozen=True)
class Course:
    """Score of a search's incumbent from each compute on; the first compute is 0 and they increase."""

    compute: tuple[float, ...]
    score: tuple[float, ...]

    def at(self, compute: float) -> float:
        """Return the score at a compute of at least 0."""
        return self.score[int(np.searchsorted(self.compute, compute, side="right")) - 1]

    def area(self, budget: float) -> float:
        """Return the mean score over the computes from 0 to the budget.

        The sum is rounded once: that of a library for matrices differs in its last digit from processor to processor.
        """
        ends = np.minimum([*self.compute[1:], budget], budget)
        widths = np.maximum(ends - np.minimum(self.compute, budget), 0.0)
        return math.fsum(width * score for width, score in zip(widths.tolist(), self.score, strict=True)) / budget


def quartiles(courses: Sequence[Course], compute: float) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile of the scores at a compute."""
    low, middle, high = np.percentile([course.at(compute) for course in courses], [25, 50, 75])
    return float(low), float(middle), float(high)


def steps_of(courses: Sequence[Course], budget: float) -> list[float]:
    """Return the computes up to the budget at which any of the courses changes, in order; 0 is the first."""
    return sorted({compute for course in courses for compute in course.compute if compute <= budget})


def first_reach(courses: Sequence[Course], level: float, budget: float) -> float | None:
    """Return the first compute at which the median score is at least `level`; None if there is none in the budget."""
    return next((c for c in steps_of(courses, budget) if quartiles(courses, c)[1] >= level), None)


@dataclass(frozen=True)
class PairedTest:
    """Comparison of two methods on one measure, over matched seeds.

    Attributes:
        method: method that is compared.
        other: method that it is compared with.
        seeds: number of seeds.
        difference: mean difference, above 0 if `method` is better.
        low: lower end of its 95 % interval by the t distribution.
        high: upper end.
        effect: mean difference over the standard deviation of the differences; NaN if that is 0.
        wins: number of seeds on which `method` is better.
        losses: number of seeds on which it is worse.
        p: two-sided p value of the permutation test.
        p_normal: two-sided p value of the paired t-test.
        adjusted: `p`, corrected over all pairs.
        adjusted_normal: `p_normal`, corrected over all pairs.
    """

    method: str
    other: str
    seeds: int
    difference: float
    low: float
    high: float
    effect: float
    wins: int
    losses: int
    p: float
    p_normal: float
    adjusted: float
    adjusted_normal: float

    @property
    def by_permutation(self) -> bool:
        """True if the verdict is that of the permutation test; False with too few seeds for it."""
        return smallest_p(self.seeds) < LEVEL

    @property
    def verdict(self) -> Verdict:
        """Verdict at 5 % over all pairs."""
        p = self.adjusted if self.by_permutation else self.adjusted_normal
        if p >= LEVEL:
            return Verdict.UNDECIDED
        return Verdict.BETTER if self.difference > 0 else Verdict.WORSE


def smallest_p(seeds: int) -> float:
    """Return the smallest two-sided p value that the permutation test can have."""
    return float(2.0 ** (1 - seeds))


def permutation_p(differences: Floats) -> float:
    """Return the two-sided p value of the mean difference under flips of the signs; 1 if all differences are 0."""
    if not np.any(differences):
        return 1.0
    from scipy.stats import permutation_test  # slow to import

    many = len(differences) > EXACT_SEEDS
    found = permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RANDOM_FLIPS if many else 2 ** len(differences),  # so many or more: each flip is counted once
        random_state=0,
    )
    return float(found.pvalue)


def paired_tests(values: Mapping[str, Sequence[float]], pairs: Sequence[tuple[str, str]]) -> list[PairedTest]:
    """Return the tests of these pairs of methods, corrected as one family.

    Args:
        values: measure of each method, one number for each seed, in the order of the seeds; at least 2.
        pairs: (method, other).
    """
    from scipy.special import stdtrit  # slow to import

    differences = [np.array(values[method]) - np.array(values[other]) for method, other in pairs]
    permuted = [permutation_p(own) for own in differences]
    normal = [paired(own) for own in differences]
    found = []
    for (method, other), own, p, (mean, error, p_normal), adjusted, adjusted_normal in zip(
        pairs, differences, permuted, normal, holm(permuted), holm([p for _, _, p in normal]), strict=True
    ):
        half = float(stdtrit(len(own) - 1, 1 - LEVEL / 2)) * error
        spread = float(np.std(own, ddof=1))
        found.append(
            PairedTest(
                method=method,
                other=other,
                seeds=len(own),
                difference=mean,
                low=mean - half,
                high=mean + half,
                effect=mean / spread if spread > 0 else float("nan"),
                wins=int(np.sum(own > 0)),
                losses=int(np.sum(own < 0)),
                p=p,
                p_normal=p_normal,
                adjusted=adjusted,
                adjusted_normal=adjusted_normal,
            )
        )
    return found

"""Is one cell better than another beyond the noise of the seeds? Paired tests, corrected for how many there are.

The test is the paired t test on the test metrics of the same task and the same seeds (3 to 10 of them, say). What it
assumes: the differences over seeds are independent, and normally distributed, which so few cannot show; the mean of
accuracies over thousands of steps makes it plausible. A test by ranks would assume less and could not decide anything:
with 5 seeds its smallest p is 1/16, before any correction. The p values are corrected by Holm's method, so that with
probability 95 % none of the verdicts of a table is wrong; it makes no assumption on how the tests depend on each other.
What no test over seeds covers: another task, another size, other settings, or another test set of the same task.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from results.scores.ratio import Floats, ratio
from results.scores.retrained import Retrained

LEVEL = 0.05
"""Of the whole family of tests: the probability that any of its verdicts is wrong."""


class Verdict(StrEnum):
    """A cell beside another one on a task."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"

    @property
    def reversed(self) -> "Verdict":
        """The same seen from the other cell."""
        return {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}.get(self, self)


@dataclass(frozen=True)
class Comparison:
    """Two cells on one task, over the same seeds.

    `difference`: mean of the metrics' differences, turned so that above 0 is in favour of `cell`, and its standard
    `error`; `p` of the two-sided paired t test; `adjusted` for the family of tests that it is one of.
    """

    task: str
    cell: str
    other: str
    difference: float
    error: float
    p: float
    adjusted: float

    @property
    def verdict(self) -> Verdict:
        """What can be said at `LEVEL`."""
        if self.adjusted >= LEVEL:
            return Verdict.UNDECIDED
        return Verdict.BETTER if self.difference > 0 else Verdict.WORSE


def paired(differences: Floats) -> tuple[float, float, float]:
    """Mean, its standard error, and the two-sided p of the t test that the mean is 0, from at least 2 differences.

    Where all are equal the test has nothing to go by, and p is 1.
    """
    mean = float(np.mean(differences))
    error = float(np.std(differences, ddof=1) / np.sqrt(differences.size))
    if error <= 1e-12 * max(1.0, abs(mean)):
        return mean, error, 1.0
    from scipy.special import stdtr  # slow to import, and not always needed

    return mean, error, float(2 * stdtr(differences.size - 1, -abs(mean) / error))


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected by Holm's method for there being so many of them."""
    if not values:
        return []
    order = np.argsort(values)
    corrected = np.empty(len(values))
    steps = np.asarray(values)[order] * np.arange(len(values), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in corrected]


def compare(found: Retrained, pairs: Sequence[tuple[str, str, str]]) -> list[Comparison]:
    """The comparisons (task, cell, other), corrected as one family."""
    raw = []
    for task, cell, other in pairs:
        sign = 1.0 if found.higher[task] else -1.0
        raw.append(paired(sign * (found.on(task, cell) - found.on(task, other))))
    adjusted = holm([p for _, _, p in raw])
    return [
        Comparison(task, cell, other, mean, error, p, corrected)
        for (task, cell, other), (mean, error, p), corrected in zip(pairs, raw, adjusted, strict=True)
    ]


def ratio_of_means(values: Floats, reference: Floats, higher_is_better: bool) -> tuple[float, float]:
    """The ratio of the mean metrics, above 1 where `values` are better, and its standard error.

    The error is that of the linearised ratio (the delta method) with the seeds paired: with r = mean(a) / mean(b), it
    is the standard error of the mean of (a - r b) / mean(b). NaN where the denominator is not positive.
    """
    above, below = (values, reference) if higher_is_better else (reference, values)
    found = float(ratio(float(np.mean(values)), float(np.mean(reference)), higher_is_better))
    residuals = above - found * below
    with np.errstate(invalid="ignore"):
        error = np.std(residuals, ddof=1) / np.sqrt(values.size) / np.mean(below)
    return found, float(error) if np.isfinite(found) else float("nan")

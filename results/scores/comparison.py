"""Paired comparison of two cells over seeds, corrected for multiple tests.

The test is the paired t-test on the test metrics of the same task and the same seeds (typically 3 to 10). It assumes
that the differences over seeds are independent and normally distributed. So few seeds cannot show the latter; it is
plausible because each metric is a mean over thousands of steps. A rank test would assume less but could not reject
anything: with 5 seeds its smallest p value is 1/16, before any correction. Holm's method corrects the p values, so that
with probability 95 % no verdict of a table is wrong, however the tests depend on each other. No test over seeds covers
another task, another size, other settings, or another test set of the same task.
"""

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from results.scores.finalists import Finalists
from results.scores.ratio import Floats, direction

LEVEL = 0.05
"""Level of a whole family of tests: the probability that any of its verdicts is wrong."""


class Verdict(StrEnum):
    """Verdict on a cell against another one on a task."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"

    @property
    def reversed(self) -> "Verdict":
        """Verdict on the other cell."""
        return {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}.get(self, self)


@dataclass(frozen=True)
class Comparison:
    """Two cells on one task, over the same seeds.

    `difference` is the mean difference of the metrics, above 0 if `cell` is better, and `error` its standard error. `p`
    is the p value of the two-sided paired t-test, `adjusted` the one corrected within the family of tests.
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
        """Verdict at `LEVEL`."""
        if self.adjusted >= LEVEL:
            return Verdict.UNDECIDED
        return Verdict.BETTER if self.difference > 0 else Verdict.WORSE


def paired(differences: Floats) -> tuple[float, float, float]:
    """Return the mean of at least 2 differences, its standard error, and the two-sided p value of the t-test against 0.

    If all differences are equal, the test is undefined and p is 1.
    """
    means, errors, ps = paired_rows(differences[None])
    return float(means[0]), float(errors[0]), float(ps[0])


def paired_rows(differences: Floats) -> tuple[Floats, Floats, Floats]:
    """Return `paired` of each row of `differences` (tests, seeds) as three arrays."""
    means = np.mean(differences, axis=1)
    errors = np.std(differences, axis=1, ddof=1) / np.sqrt(differences.shape[1])
    constant = errors <= 1e-12 * np.maximum(1.0, np.abs(means))
    from scipy.special import stdtr  # slow to import, as statsmodels below, and not always needed

    ps = 2 * stdtr(differences.shape[1] - 1, -np.abs(means) / np.where(constant, 1.0, errors))
    return means, errors, np.where(constant, 1.0, ps)


def even_rows(differences: Floats, margin: float) -> Floats:
    """Return the p values that each row's mean is between -`margin` and `margin`, by two one-sided t-tests (TOST).

    `differences` has shape (tests, seeds). A row of equal numbers within the margin has the p value 0.
    """
    means, errors, _ = paired_rows(differences)
    from scipy.special import stdtr  # slow to import

    inside = np.abs(means) < margin
    ps = stdtr(differences.shape[1] - 1, -(margin - np.abs(means)) / np.where(errors > 0, errors, 1.0))
    return np.where(inside, np.where(errors > 0, ps, 0.0), 1.0)


def holm(values: Sequence[float]) -> list[float]:
    """Return the p values of a family of tests, corrected by Holm's method."""
    if not values:
        return []
    from statsmodels.stats.multitest import multipletests

    # It ends with a full garbage collection, a tenth of a second in a process that has loaded pandas and PyTorch. What
    # is frozen is left out of it.
    gc.freeze()
    try:
        return [float(value) for value in multipletests(values, method="holm")[1]]
    finally:
        gc.unfreeze()


def compare(found: Finalists, pairs: Sequence[tuple[str, str, str]]) -> list[Comparison]:
    """Return the comparisons of these (task, cell, other), corrected as one family."""
    raw = [
        paired(direction(found.higher[task]) * (found.on(task, cell) - found.on(task, other)))
        for task, cell, other in pairs
    ]
    adjusted = holm([p for _, _, p in raw])
    return [
        Comparison(task, cell, other, mean, error, p, corrected)
        for (task, cell, other), (mean, error, p), corrected in zip(pairs, raw, adjusted, strict=True)
    ]

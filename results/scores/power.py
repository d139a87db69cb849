"""How many seeds would decide a question: the power of the paired tests."""

import math
from bisect import bisect_left

import numpy as np

from results.scores.ratio import Floats

POWER = 0.8
"""The probability that a difference of the size seen is found."""

MOST = 200
"""Beyond so many seeds, they are not the way to decide a question."""


def repeats_needed(differences: Floats, margin: float, level: float) -> int | None:
    """Seeds that a paired test at `level` needs to tell the mean from 0 or, if it is smaller than `margin`, from that.

    As if the mean and the spread of the differences seen were the true ones. None where more than `MOST` are needed.
    """
    mean, spread = abs(float(np.mean(differences))), float(np.std(differences, ddof=1))
    if spread == 0:
        return differences.size
    counts = []
    for effect, alternative in ((mean, "two-sided"), (margin - mean, "larger")):
        if effect > 0 and _power(effect / spread, MOST, level, alternative) >= POWER:
            sizes = range(2, MOST + 1)
            counts.append(2 + bisect_left(sizes, POWER, key=lambda n: _power(effect / spread, n, level, alternative)))
    return min(counts, default=None)


def _power(effect: float, count: int, level: float, alternative: str) -> float:
    """Of a t test on `count` differences whose mean is `effect` times their spread, above 0.

    From the upper tail of the noncentral t distribution alone: SciPy's lower tail, which a two-sided power would add,
    is not a number for many of these arguments, and holds less than level / 2. Where the upper one is not a number the
    noncentrality is above 37, and nothing is left to doubt.
    """
    from scipy import special  # slow to import

    threshold = -special.stdtrit(count - 1, level / 2 if alternative == "two-sided" else level)
    missed = float(special.nctdtr(count - 1, effect * math.sqrt(count), threshold))
    return 1.0 if math.isnan(missed) else 1.0 - missed

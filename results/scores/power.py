"""Power analysis: number of seeds that would decide a paired test."""

import math
from bisect import bisect_left

import numpy as np

from results.scores.ratio import Floats

POWER = 0.8
"""Probability that a difference of the observed size is detected."""

MOST = 200
"""Largest number of seeds to ask for; beyond it, a larger run is the better way."""


def repeats_needed(differences: Floats, margin: float, level: float) -> int | None:
    """Return the number of seeds that a paired test needs to decide.

    The test at `level` decides if it shows that the mean differs from 0, or that it is smaller than `margin`. The
    observed mean and standard deviation are taken as the true ones. None if more than `MOST` are needed.
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
    """Return the power of a t-test on `count` differences whose mean is `effect` (above 0) standard deviations.

    Only the upper tail of the noncentral t distribution is used. SciPy's lower tail, which a two-sided power would add,
    is NaN for many of these arguments and holds less than level / 2. If the upper tail is NaN, the noncentrality is
    above 37 and the power is 1.
    """
    from scipy import special  # slow to import

    threshold = -special.stdtrit(count - 1, level / 2 if alternative == "two-sided" else level)
    missed = float(special.nctdtr(count - 1, effect * math.sqrt(count), threshold))
    return 1.0 if math.isnan(missed) else 1.0 - missed

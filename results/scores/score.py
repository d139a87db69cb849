"""Score of a cell: the smallest, over the ranked tasks, of its metric's ratio to the reference cell's.

The score of Jozefowicz et al. 2015, section 3.1. `results.scores.ratio` has the ratio for metrics of either direction.
"""

import math
from collections.abc import Iterable

import numpy as np

from results.scores.ratio import Floats, ratio


def score(ratios: Iterable[float | None]) -> float | None:
    """Return the smallest ratio, or None if one is missing or there is none."""
    found = list(ratios)
    known = [value for value in found if value is not None]
    return min(known) if known and len(known) == len(found) else None


def scores(ratios: Floats) -> Floats:
    """Return the score of each row of `ratios` (cells, tasks); NaN where a ratio is missing."""
    return np.asarray(ratios.min(axis=1), np.float64)


def finite_ratio(value: float, reference: float, higher_is_better: bool) -> float | None:
    """Return the ratio of one metric to the reference's, or None if there is nothing to divide by."""
    found = float(ratio(value, reference, higher_is_better))
    return found if math.isfinite(found) else None

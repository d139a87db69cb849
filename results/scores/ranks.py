"""Ranges of ranks that the variation over seeds allows.

A rank follows from estimated scores, so it has an error of its own: among cells that differ by less than the noise, any
order could have come out (Goldstein and Spiegelhalter 1996, "League Tables and Their Limitations"). The mean metrics
of all cells are drawn again and again from their joint distribution, and each draw is ranked; the range of a cell's
rank is that of the middle 95 % of the draws.

The joint distribution is multivariate t: normal with the covariance of the mean over the paired seeds, scaled by the
uncertainty of that covariance. The seeds of different tasks are independent. The draws are the same for every table.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from results.scores.ratio import Floats
from results.scores.score import share
from results.store.words import ScoreKind

DRAWS = 2000
"""Number of draws; 2.5 % are 50 of them."""

LEVEL = 0.95
"""Share of the draws that a range covers."""


@dataclass(frozen=True)
class TaskRepeats:
    """Test metrics of the retrained cells on one task.

    Attributes:
        values: (cells, repeats), paired over the repeats.
        higher_is_better: direction of the metric.
        constant: test metric of the constant baseline; NaN if it is not known.
    """

    values: Floats
    higher_is_better: bool
    constant: float


def rank_ranges(kind: ScoreKind, tasks: Sequence[TaskRepeats], reference: int) -> tuple[Floats, Floats]:
    """Return the best and the worst rank of each cell, 1 for the best score; NaN if there is a single repeat.

    Equal scores share a rank. A range contains the rank of the estimated scores.

    Args:
        kind: kind of the score.
        tasks: the ranked tasks; the rows of `values` are the same cells in all of them.
        reference: row of the reference cell.
    """
    cells, repeats = tasks[0].values.shape
    if repeats < 2:
        return np.full(cells, np.nan), np.full(cells, np.nan)
    drawn, estimated = np.full((DRAWS, cells), np.inf), np.full((1, cells), np.inf)
    for stream, task in enumerate(tasks):
        means = task.values.mean(axis=1)
        for found, values in ((drawn, means + _deviations(task.values, stream)), (estimated, means[None])):
            shares = share(kind, values, values[:, [reference]], task.constant, task.higher_is_better)
            np.minimum(found, shares, out=found)
    known = np.isfinite(drawn).all(axis=1)  # without draws in which the reference has nothing to divide by
    if not known.any() or not np.isfinite(estimated).all():
        return np.full(cells, np.nan), np.full(cells, np.nan)
    ranks, rank = _ranks(drawn[known]), _ranks(estimated)[0]
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low, high = np.quantile(ranks, tails, axis=0, method="inverted_cdf")
    return np.minimum(low, rank), np.maximum(high, rank)


def _deviations(values: Floats, stream: int) -> Floats:
    """Return draws (DRAWS, cells) of the deviation of the means from their estimates."""
    repeats = values.shape[1]
    normal = _normals(repeats, 2 * stream)
    squares = (_normals(repeats - 1, 2 * stream + 1) ** 2).sum(axis=1, keepdims=True)
    residuals = values - values.mean(axis=1, keepdims=True)
    # The rows of `residuals` sum to 0, so the covariance of this is theirs over repeats x (repeats - 1).
    scaled = normal * np.sqrt((repeats - 1) / squares) / math.sqrt(repeats * (repeats - 1))
    return np.asarray(scaled @ residuals.T, np.float64)


@lru_cache(maxsize=128)
def _normals(width: int, stream: int) -> Floats:
    """Return standard normal numbers (DRAWS, width).

    Made from the raw stream of a bit generator, which no version of NumPy changes, unlike its normal numbers.
    """
    raw = np.random.Philox(key=stream).random_raw(DRAWS * width)
    uniform = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    inverse = NormalDist().inv_cdf
    return np.array([inverse(value) for value in uniform.tolist()]).reshape(DRAWS, width)


def _ranks(values: Floats) -> Floats:
    """Return the rank of each entry in its row, 1 for the largest; equal entries share a rank.

    Rounded, so that cells with the same numbers stay equal whatever the order of the sums of a product of matrices.
    """
    rounded = np.round(-values, 12)
    ordered = np.sort(rounded, axis=1)
    ranks = [np.searchsorted(row, own, side="left") for row, own in zip(ordered, rounded, strict=True)]
    return np.asarray(ranks, np.float64) + 1.0

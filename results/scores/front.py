"""Pareto front: the cells that no other cell beats in score without costing more.

A cell is *dominated* if another one has a higher score at no more than its cost, or at least its score at less than its
cost. The front is what is left. Costs that differ by less than `SAME_COST` count as equal: models of one budget differ
by as much because units are whole numbers. Cells with equal score and equal cost do not dominate each other: both are
on the front, or neither. The definition uses point estimates: that a cell is on the front does not show that it is
better than a neighbour, which is the business of the tests.
"""

import numpy as np
import numpy.typing as npt

from results.scores.ratio import Floats

SAME_COST = 0.03
"""Largest difference of two costs that count as equal, as a share of the smaller one."""

Flags = npt.NDArray[np.bool_]


def on_front(scores: Floats, costs: Floats, same: float = SAME_COST) -> Flags:
    """Return which points are not dominated; higher scores and lower costs are better.

    A point with a score or cost that is NaN is not on the front and dominates nothing.

    Args:
        scores: (N,) scores.
        costs: (N,) costs, above 0.
        same: largest difference of two costs that count as equal, as a share of the smaller one.
    """
    scores, costs = np.asarray(scores, np.float64), np.asarray(costs, np.float64)
    front = np.zeros(scores.size, bool)
    known = np.flatnonzero(~np.isnan(scores) & ~np.isnan(costs))
    score, cost = scores[known], costs[known]
    # Entry (i, j): whether point j dominates point i.
    better = (score > score[:, None]) & (cost <= (1.0 + same) * cost[:, None])
    cheaper = (score >= score[:, None]) & ((1.0 + same) * cost < cost[:, None])
    front[known] = ~(better | cheaper).any(axis=1)
    return front


def on_fronts(scores: Floats, costs: dict[str, Floats]) -> list[str]:
    """Return for each point the names of the costs for which it is on the front, joined by spaces."""
    fronts = {name: on_front(scores, values) for name, values in costs.items()}
    return [" ".join(name for name, front in fronts.items() if front[k]) for k in range(len(scores))]

"""Pareto front: the cells that no other cell beats in score without costing more.

A cell is *dominated* if another one has at least its score at no more than its cost, and is strictly better in one of
the two. The front is what is left. Cells with equal score and equal cost do not dominate each other: both are on the
front, or neither. The definition uses point estimates: that a cell is on the front does not show that it is better than
a neighbour, which is the business of the tests.
"""

import numpy as np
import numpy.typing as npt

from results.scores.ratio import Floats

Flags = npt.NDArray[np.bool_]


def on_front(scores: Floats, costs: Floats) -> Flags:
    """Return which points are not dominated; higher scores and lower costs are better.

    A point with a score or cost that is NaN is not on the front and dominates nothing.
    """
    scores, costs = np.asarray(scores, np.float64), np.asarray(costs, np.float64)
    front = np.zeros(scores.size, bool)
    known = np.flatnonzero(~np.isnan(scores) & ~np.isnan(costs))
    best = None
    for cost in np.unique(costs[known]):  # in ascending order
        tied = known[costs[known] == cost]
        top = scores[tied].max()
        if best is None or top > best:
            front[tied[scores[tied] == top]] = True
            best = top
    return front


def on_fronts(scores: Floats, costs: dict[str, Floats]) -> list[str]:
    """Return for each point the names of the costs for which it is on the front, joined by spaces."""
    fronts = {name: on_front(scores, values) for name, values in costs.items()}
    return [" ".join(name for name, front in fronts.items() if front[k]) for k in range(len(scores))]

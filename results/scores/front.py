"""Pareto front: the cells that no other cell beats in score without costing more.

A cell is *dominated* if another one has at least its score at no more than its cost, and is strictly better in one of
the two. The front is what is left. Cells with equal score and equal cost do not dominate each other: both are on the
front, or neither. The definition uses point estimates: that a cell is on the front does not show that it is better than
a neighbour, which is the business of the tests.
"""

from collections.abc import Sequence

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


def indistinguishable(verdicts: Sequence[Sequence[str | None]]) -> list[bool | None]:
    """Return for each cell whether no test tells it from the GRU on any task; None if no test has judged it.

    Args:
        verdicts: for each cell its verdicts against the GRU, one for each task, None where there is none.
    """
    found: list[bool | None] = []
    for own in verdicts:
        known = [verdict for verdict in own if verdict is not None]
        found.append(None if not known else not {"better", "worse"} & set(known))
    return found

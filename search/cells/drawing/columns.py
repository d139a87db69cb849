"""Columns of a layout: the boxes' places from left to right, so that lines are short (Gansner et al. 1993)."""

import math
from collections.abc import Sequence

import numpy as np

from search.cells.drawing.boxes import Box
from search.cells.drawing.program import Row, below, solve


def columns(boxes: Sequence[Box]) -> list[int]:
    """Return columns of the least total net length, by a linear program whose vertices are integral."""
    n = len(boxes)  # variables: the boxes' columns, where each net ends, and the last column
    last = 2 * n
    less: list[Row] = []
    for b, box in enumerate(boxes):
        for s in set(box.sources):
            less += [below(s, b, 1.0), below(b, n + s, 0.0)]
        less += [below(b, n + b, 0.0), below(b, last, 0.0 if box.last else 1.0)]
        if box.last:
            less.append(below(last, b, 0.0))
    cost = np.concatenate([np.full(n, -1.0), np.ones(n), [0.5]])
    for b, box in enumerate(boxes):
        for s in set(box.sources):  # a small cost for each line keeps boxes close to what they read
            cost[b] += 0.1
            cost[s] -= 0.1
    bounds = [(0.0, 0.0) if box.first else (1.0, math.inf) for box in boxes] + [(0.0, math.inf)] * (n + 1)
    found = solve(cost, less, bounds)
    assert found is not None, "no cycle, so there are columns"
    return [round(value) for value in found[:n]]

"""Layouts of diagrams: few crossings, and heights from the uppermost edge."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from search.cells.drawing.boxes import Box
from search.cells.drawing.layout import layout


def test_heights_begin_at_the_uppermost_edge() -> None:
    boxes = [Box(6, 6, (), first=True), Box(100, 40, (0,)), Box(6, 6, (1,), last=True)]
    found = layout(boxes)
    edges = [found.heights[i] - (0 if item.box is None else boxes[item.box].up) for i, item in enumerate(found.items)]
    assert min(edges) == 0


def least_crossings(lines: Sequence[tuple[int, int]], lefts: int, rights: int) -> int:
    """Return the fewest crossings of lines between two rows of points over all orders of the right row."""
    return min(
        sum((a < c) and (order[b] > order[d]) for a, b in lines for c, d in lines)
        for order in itertools.permutations(range(rights))
    )


def test_between_fixed_sides_the_fewest_crossings_are_found() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        lefts, inner = 4, 5
        lines = sorted({(int(rng.integers(lefts)), int(rng.integers(inner))) for _ in range(9)})
        boxes = [Box(5, 5, (), first=True) for _ in range(lefts)]
        boxes += [Box(5, 5, tuple(a for a, b in lines if b == k) or (0,)) for k in range(inner)]
        joined = [(a, k) for k in range(inner) for a in boxes[lefts + k].sources]
        boxes.append(Box(5, 5, tuple(range(lefts, lefts + inner)), last=True))
        assert layout(boxes).crossings == least_crossings(joined, lefts, inner)

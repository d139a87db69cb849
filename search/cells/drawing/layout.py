"""Layout of a diagram: columns from left to right, an order within each column, and heights.

The layered layout of Sugiyama et al. 1981 with the two linear programs of Gansner et al. 1993: columns that keep lines
short, orders with few crossings, and heights that keep lines straight. All lines out of one box form a net, which
occupies one place in each column that it passes, whatever its number of targets.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog
from scipy.sparse import csr_array

SWEEPS, STARTS = 8, 8
"""Passes over the columns from left to right or back, and number of initial orders."""

STRAIGHT = (1.0, 2.0, 8.0)
"""Cost of vertical displacement in a line between two boxes, to or from a passage, and between two passages."""


@dataclass(frozen=True)
class Box:
    """A box to place: its extent above and below its outgoing line, and the boxes whose lines enter it.

    Boxes marked `first` and `last` go to the leftmost and the rightmost column, in the given order.
    """

    up: float
    down: float
    sources: tuple[int, ...]
    first: bool = False
    last: bool = False


@dataclass(frozen=True)
class Item:
    """A place in a column: a box, or a passage (`box` None) of the net that leaves box `net`."""

    column: int
    net: int
    box: int | None


@dataclass(frozen=True)
class Layout:
    """Places of boxes and lines.

    Attributes:
        items: boxes and passages.
        columns: for each column, positions in `items` from top to bottom.
        heights: for each item, the distance of its line below the uppermost edge of all.
        lines: for each gap between columns, lines as (left item, right item, number among the lines that enter the
            right item, from the top).
        ports: for each box, its sources from top to bottom, as positions in `Box.sources`.
        crossings: number of crossings between lines.
    """

    items: tuple[Item, ...]
    columns: tuple[tuple[int, ...], ...]
    heights: tuple[float, ...]
    lines: tuple[tuple[tuple[int, int, int], ...], ...]
    ports: tuple[tuple[int, ...], ...]
    crossings: int


def port_offset(place: int, count: int, spacing: float) -> float:
    """Return the distance below a box's middle of incoming line `place` (from the top) of `count`."""
    return (place - (count - 1) / 2) * spacing


def layout(boxes: Sequence[Box], spacing: float, port_spacing: float) -> Layout:
    """Return the layout of boxes in topological order, with at least `spacing` between neighbours in a column.

    The result is deterministic.
    """
    columns = _columns(boxes)
    items, home = _items(boxes, columns)
    before = [{s: home[s, columns[b] - 1] for s in box.sources} if box.sources else {} for b, box in enumerate(boxes)]
    gaps: list[set[tuple[int, int]]] = [set() for _ in range(max(columns))]
    for i, item in enumerate(items):
        if item.box is None:
            gaps[item.column - 1].add((home[item.net, item.column - 1], i))
        else:
            gaps[item.column - 1].update((left, i) for left in before[item.box].values())
    start: list[list[int]] = [[] for _ in range(max(columns) + 1)]
    for i, item in enumerate(items):
        start[item.column].append(i)
    crossings, order = _least_crossings(start, [sorted(gap) for gap in gaps])
    place = {i: p for column in order for p, i in enumerate(column)}
    ports = tuple(
        tuple(sorted(range(len(box.sources)), key=lambda p, b=b, s=box.sources: (place[before[b][s[p]]], p)))  # type: ignore[misc]
        for b, box in enumerate(boxes)
    )
    lines: list[list[tuple[int, int, int]]] = [[] for _ in gaps]
    for i, item in enumerate(items):
        if item.box is None:
            lines[item.column - 1].append((home[item.net, item.column - 1], i, 0))
        else:
            sources = boxes[item.box].sources
            lines[item.column - 1] += [(before[item.box][sources[p]], i, k) for k, p in enumerate(ports[item.box])]
    heights = _heights(boxes, items, order, lines, spacing, port_spacing)
    return Layout(tuple(items), tuple(map(tuple, order)), tuple(heights), tuple(map(tuple, lines)), ports, crossings)


def _columns(boxes: Sequence[Box]) -> list[int]:
    """Return columns of the least total net length, by a linear program whose vertices are integral."""
    n = len(boxes)  # variables: the boxes' columns, where each net ends, and the last column
    last = 2 * n
    less: list[tuple[int, int, float]] = []  # (a, b, by): a <= b - by
    for b, box in enumerate(boxes):
        for s in set(box.sources):
            less += [(s, b, 1.0), (b, n + s, 0.0)]
        less += [(b, n + b, 0.0), (b, last, 0.0 if box.last else 1.0)]
        if box.last:
            less.append((last, b, 0.0))
    cost = np.concatenate([np.full(n, -1.0), np.ones(n), [0.5]])
    for b, box in enumerate(boxes):
        for s in set(box.sources):  # a small cost for each line keeps boxes close to what they read
            cost[b] += 0.1
            cost[s] -= 0.1
    bounds = [(0.0, 0.0) if box.first else (1.0, math.inf) for box in boxes] + [(0.0, math.inf)] * (n + 1)
    found = _solve(cost, less, bounds)
    return [round(value) for value in found[:n]]


def _solve(
    cost: npt.NDArray[np.float64], less: list[tuple[int, int, float]], bounds: list[tuple[float, float]]
) -> list[float]:
    """Return the variables of the least cost subject to a <= b - by for every (a, b, by)."""
    rows = np.repeat(np.arange(len(less)), 2)
    ends = np.array([(a, b) for a, b, _ in less]).reshape(-1)
    signs = np.tile([1.0, -1.0], len(less))
    matrix: Any = csr_array((signs, (rows, ends)), shape=(len(less), len(cost)))  # SciPy accepts it, its stubs do not
    found = linprog(cost, matrix, [-by for _, _, by in less], bounds=bounds, method="highs-ds")
    assert found.x is not None, found.message
    return [float(value) for value in found.x]


def _items(boxes: Sequence[Box], columns: list[int]) -> tuple[list[Item], dict[tuple[int, int], int]]:
    """Return all boxes and passages, and the item of each net in each column."""
    ends = list(columns)
    for b, box in enumerate(boxes):
        for s in box.sources:
            ends[s] = max(ends[s], columns[b] - 1)
    items = [Item(columns[b], b, b) for b in range(len(boxes))]
    items += [Item(c, b, None) for b in range(len(boxes)) for c in range(columns[b] + 1, ends[b] + 1)]
    return items, {(item.net, item.column): i for i, item in enumerate(items)}


def _least_crossings(start: list[list[int]], gaps: list[list[tuple[int, int]]]) -> tuple[int, list[list[int]]]:
    """Return the least number of crossings found and its order; the first and the last column keep theirs."""
    size = 1 + max(i for column in start for i in column)
    lefts: list[list[int]] = [[] for _ in range(size)]
    rights: list[list[int]] = [[] for _ in range(size)]
    for gap in gaps:
        for a, b in gap:
            rights[a].append(b)
            lefts[b].append(a)
    rng = random.Random(0)
    best: tuple[int, list[list[int]]] | None = None
    for attempt in range(STARTS):
        order = [list(column) for column in start]
        for column in order[1:-1] if attempt else []:
            rng.shuffle(column)
        place = {i: p for column in order for p, i in enumerate(column)}
        for turn in range(SWEEPS):
            forward = turn % 2 == 0
            for column in order[1:-1] if forward else order[-2:0:-1]:
                ends = lefts if forward else rights
                mean = {i: sum(place[j] for j in ends[i]) / len(ends[i]) if ends[i] else place[i] for i in column}
                column.sort(key=mean.__getitem__)
                place.update((i, p) for p, i in enumerate(column))
            _exchange(order, lefts, rights, place)
            count = sum(_crossings([(place[a], place[b]) for a, b in gap]) for gap in gaps)
            if best is None or count < best[0]:
                best = count, [list(column) for column in order]
    assert best is not None
    return best


def _exchange(order: list[list[int]], lefts: list[list[int]], rights: list[list[int]], place: dict[int, int]) -> None:
    """Exchange neighbours while that reduces the number of crossings."""

    def crossed(above: int, below: int) -> int:
        return sum(place[i] > place[j] for ends in (lefts, rights) for i in ends[above] for j in ends[below])

    better = True
    while better:
        better = False
        for column in order[1:-1]:
            for k, (above, below) in enumerate(pairwise(list(column))):
                above = column[k]
                if crossed(below, above) < crossed(above, below):
                    column[k], column[k + 1] = below, above
                    place[below], place[above] = k, k + 1
                    better = True


def _crossings(lines: list[tuple[int, int]]) -> int:
    a, b = np.array(lines, dtype=int).reshape(-1, 2).T
    return int(((a[:, None] < a) & (b[:, None] > b)).sum())


def _heights(
    boxes: Sequence[Box],
    items: list[Item],
    order: list[list[int]],
    lines: list[list[tuple[int, int, int]]],
    spacing: float,
    port_spacing: float,
) -> list[float]:
    """Return heights that keep the order and the spacing and make the total vertical displacement of lines least."""
    n, joined = len(items), [line for gap in lines for line in gap]
    less: list[tuple[int, int, float]] = []
    for above, below in (pair for column in order for pair in pairwise(column)):
        reach = sum(
            0.0 if box is None else boxes[box].down if down else boxes[box].up
            for box, down in ((items[above].box, True), (items[below].box, False))
        )
        less.append((above, below, reach + spacing))
    # The displacement of a line, |left - right|, is high - low with low <= both <= high.
    weights = []
    for k, (left, right, port) in enumerate(joined):
        low, high = n + 2 * k, n + 2 * k + 1
        box = items[right].box
        offset = 0.0 if box is None else port_offset(port, len(boxes[box].sources), port_spacing)
        less += [(low, left, 0.0), (low, right, -offset), (left, high, 0.0), (right, high, offset)]
        weight = STRAIGHT[(items[left].box is None) + (box is None)]
        weights += [-weight, weight]
    found = _solve(np.array([0.0] * n + weights), less, [(-math.inf, math.inf)] * (n + 2 * len(joined)))[:n]
    top = min(
        value - (0.0 if item.box is None else boxes[item.box].up) for value, item in zip(found, items, strict=True)
    )
    return [round(value - top, 3) for value in found]

"""Boxes and passages of a layout in their columns, and the lines between them, for a choice of entries.

All lines out of one box form a net, which occupies one place in each column that it passes, whatever its number of
targets. A line from above or below leaves a passage of the net in the column of the box: a tap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from search.cells.drawing.boxes import Belt, Box, Entry, Item, Tap

Edge = tuple[int, int]
"""A line between two columns, from the item on its left to the item on its right."""


@dataclass(frozen=True)
class Scene:
    """Items and lines.

    Attributes:
        boxes: the boxes.
        belts: the belts.
        entries: for each box, where its lines enter.
        items: boxes, by their numbers, and passages.
        home: the item of each net in each column, as {(net, column): item}.
        edges: for each gap between columns, lines, one for all that join the same items.
        taps: for each column, the lines from above and below.
        straight: lines that are part of a belt.
        mains: for each box that a belt enters, the port that it enters by.
        ranks: for each item of a belt along the top, the number of the belt from the top.
        low: items of nets that run along the bottom.
    """

    boxes: Sequence[Box]
    belts: Sequence[Belt]
    entries: Sequence[Entry]
    items: list[Item]
    home: dict[tuple[int, int], int]
    edges: list[list[Edge]]
    taps: list[list[Tap]]
    straight: frozenset[Edge]
    mains: dict[int, int]
    ranks: dict[int, int]
    low: frozenset[int]

    def left_item(self, box: int, port: int) -> int:
        """Return the item to the left of a box that a port's line comes from."""
        return self.home[self.boxes[box].sources[port], self.items[box].column - 1]


def scene(
    boxes: Sequence[Box], columns: Sequence[int], belts: Sequence[Belt], low: Sequence[int], chosen: Sequence[Entry]
) -> Scene:
    """Return the items and lines of boxes in their columns, with lines that enter as chosen.

    `low` are the boxes whose nets run along the bottom.
    """
    ends = list(columns)
    for b, (box, entry) in enumerate(zip(boxes, chosen, strict=True)):
        for ports, column in ((entry.left, columns[b] - 1), (entry.taps, columns[b])):
            for port in ports:
                ends[box.sources[port]] = max(ends[box.sources[port]], column)
    items = [Item(columns[b], b, b) for b in range(len(boxes))]
    items += [Item(c, b, None) for b in range(len(boxes)) for c in range(columns[b] + 1, ends[b] + 1)]
    home = {(item.net, item.column): i for i, item in enumerate(items)}
    edges: list[set[Edge]] = [set() for _ in range(max(columns))]
    taps: list[list[Tap]] = [[] for _ in range(max(columns) + 1)]
    for i, item in enumerate(items):
        if item.box is None:
            edges[item.column - 1].add((home[item.net, item.column - 1], i))
            continue
        box, entry = boxes[item.box], chosen[item.box]
        edges[item.column - 1].update((home[box.sources[port], item.column - 1], i) for port in entry.left)
        taps[item.column] += [Tap(home[box.sources[port], item.column], i, port) for port in entry.taps]
    straight: set[Edge] = set()
    ranks: dict[int, int] = {}
    for rank, belt in enumerate(belts):
        for source, target in pairwise(belt.boxes):
            way = [home[source, c] for c in range(columns[source], columns[target])] + [target]
            straight.update(pairwise(way))
            if belt.top:
                ranks |= dict.fromkeys(way, rank)
    sunk = frozenset(i for i, item in enumerate(items) if item.net in low)
    return Scene(
        boxes,
        belts,
        chosen,
        items,
        home,
        [sorted(gap) for gap in edges],
        taps,
        frozenset(straight),
        main_ports(boxes, belts),
        ranks,
        sunk,
    )


def main_ports(boxes: Sequence[Box], belts: Sequence[Belt]) -> dict[int, int]:
    """Return for each box that a belt enters the port that it enters by; without a label if there is such a one."""
    found = {}
    for belt in belts:
        for source, target in pairwise(belt.boxes):
            box = boxes[target]
            ports = [port for port, s in enumerate(box.sources) if s == source]
            found[target] = min(ports, key=lambda port, box=box: box.stacks[port] if box.stacks else 0.0)  # type: ignore[misc]
    return found

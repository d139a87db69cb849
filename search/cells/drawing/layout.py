"""Layout of a diagram: columns from left to right, an order within each column, and heights.

The layered layout of Sugiyama et al. 1981 with the two linear programs of Gansner et al. 1993, and with belts: ways of
states through the cell that are straight lines. Where the lines into a circle enter, from the left, from above or from
below, is chosen along with the orders, so that few lines cross.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from search.cells.drawing.boxes import Belt, Box, Entry, Item, Tap, entries
from search.cells.drawing.columns import columns
from search.cells.drawing.heights import Line, Program
from search.cells.drawing.ordering import CROSSING, Order, Orders
from search.cells.drawing.scene import Scene, main_ports, scene

T = TypeVar("T")

_STEP_COST = CROSSING / 60
"""Cost of the heights, in terms of the cost of the orders: a step counts as half a crossing."""

_LABEL, _FROM_LEFT = 3.0, 20.0  # costs of a label above or below a circle, and of a second line from the left into one
_PASSAGE = 3.0  # cost of a net's passage through a column
_MOST_ROUNDS, _MOST_WORK = (
    2,
    100_000,
)  # passes over the boxes, and squares of items of scenes that are tried: for the time


@dataclass(frozen=True)
class Layout:
    """Places of boxes and lines.

    Attributes:
        items: boxes, at the positions of their numbers, and passages.
        columns: for each column, positions in `items` from top to bottom.
        heights: for each item, the distance of its line below the uppermost edge of all.
        lines: for each gap between columns, lines as (left item, right item, number among the lines that enter the
            right item from the left, from the top).
        ports: for each box, the ports on its left from top to bottom, as positions in `Box.sources`.
        offsets: for each box, the heights of these below its outgoing line.
        taps: lines from above and below.
        crossings: number of crossings between lines.
    """

    items: tuple[Item, ...]
    columns: tuple[tuple[int, ...], ...]
    heights: tuple[float, ...]
    lines: tuple[tuple[Line, ...], ...]
    ports: tuple[tuple[int, ...], ...]
    offsets: tuple[tuple[float, ...], ...]
    taps: tuple[Tap, ...]
    crossings: int


def layout(boxes: Sequence[Box], belts: Sequence[Belt] = (), low: Sequence[int] = ()) -> Layout:
    """Return the layout of boxes in topological order.

    The result is deterministic.

    Args:
        boxes: the boxes.
        belts: belts that have no box in common, from top to bottom.
        low: boxes in the first column whose lines run along the bottom.
    """
    found = _Search(boxes, belts, low).best()
    scene, program = found.scene, found.program
    return Layout(
        items=tuple(scene.items),
        columns=tuple(map(tuple, found.order)),
        heights=tuple(program.fine().of),
        lines=tuple(map(tuple, program.lines)),
        ports=tuple(map(tuple, program.ports)),
        offsets=tuple(map(tuple, program.offsets)),
        taps=tuple(tap for column in scene.taps for tap in column),
        crossings=_crossings(scene, found.order),
    )


@dataclass(frozen=True)
class _Candidate:
    scene: Scene
    order: Order
    program: Program
    cost: float

    @property
    def columns(self) -> list[int]:
        """Columns of the boxes."""
        return [item.column for item in self.scene.items[: len(self.scene.boxes)]]


class _Search:
    """Search for entries of lines, orders and heights."""

    def __init__(self, boxes: Sequence[Box], belts: Sequence[Belt], low: Sequence[int]) -> None:
        self.boxes, self.belts, self.low = boxes, belts, low
        self.left = _MOST_WORK  # what may still be tried
        self.targets: list[list[int]] = [[] for _ in boxes]
        for b, box in enumerate(boxes):
            for s in box.sources:
                self.targets[s].append(b)
        mains = main_ports(boxes, belts)
        self.entries = [entries(box, mains.get(b)) for b, box in enumerate(boxes)]

    def best(self) -> _Candidate:
        """Return the best candidate found."""
        scene = self._scene(columns(self.boxes), [ways[0] for ways in self.entries])
        cost, order = Orders(scene).best()
        best = self._candidate(scene, order, cost)
        for _ in range(_MOST_ROUNDS):
            before = best
            for b, ways in enumerate(self.entries):
                for way in ways:
                    if way != best.scene.entries[b]:
                        best = self._better(best, best.columns, _with(best.scene.entries, b, way))
                for column in self._other_columns(best.columns, b):
                    for way in ways:
                        moved = _with(best.columns, b, column)
                        best = self._better(best, moved, _with(best.scene.entries, b, way))
            if best is before:
                break
        while impossible := Orders(best.scene).impossible(best.order):
            chosen = [ways[-1] if b in impossible else best.scene.entries[b] for b, ways in enumerate(self.entries)]
            scene = self._scene(best.columns, chosen)
            cost, order = Orders(scene).like(best.scene, best.order)
            best = self._candidate(scene, order, cost)
        return best

    def _other_columns(self, columns: Sequence[int], b: int) -> list[int]:
        """Return the columns beside that of a box where it may stand as well."""
        box = self.boxes[b]
        if box.first or box.last:
            return []
        least = max((columns[s] + 1 for s in box.sources), default=1)
        most = min(columns[t] - 1 for t in self.targets[b])
        return [column for column in (columns[b] + 1, columns[b] - 1) if least <= column <= most]

    def _scene(self, columns: Sequence[int], chosen: Sequence[Entry]) -> Scene:
        return scene(self.boxes, columns, self.belts, self.low, chosen)

    def _better(self, best: _Candidate, columns: Sequence[int], chosen: Sequence[Entry]) -> _Candidate:
        """Return the candidate with other columns and entries if it costs less."""
        if self.left <= 0:
            return best
        scene = self._scene(columns, chosen)
        self.left -= len(scene.items) ** 2
        cost, order = Orders(scene).like(best.scene, best.order)
        if cost + self._own_cost(scene) > best.cost:
            return best
        found = self._candidate(scene, order, cost)
        return found if found.cost < best.cost - 1e-6 else best

    def _candidate(self, scene: Scene, order: Order, cost: float) -> _Candidate:
        program = Program(scene, order)
        return _Candidate(scene, order, program, cost + self._own_cost(scene) + _STEP_COST * program.plain().cost)

    def _own_cost(self, scene: Scene) -> float:
        """Return the cost of entries and of the lengths of nets."""
        cost = _PASSAGE * (len(scene.items) - len(self.boxes))
        for box, entry in zip(self.boxes, scene.entries, strict=True):
            cost += _LABEL * sum(box.stacks[port] > 0 for port in entry.taps)
            if 1 < len(box.sources) < 4 and box.stacks:
                cost += _FROM_LEFT * (len(entry.left) - 1)
        return cost


def _with(values: Sequence[T], place: int, value: T) -> list[T]:
    """Return values with one of them exchanged."""
    return [*values[:place], value, *values[place + 1 :]]


def _crossings(scene: Scene, order: Order) -> int:
    """Return the number of crossings of lines between columns, and of lines from above and below with passages."""
    place = {i: k for column in order for k, i in enumerate(column)}
    count = 0
    for gap in scene.edges:
        lines = [(place[a], place[b]) for a, b in gap]
        count += sum((a - c) * (b - d) < 0 for k, (a, b) in enumerate(lines) for c, d in lines[:k])
    return count + sum(abs(place[tap.passage] - place[tap.item]) - 1 for taps in scene.taps for tap in taps)

"""Heights of a layout by a linear program that keeps lines straight (Gansner et al. 1993), the belts above all.

A reader minds how many steps lines make, and short ones most, while a linear program minds how large they are. So each
step is then removed, or made larger if it is short, where the other lines lose less than that wins.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from search.cells.drawing.boxes import ROOM, port_offsets, stretch
from search.cells.drawing.ordering import Order
from search.cells.drawing.program import Row, below, solve
from search.cells.drawing.scene import Scene
from search.cells.drawing.wires import CLEAR

LEAST_STEP = 26.0
"""Least vertical step of a line in pixels that looks meant."""

_STRAIGHT = (3.0, 4.0, 10.0)
"""Cost of vertical displacement in a line between two boxes, to or from a passage, and between two passages."""

_BELT, _TAP = 200.0, 0.7
_PULL, _TALL = 2.0, 0.5  # cost of the distance of belts and outputs from their edge, and of the whole height
_STEP, _FAR = 30.0, 0.5  # cost of a line that is not straight, of a short step once more, and of each pixel of a step
_SHORT = 100.0  # cost of a short step in the end, where a long one looks as if it were meant
_WRONG = 300.0  # cost of a step of a belt, and of a net along the bottom that goes further down
_MOST_STEPS = 16  # steps that are looked at
_MOST_MOVES = 3  # further steps that are removed with one that only moves

Line = tuple[int, int, int]
"""Left item, right item, and number among the lines that enter the right item from the left, from the top."""


@dataclass(frozen=True)
class Heights:
    """Heights of items, and what they leave to be desired.

    Attributes:
        of: for each item, the distance of its line below the uppermost edge of all.
        cost: cost of steps, which the linear program stands for.
    """

    of: list[float]
    cost: float


class Program:
    """The heights of one order of a scene."""

    def __init__(self, scene: Scene, order: Order) -> None:
        self.scene, self.order = scene, order
        self.place = {i: k for column in order for k, i in enumerate(column)}
        boxes = range(len(scene.boxes))
        self.ports = [sorted(scene.entries[b].left, key=lambda p, b=b: self._rank(b, p)) for b in boxes]  # type: ignore[misc]
        self.offsets = [port_offsets(len(ports), self._main(b)) for b, ports in enumerate(self.ports)]
        self.lines: list[list[Line]] = [[] for _ in scene.edges]
        for i, item in enumerate(scene.items):
            if item.box is None:
                self.lines[item.column - 1].append((scene.home[item.net, item.column - 1], i, 0))
            else:
                ports = enumerate(self.ports[item.box])
                self.lines[item.column - 1 if item.column else 0] += [(scene.left_item(i, p), i, k) for k, p in ports]
        self.joined = [line for gap in self.lines for line in gap]
        self.short = _STEP  # what a reader pays for a step that is short, besides the step

    def _rank(self, box: int, port: int) -> tuple[int, int]:
        return self.place[self.scene.left_item(box, port)], port

    def _main(self, box: int) -> int | None:
        """Return the place of the belt among the lines from the left into a circle."""
        main = self.scene.mains.get(box)
        return self.ports[box].index(main) if main is not None and self.scene.boxes[box].stacks else None

    def plain(self) -> Heights:
        """Return the heights of the linear program alone."""
        found = self._solve([], [])
        assert found is not None, "the order can be drawn"
        return found

    def fine(self) -> Heights:
        """Return heights with fewer steps: one by one, from the smallest, steps are removed, or made larger."""
        self.short = _SHORT
        exact: list[Row] = []
        apart: list[Row] = []
        found, tried = self.plain(), set[Line]()
        for _ in range(_MOST_STEPS):
            steps = {line: step for line, step in self._steps(found.of).items() if step and line not in tried}
            if not steps:
                break
            line = min(steps, key=lambda line: (abs(steps[line]), line))
            tried.add(line)
            left, right, _ = line
            offset, step = self._offset(line), steps[line]
            rows = [below(left, right, -offset)]
            straight = self._solve([*exact, *rows], apart)
            if straight is not None and straight.cost >= found.cost - 1e-6 and abs(step) < LEAST_STEP:
                straight, rows = self._onward(straight, rows, exact, apart)
            if straight is not None and straight.cost < found.cost - 1e-6:
                found = straight
                exact += rows
            elif abs(step) < LEAST_STEP:
                wide = below(left, right, LEAST_STEP - offset) if step > 0 else below(right, left, LEAST_STEP + offset)
                larger = self._solve(exact, [*apart, wide])
                if larger is not None and larger.cost < found.cost - 1e-6:
                    found = larger
                    apart.append(wide)
        return self._untangled(found, exact, apart)

    def _onward(
        self, straight: Heights, rows: list[Row], exact: Sequence[Row], apart: Sequence[Row]
    ) -> tuple[Heights, list[Row]]:
        """Remove more short steps, the smallest first, while that costs less: a removed one may only have moved."""
        for _ in range(_MOST_MOVES):
            short = {line: abs(step) for line, step in self._steps(straight.of).items() if 0 < abs(step) < LEAST_STEP}
            if not short:
                break
            line = min(short, key=lambda line: (short[line], line))
            more = [*rows, below(line[0], line[1], -self._offset(line))]
            found = self._solve([*exact, *more], apart)
            if found is None or found.cost >= straight.cost:
                break
            straight, rows = found, more
        return straight, rows

    def _untangled(self, found: Heights, exact: Sequence[Row], apart: Sequence[Row]) -> Heights:
        """Return heights in which no two lines exchange theirs between two columns.

        Each would end at the height at which the other starts. Wherever their vertical lines stand, one would run
        along the other.
        """
        apart = list(apart)
        for _ in range(_MOST_STEPS):
            pair = self._exchange(found.of)
            if pair is None:
                break
            moved = [
                (heights, row)
                for kept in (exact, [])  # what was made straight goes before the lines run along each other
                for line, other in (pair, pair[::-1])
                for row in self._clear(line, other[0])
                if (heights := self._solve(kept, [*apart, row])) is not None
            ]
            if not moved:
                break
            found, row = min(moved, key=lambda one: one[0].cost)
            apart.append(row)
        return found

    def _exchange(self, heights: Sequence[float]) -> tuple[Line, Line] | None:
        """Return two lines each of which ends where the other starts, or nearly; None if there are none."""

        def meets(line: Line, start: int) -> bool:
            return abs(heights[line[1]] + self._offset(line) - heights[start]) < CLEAR

        for lines in self.lines:
            for line, other in combinations(lines, 2):
                if line[0] != other[0] and meets(line, other[0]) and meets(other, line[0]):
                    return line, other
        return None

    def _clear(self, line: Line, start: int) -> tuple[Row, Row]:
        """Return the two ways to end a line away from where another one starts: below it, and above it."""
        offset, far = self._offset(line), CLEAR + 1.0
        return below(start, line[1], far - offset), below(line[1], start, far + offset)

    def _offset(self, line: Line) -> float:
        _, right, place = line
        box = self.scene.items[right].box
        return 0.0 if box is None else self.offsets[box][place]

    def _steps(self, heights: Sequence[float]) -> dict[Line, float]:
        """Return how far each line ends below its start."""
        return {line: round(heights[line[1]] + self._offset(line) - heights[line[0]], 3) for line in self.joined}

    def extents(self, box: int) -> tuple[float, float]:
        """Return the extents of a box above and below its outgoing line, with its name and labels above and below."""
        given, entry = self.scene.boxes[box], self.scene.entries[box]
        up, down = given.up, given.down
        if given.stacks:
            high, low = stretch(self.offsets[box], given.down)
            up, down = up + high - given.down, low
        column = self.scene.taps[self.scene.items[box].column]
        for tap in (tap for tap in column if tap.item == box and tap.port in entry.taps):
            if self.place[tap.passage] < self.place[box]:
                up += given.stacks[tap.port]
            else:
                down += given.stacks[tap.port]
        return up, down

    def _solve(self, exact: Sequence[Row], apart: Sequence[Row]) -> Heights | None:
        scene, n = self.scene, len(self.scene.items)
        top, bottom = n, n + 1
        extents = [(0.0, 0.0) if item.box is None else self.extents(item.box) for item in scene.items]
        less: list[Row] = list(apart)
        for upper, lower in (pair for column in self.order for pair in pairwise(column)):
            less.append(below(upper, lower, extents[upper][1] + extents[lower][0] + ROOM))
        for i, (up, down) in enumerate(extents):
            less += [below(top, i, up), below(i, bottom, down)]
        cost = np.zeros(n + 2 + len(self.joined))
        cost[bottom] += _TALL
        cost[top] -= _TALL
        lines = Counter(left for left, _, _ in self.joined)
        for k, line in enumerate(self.joined, start=n + 2):  # variable k: the displacement of the line
            left, right, _ = line
            offset = self._offset(line)
            less += [
                (((right, 1.0), (left, -1.0), (k, -1.0)), -offset),
                (((left, 1.0), (right, -1.0), (k, -1.0)), offset),
            ]
            if self._is_belt(line):
                cost[k] += _BELT
            else:
                cost[k] += _STRAIGHT[(scene.items[left].box is None) + (scene.items[right].box is None)]
            if left in scene.low:  # a low net goes down only where all that it enters does
                down = cost[k] * lines[left] / 2
                cost[k] += down
                cost[right] += down
                cost[left] -= down
        for tap in (tap for column in scene.taps for tap in column):
            upper, lower = sorted((tap.passage, tap.item), key=self.place.__getitem__)
            cost[lower] += _TAP
            cost[upper] -= _TAP
        for b, box in enumerate(scene.boxes):
            if box.last and b in scene.low:
                cost[b] -= _PULL
                cost[bottom] += _PULL
            elif box.first and b in scene.ranks:
                cost[b] += _PULL
                cost[top] -= _PULL
        found = solve(cost, less, [(0.0, 0.0) if i == top else (-np.inf, np.inf) for i in range(len(cost))], exact)
        if found is None:
            return None
        heights = [round(value, 3) for value in found[:n]]
        return Heights(heights, self._paid(heights, found[bottom]))

    def _paid(self, heights: Sequence[float], bottom: float) -> float:
        """Return what a reader pays for steps, lines from above and below, and the height of the drawing."""
        scene = self.scene
        cost = _FAR * bottom
        cost += _FAR * sum(abs(heights[tap.passage] - heights[tap.item]) for taps in scene.taps for tap in taps)
        going_on = {left for left, _, _ in self.joined}
        for line, step in self._steps(heights).items():
            left, right, _ = line
            if not step:
                continue
            cost += _STEP + _FAR * abs(step) + self.short * (abs(step) < LEAST_STEP)
            cost += _STEP * (scene.items[right].box is None and right not in going_on)  # and it turns once more
            if self._is_belt(line) or (left in scene.low and step > 0):
                cost += _WRONG
        return cost

    def _is_belt(self, line: Line) -> bool:
        left, right, place = line
        box = self.scene.items[right].box
        if (left, right) not in self.scene.straight:
            return False
        return box is None or box not in self.scene.mains or self.ports[box][place] == self.scene.mains[box]

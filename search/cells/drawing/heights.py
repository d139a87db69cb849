"""Heights of a layout by a linear program that keeps lines straight (Gansner et al. 1993), the belts above all.

A reader minds how many steps lines make, and short ones most, while a linear program minds how large they are. So an
integer program then says which lines are straight, and each of the others has a step that looks meant.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from search.cells.drawing.boxes import ROOM, port_offsets, stretch
from search.cells.drawing.ordering import Order
from search.cells.drawing.program import Row, Vector, below, solve, solve_whole
from search.cells.drawing.scene import Scene
from search.cells.drawing.wires import CLEAR

LEAST_STEP = 26.0
"""Least vertical step of a line in pixels that looks meant."""

_STRAIGHT = (3.0, 4.0, 10.0)
"""Cost of vertical displacement in a line between two boxes, to or from a passage, and between two passages."""

_BELT, _TAP = 200.0, 0.7
_PULL, _TALL = 2.0, 0.5  # cost of the distance of belts and outputs from their edge, and of the whole height
_STEP, _FAR = 30.0, 0.5  # cost of a line that is not straight, of a short step once more, and of each pixel of a step
_WRONG = 300.0  # cost of a step of a belt, and of a net along the bottom that goes further down
_FEW = 2.5  # weight of the number of steps in the end, where none is short
_TIE = 0.02  # weight of the linear program's cost beside what a reader pays: it decides between equals
_MOST_PAIRS = 16  # pairs of lines that are kept from exchanging their heights

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
        self.going_on = {left for left, _, _ in self.joined}

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
        """Return heights at which each line is straight or has a step that looks meant, and no two run together.

        Where no such heights are found, it returns the last that were found, at worst those of the linear program.
        """
        found = self.plain()
        ways = [self._meant(found)]
        for _ in range(_MOST_PAIRS):
            solved = [(heights, rows) for rows in ways if (heights := self._solve(*rows)) is not None]
            if not solved:
                break
            # What was made straight goes last, but before lines run along each other.
            found, (exact, apart) = min(solved, key=lambda one: (-len(one[1][0]), one[0].cost))
            pair = self._exchange(found.of)
            if pair is None:
                break
            clear = [row for line, other in (pair, pair[::-1]) for row in self._clear(line, other[0])]
            ways = [(kept, [*apart, row]) for kept in (exact, []) for row in clear]
        return found

    def _meant(self, plain: Heights) -> tuple[list[Row], list[Row]]:
        """Return equations of straight lines and the least steps of the others, for the least cost to a reader.

        An integer program chooses them. There are none if it finds no solution. `plain` are the heights of the linear
        program alone.
        """
        linear, less = self._linear([])
        n, m, lines = len(self.scene.items), len(linear), len(self.joined)
        cost = np.concatenate([_TIE * linear, np.zeros(2 * lines)])
        cost[[n, n + 1]] += -_FAR, _FAR
        self._pay_taps(cost, _FAR)
        far = 2 * (max(plain.of) + 2 * LEAST_STEP)  # no step is as large
        for k, line in enumerate(self.joined, start=n + 2):  # variables: whether a line goes down, and whether up
            left, right, _ = line
            offset, down, up = self._offset(line), k + lines, k + 2 * lines
            cost[[k, down, up]] += _FAR, _FEW * self._turn(line, down=True), _FEW * self._turn(line, down=False)
            less += [
                (((right, 1.0), (left, -1.0), (down, -far), (up, LEAST_STEP)), -offset),
                (((left, 1.0), (right, -1.0), (up, -far), (down, LEAST_STEP)), offset),
                (((down, 1.0), (up, 1.0)), 1.0),
            ]
        bounds = [*self._free(m), *[(0.0, 1.0)] * (2 * lines)]
        found = solve_whole(cost, less, bounds, range(m, len(cost)))
        exact: list[Row] = []
        apart: list[Row] = []
        if found is None:
            return exact, apart
        for line, goes_down, goes_up in zip(self.joined, found[m : m + lines], found[m + lines :], strict=True):
            left, right, _ = line
            offset = self._offset(line)
            if goes_down > 0.5:
                apart.append(below(left, right, LEAST_STEP - offset))
            elif goes_up > 0.5:
                apart.append(below(right, left, LEAST_STEP + offset))
            else:
                exact.append(below(left, right, -offset))
        return exact, apart

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
        """Return the heights of the linear program with more rows; None if there are none."""
        cost, less = self._linear(apart)
        found = solve(cost, less, self._free(len(cost)), exact)
        if found is None:
            return None
        n = len(self.scene.items)
        heights = [round(value, 3) for value in found[:n]]
        return Heights(heights, self._paid(heights, found[n + 1]))

    def _free(self, size: int) -> list[tuple[float, float]]:
        """Return the bounds of the linear program's variables: the uppermost edge is at 0."""
        top = len(self.scene.items)
        return [(0.0, 0.0) if i == top else (-np.inf, np.inf) for i in range(size)]

    def _linear(self, apart: Sequence[Row]) -> tuple[Vector, list[Row]]:
        """Return the cost and the inequalities of the linear program: of items, edges, and displacements of lines."""
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
        self._pay_taps(cost, _TAP)
        for b, box in enumerate(scene.boxes):
            if box.last and b in scene.low:
                cost[b] -= _PULL
                cost[bottom] += _PULL
            elif box.first and b in scene.ranks:
                cost[b] += _PULL
                cost[top] -= _PULL
        return cost, less

    def _pay_taps(self, cost: Vector, by: float) -> None:
        """Add the cost of each pixel of lines from above and below."""
        for tap in (tap for column in self.scene.taps for tap in column):
            upper, lower = sorted((tap.passage, tap.item), key=self.place.__getitem__)
            cost[lower] += by
            cost[upper] -= by

    def _paid(self, heights: Sequence[float], bottom: float) -> float:
        """Return what a reader pays for steps, lines from above and below, and the height of the drawing."""
        cost = _FAR * bottom
        cost += _FAR * sum(abs(heights[tap.passage] - heights[tap.item]) for taps in self.scene.taps for tap in taps)
        for line, step in self._steps(heights).items():
            if step:
                cost += self._turn(line, down=step > 0) + _FAR * abs(step) + _STEP * (abs(step) < LEAST_STEP)
        return cost

    def _turn(self, line: Line, *, down: bool) -> float:
        """Return what a reader pays for a line that is not straight, besides the length of its step."""
        left, right, _ = line
        turns_back = self.scene.items[right].box is None and right not in self.going_on  # and it turns once more
        wrong = self._is_belt(line) or (left in self.scene.low and down)
        return _STEP * (1 + turns_back) + _WRONG * wrong

    def _is_belt(self, line: Line) -> bool:
        left, right, place = line
        box = self.scene.items[right].box
        if (left, right) not in self.scene.straight:
            return False
        return box is None or box not in self.scene.mains or self.ports[box][place] == self.scene.mains[box]

"""Orders of the items in each column from top to bottom, with few crossings (Sugiyama et al. 1981, Matuszewski 1999).

Columns are sorted by the mean place of what their items are joined to, and then single items are moved to their best
places (sifting). The first and the last column keep their orders.
"""

import random

from search.cells.drawing.scene import Scene

Order = list[list[int]]
"""For each column, its items from top to bottom."""

CROSSING = 10.0
"""Cost of a crossing."""

IMPOSSIBLE = 1000.0
"""Least cost of an order that cannot be drawn: a vertical line would run through a box or along another one."""

_BELT = 1.6  # a crossing with a belt costs that much more
_ABOVE, _PASSING = 40.0, 8.0  # cost of a box and of a passage above a belt along the top
_BELOW = 1.0  # cost of an item below a net along the bottom
_STARTS, _SWEEPS = 6, 4
_MOST_PASSES = 6


class Orders:
    """Search for orders of one scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        size = len(scene.items)
        self.lefts: list[list[tuple[int, float]]] = [[] for _ in range(size)]
        self.rights: list[list[tuple[int, float]]] = [[] for _ in range(size)]
        for gap in scene.edges:
            for edge in gap:
                a, b = edge
                weight = _BELT if edge in scene.straight else 1.0
                self.rights[a].append((b, weight))
                self.lefts[b].append((a, weight))
        self.columns: Order = [[] for _ in scene.taps]
        for i, item in enumerate(scene.items):
            self.columns[item.column].append(i)

    def best(self) -> tuple[float, Order]:
        """Return the least cost found and its order, from several starts. The result is deterministic."""
        rng = random.Random(0)
        found: tuple[float, Order] | None = None
        for attempt in range(_STARTS):
            order = [list(column) for column in self.columns]
            for column in order[1:-1] if attempt else []:
                rng.shuffle(column)
            for sweep in range(_SWEEPS):
                self._sort(order, forward=sweep % 2 == 0)
            cost = self.improve(order)
            if found is None or cost < found[0] - 1e-9:
                found = cost, order
        assert found is not None
        return found

    def like(self, other: Scene, order: Order) -> tuple[float, Order]:
        """Return the cost and the order that come from the order of a scene with other entries."""
        place: dict[int, dict[tuple[int, bool], float]] = {}
        for c, column in enumerate(order):
            for k, i in enumerate(column):
                item = other.items[i]
                place.setdefault(item.net, {})[c, item.box is None] = (k + 0.5) / len(column)

        def where(i: int) -> float:
            """Return the relative place of an item, or of its net in the nearest column."""
            item = self.scene.items[i]
            known = place[item.net]
            if (found := known.get((item.column, item.box is None))) is not None:
                return found
            boxes = [tap.item for tap in self.scene.taps[item.column] if tap.passage == i]
            if boxes and all((item.column, False) in place[b] for b in boxes):
                return sum(place[b][item.column, False] for b in boxes) / len(boxes) + 0.01
            return known[min(known, key=lambda key: abs(key[0] - item.column))]

        mine = [sorted(column, key=where) for column in self.columns]
        for column, before in zip((mine[0], mine[-1]), (order[0], order[-1]), strict=True):
            column[:] = before
        return self.improve(mine), mine

    def _sort(self, order: Order, *, forward: bool) -> None:
        place = {i: k for column in order for k, i in enumerate(column)}
        for column in order[1:-1] if forward else order[-2:0:-1]:
            ends = self.lefts if forward else self.rights
            mean = {i: sum(place[j] for j, _ in ends[i]) / len(ends[i]) if ends[i] else place[i] for i in column}
            column.sort(key=mean.__getitem__)
            place.update((i, k) for k, i in enumerate(column))

    def improve(self, order: Order) -> float:
        """Move single items to their best places while that lowers the cost, and return the cost."""
        place = {i: k for column in order for k, i in enumerate(column)}
        for _ in range(_MOST_PASSES):
            moved = False
            for c in range(1, len(order) - 1):
                for i in list(order[c]):
                    moved |= self._sift(c, order[c], i, place)
            if not moved:
                break
        return self.cost(order)

    def _sift(self, c: int, column: list[int], i: int, place: dict[int, int]) -> bool:
        """Move an item to its best place in its column, and return whether that is another one."""
        now = column.index(i)
        others = column[:now] + column[now + 1 :]
        cost, costs = 0.0, [0.0]
        for j in others:
            cost += self._crossed(j, i, place) - self._crossed(i, j, place)
            costs.append(cost)
        for k in range(len(costs)):
            costs[k] += self._column_cost(c, [*others[:k], i, *others[k:]])
        best = min(range(len(costs)), key=lambda k: (costs[k], abs(k - now)))
        if costs[best] >= costs[now] - 1e-9:
            return False
        column[:] = [*others[:best], i, *others[best:]]
        place.update((j, k) for k, j in enumerate(column))
        return True

    def _crossed(self, above: int, below: int, place: dict[int, int]) -> float:
        """Return the cost of the crossings of the lines of two items, one above the other."""
        cost = 0.0
        for ends in (self.lefts, self.rights):
            for i, one in ends[above]:
                for j, other in ends[below]:
                    if place[i] > place[j]:
                        cost += one * other
        return CROSSING * cost

    def cost(self, order: Order) -> float:
        """Return the cost of an order."""
        place = {i: k for column in order for k, i in enumerate(column)}
        cost = 0.0
        for gap in self.scene.edges:
            lines = [(place[a], place[b], _BELT if (a, b) in self.scene.straight else 1.0) for a, b in gap]
            for k, (a, b, one) in enumerate(lines):
                cost += sum(one * other for c, d, other in lines[:k] if (a - c) * (b - d) < 0)
        return CROSSING * cost + sum(self._column_cost(c, column) for c, column in enumerate(order))

    def _column_cost(self, c: int, column: list[int]) -> float:
        """Return the cost of what the order within one column makes: lines from above and below, and their places."""
        scene, cost = self.scene, 0.0
        place = {i: k for k, i in enumerate(column)}
        taps = scene.taps[c]
        spans = []
        for tap in taps:
            passage, item = place[tap.passage], place[tap.item]
            if passage < item and scene.boxes[tap.item].named:
                cost += IMPOSSIBLE
            low, high = min(passage, item), max(passage, item)
            for i in column[low + 1 : high]:
                cost += CROSSING if scene.items[i].box is None else IMPOSSIBLE
            spans.append((low, high, tap.passage))
        for k, (low, high, passage) in enumerate(spans):
            for other_low, other_high, other in spans[:k]:
                if passage != other and low < other_high and other_low < high:
                    cost += IMPOSSIBLE
        for k, i in enumerate(column):
            rank = scene.ranks.get(i)
            if rank is not None:
                above = [scene.items[j].box for j in column[:k] if scene.ranks.get(j, rank + 1) > rank]
                cost += sum(_PASSING if box is None else _ABOVE for box in above)
            elif i in scene.low:
                cost += _BELOW * sum(j not in scene.low for j in column[k + 1 :])
        return cost

    def impossible(self, order: Order) -> set[int]:
        """Return the boxes with lines from above or below that cannot be drawn."""
        found = set()
        for c, column in enumerate(order):
            if self._column_cost(c, column) >= IMPOSSIBLE:
                found |= {tap.item for tap in self.scene.taps[c]}
        return found

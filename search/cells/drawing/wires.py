"""Lines between two columns of a drawing: out of a part, along one vertical line for each net, and into other parts.

As in a circuit diagram, lines cross at right angles and a dot marks a branch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

CLEAR = 6.0
"""Least difference in height at which two horizontal lines look separate."""

_ON_TOP = 100
"""Cost, in crossings, of two lines that overlap."""

_ALL_ORDERS = 6
"""Largest number of vertical lines for which all orders are tried."""


@dataclass(frozen=True)
class Net:
    """A net between two columns: from one height on the left to one or more heights on the right."""

    net: int
    start: float
    ends: tuple[float, ...]

    @property
    def straight(self) -> bool:
        """True if the net needs no vertical line."""
        return set(self.ends) == {self.start}

    @property
    def low(self) -> float:
        """Smallest height of the net."""
        return min(self.start, *self.ends)

    @property
    def high(self) -> float:
        """Largest height of the net."""
        return max(self.start, *self.ends)


def tracks(nets: Sequence[Net]) -> dict[int, int]:
    """Return the track of each net with a vertical line, 0 the leftmost: few lines cross and none overlap."""
    bent = [net for net in nets if not net.straight]
    order = min(_orders(bent), key=_cost, default=())
    found: dict[int, int] = {}
    for k, net in enumerate(order):
        # The leftmost track that the nets before it leave free.
        found[net.net] = max((found[o.net] + 1 for o in order[:k] if _touch(o, net)), default=0)
    return found


def _orders(nets: list[Net]) -> Iterator[tuple[Net, ...]]:
    if len(nets) <= _ALL_ORDERS:
        yield from permutations(nets)
        return
    order = sorted(nets, key=lambda net: net.start)
    better = True
    while better:  # move single lines while that lowers the cost
        better = False
        for net in order:
            k = order.index(net)
            rest = order[:k] + order[k + 1 :]
            costs = _costs_of_places(net, rest)
            place = min(range(len(costs)), key=lambda p: (costs[p], abs(p - k)))
            if costs[place] < costs[k]:
                order = [*rest[:place], net, *rest[place:]]
                better = True
    yield tuple(order)


def _costs_of_places(net: Net, others: list[Net]) -> list[int]:
    """Return for each place among the others, from the leftmost, the cost of a net with them if it stands there."""
    costs = [sum(_pair_cost(net, other) for other in others)]
    for other in others:
        costs.append(costs[-1] - _pair_cost(net, other) + _pair_cost(other, net))
    return costs


def _cost(order: tuple[Net, ...]) -> int:
    return sum(_pair_cost(left, right) for k, left in enumerate(order) for right in order[k + 1 :])


def _pair_cost(left: Net, right: Net) -> int:
    """Return the cost of the vertical line of `left` being to the left of that of `right`."""
    cost = sum(right.low < y < right.high for y in left.ends) + (left.low < right.start < left.high)
    return int(cost + _ON_TOP * sum(abs(y - right.start) < CLEAR for y in left.ends))


def _touch(one: Net, other: Net) -> bool:
    """Return whether two nets would touch if their vertical lines shared a track."""
    return one.low <= other.high + CLEAR and other.low <= one.high + CLEAR

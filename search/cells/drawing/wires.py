"""The lines between two columns of a drawing: out of a part, along one vertical for each net, and into other parts.

As in a circuit diagram: lines cross at right angles, and a dot says where a line branches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

CLEAR = 6.0
"""Horizontal lines that are closer than this in height look like one."""

_ON_TOP = 100
"""How many crossings two lines that run on top of each other are worth."""

_ALL_ORDERS = 6
"""Of so many verticals, all orders are tried."""


@dataclass(frozen=True)
class Net:
    """What runs from one height on the left to some heights on the right."""

    net: int
    start: float
    ends: tuple[float, ...]

    @property
    def straight(self) -> bool:
        """Whether it needs no vertical."""
        return set(self.ends) == {self.start}

    @property
    def low(self) -> float:
        return min(self.start, *self.ends)

    @property
    def high(self) -> float:
        return max(self.start, *self.ends)


def tracks(nets: Sequence[Net]) -> dict[int, int]:
    """For each net with a vertical its track, 0 the leftmost; as few lines cross as possible, none lie on another."""
    bent = [net for net in nets if not net.straight]
    order = min(_orders(bent), key=_cost, default=())
    found: dict[int, int] = {}
    for k, net in enumerate(order):
        # As far to the left as those before it let it go.
        found[net.net] = max((found[o.net] + 1 for o in order[:k] if _touch(o, net)), default=0)
    return found


def _orders(nets: list[Net]) -> Iterator[tuple[Net, ...]]:
    if len(nets) <= _ALL_ORDERS:
        yield from permutations(nets)
        return
    order = sorted(nets, key=lambda net: net.start)
    better = True
    while better:  # exchange neighbours while that helps
        better = False
        for k, (left, right) in enumerate(pairwise(list(order))):
            left = order[k]
            if _pair_cost(right, left) < _pair_cost(left, right):
                order[k], order[k + 1] = right, left
                better = True
    yield tuple(order)


def _cost(order: tuple[Net, ...]) -> int:
    return sum(_pair_cost(left, right) for k, left in enumerate(order) for right in order[k + 1 :])


def _pair_cost(left: Net, right: Net) -> int:
    """Crossings where the vertical of `left` is to the left of that of `right`."""
    cost = sum(right.low < y < right.high for y in left.ends) + (left.low < right.start < left.high)
    return int(cost + _ON_TOP * sum(abs(y - right.start) < CLEAR for y in left.ends))


def _touch(one: Net, other: Net) -> bool:
    """Whether two verticals would touch, or one's lines run into the other's, on one track."""
    return one.low <= other.high + CLEAR and other.low <= one.high + CLEAR

"""Belts of a diagram: the ways of states through a cell that figures of papers draw as straight lines.

The belt of the LSTM's c goes through a product and a sum, and so does that of the GRU's h.
"""

from collections.abc import Sequence

from search.cells.drawing.boxes import Belt
from search.cells.drawing.diagram import Kind, Part, Port

_CIRCLES = (Kind.SUM, Kind.PRODUCT)


def belts(parts: Sequence[Part]) -> list[Belt]:
    """Return the belts of a diagram from top to bottom, without parts in common.

    A state has a belt if it goes to its new value through sums, products and parts with one line into them. Of several
    such ways, the one with the fewest labels is taken, then the one with the fewest other parts, then the longest. That
    of the visible output is at the bottom if there are other states.
    """
    ends = {part.state: b for b, part in enumerate(parts) if part.kind is Kind.OUTPUT}
    starts = {part.state: b for b, part in enumerate(parts) if part.kind is Kind.STATE}
    found: list[Belt] = []
    taken: set[int] = set()
    for state in sorted(starts, reverse=True):
        way = _way(parts, starts[state], ends[state], taken)
        if way:
            taken.update(way)
            found.append(Belt(tuple(way), top=state > 0 or len(ends) == 1))
    return found


def low_ends(parts: Sequence[Part]) -> list[int]:
    """Return the ends at the bottom: the input, and the visible state and the output if there are other states."""
    several = sum(part.kind is Kind.OUTPUT for part in parts) > 1
    visible = (Kind.STATE, Kind.OUTPUT) if several else ()
    return [b for b, part in enumerate(parts) if part.kind is Kind.INPUT or (part.kind in visible and part.state == 0)]


def _way(parts: Sequence[Part], start: int, end: int, taken: set[int]) -> list[int]:
    """Return the best way from one part to another, empty if there is none. Parts are in topological order."""
    best: dict[int, tuple[tuple[int, int, int], list[int]]] = {start: ((0, 0, 0), [start])}
    for b, part in enumerate(parts):
        if b in taken or b == start or not (len(part.ports) == 1 or part.kind in _CIRCLES):
            continue
        plain = part.kind in _CIRCLES or part.kind is Kind.OUTPUT
        ways = []
        for port in part.ports:
            if port.source in best:
                (labels, others, length), way = best[port.source]
                ways.append(((labels + _labels(port), others + (not plain), length - 1), [*way, b]))
        if ways:
            best[b] = min(ways)
    return best[end][1] if end in best else []


def _labels(port: Port) -> int:
    return len(port.factors) + port.minus

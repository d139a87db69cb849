"""Boxes that a layout places, the ways in which lines may enter them, and belts."""

from dataclasses import dataclass

ROOM = 16.0
"""Least distance in pixels between neighbours in a column."""

PORT = 20.0
"""Distance in pixels between lines that enter a box from the left."""

_RIM = 3.0
"""Distance of the outermost line on the left from the edge of a circle that is stretched for it."""


@dataclass(frozen=True)
class Box:
    """A box to place: its extent above and below its outgoing line, and the boxes whose lines enter it.

    Boxes marked `first` and `last` go to the leftmost and the rightmost column, in the given order.

    Lines enter from the left, at equal distances. Into a circle, lines may also come from above and from below, one
    each: `stacks` then has the height of the labels at the end of each line, 0 without a label. It is empty for a box
    with lines from the left only. `named` is True if a name stands above the box, so that no line comes from there.
    """

    up: float
    down: float
    sources: tuple[int, ...]
    first: bool = False
    last: bool = False
    stacks: tuple[float, ...] = ()
    named: bool = False


@dataclass(frozen=True)
class Belt:
    """The way of a state through the cell: boxes, each of which reads the one before it, on one straight line.

    `top` is True if it runs along the top of the drawing, False if it runs along the bottom.
    """

    boxes: tuple[int, ...]
    top: bool = True


@dataclass(frozen=True)
class Entry:
    """Ways of the lines into a box: ports on the left, and ports above or below, as positions in `Box.sources`."""

    left: tuple[int, ...]
    taps: tuple[int, ...] = ()


@dataclass(frozen=True)
class Item:
    """A place in a column: a box, or a passage (`box` None) of the net that leaves box `net`."""

    column: int
    net: int
    box: int | None


@dataclass(frozen=True)
class Tap:
    """A vertical line into a box from a passage of its own column, and the port of the box that it is."""

    passage: int
    item: int
    port: int


def entries(box: Box, main: int | None) -> list[Entry]:
    """Return the ways in which lines may enter a box, the preferred one first, the one that always works last.

    `main` is the port that is on a belt: it enters on the left.
    """
    ports = tuple(range(len(box.sources)))
    every = Entry(ports)
    if not box.stacks or not 2 <= len(ports) <= 3:
        return [every]
    # A label is easier to read on a line from the left.
    mains = [main] if main is not None else sorted(ports, key=lambda port: -box.stacks[port])
    found = []
    for left in mains:
        taps = tuple(port for port in ports if port != left)
        if len({box.sources[port] for port in taps}) == len(taps):  # a net has one passage in a column
            found.append(Entry((left,), taps))
    if len(ports) == 3:
        found += [Entry(tuple(p for p in ports if p != tap), (tap,)) for tap in ports if tap != main]
    return [*found, every]


def port_offsets(count: int, main: int | None) -> list[float]:
    """Return the heights of the lines from the left, from the top, below a box's outgoing line.

    `main` is the place of the one on a belt, which goes straight on.
    """
    middle = (count - 1) / 2 if main is None else main
    return [(place - middle) * PORT for place in range(count)]


def stretch(offsets: list[float], radius: float) -> tuple[float, float]:
    """Return the extents above and below its outgoing line of a circle that lines enter at these offsets."""
    return max(radius, -min(offsets, default=0.0) + _RIM), max(radius, max(offsets, default=0.0) + _RIM)

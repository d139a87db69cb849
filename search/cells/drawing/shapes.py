"""Sizes and colours of what a drawing shows: bodies, labels and names."""

from collections.abc import Sequence
from dataclasses import dataclass

from search.cells.drawing import svg
from search.cells.drawing.boxes import PORT, ROOM, Box, stretch
from search.cells.drawing.diagram import MINUS, SIGMA, Kind, Part, Port

ENDS = (Kind.STATE, Kind.INPUT, Kind.OUTPUT)
CIRCLES = (Kind.SUM, Kind.PRODUCT, Kind.COMPLEMENT)
SMALL = (Kind.VECTOR, Kind.NUMBER)

RADIUS, LABEL_HEIGHT, LABEL_GAP = 13.0, 16.0, 5.0
NAME_SIZE, STATE_SIZE = 12, 15
"""Font sizes of names of values, and of states and the input."""

_INPUT_COLOUR, _OUTPUT_COLOUR, _HIDDEN_COLOUR = "#0072b2", "#d55e00", "#00805f"
_FILLS = {SIGMA: "#fff2c2", "tanh": "#dcecf7", "norm": "#dff0dc"} | dict.fromkeys(
    ("relu", "leaky relu", "softplus"), "#e9e3f5"
)
_OTHER_FILL = "#eeeeee"

_NAME_HEIGHT, _STATE_HALF = 14.0, 6.0
_LETTER = 0.62  # approximate width of a letter over its font size
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_WIDE = dict.fromkeys(f"MWmw{_ELLIPSIS}", 1.0)  # letters that are far wider
_NAME_LETTERS = 16  # names longer than this are shortened


@dataclass(frozen=True)
class Shape:
    """Size of a part's body, of the labels on its lines, and of the name above it.

    Attributes:
        width: width of the body.
        up, down: extents of the body above and below the outgoing line.
        labels: width of the labels to the left of the body.
        label_up: extent of the labels above the body.
        room: width of the body, the name and the labels above and below.
    """

    width: float
    up: float
    down: float
    labels: float = 0.0
    label_up: float = 0.0
    room: float = 0.0


def box_of(part: Part) -> Box:
    """Return what a layout has to know of a part."""
    circle = part.kind in CIRCLES
    size = shape(part, () if circle else range(len(part.ports)))
    return Box(
        up=size.up + (_NAME_HEIGHT + (LABEL_GAP if circle else 0.0) if part.name else 0.0),
        down=size.down,
        sources=tuple(port.source for port in part.ports),
        first=part.kind in (Kind.STATE, Kind.INPUT),
        last=part.kind is Kind.OUTPUT,
        stacks=tuple(len(labels(port)) * (LABEL_HEIGHT + LABEL_GAP) for port in part.ports) if circle else (),
        named=bool(part.name),
    )


def shape(part: Part, left: Sequence[int], offsets: Sequence[float] = ()) -> Shape:
    """Return the size of a part with these ports on its left, at these heights below its outgoing line."""
    ports = [part.ports[port] for port in left]
    beside = max((sum(label_width(label) + LABEL_GAP for label in labels(port)) for port in ports), default=0.0)
    if part.kind in ENDS:
        # The input comes from below, so a state's line may be as close to it as lines into one box are.
        half = PORT - ROOM - _STATE_HALF if part.kind is Kind.INPUT else 8.0 if beside else _STATE_HALF
        return Shape(0.0, half, half, beside)
    name = width(short(part.name), NAME_SIZE)
    if part.kind in CIRCLES:
        up, down = stretch(list(offsets), RADIUS)
        highest = min((o for o, port in zip(offsets, ports, strict=True) if labels(port)), default=0.0)
        others = [part.ports[port] for port in range(len(part.ports)) if port not in left]
        room = max((label_width(label) for port in others for label in labels(port)), default=0.0)
        label_up = max(0.0, LABEL_HEIGHT / 2 - highest - up)
        return Shape(2 * RADIUS, up, down, beside, label_up, max(2 * RADIUS, name, room))
    if part.kind in SMALL:
        size = label_width(part.label)
        return Shape(size, LABEL_HEIGHT / 2, LABEL_HEIGHT / 2, room=size)
    half = max(30.0, len(part.ports) * PORT) / 2
    size = max(34.0, 10 + len(part.label) * 14 * _LETTER)
    return Shape(size, half, half, beside, room=max(size, name))


def labels(port: Port) -> tuple[str, ...]:
    """Return the labels of a line into a part: its factors, and a minus sign if it is subtracted."""
    return (*port.factors, *([MINUS] if port.minus else []))


def label_width(label: str) -> float:
    """Return the width of a label's box."""
    return LABEL_HEIGHT if label == MINUS else 10 + len(label) * NAME_SIZE * _LETTER


def short(name: str) -> str:
    """Return a name, shortened in the middle if it is long: similar names often differ at their ends."""
    return name if len(name) <= _NAME_LETTERS else f"{name[:9]}{_ELLIPSIS}{name[-6:]}"


def when(part: Part) -> str:
    """Return the time step of an end."""
    return f"t{MINUS}1" if part.kind is Kind.STATE else "t"


def variable_width(part: Part) -> float:
    """Return the width of an end's name with its time step."""
    return width(short(part.label), STATE_SIZE) + width(when(part), svg.INDEX_SIZE)


def width(words: str, size: float) -> float:
    """Return an upper estimate of the width of words in pixels."""
    return size * sum(_WIDE.get(letter, 0.75 if letter.isupper() else _LETTER) for letter in words)


def end_colour(part: Part) -> str:
    """Return the colour of the input or of a state."""
    if part.kind is Kind.INPUT:
        return _INPUT_COLOUR
    return _HIDDEN_COLOUR if part.state else _OUTPUT_COLOUR


def fill_of(label: str) -> str:
    """Return the colour of an activation's box."""
    return _FILLS.get(label, _OTHER_FILL)

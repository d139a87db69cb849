"""Picture of a cell: its diagram as SVG, in the style of figures in papers.

States enter on the left and leave on the right, the input enters from below, and the output leaves at the top. Boxes
are activations and layer norms, small ones learned vectors and numbers; circles are sums (+), products and complements
(one minus); a label W or U at the end of a line is a matrix with a bias, p or a name a learned vector that multiplies
each unit. Lines that enter one box are added. Long names are shortened and shown in full in a tooltip. Colours
(Okabe and Ito 2008, safe for colour-blind readers) distinguish the input from the states; shapes and labels carry the
same information, so the picture also works in black and white.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from search.cells.drawing import svg
from search.cells.drawing.diagram import MINUS, SIGMA, TIMES, Kind, Part, Port, diagram, formula_diagram
from search.cells.drawing.layout import Box, layout, port_offset
from search.cells.drawing.wires import Net, tracks
from search.cells.graph import GateGraph

LEGEND = (
    f"Lines that enter one box are added; a {MINUS} at the end of a line means that it is subtracted. "
    "W, U: product with a matrix, plus a bias; U/4 has 4 blocks on its diagonal. p, or a name in a label: product with "
    f"a learned vector, unit by unit. Labels also say how the parameters start. {SIGMA}: sigmoid. "
    f"+, {TIMES}, 1{MINUS}: elementwise sum, product and one minus."
)
"""Explanation of a drawing, for captions."""

PORT, SPACING, TRACK = 20.0, 16.0, 11.0
"""Distances in pixels between lines into a part, neighbours in a column, and vertical lines."""

_MARGIN_X, _MARGIN_Y, _PADDING = 56.0, 34.0, 20.0
_RADIUS, _CORNER = 13.0, 6.0
_LABEL_HEIGHT = 16.0
_LETTER = 0.62  # approximate width of a letter over its font size
_STEP = 8.0  # vertical steps of a line up to this height are avoided
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_WIDE = dict.fromkeys(f"MWmw{_ELLIPSIS}", 1.0)  # letters that are far wider
_NAME_LETTERS = 16  # names longer than this are shortened
_NAME_SIZE, _STATE_SIZE = 12, 15
_ENDS = (Kind.STATE, Kind.INPUT, Kind.OUTPUT)
_CIRCLES = (Kind.SUM, Kind.PRODUCT, Kind.COMPLEMENT)
_INPUT_COLOUR, _OUTPUT_COLOUR, _HIDDEN_COLOUR = "#0072b2", "#d55e00", "#00805f"
_SMALL = (Kind.VECTOR, Kind.NUMBER)
_LINEAR_FILL = "#e9e3f5"
_FILLS = {SIGMA: "#fff2c2", "tanh": "#dcecf7", "norm": "#dff0dc"} | dict.fromkeys(
    ("relu", "leaky relu", "softplus"), _LINEAR_FILL
)
_OTHER_FILL = "#eeeeee"


def draw(
    graph: GateGraph,
    names: Mapping[int, str] | None = None,
    title: str = "a cell",
    states: Sequence[str] | None = None,
) -> str:
    """Return the SVG of a graph, without nodes and states that the visible output never depends on.

    Args:
        graph: the graph, in any form.
        names: names of nodes by position, written above their boxes.
        title: title of the picture for screen readers.
        states: names of the states in order; by default h, c, c2, ...
    """
    return _Drawing(diagram(graph, names, states)).svg(title)


def draw_formula(text: str, title: str = "a cell") -> str:
    """Return the SVG of the cell in a formula, with the formula's names. Raises `FormulaError`."""
    return _Drawing(formula_diagram(text)).svg(title)


@dataclass(frozen=True)
class _Shape:
    """Size of a part's body, of the labels on its lines, and of the name above it.

    `labels` and `label_up` are the extents of the labels to the left of the body and above it.
    """

    width: float
    height: float
    labels: float = 0.0
    label_up: float = 0.0
    name_width: float = 0.0

    @property
    def up(self) -> float:
        """Distance from the middle to the upper edge, name included; labels alone fit between neighbours."""
        return self.height / 2 + (self.label_up + 14.0 if self.name_width else 0.0)

    @property
    def room(self) -> float:
        """Width of the body and the name, without labels."""
        return max(self.width, self.name_width)


class _Drawing:
    def __init__(self, parts: tuple[Part, ...]) -> None:
        self.parts = _ends_in_order(parts)
        self.shapes = [_shape(part) for part in self.parts]
        boxes = [
            Box(
                up=shape.up,
                down=shape.height / 2,
                sources=tuple(port.source for port in part.ports),
                first=part.kind in (Kind.STATE, Kind.INPUT),
                last=part.kind is Kind.OUTPUT,
            )
            for part, shape in zip(self.parts, self.shapes, strict=True)
        ]
        self.layout = layout(boxes, SPACING, PORT)
        self.items = self.layout.items
        self.heights = [round(_MARGIN_Y + _PADDING + height, 2) for height in self.layout.heights]
        lows = [
            height + (self.shapes[item.box].height / 2 if item.box is not None else 0.0)
            for item, height in zip(self.items, self.heights, strict=True)
        ]
        self.bottom = max(lows) + _PADDING
        self.arrivals = self._arrivals()
        self.nets = [self._nets(gap) for gap in range(len(self.layout.lines))]
        self.tracks = [tracks(nets) for nets in self.nets]
        ends = [_variable_width(part) for part in self.parts if part.kind in (Kind.STATE, Kind.OUTPUT)]
        self.left = max(_MARGIN_X, *(18 + width + 6 for width in ends))  # the right margin is as wide
        self.middles, self.gaps, self.right = self._spread()

    def svg(self, title: str) -> str:
        paths: dict[int, list[str]] = {}
        dots: list[str] = []
        for gap, nets in enumerate(self.nets):
            for net in nets:
                self._wire(gap, net, paths.setdefault(net.net, []), dots)
        frame = svg.box(
            self.left, _MARGIN_Y, self.right - self.left, self.bottom - _MARGIN_Y, 14, svg.GROUND, "frame", 0.7
        )
        out = [frame]
        for number, lines in sorted(paths.items()):
            # The pale line beneath separates the line from those it crosses.
            out.append(svg.path(" ".join(lines), svg.GROUND, 5))
            out += [svg.path(d, self._colour(number), kind="net") for d in lines]
        out += dots
        for position, item in enumerate(self.items):
            if item.box is not None:
                part = self.parts[item.box]
                out += self._end(position, part) if part.kind in _ENDS else self._body(position, item.box)
        return svg.document(round(self.right + self.left), round(self.bottom + _MARGIN_Y), title, out)

    def _arrivals(self) -> dict[tuple[int, int], float]:
        """Return the height at which each line arrives, by the item on its right and its place there.

        A line that would make a step of a few pixels goes straight on instead, if the part and its other lines leave
        room.
        """
        found: dict[tuple[int, int], float] = {}
        for line in sorted(line for gap in self.layout.lines for line in gap):
            found[line[1:]] = self._even(line)
        for gap in self.layout.lines:
            for left, right, place in sorted(gap, key=lambda line: line[1:]):
                box, straight = self.items[right].box, self.heights[left]
                if box is None or self.parts[box].kind in _ENDS or abs(straight - found[right, place]) > _STEP:
                    continue
                others = [found[near] for near in ((right, place - 1), (right, place + 1)) if near in found]
                shape, part = self.shapes[box], self.parts[box]
                up = down = shape.height / 2 - 4
                least = PORT / 2
                if shape.labels:  # they stay close to their usual places, since names stand above
                    outermost = -port_offset(0, len(part.ports), PORT)
                    up, down, least = outermost + (0 if part.name else 4), outermost + 4, _LABEL_HEIGHT + 2
                up, down = min(up, shape.height / 2 - 3), min(down, shape.height / 2 - 3)
                if -up <= straight - self.heights[right] <= down and all(abs(straight - o) >= least for o in others):
                    found[right, place] = straight
        return found

    def _even(self, line: tuple[int, int, int]) -> float:
        """Return the height of a line's end if the lines into a part are at equal distances."""
        _, right, place = line
        box = self.items[right].box
        offset = 0.0 if box is None else port_offset(place, len(self.parts[box].ports), PORT)
        return round(self.heights[right] + offset, 2)

    def _arrival(self, line: tuple[int, int, int]) -> float:
        """Return the height at which a line arrives at its right end."""
        return self.arrivals[line[1:]]

    def _nets(self, gap: int) -> list[Net]:
        ends: dict[int, set[float]] = {}
        for line in self.layout.lines[gap]:
            ends.setdefault(line[0], set()).add(self._arrival(line))
        return [Net(self.items[left].net, self.heights[left], tuple(sorted(found))) for left, found in ends.items()]

    def _spread(self) -> tuple[list[float], list[float], float]:
        """Return the middles of the columns, the left ends of the gaps after them, and the right side of the frame."""
        middles, gaps = [], []
        x = self.left + 12
        for column, positions in enumerate(self.layout.columns):
            boxes = [self.items[i].box for i in positions]
            shapes = [self.shapes[box] for box in boxes if box is not None]
            width = max((shape.room for shape in shapes), default=0.0)
            x += max((max(0.0, shape.labels - (width - shape.width) / 2) for shape in shapes), default=0.0)
            middles.append(x + width / 2)
            x += width
            gaps.append(x)
            if column < len(self.tracks):
                x += 18 + TRACK * (max(self.tracks[column].values(), default=-1) + 1)
                x += 16 if column == len(self.tracks) - 1 else 0  # for the line to the top
        return middles, gaps, x + 12

    def _colour(self, net: int) -> str:
        part = self.parts[net]
        return _end_colour(part) if part.kind in _ENDS else svg.INK

    def _wire(self, gap: int, net: Net, paths: list[str], dots: list[str]) -> None:
        track = self.gaps[gap] + 9 + TRACK / 2 + TRACK * self.tracks[gap].get(net.net, 0)
        for line in self.layout.lines[gap]:
            left, right, _ = line
            if self.items[left].net != net.net:
                continue
            source, target = self.items[left].box, self.items[right].box
            start = self.middles[gap] + (0.0 if source is None else self.shapes[source].width / 2)
            if source is not None and self.parts[source].kind is Kind.INPUT:
                start += _CORNER  # where its curve from below ends
            stop = self.middles[gap + 1]
            if target is not None:
                stop -= self.shapes[target].width / 2
                stop += 5.0 if self.parts[target].kind in _CIRCLES else 0.0  # to the rim
            paths.append(_path(start, track, stop, self._arrival(line), net))
        for y in {net.start, *net.ends}:
            arms = (y > net.low) + (y < net.high) + (y == net.start) + (y in net.ends)
            if arms > 2:
                dots.append(svg.dot(track, y, self._colour(net.net)))

    def _end(self, position: int, part: Part) -> list[str]:
        """Return the elements of an end: a state or the input entering, or a new state leaving, with its name."""
        x, y = self.middles[self.items[position].column], self.heights[position]
        own = _end_colour(part)
        if part.kind is Kind.STATE:
            line = svg.path(f"M{self.left - 14:g} {y:g}H{x:g}", own)
            return [line, _variable(self.left - 18, y + 5, part, "end")]
        if part.kind is Kind.INPUT:
            up = f"M{x:g} {self.bottom + 12:g}V{y + _CORNER:g}Q{x:g} {y:g} {x + _CORNER:g} {y:g}"
            return [svg.path(up, own), _variable(x, self.bottom + 27, part, "middle")]
        colour = self._colour(part.ports[0].source)
        out = [
            svg.path(f"M{x:g} {y:g}H{self.right + 8:g}", colour),
            svg.arrow(self.right + 14, y, colour),
            _variable(self.right + 18, y + 5, part, "start"),
        ]
        if part.state == 0:
            x -= 10
            out += [
                svg.path(f"M{x:g} {y:g}V{_MARGIN_Y - 4:g}", colour),
                svg.dot(x, y, colour),
                svg.arrow(x, _MARGIN_Y - 10, colour, up=True),
                _variable(x, _MARGIN_Y - 16, part, "middle"),
            ]
        return out

    def _body(self, position: int, number: int) -> list[str]:
        part, shape = self.parts[number], self.shapes[number]
        x, y = self.middles[self.items[position].column], self.heights[position]
        left, top = x - shape.width / 2, y - shape.height / 2
        fill = _FILLS.get(part.label, _OTHER_FILL) if part.kind is Kind.ACTIVATION else svg.PAPER
        corner = _RADIUS if part.kind in _CIRCLES else 4.0
        size, below, pen = (12, 4.2, 1.0) if part.kind in _SMALL else (14, 4.8, 1.4)
        out = [
            svg.box(left, top, shape.width, shape.height, corner, fill, part.kind, pen),
            svg.text(x, y + below, part.label, size),
        ]
        if part.name:
            at = top - shape.label_up - 4
            out.append(svg.text(x, at, _short(part.name), _NAME_SIZE, italic=True, full=part.name))
        for place, p in enumerate(self.layout.ports[number]):
            at, edge = self.arrivals[position, place], left
            for label in reversed(_labels(part.ports[p])):
                width = _label_width(label)
                edge -= width + 5
                corner, kind = (8, "sign") if label == MINUS else (2, "label")
                out.append(svg.box(edge, at - _LABEL_HEIGHT / 2, width, _LABEL_HEIGHT, corner, svg.PAPER, kind, 1))
                out.append(svg.text(edge + width / 2, at + 4.2, label, 12))
        return out


def _ends_in_order(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return the parts with those at the sides ordered from top to bottom: the last state, ..., c, h, x."""

    def rank(number: int) -> tuple[int, int]:
        part = parts[number]
        if part.kind not in (Kind.STATE, Kind.OUTPUT):
            return (1, 0) if part.kind is Kind.INPUT else (2, number)
        return 0 if part.kind is Kind.STATE else 3, -part.state

    order = sorted(range(len(parts)), key=rank)
    new = {old: k for k, old in enumerate(order)}
    return tuple(
        replace(parts[old], ports=tuple(replace(port, source=new[port.source]) for port in parts[old].ports))
        for old in order
    )


def _shape(part: Part) -> _Shape:
    labels = max((sum(_label_width(label) + 5 for label in _labels(port)) for port in part.ports), default=0.0)
    if part.kind in _ENDS:
        return _Shape(0.0, 16.0 if labels else 12.0, labels)
    name = _width(_short(part.name), _NAME_SIZE)
    if part.kind in _CIRCLES:
        height = max(2 * _RADIUS, len(part.ports) * PORT - 14)
        highest = port_offset(0, len(part.ports), PORT) - _LABEL_HEIGHT / 2
        return _Shape(2 * _RADIUS, height, labels, max(0.0, -highest - height / 2) if labels else 0.0, name)
    if part.kind in _SMALL:
        return _Shape(_label_width(part.label), _LABEL_HEIGHT)
    height = max(30.0, len(part.ports) * PORT)
    return _Shape(max(34.0, 10 + len(part.label) * 14 * _LETTER), height, labels, name_width=name)


def _labels(port: Port) -> tuple[str, ...]:
    """Return the labels of a line into a part: its factors, and a minus sign if it is subtracted."""
    return (*port.factors, *([MINUS] if port.minus else []))


def _short(name: str) -> str:
    """Return a name, shortened in the middle if it is long: similar names often differ at their ends."""
    return name if len(name) <= _NAME_LETTERS else f"{name[:9]}{_ELLIPSIS}{name[-6:]}"


def _width(words: str, size: float) -> float:
    """Return an upper estimate of the width of words in pixels."""
    return size * sum(_WIDE.get(letter, 0.75 if letter.isupper() else _LETTER) for letter in words)


def _when(part: Part) -> str:
    return f"t{MINUS}1" if part.kind is Kind.STATE else "t"


def _variable(x: float, y: float, part: Part, anchor: str) -> str:
    """Return the name of the input or of a state, with its time step."""
    return svg.variable(x, y, _short(part.label), _when(part), anchor, _end_colour(part), _STATE_SIZE, part.label)


def _variable_width(part: Part) -> float:
    return _width(_short(part.label), _STATE_SIZE) + _width(_when(part), svg.INDEX_SIZE)


def _end_colour(part: Part) -> str:
    if part.kind is Kind.INPUT:
        return _INPUT_COLOUR
    return _HIDDEN_COLOUR if part.state else _OUTPUT_COLOUR


def _label_width(label: str) -> float:
    return 16.0 if label == MINUS else 10 + len(label) * 12 * _LETTER


def _path(start: float, track: float, stop: float, end: float, net: Net) -> str:
    """Return the path from `start` along the net's vertical line at `track` to `stop` at height `end`.

    Corners without a branch are rounded.
    """
    y = net.start
    if end == y:
        return f"M{start:g} {y:g}H{stop:g}"
    corner = min(_CORNER, abs(end - y) / 2)
    down = corner if end > y else -corner
    out = f"M{start:g} {y:g}"
    if net.low < y < net.high or y in net.ends:
        out += f"H{track:g}"
    else:
        out += f"H{track - corner:g}Q{track:g} {y:g} {track:g} {y + down:g}"
    if net.low < end < net.high:
        return f"{out}V{end:g}H{stop:g}"
    return f"{out}V{end - down:g}Q{track:g} {end:g} {track + corner:g} {end:g}H{stop:g}"

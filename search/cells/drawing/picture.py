"""Picture of a cell: its diagram as SVG, in the style of figures in papers.

States enter on the left and leave on the right, the input enters from below, and the output leaves at the top. Boxes
are activations and layer norms, small ones learned vectors and numbers; circles are sums (+), products and complements
(one minus); a label W or U at the end of a line is a matrix with a bias, p or a name a learned vector that multiplies
each unit. Lines that enter one box are added. A state that goes through sums and products to its new value is one
straight line, a belt: the LSTM's c along the top, the GRU's h as well. The input, and h where there are other states,
run along the bottom. Long names are shortened and shown in full in a tooltip. Colours
(Okabe and Ito 2008, safe for colour-blind readers) distinguish the input from the states; shapes and labels carry the
same information, so the picture also works in black and white.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from search.cells.drawing import svg
from search.cells.drawing.belts import belts, low_ends
from search.cells.drawing.boxes import PORT, Tap
from search.cells.drawing.diagram import MINUS, SIGMA, TIMES, Kind, Part, diagram, formula_diagram
from search.cells.drawing.layout import layout
from search.cells.drawing.legend import drawn, entries, rows
from search.cells.drawing.shapes import (
    CIRCLES,
    ENDS,
    LABEL_GAP,
    LABEL_HEIGHT,
    NAME_SIZE,
    RADIUS,
    SMALL,
    STATE_SIZE,
    box_of,
    end_colour,
    fill_of,
    label_width,
    labels,
    shape,
    short,
    variable_width,
    when,
)
from search.cells.drawing.wires import Net, tracks
from search.cells.graph import GateGraph

LEGEND = (
    f"Lines that enter one box are added; a {MINUS} at the end of a line means that it is subtracted. "
    "W, U: product with a matrix, plus a bias; U/4 has 4 blocks on its diagonal. p, or a name in a label: product with "
    f"a learned vector, unit by unit. Labels also say how the parameters start. {SIGMA}: sigmoid. "
    f"+, {TIMES}, 1{MINUS}: elementwise sum, product and one minus."
)
"""Explanation of a drawing, for captions."""

TRACK = 11.0
"""Distance in pixels between vertical lines."""

_MARGIN_X, _MARGIN_Y, _PADDING = 56.0, 34.0, 20.0
_CORNER = 6.0
_LEGEND_X = 18.0
_STEP = 8.0  # vertical steps of a line into a box up to this height are avoided


def draw(
    graph: GateGraph,
    names: Mapping[int, str] | None = None,
    title: str = "a cell",
    states: Sequence[str] | None = None,
    *,
    legend: bool = False,
) -> str:
    """Return the SVG of a graph, without nodes and states that the visible output never depends on.

    Args:
        graph: the graph, in any form.
        names: names of nodes by position, written above their boxes.
        title: title of the picture for screen readers.
        states: names of the states in order; by default h, c, c2, ...
        legend: whether a legend stands below.
    """
    return _Drawing(diagram(graph, names, states)).svg(title, legend=legend)


def draw_formula(text: str, title: str = "a cell", *, legend: bool = False) -> str:
    """Return the SVG of the cell in a formula, with the formula's names. Raises `FormulaError`."""
    return _Drawing(formula_diagram(text)).svg(title, legend=legend)


class _Drawing:
    def __init__(self, parts: tuple[Part, ...]) -> None:
        self.parts = _ends_in_order(parts)
        self.layout = layout([box_of(part) for part in self.parts], belts(self.parts), low_ends(self.parts))
        self.items = self.layout.items
        self.shapes = [
            shape(part, ports, offsets)
            for part, ports, offsets in zip(self.parts, self.layout.ports, self.layout.offsets, strict=True)
        ]
        self.heights = [round(_MARGIN_Y + _PADDING + height, 2) for height in self.layout.heights]
        lows = [
            height + (self.shapes[item.box].down if item.box is not None else 0.0)
            for item, height in zip(self.items, self.heights, strict=True)
        ]
        self.bottom = max(lows) + _PADDING
        self.taps: dict[int, list[Tap]] = {}
        for tap in self.layout.taps:
            self.taps.setdefault(tap.passage, []).append(tap)
        self.going_on = {left for gap in self.layout.lines for left, _, _ in gap}
        self.arrivals = self._arrivals()
        self.nets = [self._nets(gap) for gap in range(len(self.layout.lines))]
        self.tracks = [tracks(nets) for nets in self.nets]
        ends = [variable_width(part) for part in self.parts if part.kind in (Kind.STATE, Kind.OUTPUT)]
        self.left = max(_MARGIN_X, *(18 + width + 6 for width in ends))  # the right margin is as wide
        self.middles, self.gaps, self.right = self._spread()

    def svg(self, title: str, *, legend: bool) -> str:
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
                out += self._end(position, part) if part.kind in ENDS else self._body(position, item.box)
        width, height = round(self.right + self.left), round(self.bottom + _MARGIN_Y)
        if legend:
            explained = rows(entries(self.parts), width - 2 * _LEGEND_X)
            below, right, end = drawn(explained, _LEGEND_X, height)
            out += below
            width, height = max(width, round(right + _LEGEND_X)), round(end + _LEGEND_X / 2)
        return svg.document(width, height, title, out)

    def _arrivals(self) -> dict[tuple[int, int], float]:
        """Return the height at which each line from the left arrives, by the item on its right and its place there.

        A line into a box that would make a step of a few pixels goes straight on instead, if the box and its other
        lines leave room.
        """
        found: dict[tuple[int, int], float] = {}
        for _, right, place in sorted(line for gap in self.layout.lines for line in gap):
            found[right, place] = self._even(right, place)
        for gap in self.layout.lines:
            for left, right, place in sorted(gap, key=lambda line: line[1:]):
                box, straight = self.items[right].box, self.heights[left]
                if box is None or self.parts[box].kind in (*ENDS, *CIRCLES):
                    continue
                if abs(straight - found[right, place]) > _STEP:
                    continue
                others = [found[near] for near in ((right, place - 1), (right, place + 1)) if near in found]
                size, part = self.shapes[box], self.parts[box]
                up, down, least = size.up - 4, size.down - 4, PORT / 2
                if size.labels:  # they stay close to their usual places, since names stand above
                    outermost = -self.layout.offsets[box][0]
                    up, down, least = outermost + (0 if part.name else 4), outermost + 4, LABEL_HEIGHT + 2
                up, down = min(up, size.up - 3), min(down, size.down - 3)
                if -up <= straight - self.heights[right] <= down and all(abs(straight - o) >= least for o in others):
                    found[right, place] = straight
        return found

    def _even(self, item: int, place: int) -> float:
        """Return the height of a line's end if the lines into a part are at equal distances."""
        box = self.items[item].box
        return round(self.heights[item] + (0.0 if box is None else self.layout.offsets[box][place]), 2)

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
            width = max((size.room for size in shapes), default=0.0)
            x += max((max(0.0, size.labels - (width - size.width) / 2) for size in shapes), default=0.0)
            middles.append(x + width / 2)
            x += width
            gaps.append(x)
            if column < len(self.tracks):
                x += 18 + TRACK * (max(self.tracks[column].values(), default=-1) + 1)
                x += 16 if column == len(self.tracks) - 1 else 0  # for the line to the top
        return middles, gaps, x + 12

    def _colour(self, net: int) -> str:
        part = self.parts[net]
        return end_colour(part) if part.kind in ENDS else svg.INK

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
                stop += 5.0 if self.parts[target].kind in CIRCLES else 0.0  # to the rim
            taps = self.taps.get(right, [])
            paths.append(_path(start, track, stop, self._arrival(line), net))
            if right not in self.going_on and len(taps) == 1:
                paths[-1] = _turned(paths[-1], stop, self._arrival(line), self._rim(taps[0]))
                continue
            paths += [f"M{stop:g} {self._arrival(line):g}V{self._rim(tap):g}" for tap in taps]
            if taps:
                dots.append(svg.dot(stop, self._arrival(line), self._colour(net.net)))
        for y in {net.start, *net.ends}:
            arms = (y > net.low) + (y < net.high) + (y == net.start) + (y in net.ends)
            if arms > 2:
                dots.append(svg.dot(track, y, self._colour(net.net)))

    def _rim(self, tap: Tap) -> float:
        """Return where a line from above or below meets the edge of a part."""
        size, y = self.shapes[tap.item], self.heights[tap.item]
        return round(y - size.up if self.heights[tap.passage] < y else y + size.down, 2)

    def _end(self, position: int, part: Part) -> list[str]:
        """Return the elements of an end: a state or the input entering, or a new state leaving, with its name."""
        x, y = self.middles[self.items[position].column], self.heights[position]
        own = end_colour(part)
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
                svg.path(f"M{x:g} {y - 5:g}V{_MARGIN_Y + 3:g}", svg.GROUND, 5),
                svg.path(f"M{x:g} {y:g}V{_MARGIN_Y - 4:g}", colour),
                svg.dot(x, y, colour),
                svg.arrow(x, _MARGIN_Y - 10, colour, up=True),
                _variable(x, _MARGIN_Y - 16, part, "middle"),
            ]
        return out

    def _body(self, position: int, number: int) -> list[str]:
        part, size = self.parts[number], self.shapes[number]
        x, y = self.middles[self.items[position].column], self.heights[position]
        left, top = x - size.width / 2, y - size.up
        fill = fill_of(part.label) if part.kind is Kind.ACTIVATION else svg.PAPER
        corner = RADIUS if part.kind in CIRCLES else 4.0
        letters, below, pen = (12, 4.2, 1.0) if part.kind in SMALL else (14, 4.8, 1.4)
        out = [
            svg.box(left, top, size.width, size.up + size.down, corner, fill, part.kind, pen),
            svg.text(x, y + below, part.label, letters),
        ]
        if part.name:
            at = top - size.label_up - 4
            out.append(svg.text(x, at, short(part.name), NAME_SIZE, italic=True, full=part.name))
        for place, p in enumerate(self.layout.ports[number]):
            at, edge = self.arrivals[position, place], left
            for label in reversed(labels(part.ports[p])):
                edge -= label_width(label) + LABEL_GAP
                out += _label(edge + label_width(label) / 2, at, label)
        for tap in self.layout.taps:
            if tap.item == position:
                rim, step = self._rim(tap), LABEL_HEIGHT + LABEL_GAP
                away = -step if rim < y else step
                for k, label in enumerate(reversed(labels(part.ports[tap.port]))):
                    out += _label(x, rim + away * (k + 1) - away / abs(away) * LABEL_HEIGHT / 2, label)
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


def _variable(x: float, y: float, part: Part, anchor: str) -> str:
    """Return the name of the input or of a state, with its time step."""
    return svg.variable(x, y, short(part.label), when(part), anchor, end_colour(part), STATE_SIZE, part.label)


def _label(x: float, y: float, label: str) -> list[str]:
    """Return the elements of a label on a line, with its middle at (x, y)."""
    width = label_width(label)
    corner, kind = (8, "sign") if label == MINUS else (2, "label")
    return [
        svg.box(x - width / 2, y - LABEL_HEIGHT / 2, width, LABEL_HEIGHT, corner, svg.PAPER, kind, 1),
        svg.text(x, y + 4.2, label, 12),
    ]


def _turned(path: str, x: float, y: float, end: float) -> str:
    """Return a path to (x, y) from the left that turns there, up or down to `end`."""
    corner = min(_CORNER, abs(end - y) / 2)
    down = corner if end > y else -corner
    return f"{path.removesuffix(f'H{x:g}')}H{x - corner:g}Q{x:g} {y:g} {x:g} {y + down:g}V{end:g}"


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

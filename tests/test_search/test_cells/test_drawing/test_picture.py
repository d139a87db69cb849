"""Drawings show every part of their cell once, and no parts overlap."""

import itertools
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from search.cells.drawing.diagram import MINUS, Kind, Part, diagram, formula_diagram
from search.cells.drawing.layout import Box, layout
from search.cells.drawing.picture import draw, draw_formula
from search.cells.drawing.wires import Net, tracks
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.mutation import Rule, propose
from search.cells.notation.formula import format_formula, parse_formula
from search.cells.operations import Op
from search.cells.text import state_name

SVG = "{http://www.w3.org/2000/svg}"
Rectangle = tuple[float, float, float, float]
UNARY: dict[str, Callable[[float], float]] = {
    "σ": lambda v: 1 / (1 + math.exp(-v)),  # noqa: RUF001
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "tanh": math.tanh,
    "relu": lambda v: max(v, 0.0),
    "leaky relu": lambda v: max(v, 0.01 * v),
}


def mutants(count: int) -> list[GateGraph]:
    """Return cells of many sizes, descended from LSTM and GRU; every tenth is large."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        graph = LIBRARY[("lstm", "gru")[seed % 2]].graph
        for _ in range(60 if seed % 10 == 0 else 8):
            child = propose(graph, rng, rule=Rule.ONE_TO_THREE, max_nodes=64).child
            if child is not None and (len(child.graph) >= len(graph) or seed % 10):
                graph = child.graph
        found.append(graph)
    return found


MUTANTS = mutants(40)
CELLS = {name: cell.graph for name, cell in LIBRARY.items()} | {f"mutant-{k}": g for k, g in enumerate(MUTANTS)}
TALL = {
    "sum-of-12": f"h' = tanh(linear(x){' + linear(h)' * 11})",
    # Cells that a search found: their topmost boxes have many lines.
    "76f161a5": "h' = x + (x - (h - linear(h)))",
    "6717b3fa": """g1 = sigmoid(h - h); g2 = sigmoid(linear(g1 * x) + (x + x)); v1 = tanh(g2)
        h' = linear(v1 - (x + v1), 1.1) + h * linear(x, 1.0)""",
    "51e6db1a": """v1 = linear(h, 0.9); g1 = sigmoid(linear(x))
        h' = h - (linear(v1) + (x - h)) - v1 + (h + g1)""",
    "a1e43fe8": """g1 = sigmoid(h - h); v1 = tanh(linear(h * g1) + (x + x)); v2 = linear(x, 1.0)
        h' = linear(v1 * (v1 * v2), 1.1) + h * v2""",
}
CELLS |= {name: parse_formula(formula) for name, formula in TALL.items()}
CELLS["leaky"] = parse_formula("h' = leaky_relu(linear(x) - linear(h)) - c2\nc' = x\nc2' = h * (x + c) * h")


def matrix(label: str) -> Callable[[float], float]:
    """Return a scalar function in place of a matrix, determined by its label: W or U, identity's factor, bias."""
    number = r"([+−][\d.e+-]*)"  # noqa: RUF001
    match = re.fullmatch(rf"([WU])(?:{number}I)?(?: b{number})?", label)
    assert match is not None, label
    factor, bias = (
        0.0 if text is None else float(text.replace(MINUS, "-") + ("1" if len(text) == 1 else ""))
        for text in (match[2], match[3])
    )
    return lambda v: (0.7 + factor) * v + 0.1 + bias


def values_of_parts(parts: Sequence[Part], given: Mapping[str, float]) -> list[float]:
    """Return the new states that a diagram computes, read as a person would read it."""
    values: list[float] = []
    for part in parts:
        arriving = []
        for port in part.ports:
            value = values[port.source]
            for label in port.matrices:
                value = matrix(label)(value)
            arriving.append(-value if port.minus else value)
        if part.kind in (Kind.INPUT, Kind.STATE):
            values.append(given[part.label])
        elif part.kind is Kind.ACTIVATION:
            values.append(UNARY[part.label](sum(arriving)))
        elif part.kind is Kind.PRODUCT:
            values.append(math.prod(arriving))
        elif part.kind is Kind.COMPLEMENT:
            values.append(1 - arriving[0])
        elif part.kind is Kind.MATRIX:
            values.append(matrix(part.label)(arriving[0]))
        else:
            values.append(sum(arriving))
    return [value for part, value in zip(parts, values, strict=True) if part.kind is Kind.OUTPUT]


def values_of_graph(graph: GateGraph, given: Mapping[str, float]) -> list[float]:
    values: list[float] = []
    for node in graph:
        read = [values[j] for j in node.inputs]
        if node.op is Op.INPUT:
            values.append(given["x"])
        elif node.op is Op.STATE:
            values.append(given[state_name(node.state)])
        elif node.op is Op.LINEAR:
            values.append((0.7 + node.identity) * read[0] + 0.1 + node.bias)
        elif node.op in (Op.ADD, Op.SUB, Op.MUL):
            a, b = read
            values.append(a + b if node.op is Op.ADD else a - b if node.op is Op.SUB else a * b)
        else:
            values.append(UNARY[node.op.value.replace("_", " ")](read[0]))
    return [values[i] for i in graph.outputs]


@pytest.mark.parametrize("name", CELLS)
def test_a_diagram_computes_what_the_graph_computes(name: str) -> None:
    graph = CELLS[name]
    rng = np.random.default_rng(0)
    for _ in range(3):
        given = {key: float(rng.uniform(-1, 1)) for key in ("x", "h", "c", "c2")}
        assert values_of_parts(diagram(graph), given) == pytest.approx(values_of_graph(graph, given), rel=1e-9)


def test_the_gru_is_drawn_as_textbooks_draw_it() -> None:
    parts = formula_diagram(LIBRARY["gru"].formula)
    drawn = sorted((part.kind, part.label, part.name) for part in parts)
    assert drawn == sorted(
        [
            (Kind.INPUT, "x", ""),
            (Kind.STATE, "h", ""),
            (Kind.ACTIVATION, "σ", "r"),  # noqa: RUF001
            (Kind.ACTIVATION, "σ", "z"),  # noqa: RUF001
            (Kind.ACTIVATION, "tanh", "n"),
            (Kind.PRODUCT, "×", ""),  # noqa: RUF001
            (Kind.PRODUCT, "×", ""),  # noqa: RUF001
            (Kind.PRODUCT, "×", ""),  # noqa: RUF001
            (Kind.COMPLEMENT, "1−", ""),  # noqa: RUF001
            (Kind.SUM, "+", ""),
            (Kind.OUTPUT, "h", ""),
        ]
    )
    gates = [part for part in parts if part.kind is Kind.ACTIVATION]
    assert all(sorted(m for port in gate.ports for m in port.matrices) == ["U", "W"] for gate in gates)


def elements(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def rectangles(svg: str) -> list[tuple[str, Rectangle]]:
    """Return bodies, labels and words with their rectangles; words inside a box belong to the box."""
    found: list[tuple[str, Rectangle]] = []
    for rect in elements(svg).iter(f"{SVG}rect"):
        if rect.get("class") not in (None, "frame"):
            x, y, w, h = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
            found.append((rect.attrib["class"], (x, y, x + w, y + h)))
    for text in elements(svg).iter(f"{SVG}text"):
        x, y, size = (float(text.attrib[key]) for key in ("x", "y", "font-size"))
        indices = [t for t in text if t.tag == f"{SVG}tspan"]
        width = 0.62 * (size * len(said(text)) + sum(float(t.attrib["font-size"]) * len(said(t)) for t in indices))
        left = {"start": x, "middle": x - width / 2, "end": x - width}[text.attrib["text-anchor"]]
        room = (left, y - 0.75 * size, left + width, y + 0.2 * size)
        holders = [box for _, box in found if inside(room, box)]
        if not holders:
            found.append(("text", room))
    return found


def said(text: ET.Element) -> str:
    """Return the words of an element, without its subscript and tooltip."""
    return (text.text or "") + "".join(t.tail or "" for t in text)


def hints(svg: str) -> dict[str, str]:
    """Return shortened words with their tooltips."""
    texts = elements(svg).iter(f"{SVG}text")
    return {said(text): found for text in texts if (found := text.findtext(f"{SVG}title")) is not None}


def words(svg: str) -> set[str]:
    return {said(text) for text in elements(svg).iter(f"{SVG}text")}


def check_apart(svg: str) -> None:
    """Check that no bodies, labels and words overlap, and that all are in the picture, inside its frame or outside."""
    placed = rectangles(svg)
    for (kind, a), (other, b) in itertools.combinations(placed, 2):
        assert not overlap(a, b), (kind, a, other, b)
    left, top, width, height = (float(v) for v in elements(svg).attrib["viewBox"].split())
    assert (left, top) == (0, 0)
    assert all(inside(room, (0, 0, width, height)) for _, room in placed), placed
    drawn = next(rect for rect in elements(svg).iter(f"{SVG}rect") if rect.get("class") == "frame")
    x, y, w, h = (float(drawn.attrib[key]) for key in ("x", "y", "width", "height"))
    frame = (x, y, x + w, y + h)
    for kind, room in placed:
        # Words are names of values, within, or those of the ends, without; none is on the frame.
        assert inside(room, frame) or (kind == "text" and not overlap(room, frame)), (kind, room, frame)


def inside(inner: Rectangle, outer: Rectangle) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def lines_of(svg: str) -> list[list[tuple[float, float]]]:
    """Return the corners of every line; a curve counts as its end."""
    return [line for net in nets_of(svg) for line in net]


def nets_of(svg: str) -> list[list[list[tuple[float, float]]]]:
    """Return the lines of every net; a net begins with the pale line beneath it."""
    nets: list[list[list[tuple[float, float]]]] = []
    for path in elements(svg).iter(f"{SVG}path"):
        if path.get("stroke-width") == "5":
            nets.append([])
        if path.get("class") != "net":
            continue
        points: list[tuple[float, float]] = []
        for command, text in re.findall(r"([MHVQL])([^MHVQL]*)", path.attrib["d"]):
            numbers = [float(v) for v in re.findall(r"-?[\d.]+", text)]
            if command == "H":
                points.append((numbers[0], points[-1][1]))
            elif command == "V":
                points.append((points[-1][0], numbers[0]))
            elif command == "Q":
                points += [(numbers[0], numbers[1]), (numbers[2], numbers[3])]
            else:
                points.append((numbers[0], numbers[1]))
        nets[-1].append(points)
    return nets


@pytest.mark.parametrize("name", CELLS)
def test_nothing_lies_on_anything_else(name: str) -> None:
    svg = draw_formula(format_formula(CELLS[name]))
    check_apart(svg)
    placed = rectangles(svg)
    # No line runs through a body or a label of another: only its ends touch them, or it passes its own labels.
    bodies = [room for kind, room in placed if kind not in ("text", "label", "sign")]
    for points in lines_of(svg):
        for (x, y), (to_x, to_y) in itertools.pairwise(points):
            line = (min(x, to_x) + 6, min(y, to_y), max(x, to_x) - 6, max(y, to_y))
            if line[0] < line[2] or x == to_x:
                line = (min(line[0], line[2]), line[1], max(line[0], line[2]), line[3])
                assert not any(overlap((line[0], line[1] - 0.1, line[2] + 0.1, line[3] + 0.1), b) for b in bodies)


@pytest.mark.parametrize("name", CELLS)
def test_lines_of_two_nets_cross_but_never_run_along_each_other(name: str) -> None:
    runs: list[tuple[int, bool, float, float, float]] = []  # net, whether vertical, where, from, to
    for number, net in enumerate(nets_of(draw_formula(format_formula(CELLS[name])))):
        for points in net:
            for (x, y), (to_x, to_y) in itertools.pairwise(points):
                if x == to_x:
                    runs.append((number, True, x, min(y, to_y), max(y, to_y)))
                elif y == to_y:
                    runs.append((number, False, y, min(x, to_x), max(x, to_x)))
    for a, b in itertools.combinations(runs, 2):
        if a[0] != b[0] and a[1] == b[1] and abs(a[2] - b[2]) < 1.5:
            assert min(a[4], b[4]) - max(a[3], b[3]) < 1, (a, b)


@pytest.mark.parametrize("name", CELLS)
def test_every_part_and_every_line_of_the_diagram_is_drawn(name: str) -> None:
    graph = CELLS[name]
    parts, svg = diagram(graph), draw(graph)
    kinds = [rect.get("class") for rect in elements(svg).iter(f"{SVG}rect")]
    for kind in (Kind.ACTIVATION, Kind.SUM, Kind.PRODUCT, Kind.COMPLEMENT, Kind.MATRIX):
        assert kinds.count(kind) == sum(part.kind is kind for part in parts)
    ports = [port for part in parts for port in part.ports]
    assert kinds.count("label") == sum(len(port.matrices) for port in ports)
    assert kinds.count("sign") == sum(port.minus for port in ports)
    labels = sum(len(port.matrices) for port in ports) + sum(part.kind is Kind.MATRIX for part in parts)
    assert labels == len(graph.linears)
    # As many lines arrive at bodies and at the right side as there are ports.
    bodies = [room for kind, room in rectangles(svg) if kind not in ("text", "label", "sign")]
    right = max(x for points in lines_of(svg) for x, _ in points)
    ends = [points[-1] for points in lines_of(svg)]
    arrived = [(x, y) for x, y in ends if x == right or any(abs(x - b[0]) < 6 and b[1] <= y <= b[3] for b in bodies)]
    assert len(arrived) == len(ports)


def test_a_drawing_is_the_same_every_time_and_says_names_as_they_are() -> None:
    text = "gate = sigmoid(linear(x) + linear(h))\nh' = gate * h"
    assert draw_formula(text, 'a <b> & "c"') == draw_formula(text, 'a <b> & "c"')
    drawn = elements(draw_formula(text, 'a <b> & "c"'))
    assert drawn.findtext(f"{SVG}title") == 'a <b> & "c"'
    assert "gate" in [t.text for t in drawn.iter(f"{SVG}text")]


def test_what_is_dead_is_not_drawn() -> None:
    graph = parse_formula("a = tanh(x)\nb = sigmoid(linear(a))\nh' = relu(linear(h) + x)")
    assert [part.label for part in diagram(graph) if part.kind is Kind.ACTIVATION] == ["relu"]


def test_states_that_the_output_never_depends_on_are_not_drawn() -> None:
    text = "d' = tanh(linear(d)); z = relu(e); e' = sigmoid(linear(x) + z); h' = linear(z) + e"
    drawn = [(part.kind, part.label, part.name, part.state) for part in formula_diagram(text)]
    assert drawn == [
        (Kind.STATE, "e", "", 1),
        (Kind.ACTIVATION, "relu", "z", 0),
        (Kind.INPUT, "x", "", 0),
        (Kind.ACTIVATION, "σ", "", 0),  # noqa: RUF001
        (Kind.SUM, "+", "", 0),
        (Kind.OUTPUT, "h", "", 0),
        (Kind.OUTPUT, "e", "", 1),
    ]
    assert words(draw_formula(text)) == {"e", "h", "x", "z", "relu", "σ", "+", "W", "U"}  # noqa: RUF001
    # Without names, a state keeps its number.
    assert [part.label for part in diagram(parse_formula(text)) if part.kind is Kind.OUTPUT] == ["h", "c2"]


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("c = sigmoid(linear(x)); d' = c * d + linear(h); h' = tanh(d') * c", ["h", "d"]),
        ("a' = tanh(linear(c)); c' = tanh(linear(x) + linear(a)); h' = tanh(linear(c) + linear(h))", ["h", "a", "c"]),
        ("mem2' = mem2 + x * h2; h2' = linear(h) - mem2; h' = tanh(h2 + mem2)", ["h", "mem2", "h2"]),
        ("hx' = hx + x; h' = tanh(hx)", ["h", "hx"]),
    ],
)
def test_states_have_the_names_that_the_formula_gives_them(text: str, states: list[str]) -> None:
    parts, svg = formula_diagram(text), draw_formula(text)
    assert [part.label for part in parts if part.kind is Kind.OUTPUT] == states
    assert all(part.label == states[part.state] for part in parts if part.kind in (Kind.STATE, Kind.OUTPUT))
    ends = [(said(e), e.findtext(f"{SVG}tspan"), e.get("fill")) for e in elements(svg).iter(f"{SVG}text") if len(e)]
    assert {name for name, when, _ in ends if when == "t"} == {*states, "x"}
    assert {name for name, when, _ in ends if when == f"t{MINUS}1"} <= set(states)
    # The output has a colour of its own, whatever other states are called; and it is the lowest at the sides.
    assert len({colour for name, _, colour in ends if name == "h"}) == 1
    assert not {c for n, _, c in ends if n in states[1:]} & {c for n, _, c in ends if n in ("h", "x")}


LONG = """
    a_very_long_name_for_a_gate_that_goes_on = sigmoid(linear(x) + linear(h))
    another_long_name_of_gate_one = sigmoid(linear(x) + linear(h))
    another_long_name_of_gate_two = tanh(linear(x) + linear(h * another_long_name_of_gate_one))
    exactly16letters = linear(h) * linear(x) * another_long_name_of_gate_two
    a_long_hidden_state_name' = a_very_long_name_for_a_gate_that_goes_on * a_long_hidden_state_name - exactly16letters
    WWWWMMMMwwwwmmmmWW = relu(a_long_hidden_state_name')
    shortish' = WWWWMMMMwwwwmmmmWW + exactly16letters
    h' = tanh(shortish + shortish') * WWWWMMMMwwwwmmmmWW
"""


def test_long_names_are_shortened_and_have_room() -> None:
    svg = draw_formula(LONG)
    check_apart(svg)
    shown = hints(svg)
    assert set(shown.values()) == {
        "a_very_long_name_for_a_gate_that_goes_on",
        "another_long_name_of_gate_one",
        "another_long_name_of_gate_two",
        "a_long_hidden_state_name",
        "WWWWMMMMwwwwmmmmWW",
    }
    assert all(len(name) <= 16 and "…" in name for name in shown)
    assert {"exactly16letters", "shortish"} <= words(svg)


def test_names_of_all_lengths_have_room_in_all_cells() -> None:
    rng = np.random.default_rng(2)
    for graph in CELLS.values():
        inner = [i for i, node in enumerate(graph) if node.op not in (Op.INPUT, Op.STATE)]
        names = {i: f"v{i}_" + "n" * int(rng.integers(20)) for i in inner if rng.random() < 0.8}
        states = ["h", *(f"s{k}_" + "t" * int(rng.integers(20)) for k in range(1, graph.states))]
        check_apart(draw(graph, names, states=states))


def test_heights_begin_at_the_uppermost_edge() -> None:
    boxes = [Box(6, 6, (), first=True), Box(100, 40, (0,)), Box(6, 6, (1,), last=True)]
    found = layout(boxes, 10, 10)
    edges = [found.heights[i] - (0 if item.box is None else boxes[item.box].up) for i, item in enumerate(found.items)]
    assert min(edges) == 0


def test_the_largest_graph_is_drawn() -> None:
    text = "v0 = linear(x)\n" + "\n".join(f"v{k} = tanh(v{k - 1} * h + v{k // 2})" for k in range(1, 80))
    svg = draw_formula(text + "\nh' = v79 + h")
    assert svg.count('class="activation"') == 79


def least_crossings(lines: Sequence[tuple[int, int]], lefts: int, rights: int) -> int:
    """Return the fewest crossings of lines between two rows of points over all orders of the right row."""
    return min(
        sum((a < c) and (order[b] > order[d]) for a, b in lines for c, d in lines)
        for order in itertools.permutations(range(rights))
    )


def test_between_fixed_sides_the_fewest_crossings_are_found() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        lefts, inner = 4, 5
        lines = sorted({(int(rng.integers(lefts)), int(rng.integers(inner))) for _ in range(9)})
        boxes = [Box(5, 5, (), first=True) for _ in range(lefts)]
        boxes += [Box(5, 5, tuple(a for a, b in lines if b == k) or (0,)) for k in range(inner)]
        joined = [(a, k) for k in range(inner) for a in boxes[lefts + k].sources]
        boxes.append(Box(5, 5, tuple(range(lefts, lefts + inner)), last=True))
        assert layout(boxes, 10, 10).crossings == least_crossings(joined, lefts, inner)


def test_verticals_are_ordered_so_that_no_line_lies_on_another() -> None:
    # Each goes to where the next one starts, so the next one has to be left of it.
    nets = [Net(0, 0, (20,)), Net(1, 20, (40,)), Net(2, 40, (60,)), Net(3, 80, (80,))]
    found = tracks(nets)
    assert found[0] > found[1] > found[2]
    assert 3 not in found


def test_a_title_may_be_anything() -> None:
    title = "\x1b[31m<b>&\"'\u202e\ud800]]>\n"
    drawn = draw(CELLS["gru"], title=title)
    assert elements(drawn).find(f"{SVG}title").text == " [31m<b>&\"'  ]]> "  # type: ignore[union-attr]

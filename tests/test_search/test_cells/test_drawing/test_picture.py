"""Drawings show every part of their cell once, and no parts overlap."""

import itertools
import re

import numpy as np
import pytest

from search.cells.drawing.diagram import MINUS, Kind, diagram, formula_diagram
from search.cells.drawing.picture import draw, draw_formula
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.mutation import Child, mutate
from search.cells.notation.formula import parse_formula
from search.cells.operations import Op
from search.cells.simplify import simplify
from tests.test_search.test_cells.test_drawing.drawings import CELLS, SVG, drawing, elements, formula_of, said, words

_BODIES = (Kind.ACTIVATION, Kind.SUM, Kind.PRODUCT, Kind.COMPLEMENT, Kind.MATRIX)
Rectangle = tuple[float, float, float, float]


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


def hints(svg: str) -> dict[str, str]:
    """Return shortened words with their tooltips."""
    texts = elements(svg).iter(f"{SVG}text")
    return {said(text): found for text in texts if (found := text.findtext(f"{SVG}title")) is not None}


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
    svg = drawing(name)
    check_apart(svg)
    placed = rectangles(svg)
    # No line runs through a body or a label of another: only its ends touch them, or it passes its own labels.
    bodies = [room for kind, room in placed if kind not in ("text", "label", "sign")]
    for points in lines_of(svg):
        for (x, y), (to_x, to_y) in itertools.pairwise(points):
            # Only at its ends may a line touch: over the six pixels of a rim from the left.
            line = (min(x, to_x) + 6, min(y, to_y) - 0.1, max(x, to_x) - 6, max(y, to_y) + 0.1)
            if x == to_x:
                line = (x - 0.1, min(y, to_y) + 0.1, x + 0.1, max(y, to_y) - 0.1)
            if line[0] < line[2]:
                assert not any(overlap(line, body) for body in bodies), (name, line)


@pytest.mark.parametrize("name", CELLS)
def test_lines_of_two_nets_cross_but_never_run_along_each_other(name: str) -> None:
    runs: list[tuple[int, bool, float, float, float]] = []  # net, whether vertical, where, from, to
    for number, net in enumerate(nets_of(drawing(name))):
        for points in net:
            for (x, y), (to_x, to_y) in itertools.pairwise(points):
                if x == to_x:
                    runs.append((number, True, x, min(y, to_y), max(y, to_y)))
                elif y == to_y:
                    runs.append((number, False, y, min(x, to_x), max(x, to_x)))
    for a, b in itertools.combinations(runs, 2):
        if a[0] != b[0] and a[1] == b[1] and abs(a[2] - b[2]) < 1.5:
            assert min(a[4], b[4]) - max(a[3], b[3]) < 1, (a, b)


def touches(x: float, y: float, body: Rectangle) -> bool:
    """Return whether a line that ends at (x, y) enters a body: from the left, or in its middle from above or below."""
    left, top, right, bottom = body
    middle = abs(x - (left + right) / 2) < 0.1 and min(abs(y - top), abs(y - bottom)) < 0.1
    return middle or (abs(x - left) < 6 and top <= y <= bottom)


@pytest.mark.parametrize("as_text", [True, pytest.param(False, marks=pytest.mark.exact)])
@pytest.mark.parametrize("name", CELLS)
def test_every_part_and_every_line_of_the_diagram_is_drawn(name: str, as_text: bool) -> None:
    """Each cell as the formula of its canonical form, and as the graph that it is."""
    text, graph = formula_of(name), CELLS[name]
    parts, svg = (formula_diagram(text), drawing(name)) if as_text else (diagram(graph), draw(graph))
    graph = parse_formula(text) if as_text else graph
    kinds = [rect.get("class") for rect in elements(svg).iter(f"{SVG}rect")]
    for kind in (*_BODIES, Kind.VECTOR, Kind.NUMBER):
        assert kinds.count(kind) == sum(part.kind is kind for part in parts)
    ports = [port for part in parts for port in part.ports]
    assert kinds.count("label") == sum(len(port.factors) for port in ports)
    assert kinds.count("sign") == sum(port.minus for port in ports)
    labels = [label for port in ports for label in port.factors]
    labels += [part.label for part in parts if part.kind is Kind.MATRIX]
    assert sum(re.match(r"[\d.e-]*[WU]", label) is not None for label in labels) == len(
        GateGraph(*simplify(graph)).linears
    )
    # As many lines arrive at bodies and at the right side as there are ports.
    bodies = [room for kind, room in rectangles(svg) if kind not in ("text", "label", "sign")]
    right = max(x for points in lines_of(svg) for x, _ in points)
    ends = [points[-1] for points in lines_of(svg)]
    arrived = [(x, y) for x, y in ends if x == right or any(touches(x, y, body) for body in bodies)]
    assert len(arrived) == len(ports)


def test_a_drawing_is_the_same_every_time_and_says_names_as_they_are() -> None:
    text = "gate = sigmoid(linear(x) + linear(h))\nh' = gate * x"
    assert draw_formula(text, 'a <b> & "c"') == draw_formula(text, 'a <b> & "c"')
    drawn = elements(draw_formula(text, 'a <b> & "c"'))
    assert drawn.findtext(f"{SVG}title") == 'a <b> & "c"'
    assert "gate" in [t.text for t in drawn.iter(f"{SVG}text")]


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


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.exact)])
def test_names_of_all_lengths_have_room_in_all_cells(every: int) -> None:
    rng = np.random.default_rng(2)
    for graph in list(CELLS.values())[::every]:
        inner = [i for i, node in enumerate(graph) if node.op not in (Op.INPUT, Op.STATE)]
        names = {i: f"v{i}_" + "n" * int(rng.integers(20)) for i in inner if rng.random() < 0.8}
        states = ["h", *(f"s{k}_" + "t" * int(rng.integers(20)) for k in range(1, graph.states))]
        check_apart(draw(graph, names, states=states))


@pytest.mark.slow
def test_the_largest_graph_is_drawn() -> None:
    text = "v0 = linear(x)\n" + "\n".join(f"v{k} = tanh(v{k - 1} * h + v{k // 2})" for k in range(1, 80))
    svg = draw_formula(text + "\nh' = v79 + h")
    assert svg.count('class="activation"') == 79


def test_a_title_may_be_anything() -> None:
    title = "\x1b[31m<b>&\"'\u202e\ud800]]>\n"
    drawn = draw(CELLS["gru"], title=title)
    assert elements(drawn).find(f"{SVG}title").text == " [31m<b>&\"'  ]]> "  # type: ignore[union-attr]


def short_steps(svg: str) -> list[float]:
    """Return the heights of vertical pieces between two horizontal ones that are shorter than a circle."""
    found = []
    for points in lines_of(svg):
        corners = [points[0]]
        for at in points[1:]:  # without the points at which a curve begins or ends
            if len(corners) > 1 and (
                corners[-2][0] == corners[-1][0] == at[0] or corners[-2][1] == corners[-1][1] == at[1]
            ):
                corners[-1] = at
            else:
                corners.append(at)
        for a, b, c, d in zip(corners, corners[1:], corners[2:], corners[3:], strict=False):
            if a[1] == b[1] and b[0] == c[0] and c[1] == d[1] and 0 < abs(b[1] - c[1]) < 26:
                found.append(abs(b[1] - c[1]))
    return found


@pytest.mark.parametrize("name", CELLS)
def test_no_line_has_a_short_step(name: str) -> None:
    assert short_steps(drawing(name)) == []


@pytest.mark.parametrize(
    "name",
    [
        *("gru", "gru-after", "gru-keras", "lstm", "lstm-peephole", "g-lstm-4", "mut1", "mut2", "mut3"),
        *("rhn-3", "nbrc"),
        *("sru", "sru-v1", "sru-v1-tanh", "star-chrono", "lem-slow", "ran"),
        *("mgu", "lstm-1997", "rin", "momentum-lstm", "enas-lm"),
    ],
)
def test_cells_of_papers_have_no_short_steps(name: str) -> None:
    assert short_steps(draw(LIBRARY[name].graph)) == []


@pytest.mark.parametrize("every", [pytest.param(4, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.exact)])
def test_no_line_of_a_cell_of_the_library_has_a_short_step(every: int) -> None:
    names = sorted(LIBRARY)[::every]
    found = {name: steps for name in names if (steps := short_steps(draw(LIBRARY[name].graph)))}
    assert found == {}


@pytest.mark.exact
def test_no_line_of_a_mutant_has_a_short_step() -> None:
    rng = np.random.default_rng(16)
    children = [child.graph for _ in range(300) if isinstance(child := mutate(LIBRARY["gru"].graph, rng), Child)]
    found = {cell.id: steps for cell in children if (steps := short_steps(draw(cell)))}
    assert len(children) > 100
    assert found == {}


def test_a_line_goes_straight_on_where_a_step_would_be_of_a_few_pixels() -> None:
    def steps(svg: str) -> list[float]:
        """Return the heights of the vertical steps of all lines."""
        lines = lines_of(svg)
        return [abs(points[0][1] - points[-1][1]) for points in lines if points[0][1] != points[-1][1]]

    # The GRU: z to one minus z, and x to the candidate, were steps of 2 and 3 pixels.
    assert min(steps(draw_formula(LIBRARY["gru"].formula))) > 5
    # Where x enters, nothing sticks out of its curve from below.
    svg = draw_formula(LIBRARY["gru"].formula)
    (curve,) = (
        re.fullmatch(r"M([\d.]+) [\d.]+V[\d.]+Q.* ([\d.]+) ([\d.]+)", path.attrib["d"])
        for path in elements(svg).iter(f"{SVG}path")
        if "V" in path.attrib["d"] and path.get("stroke") == "#0072b2" and path.get("class") is None
    )
    assert curve is not None
    assert min(points[0][0] for points in lines_of(svg) if points[0][1] == float(curve[3])) == float(curve[2])

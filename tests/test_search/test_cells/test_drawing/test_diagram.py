"""Diagrams compute what their graphs compute, and have the parts of textbook figures."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from search.cells.drawing.diagram import MINUS, Kind, Part, diagram, formula_diagram
from search.cells.drawing.picture import draw_formula
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.cells.operations import ACTIVATIONS, OPERATIONS, Op
from search.cells.simplify import simplify
from search.cells.starts import Start, StartRule
from search.cells.text import state_name
from tests.test_search.test_cells.test_drawing.drawings import CELLS, words


def norm(v: float) -> float:
    """Return a scalar function in place of a layer norm."""
    return 0.8 * math.sin(v) + 0.3


UNARY: dict[str, Callable[[float], float]] = {
    operation.symbol: operation.value or norm
    for op, operation in OPERATIONS.items()
    if op in ACTIVATIONS and op is not Op.LINEAR
}


def start_number(text: str) -> float:
    """Return a number in place of a start, determined by its text."""
    plain = text.replace(MINUS, "-")
    try:
        return float(plain)
    except ValueError:
        return zlib.crc32(plain.encode()) / 2**32 + 0.1


def start_text(start: Start | None) -> str:
    return "none" if start is None else str(start) if isinstance(start, StartRule) else f"{start:g}"


def factor(label: str) -> Callable[[float], float]:
    """Return a scalar function in place of a factor on a line, read from its label.

    W or U is a matrix, with its blocks, start and bias; p or another name a learned vector with its start; all else is
    a number.
    """
    number = r"([+−][\d.e+-]*)"  # noqa: RUF001
    match = re.fullmatch(
        rf"([\d.e-]*)[WU](/\d+)?(?:{number}I)?(?:=(\S+))?( orth)?( no b)?(?: b{number})?(?: b=(.+))?", label
    )
    if match is None:
        name, _, start = label.partition("=")
        value = learned(start or "0") if re.fullmatch(r"[a-z]\w*", name) else start_number(label)
        return lambda v: value * v

    def signed(text: str | None) -> float:
        return 0.0 if text is None else float(text.replace(MINUS, "-") + ("1" if len(text) == 1 else ""))

    random, groups, identity, whole, orthogonal, biasless, added, start = match.groups()
    if whole is not None:
        shown = whole.removesuffix("I").replace(MINUS, "-")
        random, one = "0", float(shown + "1" if shown in ("", "-") else shown)
    else:
        one = signed(identity)
    bias = "none" if biasless else (start or f"{signed(added):g}").replace(MINUS, "-")
    return matrix(float(random or 1), int(groups[1:]) if groups else 1, one, orthogonal is not None, bias)


def learned(start: str) -> float:
    """Return a number in place of a learned vector with this start."""
    return 0.6 + start_number(start)


def matrix(random: float, groups: int, identity: float, orthogonal: bool, bias: str) -> Callable[[float], float]:
    """Return a scalar function in place of a matrix and its bias, different for each combination of options."""
    added = -0.4 if bias == "none" else 0.1 + start_number(bias)
    slope = 0.7 * random + 0.05 * (groups - 1) + identity + 0.2 * orthogonal
    return lambda v: slope * v + added


def values_of_parts(parts: Sequence[Part], given: Mapping[str, float]) -> list[float]:
    """Return the new states that a diagram computes, read as a person would read it."""
    values: list[float] = []
    for part in parts:
        arriving = []
        for port in part.ports:
            value = values[port.source]
            for label in port.factors:
                value = factor(label)(value)
            arriving.append(-value if port.minus else value)
        if part.kind in (Kind.INPUT, Kind.STATE):
            values.append(given[part.label])
        elif part.kind is Kind.NUMBER:
            values.append(start_number(part.label))
        elif part.kind is Kind.VECTOR:
            values.append(learned(part.label.partition("=")[2] or "0"))
        elif part.kind is Kind.ACTIVATION:
            values.append(UNARY[part.label](sum(arriving)))
        elif part.kind is Kind.PRODUCT:
            values.append(math.prod(arriving))
        elif part.kind is Kind.COMPLEMENT:
            values.append(1 - arriving[0])
        elif part.kind is Kind.MATRIX:
            values.append(factor(part.label)(arriving[0]))
        else:
            values.append(sum(arriving))
    return [value for part, value in zip(parts, values, strict=True) if part.kind is Kind.OUTPUT]


def values_of_graph(graph: GateGraph, given: Mapping[str, float]) -> list[float]:
    values: list[float] = []
    for node in graph:
        read = [values[j] for j in node.inputs]
        match node.op:
            case Op.INPUT:
                values.append(given["x"])
            case Op.STATE:
                values.append(given[state_name(node.state)])
            case Op.LINEAR:
                bias = start_text(node.bias)
                values.append(matrix(node.random, node.groups, node.identity, node.orthogonal, bias)(read[0]))
            case Op.PARAM:
                values.append(learned(start_text(node.start)))
            case Op.NUMBER:
                values.append(node.value)
            case Op.NORM:
                values.append(norm(read[0]))
            case _:
                compute = OPERATIONS[node.op].value
                assert compute is not None
                values.append(compute(*read))
    return [values[i] for i in graph.outputs]


@pytest.mark.parametrize("name", CELLS)
def test_a_diagram_computes_what_the_graph_computes(name: str) -> None:
    graph = CELLS[name]
    parts = diagram(graph)
    folded = any(float(f"{node.value:g}") != node.value for node in simplify(graph).nodes)
    tolerance = 1e-5 if folded else 1e-9  # numbers are drawn with six digits
    rng = np.random.default_rng(0)
    for _ in range(3):
        given = {key: float(rng.uniform(-1, 1)) for key in ("x", "h", "c", "c2", "c3")}
        assert values_of_parts(parts, given) == pytest.approx(values_of_graph(graph, given), rel=tolerance)


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
    assert all(sorted(m for port in gate.ports for m in port.factors) == ["U", "W"] for gate in gates)


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


def parts_of(text: str) -> list[tuple[Kind, str, tuple[tuple[str, ...], ...]]]:
    """Return kind, label and factors on the lines of each part with lines."""
    return [(p.kind, p.label, tuple(port.factors for port in p.ports)) for p in formula_diagram(text) if p.ports]


@pytest.mark.parametrize(
    ("expression", "label"),
    [
        ("param(0) * h", "p"),
        ("h * param(-1.5)", "p=−1.5"),  # noqa: RUF001
        ("param(-chrono(100)) * h", "p=−chrono(100)"),  # noqa: RUF001
        ("0.5 * h", "0.5"),
        ("h * -2", "−2"),  # noqa: RUF001
        ("linear(h, groups=4)", "U/4"),
        ("linear(h, bias=False)", "U no b"),
        ("linear(h, random=orthogonal)", "U orth"),
        ("linear(h, 1, random=0)", "U=I"),
        ("linear(h, -0.9, random=0, bias=uniform_gate)", "U=−0.9I b=uniform_gate"),  # noqa: RUF001
        ("linear(h, random=0)", "U=0"),
        ("linear(h, 1, random=0.1, bias=-1)", "0.1U+I b−1"),  # noqa: RUF001
    ],
)
def test_a_factor_is_a_label_on_its_line(expression: str, label: str) -> None:
    assert parts_of(f"h' = tanh(x + {expression})") == [
        (Kind.ACTIVATION, "tanh", ((), (label,))),
        (Kind.OUTPUT, "h", ((),)),
    ]


def test_a_learned_vector_that_is_no_factor_or_read_twice_is_a_part_of_its_own() -> None:
    text = "u = param(1); h' = tanh(u * h + u * x + param(0)) + norm(param(2))"
    vectors = [part.label for part in formula_diagram(text) if part.kind is Kind.VECTOR]
    assert vectors == ["u=1", "p1", "p2=2"]
    assert [part.label for part in formula_diagram("h' = tanh(h + param(1))") if part.kind is Kind.VECTOR] == ["p=1"]


def test_one_minus_and_minus_are_drawn_as_they_are_written() -> None:
    assert parts_of("u = 1 - x; h' = tanh(u) * relu(u)")[:3] == [
        (Kind.COMPLEMENT, "1−", ((),)),  # noqa: RUF001
        (Kind.ACTIVATION, "tanh", ((),)),
        (Kind.ACTIVATION, "relu", ((),)),
    ]
    ports = [port for part in formula_diagram("h' = tanh(-x - 2 * -linear(h) + 1)")[-2:] for port in part.ports]
    assert [(port.factors, port.minus) for port in ports] == [((), True), (("2",), True), ((), False), ((), False)]
    numbers = [part.label for part in formula_diagram("h' = (h + 2) * (x + 2)") if part.kind is Kind.NUMBER]
    assert numbers == ["2", "2"]

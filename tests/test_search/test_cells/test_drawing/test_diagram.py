"""Diagrams compute what their graphs compute, and have the parts of textbook figures."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from search.cells.drawing.diagram import MINUS, Kind, Part, diagram, formula_diagram
from search.cells.drawing.picture import draw_formula
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.cells.operations import Op
from search.cells.text import state_name
from tests.test_search.test_cells.test_drawing.drawings import CELLS, words

UNARY: dict[str, Callable[[float], float]] = {
    "σ": lambda v: 1 / (1 + math.exp(-v)),  # noqa: RUF001
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "tanh": math.tanh,
    "relu": lambda v: max(v, 0.0),
    "leaky relu": lambda v: max(v, 0.01 * v),
}


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
            assert isinstance(node.bias, float)
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

"""Cells with learned vectors, numbers, softplus, layer norms, bias-less and block-diagonal matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from search.cells.graph import GateGraph
from search.cells.library import STUDY
from search.cells.operations import Node, Op
from search.cells.parameters import layout_of
from tests.test_search.test_kernels.comparison import descendants, layered_descendants

PARTS = {
    "number as a state": "c' = 0.5; h' = tanh(linear(x) + linear(h)) * c",
    "number as the output": "h' = 0.5",
    "number as a source": "h' = tanh(linear(x) + linear(0.5)) * linear(h)",
    "numbers in all phases": "c' = tanh(0.5 * linear(x) + 2 * c) - 0.25; h' = 0.5 * linear(c') + 1",
    "state of a number and more": "c' = 0.5; h' = tanh(linear(c) + linear(x) + linear(h))",
    "no bias": "h' = tanh(linear(x, bias=False) + linear(h, bias=False))",
    "some biases": "h' = tanh(linear(x, bias=False) + linear(h)) * sigmoid(linear(x, bias=False)) + linear(h)",
    "softplus of sums": "c' = softplus(linear(x) + linear(c)) - softplus(c); h' = softplus(c') * linear(h)",
    "peepholes": "i = sigmoid(linear(x) + linear(h) + param(0) * c); f = sigmoid(linear(x) + linear(h) + param(0) * c);"
    "c' = f * c + i * tanh(linear(x) + linear(h)); h' = sigmoid(linear(x) + linear(h) + param(0) * c') * tanh(c')",
    "independent units": "h' = relu(linear(x) + param(uniform(0, 1)) * h)",
    "one vector in all phases": "p = param(0.5); c' = tanh(p * linear(x) + p * c); h' = p * linear(c' * p) + p",
    "vector as a state": "p = param(0.5); c' = p; h' = tanh(linear(x) + linear(h) + c) * p",
    "vector as the output": "h' = param(0.5)",
    "vector as a source": "p = param(0.5); h' = tanh(linear(x) + linear(p)) * linear(h) - p",
    "vector as a state and a source": "p = param(0.5); c' = p; h' = tanh(linear(x) + linear(p) + linear(c)) * p + h",
    "vector of x alone": "h' = tanh(linear(x + param(0)) * param(1)) + h",
    "vector added to sums": "h' = tanh(linear(x, bias=False) + linear(h, bias=False) + param(0))",
    "vector of what a vector scales": "p = param(0.3); h' = p * (p * (p * x + h) - h)",
    "vector alone": "p = param(0.3); c' = sigmoid(p) * c + (1 - sigmoid(p)) * x; h' = c' * softplus(p)",
}
"""Formulas with numbers, bias-less matrices, softplus, and learned vectors."""

BLOCKS = {
    "block-diagonal in the loop": "h' = tanh(linear(x) + linear(h, groups=2))",
    "block-diagonal before the loop": "h' = tanh(linear(x, groups=2) + linear(h))",
    "block-diagonal alone": "h' = tanh(linear(x, groups=2) + linear(h, groups=3))",
    "block-diagonal without bias": "g = linear(h, groups=2, bias=False); h' = (linear(x) + g) * sigmoid(g)",
    "block-diagonal after the loop": "c' = tanh(linear(x) + c); h' = linear(c', groups=3)",
    "blocks of one unit": "h' = tanh(linear(x) + linear(h, groups=6)) + linear(param(0.5), groups=6)",
}
"""Formulas with block-diagonal matrices, of 2, 3 or 6 blocks."""

NORMS = {
    "norm of sums": "h' = tanh(norm(linear(x)) + norm(linear(h)))",
    "norm of a sum": "h' = tanh(norm(linear(x) + linear(h)))",
    "norm of x": "h' = tanh(linear(norm(x)) + linear(h)) - norm(x)",
    "norm of a state": "h' = tanh(linear(x) + linear(norm(h)))",
    "norm of a new state": "c' = sigmoid(linear(x) + linear(h)) * c + linear(x); h' = tanh(norm(c'))",
    "norm after the loop": "c' = tanh(linear(x) + linear(c)); h' = norm(linear(c') * x)",
    "norm of a sum that is read again": "g = linear(x) + linear(h); h' = norm(g) * sigmoid(g)",
    "norm as the output": "h' = norm(linear(x) + linear(h))",
    "norm as a state and a source": "n = norm(linear(x) + h); c' = n; h' = tanh(linear(n) + c)",
    "norm of a norm": "h' = norm(norm(linear(x)) * tanh(norm(linear(h))))",
    "norm of an activation": "h' = norm(sigmoid(linear(x) + linear(h))) + tanh(norm(relu(linear(x))))",
    "norm of a constant": "h' = norm(param(0.5)) * linear(x) + linear(norm(0.5)) * h",
    "norm read in all phases": "n = norm(linear(x)); c' = tanh(n + c); h' = norm(linear(c') + n) * n",
    "norms of one value": "g = linear(h); h' = tanh(linear(x) + norm(g) * norm(g))",
    "norm in a second loop": "a' = tanh(norm(linear(x)) + a); b' = tanh(linear(a') + norm(b)); h' = norm(b') * norm(a)",
}
"""Formulas with layer norms."""

VOCABULARY = PARTS | BLOCKS | NORMS
"""Formulas at the corners of what graphs with these operations may be; their units are a multiple of 6."""

GUARDED = (
    *("peepholes", "one vector in all phases", "some biases", "vector as a source"),
    *("block-diagonal alone", "block-diagonal without bias", "norm of sums", "norm read in all phases"),
)
"""Formulas of `VOCABULARY` that are run with guards around all arrays and with NaN in all padding."""


def enriched(graph: GateGraph, rng: np.random.Generator) -> GateGraph:
    """Return the graph with about one node in six wrapped in a new operation, and about half its matrices changed."""
    groups = int(rng.choice([2, 3]))
    nodes: list[Node] = []
    place: dict[int, int] = {}

    def add(op: Op, *inputs: int, **fields: float) -> int:
        nodes.append(Node(op, inputs, **fields))  # type: ignore[arg-type]
        return len(nodes) - 1

    def wrapped(v: int) -> int:
        number = float(rng.choice([-0.5, 0.5, 1.0]))
        match rng.integers(8):
            case 0:
                return add(Op.SOFTPLUS, v)
            case 1 | 2:
                return add(Op.NORM, v)
            case 3 | 4:
                return add(Op.MUL, v, add(Op.PARAM, start=1.0))
            case 5:
                return add(Op.SUB, v, add(Op.PARAM))
            case 6:
                return add(Op.MUL, add(Op.NUMBER, value=number), v)
            case _:
                return add(Op.ADD, add(Op.LINEAR, add(Op.PARAM)), v)

    for i, node in enumerate(graph):
        node = node.reading(tuple(place[j] for j in node.inputs))
        if node.op is Op.LINEAR:
            node = replace(node, bias=None if rng.random() < 0.3 else 0.0, groups=groups if rng.random() < 0.3 else 1)
        nodes.append(node)
        place[i] = len(nodes) - 1
        if rng.random() < 1 / 6:
            place[i] = wrapped(place[i])
    return GateGraph(tuple(nodes), tuple(place[i] for i in graph.outputs)).canonical()


def vocabulary_mutants(count: int) -> list[GateGraph]:
    """Return mutants up to 20 deep of the study's cells and of cells with delays, enriched by the new operations."""
    mutants = descendants([cell.graph for cell in STUDY.values()], count - count // 3, 20)
    mutants += layered_descendants(count // 3)
    return [enriched(graph, np.random.default_rng(k)) for k, graph in enumerate(mutants)]


def fitting_units(graph: GateGraph, units: int) -> int:
    """Return the units rounded up to a multiple that the graph's groups need."""
    multiple = layout_of(graph).unit_multiple
    return -(-units // multiple) * multiple

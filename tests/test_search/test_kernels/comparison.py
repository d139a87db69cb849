"""Corner cases of cells, and the comparison of results with the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from search.cells.graph import GateGraph
from search.cells.mutation import propose
from search.cells.notation.formula import parse_formula
from search.cells.operations import Op

ODD = {
    "no matrix": "h' = tanh(x) * h",
    "output is the input": "h' = x",
    "output is another state": "c' = tanh(linear(x) + linear(c)); h' = c",
    "state from x alone": "c' = tanh(linear(x)); h' = c * linear(h)",
    "unread hidden state": "c' = x; h' = tanh(linear(h) + x)",
    "sunk output": "c' = tanh(linear(x) + linear(c)); h' = sigmoid(linear(c') + linear(tanh(x))) * c",
    "swapped states": "c' = h; h' = tanh(linear(c) + linear(h) + x)",
    "two states of one value": "n = tanh(linear(x) + linear(c)); h' = n; c' = n + h",
    "matrix of a new state": "c' = tanh(linear(x) + linear(h)); h' = linear(c') + c",
    "chain of matrices": "h' = linear(linear(linear(h) + linear(linear(x))))",
    "matrix read twice": "g = linear(h); h' = (linear(x) + g) * sigmoid(g)",
    "matrix of a matrix of x": "v = linear(x); h' = linear(v) * h - v",
    "leaky activations": "c' = leaky_relu(linear(x) + linear(c)); h' = leaky_relu(c' - leaky_relu(x)) * linear(h)",
    "output is a matrix": "h' = linear(x) + linear(h)",
}
"""Formulas at the corners of what a valid graph may be."""

LAYERED = {
    "T-GRU": "f = sigmoid(linear(x) + linear(p)); o = tanh(linear(x) + linear(p)); h' = f * h + o * linear(p); p' = x",
    "QRNN of width 3": "z = tanh(linear(x) + linear(p) + linear(q)); f = sigmoid(linear(x) + linear(p) + linear(q));"
    "h' = f * h + (1 - f) * z; p' = x; q' = p",
    "delays alone": "h' = tanh(linear(q) + p * x); p' = linear(x); q' = sigmoid(p); r' = q",
    "delay of a loop": "c' = tanh(linear(x) + d * c); h' = linear(d) + c'; d' = h",
    "GILR-LSTM": "g = sigmoid(linear(x)); s' = g * s + (1 - g) * tanh(linear(x)); f = sigmoid(linear(s') + linear(x));"
    "i = sigmoid(linear(s') + linear(x)); c' = f * c + i * tanh(linear(s') + linear(x)); h' = sigmoid(linear(s')) * c'",
    "three layers": "a' = tanh(linear(x) + linear(a)); b' = tanh(linear(a') + linear(b)); h' = tanh(linear(b') + h)",
    "loops that meet": "a' = tanh(linear(x) + linear(a)); b' = tanh(linear(x) + b * p); p' = x;"
    "h' = relu(linear(a') - linear(b) * h) + linear(b')",
    "SRU": "f = sigmoid(linear(x)); r = sigmoid(linear(x)); c' = f * c + (1 - f) * linear(x);h' = r * c' + (1 - r) * x",
}
"""Formulas of cells that need no loop for some of their products, or several loops."""


def descendants(seeds: Sequence[GateGraph], count: int, depth: int) -> list[GateGraph]:
    """Return descendants of the seeds in turn, 1 to `depth` mutations deep; in every other one, relu is leaky relu."""
    found = []
    for k in range(count):
        rng = np.random.default_rng(k)
        graph = seeds[k % len(seeds)]
        for _ in range(rng.integers(1, depth + 1)):
            child = propose(graph, rng, max_nodes=48).child
            if child is not None:
                graph = child.graph
        found.append(_leaky(graph) if k % 2 else graph)
    return found


def layered_descendants(count: int) -> list[GateGraph]:
    """Return descendants of the cells `LAYERED`, 1 to 8 mutations deep; with more mutations their delays get lost."""
    return descendants([parse_formula(formula).canonical() for formula in LAYERED.values()], count, 8)


def _leaky(graph: GateGraph) -> GateGraph:
    nodes = [replace(node, op=Op.LEAKY_RELU) if node.op is Op.RELU else node for node in graph]
    return GateGraph(tuple(nodes), graph.outputs).canonical()


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float, what: str) -> None:
    """Assert equality within a tolerance relative to the largest entry of each tensor, or to 1."""
    for name, error in largest_errors(found, expected).items():
        assert found[name].shape == expected[name].shape, (what, name)
        assert error <= tolerance, (what, name, error)


def largest_errors(found: dict[str, Tensor], expected: dict[str, Tensor]) -> dict[str, float]:
    """Return the largest error of each tensor, relative to its largest entry, or to 1."""
    return {
        name: (found[name] - value).abs().max().item() / max(1.0, value.abs().max().item())
        for name, value in expected.items()
        if value.numel()
    }

"""Every path of `run_layer` against the reference: values, states and gradients, on named cells and random mutants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from search.cells.formula import parse_formula
from search.cells.graph import GateGraph, Node, Op
from search.cells.library import LIBRARY
from search.kernels.eager import run_eager
from search.kernels.errors import KernelError
from search.kernels.recurrence import run_layer
from search.kernels.reference import run_reference

if TYPE_CHECKING:
    from tests.test_kernels.conftest import Draw, Evaluate, Layer

ODD = {  # corners of what a valid graph may be
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
    "output is a matrix": "h' = linear(x) + linear(h)",
}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float, what: str) -> None:
    """Relative to the largest entry of each tensor."""
    for name, value in expected.items():
        scale = max(1.0, value.abs().max().item() if value.numel() else 0.0)
        error = (found[name] - value).abs().max().item() / scale if value.numel() else 0.0
        assert found[name].shape == value.shape, (what, name)
        assert error <= tolerance, (what, name, error)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("path", [run_eager, run_layer])
def test_corner_graphs_equal_the_reference(name: str, path: Layer, draw: Draw, evaluate: Evaluate) -> None:
    graph = parse_formula(ODD[name])
    arguments = draw(graph, units=19)
    assert_same(evaluate(path, graph, arguments), evaluate(run_reference, graph, arguments), 1e-5, name)


@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("path", [run_eager, run_layer])
def test_named_cells_equal_the_reference(name: str, path: Layer, draw: Draw, evaluate: Evaluate) -> None:
    graph = LIBRARY[name].graph
    arguments = draw(graph, units=32, batch=5, steps=9)
    assert_same(evaluate(path, graph, arguments), evaluate(run_reference, graph, arguments), 1e-5, name)


@pytest.mark.parametrize("path", [run_eager, run_layer])
def test_double_precision_runs_and_equals_the_reference_on_mutants(
    path: Layer, mutants: list[GateGraph], draw: Draw, evaluate: Evaluate
) -> None:
    for k, graph in enumerate(mutants[:30]):
        arguments = draw(graph, units=5, batch=2, steps=3, seed=k, dtype=torch.float64)
        assert_same(evaluate(path, graph, arguments), evaluate(run_reference, graph, arguments), 1e-10, str(k))


def test_dead_nodes_and_unread_matrices_have_zero_gradients(draw: Draw, evaluate: Evaluate) -> None:
    nodes = (Node(Op.INPUT), Node(Op.LINEAR, (0,)), Node(Op.STATE), Node(Op.LINEAR, (2,)), Node(Op.TANH, (3,)))
    graph = GateGraph(nodes, (4,))
    found = evaluate(run_layer, graph, draw(graph))
    assert found["gradient of weight"][0].count_nonzero() == 0
    assert found["gradient of weight"][1].count_nonzero() > 0
    assert found["gradient of x"].count_nonzero() == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weight": (2, 4, 5)}, "2 matrices of 4 units need"),
        ({"bias": (1, 4)}, r"must be \(2, 4\)"),
        ({"x": (3, 4)}, r"must be \(steps, batch, units\)"),
        ({"x": (0, 3, 4)}, "at least one step"),
        ({"state": (2, 4)}, r"state 0 has shape \(2, 4\); it must be \(3, 4\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(changed: dict[str, tuple[int, ...]], message: str) -> None:
    shapes = {"weight": (2, 4, 4), "bias": (2, 4), "x": (5, 3, 4), "state": (3, 4)} | changed
    weight, bias, x, state = (torch.zeros(shape) for shape in shapes.values())
    with pytest.raises(KernelError, match=message):
        run_layer(LIBRARY["tanh"].graph, weight, bias, x, (state,))


def test_a_wrong_number_of_states_is_named() -> None:
    with pytest.raises(KernelError, match="1 states are given; the graph has 2"):
        run_layer(
            LIBRARY["lstm"].graph, torch.zeros(8, 4, 4), torch.zeros(8, 4), torch.zeros(5, 3, 4), (torch.zeros(3, 4),)
        )

"""Every path of `run_layer` against the reference: values, states and gradients, on named cells and random mutants."""

from __future__ import annotations

from math import inf, nan
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pytest
import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.cells.operations import Node, Op
from search.kernels.codegen.host import host
from search.kernels.eager import run_eager
from search.kernels.errors import KernelError
from search.kernels.recurrence import backend_for, run_layer
from search.kernels.reference import run_reference

if TYPE_CHECKING:
    from tests.test_search.test_kernels.conftest import Draw, Evaluate, Layer

States: TypeAlias = tuple[Tensor, ...]
Result: TypeAlias = tuple[Tensor, States]

EXPECTED_BACKEND = "eager" if host() is None else "llvm"

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
    "matrix of a matrix of x": "v = linear(x); h' = linear(v) * h - v",
    "leaky activations": "c' = leaky_relu(linear(x) + linear(c)); h' = leaky_relu(c' - leaky_relu(x)) * linear(h)",
    "output is a matrix": "h' = linear(x) + linear(h)",
}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float, what: str) -> None:
    """Relative to the largest entry of each tensor."""
    for name, value in expected.items():
        assert found[name].shape == value.shape, (what, name)
        if value.numel():
            error = (found[name] - value).abs().max().item() / max(1.0, value.abs().max().item())
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


def test_machine_code_equals_the_reference_on_mutants_of_any_size(
    mutants: list[GateGraph], draw: Draw, evaluate: Evaluate
) -> None:
    rng = np.random.default_rng(0)
    held = 0
    for k, graph in enumerate(mutants):
        units, batch = (int(rng.choice(sizes)) for sizes in ([1, 5, 16, 19, 31, 32, 33], [1, 2, 5, 7]))
        arguments = draw(graph, units=units, batch=batch, steps=int(rng.integers(1, 6)), seed=k)
        assert backend_for(graph, arguments[2]) == EXPECTED_BACKEND
        expected = evaluate(run_reference, graph, arguments)
        if all(value.isfinite().all() for value in expected.values()):  # some mutants grow beyond all bounds
            assert_same(evaluate(run_layer, graph, arguments), expected, 1e-4, f"mutant {k}")
            held += 1
    assert held >= 0.97 * len(mutants)


@pytest.mark.parametrize("name", ["lstm", "gru", "mut3"])
def test_four_layers_equal_the_reference(name: str, draw: Draw) -> None:
    graph = LIBRARY[name].graph
    layers = [draw(graph, units=19, batch=2, steps=6, seed=k) for k in range(4)]
    results = []
    for path in (run_layer, run_reference):
        x = layers[0][2]
        for weight, bias, _, states in layers:
            x, _ = path(graph, weight, bias, x, states)
        leaves = [layers[0][2], *(tensor for layer in layers for tensor in (*layer[:2], *layer[3]))]
        results.append([x, *torch.autograd.grad(x.square().sum(), leaves)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_symbols_of_a_table_give_what_looking_them_up_first_gives(
    mutants: list[GateGraph], draw: Draw, evaluate: Evaluate
) -> None:
    rng = np.random.default_rng(0)
    graphs = [*(parse_formula(formula) for formula in ODD.values()), *mutants[::2]]
    for k, graph in enumerate(graphs):
        weight, bias, _, states = draw(graph, units=19, batch=3, steps=1, seed=k)
        symbols = torch.from_numpy(rng.integers(0, 7, (4, 3)))
        table = draw(graph, units=19, batch=7, steps=1, seed=k)[2].detach()[0].requires_grad_()

        def looked_up(graph: GateGraph, weight: Tensor, bias: Tensor, x: Tensor, states: States) -> Result:
            return run_reference(graph, weight, bias, torch.nn.functional.embedding(symbols, x), states)  # noqa: B023

        def by_symbol(graph: GateGraph, weight: Tensor, bias: Tensor, x: Tensor, states: States) -> Result:
            return run_layer(graph, weight, bias, x, states, symbols)  # noqa: B023

        arguments = weight, bias, table, states
        expected = evaluate(looked_up, graph, arguments)
        if all(value.isfinite().all() for value in expected.values()):
            assert_same(evaluate(by_symbol, graph, arguments), expected, 1e-4, f"graph {k}")


def test_a_table_larger_than_the_sequence_or_in_double_precision_is_looked_up(draw: Draw) -> None:
    graph = LIBRARY["gru"].graph
    for dtype, rows in ((torch.float32, 50), (torch.float64, 5)):
        weight, bias, x, states = draw(graph, units=8, batch=rows, steps=1, dtype=dtype)
        symbols = torch.tensor([[0, 4], [3, 3], [1, 0]])
        states = tuple(s[:2] for s in states)
        found, _ = run_layer(graph, weight, bias, x[0], states, symbols)
        expected, _ = run_reference(graph, weight, bias, x[0][symbols], states)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("table", "symbols", "message"),
    [
        ((5, 4), torch.tensor([[0, 5, 1]]), "symbols go from 0 to 5; the table x has rows 0 to 4"),
        ((5, 4), torch.tensor([[0, -1, 1]]), "symbols go from -1 to 1"),
        ((5, 4), torch.tensor([[0.0, 1.0, 1.0]]), "whole numbers"),
        ((1, 5, 4), torch.tensor([[0, 1, 1]]), "must be a table"),
    ],
)
def test_symbols_that_do_not_fit_are_named(table: tuple[int, ...], symbols: Tensor, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        run_layer(
            LIBRARY["tanh"].graph,
            torch.zeros(2, 4, 4),
            torch.zeros(2, 4),
            torch.zeros(table),
            (torch.zeros(3, 4),),
            symbols,
        )


@pytest.mark.parametrize("batch", [1, 4, 9, 10, 11, 23, 35])
def test_every_split_of_the_rows_gives_the_same_numbers(batch: int, draw: Draw, evaluate: Evaluate) -> None:
    graph = LIBRARY["gru"].graph
    arguments = draw(graph, units=48, batch=batch, steps=2)
    assert_same(evaluate(run_layer, graph, arguments), evaluate(run_reference, graph, arguments), 1e-5, str(batch))


def test_more_units_than_one_pass_of_a_product_reads(draw: Draw, evaluate: Evaluate) -> None:
    graph = LIBRARY["tanh"].graph
    arguments = draw(graph, units=300, batch=2, steps=3)
    assert_same(evaluate(run_layer, graph, arguments), evaluate(run_reference, graph, arguments), 1e-4, "tanh")


def test_inputs_that_are_not_contiguous_give_the_same_as_their_copies(draw: Draw) -> None:
    graph = LIBRARY["lstm"].graph
    weight, bias, x, states = draw(graph, units=16)
    strided = x.transpose(0, 1).contiguous().transpose(0, 1)
    turned = weight.transpose(1, 2).contiguous().transpose(1, 2)
    apart = tuple(torch.stack([s, s], dim=-1)[..., 0] for s in states)
    expected, last = run_layer(graph, weight, bias, x, states)
    found, found_last = run_layer(graph, turned, bias, strided, apart)
    assert torch.equal(found, expected)
    assert all(torch.equal(a, b) for a, b in zip(found_last, last, strict=True))


def test_same_numbers_whatever_the_alignment_of_the_arguments(draw: Draw) -> None:
    graph = LIBRARY["gru"].graph
    weight, bias, x, states = draw(graph, units=16, batch=5)
    expected, _ = run_layer(graph, weight, bias, x, states)
    for shift in (1, 3, 8):
        moved = torch.empty(x.numel() + shift)[shift:].view(x.shape).copy_(x)
        assert torch.equal(run_layer(graph, weight, bias, moved, states)[0], expected)


def test_changing_an_output_in_place_is_noticed_by_the_backward(draw: Draw) -> None:
    graph = LIBRARY["tanh"].graph
    weight, bias, x, states = draw(graph)
    outputs, _ = run_layer(graph, weight, bias, x, states)
    with torch.no_grad():
        outputs.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified inplace"):
        torch.autograd.grad(outputs.sum(), [x])


def test_a_second_backward_through_a_kept_graph_gives_the_same(draw: Draw) -> None:
    graph = LIBRARY["lstm"].graph
    weight, bias, x, states = draw(graph)
    loss = run_layer(graph, weight, bias, x, states)[0].sum()
    first = torch.autograd.grad(loss, [weight, bias, x, *states], retain_graph=True)
    second = torch.autograd.grad(loss, [weight, bias, x, *states])
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("function", ["sigmoid", "tanh", "relu", "leaky_relu"])
def test_saturated_and_missing_numbers_behave_as_torchs_functions_do(function: str, evaluate: Evaluate) -> None:
    extremes = [-inf, -1e4, -100.0, -88.0, -20.0, -1e-30, -0.0, 0.0, 1e-30, 20.0, 88.0, 100.0, 1e4, inf, nan]
    graph = parse_formula(f"h' = {function}(x + h)")
    weight, bias = torch.zeros(0, 15, 15, requires_grad=True), torch.zeros(0, 15, requires_grad=True)
    x = torch.tensor(extremes).expand(1, 1, 15).clone().requires_grad_()
    arguments = weight, bias, x, (torch.zeros(1, 15, requires_grad=True),)
    found, expected = evaluate(run_layer, graph, arguments), evaluate(run_reference, graph, arguments)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=2e-6, atol=1e-37, equal_nan=True)


def test_activations_are_exact_to_a_few_units_in_the_last_place() -> None:
    points = torch.cat([torch.linspace(-20, 20, 200_001), torch.logspace(-30, 1, 20_000)])
    points = points[: len(points) // 16 * 16].view(1, -1, 16)
    state = torch.zeros(points.shape[1:])
    for op in ("tanh", "sigmoid"):
        graph = parse_formula(f"h' = {op}(x)")
        found, _ = run_layer(graph, torch.zeros(0, 16, 16), torch.zeros(0, 16), points, (state,))
        exact = getattr(torch, op)(points.double())
        assert ((found - exact).abs() / exact.abs()).max() <= 6e-7
        assert found.abs().max() <= 1.0


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
        ({"x": (0, 3, 4)}, "none of them 0"),
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

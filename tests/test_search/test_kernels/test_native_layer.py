"""One layer in machine code against the reference: values, states and gradients, on named cells and random mutants."""

from __future__ import annotations

from math import inf, nan
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, STUDY
from search.cells.notation.formula import parse_formula
from search.cells.operations import Node, Op
from search.kernels.codegen.host import Host
from search.kernels.parameters import LayerParameters
from search.kernels.reference import run_reference
from search.kernels.runtime import compiled as compiled_module
from search.kernels.runtime import step
from search.kernels.runtime.compiled import compile_cell
from tests.test_search.test_kernels.comparison import LAYERED, ODD, assert_same, largest_errors
from tests.test_search.test_kernels.hosts import HOSTS, require_host
from tests.test_search.test_kernels.native_layer import run_native
from tests.test_search.test_kernels.vocabulary import VOCABULARY, fitting_units

if TYPE_CHECKING:
    from tests.test_search.test_kernels.conftest import Draw, Evaluate

CORNERS = ODD | LAYERED


@pytest.fixture(autouse=True)
def _machine_code() -> None:
    require_host()


@pytest.mark.parametrize("name", CORNERS)
def test_corner_graphs_equal_the_reference(name: str, draw: Draw, evaluate: Evaluate) -> None:
    graph = parse_formula(CORNERS[name])
    for units, steps in ((16, 4), (16, 1), (7, 2), (33, 9)):
        arguments = draw(graph, units=units, steps=steps)
        assert_same(evaluate(run_native, graph, arguments), evaluate(run_reference, graph, arguments), 1e-5, name)


@pytest.mark.parametrize("name", VOCABULARY)
def test_corner_graphs_of_the_vocabulary_equal_the_reference(name: str, draw: Draw, evaluate: Evaluate) -> None:
    formula = VOCABULARY[name]
    for k, graph in enumerate((parse_formula(formula), parse_formula(formula).canonical())):
        for units in (6, 18, 48, 66):
            arguments = draw(graph, units=units, seed=k)
            assert_same(evaluate(run_native, graph, arguments), evaluate(run_reference, graph, arguments), 2e-5, name)


@pytest.mark.parametrize("name", STUDY)
def test_named_cells_equal_the_reference(name: str, draw: Draw, evaluate: Evaluate) -> None:
    graph = LIBRARY[name].graph
    for units in (1, 7, 17, 32, 50):
        arguments = draw(graph, units=units, batch=5, steps=9)
        assert_same(evaluate(run_native, graph, arguments), evaluate(run_reference, graph, arguments), 1e-5, name)


@pytest.mark.slow
def test_all_cells_of_the_library_equal_the_reference(draw: Draw, evaluate: Evaluate) -> None:
    for k, (name, cell) in enumerate(LIBRARY.items()):
        arguments = draw(cell.graph, units=fitting_units(cell.graph, (21, 32)[k % 2]), batch=3, steps=4)
        expected = evaluate(run_reference, cell.graph, arguments)
        assert_same(evaluate(run_native, cell.graph, arguments), expected, 2e-5, name)


@pytest.mark.parametrize("units", [*range(1, 20), 31, 33, 47, 48, 49, 63, 65, 255, 257])
def test_any_number_of_units_equals_the_reference(units: int, draw: Draw, evaluate: Evaluate) -> None:
    for name in ("gru", "mut3"):
        graph = LIBRARY[name].graph
        arguments = draw(graph, units=units, batch=3, steps=4, seed=units)
        assert_same(evaluate(run_native, graph, arguments), evaluate(run_reference, graph, arguments), 2e-5, name)


def test_mutants_of_any_size_equal_the_reference(
    mutants: list[GateGraph],
    layered_mutants: list[GateGraph],
    draw: Draw,
    evaluate: Evaluate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    held = 0
    graphs = mutants + layered_mutants
    for k, graph in enumerate(graphs):
        units, batch = (int(rng.choice(sizes)) for sizes in ([1, 2, 3, 7, 15, 16, 17, 31, 33, 47, 48], [1, 2, 5, 7]))
        arguments = draw(graph, units=units, batch=batch, steps=int(rng.integers(1, 6)), seed=k)
        expected = evaluate(run_reference, graph, arguments)
        if all(value.isfinite().all() for value in expected.values()):  # some mutants grow beyond all bounds
            monkeypatch.setattr(step, "CHUNK_FLOATS", (1, 1 << 18)[k // 2 % 2])  # two steps in a chunk, or all
            assert_same(evaluate(run_native, graph, arguments), expected, 1e-4, f"mutant {k}")
            held += 1
    assert held >= 0.97 * len(graphs)


def test_mutants_with_the_whole_vocabulary_equal_the_reference(
    enriched_mutants: list[GateGraph], draw: Draw, evaluate: Evaluate
) -> None:
    """A norm of few units amplifies rounding errors: the reference in single precision shows by how much."""
    rng = np.random.default_rng(0)
    held = 0
    for k, graph in enumerate(enriched_mutants):
        units = fitting_units(graph, int(rng.choice([1, 2, 3, 7, 15, 16, 17, 31, 33, 47, 48])))
        batch, steps = int(rng.choice([1, 2, 5, 7])), int(rng.integers(1, 6))
        arguments, exact = (draw(graph, units, batch, steps, k, kind) for kind in (torch.float32, torch.float64))
        expected, single = evaluate(run_reference, graph, exact), evaluate(run_reference, graph, arguments)
        if all(value.isfinite().all() for value in single.values()):
            tolerance = 1e-4 + 5 * max(largest_errors(single, expected).values())
            assert_same(evaluate(run_native, graph, arguments), expected, tolerance, f"mutant {k}")
            held += tolerance < 1e-3
    assert held >= 0.9 * len(enriched_mutants)


@pytest.mark.parametrize("host", HOSTS)
def test_any_vector_width_equals_the_reference(
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    draw: Draw,
    evaluate: Evaluate,
    mutants: list[GateGraph],
    enriched_mutants: list[GateGraph],
) -> None:
    compile_cell.cache_clear()
    monkeypatch.setattr(compiled_module, "host", lambda: host)
    try:
        named = [LIBRARY[name].graph for name in ("lstm", "gru", "mut1")]
        for graph in [*named, *map(parse_formula, WIDE), *mutants[:5], *enriched_mutants[:5]]:
            for vectors, more, batch in ((5, 0, 13), (2, 1, 2), (1, -1, 1), (1, 0, 4)):
                arguments = draw(graph, units=fitting_units(graph, vectors * host.width + more), batch=batch)
                expected = evaluate(run_reference, graph, arguments)
                for name, value in evaluate(run_native, graph, arguments).items():
                    torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-4)
    finally:
        compile_cell.cache_clear()


WIDE = [VOCABULARY[name] for name in ("peepholes", "block-diagonal alone", "norm of sums", "norm in a second loop")]


@pytest.mark.parametrize(
    "graph", [*(LIBRARY[name].graph for name in ("lstm", "gru", "mut3")), *map(parse_formula, WIDE)]
)
def test_four_layers_equal_the_reference(graph: GateGraph, draw: Draw) -> None:
    layers = [draw(graph, units=18, batch=2, steps=6, seed=k) for k in range(4)]
    results = []
    for path in (run_native, run_reference):
        x = layers[0][1]
        for parameters, _, states in layers:
            x, _ = path(graph, parameters, x, states)
        leaves = [layers[0][1], *(tensor for p, _, states in layers for tensor in (*p.tensors(), *states))]
        results.append([x, *torch.autograd.grad(x.square().sum(), leaves, materialize_grads=True)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.exact
def test_symbols_equal_the_rows_of_their_table(
    mutants: list[GateGraph],
    layered_mutants: list[GateGraph],
    enriched_mutants: list[GateGraph],
    draw: Draw,
    evaluate: Evaluate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    formulas = [*CORNERS.values(), *VOCABULARY.values()]
    graphs = [*map(parse_formula, formulas), *mutants[::6], *layered_mutants[::3], *enriched_mutants[::8]]
    for k, graph in enumerate(graphs):
        units = fitting_units(graph, (16, 5, 21)[k % 3])
        parameters, _, states = draw(graph, units=units, batch=3, steps=1, seed=k)
        monkeypatch.setattr(step, "CHUNK_FLOATS", (1, 1 << 18)[k // 2 % 2])  # two steps in a chunk, or all nine
        for rows in (5, 30):  # fewer than the 27 steps of the batch: tables; or looked up
            symbols = torch.from_numpy(rng.integers(0, rows, (9, 3)))
            table = draw(graph, units=units, batch=rows, steps=1, seed=k)[1].detach()[0].requires_grad_()

            def looked_up(
                graph: GateGraph, parameters: LayerParameters, x: Tensor, states: tuple[Tensor, ...]
            ) -> tuple[Tensor, tuple[Tensor, ...]]:
                return run_reference(graph, parameters, torch.nn.functional.embedding(symbols, x), states)  # noqa: B023

            def by_symbol(
                graph: GateGraph, parameters: LayerParameters, x: Tensor, states: tuple[Tensor, ...]
            ) -> tuple[Tensor, tuple[Tensor, ...]]:
                return run_native(graph, parameters, x, states, symbols)  # noqa: B023

            arguments = parameters, table, states
            expected = evaluate(looked_up, graph, arguments)
            if all(value.isfinite().all() for value in expected.values()):
                assert_same(evaluate(by_symbol, graph, arguments), expected, 1e-4, f"graph {k} of {rows} rows")


@pytest.mark.parametrize("batch", [1, 4, 9, 10, 11, 23, 35])
def test_every_split_of_the_rows_into_blocks_equals_the_reference(batch: int, draw: Draw, evaluate: Evaluate) -> None:
    graph = LIBRARY["gru"].graph
    for units in (48, 45):
        arguments = draw(graph, units=units, batch=batch, steps=2)
        assert_same(evaluate(run_native, graph, arguments), evaluate(run_reference, graph, arguments), 1e-5, str(batch))


def test_more_units_than_one_pass_of_a_product_equal_the_reference(draw: Draw, evaluate: Evaluate) -> None:
    graph = LIBRARY["tanh"].graph
    for units in (304, 301):
        arguments = draw(graph, units=units, batch=2, steps=3)
        assert_same(evaluate(run_native, graph, arguments), evaluate(run_reference, graph, arguments), 1e-4, "tanh")


@pytest.mark.parametrize("graph", [LIBRARY["gru"].graph, *map(parse_formula, WIDE)])
def test_results_are_the_same_bits_whatever_the_alignment(graph: GateGraph, draw: Draw) -> None:
    parameters, x, states = draw(graph, units=42, batch=5)
    expected, _ = run_native(graph, parameters, x, states)

    def moved(values: Tensor, shift: int) -> Tensor:
        return torch.empty(values.numel() + shift)[shift:].view(values.shape).copy_(values.detach())

    for shift in (1, 3, 8):
        shifted = parameters.map(lambda values: moved(values, shift))  # noqa: B023
        found, _ = run_native(graph, shifted, moved(x, shift), states)
        assert torch.equal(found, expected)


@pytest.mark.parametrize("function", ["sigmoid", "tanh", "relu", "leaky_relu", "softplus"])
def test_saturated_values_infinities_and_nan_behave_as_in_torch(function: str, evaluate: Evaluate) -> None:
    extremes = [-inf, -1e4, -100.0, -88.0, -20.0, -1e-30, -0.0, 0.0, 1e-30, 0.5, 20.0, 88.0, 100.0, 1e4, inf, nan]
    graph = parse_formula(f"h' = {function}(x + h)")
    weight, bias = torch.zeros(0, 16, 16, requires_grad=True), torch.zeros(0, 16, requires_grad=True)
    x = torch.tensor(extremes).expand(1, 1, 16).clone().requires_grad_()
    arguments = LayerParameters(weight, bias), x, (torch.zeros(1, 16, requires_grad=True),)
    found, expected = evaluate(run_native, graph, arguments), evaluate(run_reference, graph, arguments)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=2e-6, atol=1e-37, equal_nan=True)


@pytest.mark.parametrize("units", [12, 16, 21])
def test_norms_of_extreme_rows_behave_as_in_torch(units: int, evaluate: Evaluate) -> None:
    """Rows of equal numbers, large and tiny ones, and rows with NaN or infinity, whose results are NaN alone."""
    graph = parse_formula("h' = norm(x) + h")
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(8, units, generator=generator)
    rows[0] = 0.5
    rows[1] *= 1e-4
    rows[2] *= 1e15
    rows[3] = 1000.0 + rows[3]
    rows[4, 5], rows[5, 3], rows[6, 2] = nan, inf, -inf
    vectors = torch.randn(2, units, generator=generator, requires_grad=True)
    empty = torch.zeros(0, units, units, requires_grad=True), torch.zeros(0, units, requires_grad=True)
    x, h = rows[None].clone().requires_grad_(), torch.zeros(8, units, requires_grad=True)
    arguments = LayerParameters(*empty, vectors=vectors), x, (h,)
    found, expected = evaluate(run_native, graph, arguments), evaluate(run_reference, graph, arguments)
    assert expected["outputs"][0, :4].isfinite().all()
    assert expected["outputs"][0, 4:7].isnan().all()
    for name in ("outputs", "gradient of x"):
        torch.testing.assert_close(found[name][:, :3], expected[name][:, :3], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found[name][:, 3], expected[name][:, 3], rtol=1e-3, atol=1e-3)  # 1,000 is subtracted
        torch.testing.assert_close(found[name][:, 7], expected[name][:, 7], rtol=1e-5, atol=1e-5)
        assert found[name][:, 4:7].isnan().all()


def test_dead_nodes_and_unread_matrices_have_zero_gradients(draw: Draw, evaluate: Evaluate) -> None:
    nodes = (Node(Op.INPUT), Node(Op.LINEAR, (0,)), Node(Op.STATE), Node(Op.LINEAR, (2,)), Node(Op.TANH, (3,)))
    graph = GateGraph(nodes, (4,))
    found = evaluate(run_native, graph, draw(graph))
    assert found["gradient of weight"][0].count_nonzero() == 0
    assert found["gradient of weight"][1].count_nonzero() > 0
    assert found["gradient of x"].count_nonzero() == 0

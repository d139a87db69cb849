"""The eager path against the reference: values, states and gradients, on named cells and random mutants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, STUDY
from search.cells.notation.formula import parse_formula
from search.kernels.eager import run_eager
from search.kernels.errors import KernelError
from search.kernels.parameters import LayerParameters
from search.kernels.reference import run_reference
from tests.test_search.test_kernels.comparison import LAYERED, ODD, assert_same

if TYPE_CHECKING:
    from tests.test_search.test_kernels.conftest import Draw, Evaluate

CORNERS = ODD | LAYERED


@pytest.mark.parametrize("name", CORNERS)
def test_corner_graphs_equal_the_reference(name: str, draw: Draw, evaluate: Evaluate) -> None:
    graph = parse_formula(CORNERS[name])
    arguments = draw(graph, units=19)
    assert_same(evaluate(run_eager, graph, arguments), evaluate(run_reference, graph, arguments), 1e-5, name)


@pytest.mark.parametrize("name", STUDY)
def test_named_cells_equal_the_reference(name: str, draw: Draw, evaluate: Evaluate) -> None:
    graph = LIBRARY[name].graph
    arguments = draw(graph, units=32, batch=5, steps=9)
    assert_same(evaluate(run_eager, graph, arguments), evaluate(run_reference, graph, arguments), 1e-5, name)


def test_double_precision_equals_the_reference_on_mutants_of_any_size(
    mutants: list[GateGraph], layered_mutants: list[GateGraph], draw: Draw, evaluate: Evaluate
) -> None:
    for k, graph in enumerate(mutants + layered_mutants):
        arguments = draw(graph, units=1 + k % 7, batch=1 + k % 3, steps=1 + k % 4, seed=k, dtype=torch.float64)
        expected = evaluate(run_reference, graph, arguments)
        if all(value.isfinite().all() for value in expected.values()):
            assert_same(evaluate(run_eager, graph, arguments), expected, 1e-10, f"mutant {k}")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weight": (2, 4, 5)}, r"^weight has shape \(2, 4, 5\); the cell with 4 units needs \(2, 4, 4\)$"),
        ({"bias": (1, 4)}, r"^bias has shape \(1, 4\); the cell with 4 units needs \(2, 4\)"),
        ({"x": (3, 4)}, r"^x has shape \(3, 4\); it must be \(steps, batch, units\)"),
        ({"x": (0, 3, 4)}, "none of them 0"),
        ({"state": (2, 4)}, r"^state 0 has shape \(2, 4\); it must be \(3, 4\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(changed: dict[str, tuple[int, ...]], message: str) -> None:
    shapes = {"weight": (2, 4, 4), "bias": (2, 4), "x": (5, 3, 4), "state": (3, 4)} | changed
    weight, bias, x, state = (torch.zeros(shape) for shape in shapes.values())
    with pytest.raises(KernelError, match=message):
        run_eager(LIBRARY["tanh"].graph, LayerParameters(weight, bias), x, (state,))


def test_a_wrong_number_of_states_is_named() -> None:
    weight, bias, x = torch.zeros(8, 4, 4), torch.zeros(8, 4), torch.zeros(5, 3, 4)
    with pytest.raises(KernelError, match=r"^1 states given; the graph has 2, pass one tensor for each$"):
        run_eager(LIBRARY["lstm"].graph, LayerParameters(weight, bias), x, (torch.zeros(3, 4),))

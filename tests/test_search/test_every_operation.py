"""Every operation of a cell is known to every part that has to know it: an operation that a part lacks fails here."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gatesearch
from search.cells.drawing.picture import draw_formula
from search.cells.drawing.tree import draw_tree
from search.cells.graph import GateGraph
from search.cells.notation.display import format_display
from search.cells.notation.formula import format_formula, parse_formula
from search.cells.operations import ARITY, POINTWISE, Node, Op
from search.kernels.explain import explain
from search.kernels.parameters import apply_pointwise
from search.training.model import SequenceModel
from search.training.stepper import EagerStepper, NativeStepper, stepper_for
from tasks.task import Batch, Output
from tests.test_search.test_kernels.hosts import require_host


def cell_of(op: Op) -> GateGraph:
    """Return the cell h' = op(linear(x) + linear(h)), or op(linear(x), linear(h)) for two inputs."""
    nodes = [Node(Op.INPUT), Node(Op.STATE), Node(Op.LINEAR, (0,)), Node(Op.LINEAR, (1,))]
    if ARITY[op] == 1:
        nodes += [Node(Op.ADD, (2, 3)), Node(op, (4,))]
    else:
        nodes.append(Node(op, (2, 3)))
    return GateGraph(tuple(nodes), (len(nodes) - 1,))


@pytest.mark.parametrize("op", sorted(POINTWISE))
def test_formulas_and_drawings_have_it(op: Op) -> None:
    graph = cell_of(op)
    for text in (format_formula(graph), format_display(graph)):
        assert parse_formula(text).id == graph.id
        assert draw_tree(text).startswith("h' = ")
        assert "</svg>" in draw_formula(text, "cell")
    assert "backward in the loop" in explain(graph.canonical())


@pytest.mark.parametrize("op", sorted(POINTWISE))
def test_an_exported_module_computes_it(op: Op) -> None:
    module = gatesearch.cell(format_display(cell_of(op))).module(units=3)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.fill_(-0.25 if "bias" in name else 0.5)
        x = torch.tensor([0.5, -2.0, 1.0])
        outputs, _ = module(x.repeat(1, 1, 1))
    left, right = 0.5 * x.sum() - 0.25, torch.tensor(-0.25)  # h is 0 at the first step
    expected = apply_pointwise(op, left + right) if ARITY[op] == 1 else apply_pointwise(op, left, right)
    torch.testing.assert_close(outputs, expected.expand(1, 1, 3))


@pytest.mark.parametrize("op", sorted(POINTWISE))
def test_machine_code_trains_it_as_autograd_does(op: Op) -> None:
    require_host()
    models = [SequenceModel(cell_of(op), 16, 1, 5, Output.SYMBOLS) for _ in range(2)]
    for model in models:
        model.initialise(1.0, torch.Generator().manual_seed(3))
    rng = np.random.default_rng(0)
    inputs, targets = rng.integers(5, size=(2, 4, 3))
    batch = Batch(inputs, targets, np.ones((4, 3), np.float32), starts=True)
    native, eager = stepper_for(models[0]), EagerStepper(models[1])
    assert isinstance(native, NativeStepper)
    found, expected = (stepper.train(batch, 0.1, 100.0) for stepper in (native, eager))
    assert found.nats == pytest.approx(expected.nats, rel=1e-5)
    assert models[1].flat_grad.abs().max() > 1e-3
    torch.testing.assert_close(models[0].flat_grad, models[1].flat_grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(models[0].flat, models[1].flat, rtol=1e-4, atol=1e-6)

"""Dropout in training: both backends, a plain loop around the masks, and what scores see of it."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch.nn import functional

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.kernels.dropout import Dropout, Masks
from search.kernels.reference import run_reference
from search.training.model import SequenceModel
from search.training.stepper import EagerStepper, NativeStepper, stepper_for
from tasks.interface import Input, Interface, Output
from tasks.task import Batch
from tests.test_search.test_kernels.hosts import require_host

CELLS = {
    "lstm": LIBRARY["lstm"].graph,
    "gru": LIBRARY["gru"].graph,
    "sru": LIBRARY["sru"].graph,  # no matrix reads a state
    "norm": LIBRARY["gru-layer-norm"].graph,
    "blocks": parse_formula("h' = tanh(linear(x, groups=2) + linear(h, groups=4)) + linear(h)").canonical(),
    "delayed": parse_formula("h' = tanh(linear(x) + linear(p) + linear(q)) + h * p; p' = sigmoid(linear(x)); q' = p"),
}
INTERFACES = {
    "symbols": Interface(Input.SYMBOLS, 5, Output.SYMBOLS, 5),
    "values": Interface(Input.VALUES, 7, Output.MULTI_LABEL, 3),
}


def drawn(interface: Interface, steps: int, batch: int, starts: bool, seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    mask = (rng.random((steps, batch)) < 0.8).astype(np.float32)
    if interface.reads_symbols:
        inputs, targets = rng.integers(5, size=(2, steps, batch))
        return Batch(inputs, targets, mask, starts)
    values = rng.random((steps, batch, 7), np.float32)
    return Batch(values, (rng.random((steps, batch, 3)) < 0.4).astype(np.float32), mask, starts)


def pair(
    graph: GateGraph, interface: Interface, dropout: Dropout | None, units: int = 12, layers: int = 2
) -> tuple[NativeStepper, EagerStepper]:
    require_host()
    models = [SequenceModel(graph, units, layers, interface) for _ in range(2)]
    for model in models:
        model.initialise(1.0, torch.Generator().manual_seed(0))
    native = stepper_for(models[0], dropout=dropout)
    assert isinstance(native, NativeStepper)
    return native, EagerStepper(models[1], dropout=dropout)


@pytest.mark.parametrize("variational", [False, True], ids=["step", "variational"])
@pytest.mark.parametrize(("cell", "interface"), list(product(CELLS, INTERFACES)))
def test_machine_code_trains_as_pytorch_with_the_same_masks(cell: str, interface: str, variational: bool) -> None:
    dropout = Dropout(0.3, variational, 11)
    native, eager = pair(CELLS[cell], INTERFACES[interface], dropout)
    norms = []
    for step in range(4):
        batch = drawn(INTERFACES[interface], 9, 4, step == 0, step)
        found, expected = (stepper.train(batch, 0.1, 1.0) for stepper in (native, eager))
        assert found.nats == pytest.approx(expected.nats, rel=1e-5)
        assert found.norm == pytest.approx(expected.norm, rel=1e-4)
        largest = eager.model.flat_grad.abs().max()
        assert (native.model.flat_grad - eager.model.flat_grad).abs().max() <= 1e-4 * largest
        eager.model.flat.copy_(native.model.flat)
        norms.append(found.norm)
    score, expected_score = (stepper.score(replace(batch, starts=True)) for stepper in (native, eager))
    np.testing.assert_allclose(score.nats, expected_score.nats, rtol=1e-4)
    assert len(set(norms)) == 4


@pytest.mark.parametrize("variational", [False, True], ids=["step", "variational"])
def test_the_loss_is_that_of_a_plain_loop_with_the_masks(variational: bool) -> None:
    """One layer of tanh(W x + U h): dropout of x at each step, of h if it is variational, and of the outputs."""
    interface, graph = INTERFACES["symbols"], LIBRARY["tanh"].graph.canonical()
    dropout = Dropout(0.4, variational, 3)
    native, _ = pair(graph, interface, dropout, units=10, layers=1)
    batch = drawn(interface, 6, 3, True, 0)
    model, keys = native.model, dropout.keys(0, 1)
    (weights,), (biases,) = model.weights, model.biases
    reads_x = [graph.nodes[graph.nodes[i].inputs[0]].op.value == "input" for i in graph.linears]
    of_x, of_h = reads_x.index(True), reads_x.index(False)
    h, total = torch.zeros(3, 10), torch.zeros(())
    for t in range(6):
        rows = slice(0, 3) if variational else slice(3 * t, 3 * t + 3)
        height = 3 if variational else 18
        x = model.entry[torch.tensor(batch.inputs[t])] * dropout.mask(keys[0], height, 10)[rows]
        read = h * dropout.mask(keys[2], 1, 10) if variational else h
        h = torch.tanh(x @ weights[of_x].T + read @ weights[of_h].T + biases.sum(0))
        out = h * dropout.mask(keys[1], height, 10)[rows]
        logits = out @ model.readout.T + model.readout_bias
        nats = functional.cross_entropy(logits, torch.tensor(batch.targets[t]), reduction="none")
        total = total + (nats * torch.tensor(batch.loss_mask[t])).sum()
    assert native.train(batch, 0.0, 1.0).nats == pytest.approx(total.item(), rel=1e-5)


@pytest.mark.parametrize("native", [True, False], ids=["native", "eager"])
def test_scores_leave_nothing_out(native: bool) -> None:
    interface = INTERFACES["symbols"]
    batch = drawn(interface, 9, 4, True, 0)
    dropped, plain = (pair(CELLS["lstm"], interface, d)[not native] for d in (Dropout(0.5, True, 1), None))
    assert dropped.train(batch, 0.0, 1.0).nats != plain.train(batch, 0.0, 1.0).nats
    np.testing.assert_array_equal(dropped.score(batch).nats, plain.score(batch).nats)


def test_masks_of_steps_differ_and_are_a_function_of_seed_and_step() -> None:
    interface = INTERFACES["symbols"]
    batch = drawn(interface, 9, 4, True, 0)

    def losses(seed: int) -> list[float]:
        native, _ = pair(CELLS["gru"], interface, Dropout(0.5, False, seed))
        return [native.train(batch, 0.0, 1.0).nats for _ in range(3)]

    assert losses(1) == losses(1) != losses(2)
    assert len(set(losses(1))) == 3


def test_layers_read_masked_inputs_through_masked_matrices() -> None:
    """The eager model, against the reference of each layer."""
    graph = CELLS["blocks"]
    model = SequenceModel(graph, 8, 2, INTERFACES["values"])
    model.initialise(1.0, torch.Generator().manual_seed(0))
    masks = Masks(Dropout(0.3, True, 2), 0, 2)
    inputs = torch.rand(5, 3, 7, generator=torch.Generator().manual_seed(1))
    outputs, _ = model.outputs(inputs, model.zero_states(3), masks)
    values = model.enter(inputs)
    for k, layer in enumerate(model.layer_parameters()):
        values, _ = run_reference(graph, masks.masked(graph, k, layer), masks.apply(k, values), model.zero_states(3)[k])
    torch.testing.assert_close(masks.apply(2, values), outputs)

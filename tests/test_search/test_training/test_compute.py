"""Multiply-adds of models and trials, against PyTorch's own counter of products and plain loops over batches."""

from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.training.compute import ModelProducts, Positions, data_size, matrix_groups, model_products, trial_compute
from search.training.model import SequenceModel
from tasks.arithmetic import Arithmetic
from tasks.interface import Interface
from tasks.task import Output, Split, Task
from tasks.xml import Xml
from tests.test_search.small import Chords, small_task

GROUPED = parse_formula("h' = tanh(linear(x, groups=2) + linear(h, groups=4) + linear(h))").canonical()
CELLS = {"lstm": LIBRARY["lstm"].graph, "gru": LIBRARY["gru"].graph, "mut1": LIBRARY["mut1"].graph, "grouped": GROUPED}


def products_of(graph: GateGraph, units: int, layers: int, task: Task) -> ModelProducts:
    return model_products(matrix_groups(graph), units, layers, task.interface)


def counted(model: SequenceModel, task: Task, split: Split) -> int:
    """Multiply-adds that PyTorch counts over the evaluation of a split: half of its floating-point operations."""
    total = 0
    for batch in task.evaluation(split, 50, 50):
        with FlopCounterMode(display=False) as counter:
            model.score(batch, model.zero_states(batch.inputs.shape[1]))
        total += counter.get_total_flops()
    return total // 2


@pytest.mark.parametrize(("name", "layers"), [("lstm", 1), ("gru", 2), ("mut1", 1), ("mut1", 2), ("grouped", 2)])
@pytest.mark.parametrize(
    "task",
    [
        Xml(min_letters=1, max_letters=2, validation=150, test=300),
        Arithmetic(digits=1, validation=90, test=120),
        Chords(),
    ],
    ids=str,
)
def test_an_evaluation_costs_what_pytorch_counts(name: str, layers: int, task: Task) -> None:
    graph = CELLS[name]
    model = SequenceModel(graph, 8, layers, task.interface)
    model.initialise(1.0, torch.Generator().manual_seed(0))
    size = data_size(task, batch=4, unroll=6)
    ours = products_of(graph, 8, layers, task)
    assert ours.forward(size.validation) == counted(model, task, Split.VALIDATION)
    assert ours.forward(size.test) == counted(model, task, Split.TEST)


def test_the_matrices_are_those_of_torch_nn() -> None:
    """Count, in a plain loop, a multiply-add for each entry of each matrix that a position passes."""
    for name, layer in (("lstm", nn.LSTM(12, 12, 2)), ("gru-after", nn.GRU(12, 12, 2)), ("tanh", nn.RNN(12, 12, 2))):
        products = sum(p.numel() for key, p in layer.named_parameters() if key.startswith("weight"))
        ours = model_products(matrix_groups(LIBRARY[name].graph), 12, 2, Interface.same(Output.SYMBOLS, 30))
        assert (ours.read, ours.predicted) == (products, nn.Linear(12, 30).weight.numel())
    rolls = model_products((1, 1), 12, 1, Interface.same(Output.MULTI_LABEL, 30))
    assert rolls.read == nn.Linear(30, 12).weight.numel() + 2 * 12 * 12


def test_a_training_step_costs_three_forward_passes_but_for_what_needs_no_gradient() -> None:
    """PyTorch skips the gradient of the first state, a constant, and of the loss mask's missing steps."""
    graph: GateGraph = LIBRARY["gru"].graph
    task = small_task("xml")
    model = SequenceModel(graph, 8, 1, task.interface)
    model.initialise(1.0, torch.Generator().manual_seed(0))
    batch = next(task.training(4, 20, np.random.default_rng(0)))
    with FlopCounterMode(display=False) as counter:
        loss, _, _ = model.loss(batch, model.zero_states(4))
        torch.autograd.backward(loss)
    read, predicted = float(batch.loss_mask.size), float(np.count_nonzero(batch.loss_mask))
    forward = products_of(graph, 8, 1, task).forward(Positions(read, predicted))
    first_state = 2 * 4 * 8 * 8  # products of r and z with h; that of r * h is of a value with a gradient
    assert counter.get_total_flops() / 2 == 3 * forward - first_state


def test_the_sizes_are_those_of_the_batches() -> None:
    task = Arithmetic(digits=1, validation=400, test=400)
    size = data_size(task, batch=4, unroll=6)
    read = predicted = 0
    for window in islice(task.training(4, 6, np.random.default_rng(0)), 64):
        for row in window.loss_mask:
            for counts in row:
                read += 1
                predicted += counts > 0
    assert (size.training.read * 64, size.training.predicted * 64) == (read, predicted)
    assert 0 < size.validation.predicted < size.validation.read  # digits of the answer alone are in the loss mask


def test_a_trial_is_its_steps_its_validations_and_its_test() -> None:
    task = small_task("xml")
    size = data_size(task, batch=4, unroll=6)
    model = products_of(LIBRARY["lstm"].graph, 8, 1, task)
    window = 3 * (8 * 64 * size.training.read + 8 * task.output_size * size.training.predicted)
    validation, test = model.forward(size.validation), model.forward(size.test)
    assert trial_compute(model, size, 7, 2, True) == pytest.approx(7 * window + 2 * validation + test)
    assert trial_compute(model, size, 7, 1, False) == pytest.approx(7 * window + validation)
    assert trial_compute(model, size, 0, 0, False) == 0.0

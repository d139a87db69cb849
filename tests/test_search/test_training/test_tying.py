"""Embedding and readout with one matrix: both backends, the count of parameters, and what cannot be tied."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from search.cells.library import LIBRARY
from search.core.errors import SearchError
from search.kernels.optimisers import OptimiserName
from search.profiles.loading import parse_profile
from search.profiles.tasks import load_task_of
from search.training.model import SequenceModel, count_parameters, units_for
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.stepper import EagerStepper, NativeStepper, stepper_for, updates_of
from search.training.trial import train_trial
from tasks.interface import Input, Interface, Output
from tests.test_search.small import small_task
from tests.test_search.test_kernels.hosts import require_host

XML = small_task("xml")
SETTING = Setting(scale=1.0, learning_rate=0.2, max_norm=5.0, layers=2, parameter_budget=6_000, tied=True)


@pytest.mark.parametrize("units", [13, 16])  # with padding and without
@pytest.mark.parametrize("steps", [4, 40])  # fewer positions than symbols, and more: two ways into the first layer
@pytest.mark.parametrize("cell", ["gru", "lstm", "tanh"])
def test_machine_code_adds_both_gradients_as_pytorch_does(cell: str, steps: int, units: int) -> None:
    require_host()
    models = [SequenceModel(LIBRARY[cell].graph, units, 2, XML.interface, tied=True) for _ in range(2)]
    for model in models:
        model.initialise(1.0, torch.Generator().manual_seed(0))
    native = stepper_for(models[0], updates_of(models[0], OptimiserName.ADAMW, 0.1))
    assert isinstance(native, NativeStepper)
    eager = EagerStepper(models[1], updates_of(models[1], OptimiserName.ADAMW, 0.1))
    stream = XML.training(4, steps, np.random.default_rng(0))
    for _ in range(5):
        batch = next(stream)
        found, expected = (stepper.train(batch, 0.01, 1.0) for stepper in (native, eager))
        assert found.nats == pytest.approx(expected.nats, rel=1e-5)
        assert found.norm == pytest.approx(expected.norm, rel=1e-4)
        error = (models[0].flat_grad - models[1].flat_grad).abs().max()
        assert error <= 1e-4 * models[1].flat_grad.abs().max()
        models[1].flat.copy_(models[0].flat)
    score, expected_score = (stepper.score(replace(batch, starts=True)) for stepper in (native, eager))
    np.testing.assert_allclose(score.nats, expected_score.nats, rtol=1e-4)


def test_a_step_is_that_of_torch_nn_with_a_shared_weight() -> None:
    model = SequenceModel(LIBRARY["tanh"].graph, 12, 1, XML.interface, tied=True)
    model.initialise(1.0, torch.Generator().manual_seed(0))
    entry, readout = nn.Embedding(XML.output_size, 12), nn.Linear(12, XML.output_size)
    readout.weight = entry.weight
    rnn = nn.RNN(12, 12)
    graph = model.graph
    of_x = next(k for k, i in enumerate(graph.linears) if graph.nodes[graph.nodes[i].inputs[0]].op.value == "input")
    with torch.no_grad():
        entry.weight.copy_(model.entry)
        readout.bias.copy_(model.readout_bias)
        for kind, k in (("ih", of_x), ("hh", 1 - of_x)):
            getattr(rnn, f"weight_{kind}_l0").copy_(model.weights[0][k])
            getattr(rnn, f"bias_{kind}_l0").copy_(model.biases[0][k])
    parameters = {*entry.parameters(), *rnn.parameters(), *readout.parameters()}
    optimiser = torch.optim.SGD(list(parameters), lr=0.2)
    stepper = stepper_for(model)
    batch = next(XML.training(4, 9, np.random.default_rng(0)))
    outputs, _ = rnn(entry(torch.tensor(batch.inputs)))
    logits, mask = readout(outputs), torch.tensor(batch.loss_mask).bool()
    loss = functional.cross_entropy(logits[mask], torch.tensor(batch.targets)[mask], reduction="sum") / 4
    torch.autograd.backward(loss)
    optimiser.step()
    assert stepper.train(batch, 0.2, 1e6).nats == pytest.approx(4 * loss.item(), rel=1e-5)
    torch.testing.assert_close(model.readout.data, entry.weight.data, rtol=1e-5, atol=1e-6)
    assert model.readout is model.entry


def test_the_matrix_counts_once_so_a_budget_buys_more_units() -> None:
    graph, interface = LIBRARY["gru"].graph, Interface.same(Output.SYMBOLS, 1_000)
    for units in (8, 30):
        model = SequenceModel(graph, units, 2, interface, tied=True)
        assert model.flat.numel() == count_parameters(graph, units, 2, interface, tied=True)
        assert count_parameters(graph, units, 2, interface) - model.flat.numel() == 1_000 * units
        assert len(dict(model.named_parameters())) == len(list(model.parameters()))
    tied = replace(SETTING, parameter_budget=50_000)
    more, fewer = (units_for(graph, setting, interface) for setting in (tied, replace(tied, tied=False)))
    assert more > 1.5 * fewer


@pytest.mark.parametrize(
    ("interface", "message"),
    [
        (
            Interface(Input.VALUES, 5, Output.SYMBOLS, 5),
            "reads values and predicts symbols; only a model of symbols has",
        ),
        (
            Interface(Input.SYMBOLS, 5, Output.GAUSSIAN, 5),
            "reads symbols and predicts gaussian; only a model of symbols",
        ),
        (
            Interface(Input.SYMBOLS, 1_000, Output.SYMBOLS, 5),
            "reads 1,000 symbols and predicts 5; a matrix for both needs",
        ),
    ],
)
def test_what_has_no_two_equal_matrices_is_refused(interface: Interface, message: str) -> None:
    for act in (
        lambda: SequenceModel(LIBRARY["gru"].graph, 4, 1, interface, tied=True),
        lambda: units_for(LIBRARY["gru"].graph, SETTING, interface),
    ):
        with pytest.raises(SearchError, match=f"^tied is true, but the model {message}"):
            act()


def test_a_grid_that_ties_a_task_without_symbols_is_refused_when_the_task_is_loaded() -> None:
    profile = parse_profile("[grid]\ntied = true\n[tasks.xml]\n[tasks.music]\n", "x")
    assert load_task_of(profile, "xml").interface.reads_symbols
    with pytest.raises(SearchError, match=r"^the grid of task 'music': tied is true, but the model reads values and"):
        load_task_of(profile, "music")


def test_a_trial_trains_a_tied_model() -> None:
    budget = Budget(batch=4, unroll=16, epoch_steps=20, epochs=2, halvings=0, chance_epochs=100)
    result = train_trial(LIBRARY["gru"].graph, XML, SETTING, budget, 0)
    plain = train_trial(LIBRARY["gru"].graph, XML, replace(SETTING, tied=False), budget, 0)
    assert result.units > plain.units
    assert result.parameters == pytest.approx(6_000, rel=0.05)
    assert result.curve[1].loss < result.curve[0].loss

"""One trial: its steps held against torch.nn, and the states that it can end in."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from results.store.words import TrialState
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.cells.operations import Node, Op
from search.training.model import SequenceModel, units_for
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.stepper import EagerStepper
from search.training.trial import Point, TrialResult, train_trial
from tasks.interface import Interface
from tasks.memorization import Memorization
from tasks.task import ACCURACY, Output, Split, Task
from tasks.xml import Xml
from tests.test_search.small import Chords, Turning, small_task

TANH, LSTM, GRU = (LIBRARY[name].graph for name in ("tanh", "lstm", "gru"))
SETTING = Setting(scale=1.0, learning_rate=0.5, max_norm=5.0, layers=1, parameter_budget=3_000)
SHORT = Budget(batch=4, unroll=10, epoch_steps=3, epochs=3, halvings=1, chance_epochs=100)
XML = small_task("xml")


@pytest.mark.parametrize("max_norm", [0.5, 1e6])
@pytest.mark.parametrize("layers", [1, 2])
def test_training_steps_are_those_of_torch_nn(layers: int, max_norm: float) -> None:
    """SGD with clip_grad_norm_ on torch.nn.RNN, state carried over and cut off between the windows."""
    setting = replace(SETTING, layers=layers, max_norm=max_norm, learning_rate=0.2)
    budget = Budget(batch=4, unroll=6, epoch_steps=3, epochs=1, halvings=0, chance_epochs=100)
    units = units_for(TANH, setting, XML.interface)
    model = SequenceModel(TANH, units, layers, XML.interface)
    model.initialise(setting.scale, torch.Generator().manual_seed(7))
    entry, readout = nn.Embedding(XML.output_size, units), nn.Linear(units, XML.output_size)
    rnn = nn.RNN(units, units, layers)
    with torch.no_grad():
        for mine, theirs in twins(model, entry, rnn, readout):
            mine.copy_(theirs)
    parameters = [*entry.parameters(), *rnn.parameters(), *readout.parameters()]
    optimiser = torch.optim.SGD(parameters, lr=0.2)
    stream = XML.training(4, 6, np.random.default_rng(7))
    state, total, counted, norms = None, 0.0, 0.0, []
    for _ in range(3):
        batch = next(stream)
        outputs, state = rnn(entry(torch.tensor(batch.inputs)), state)
        log = readout(outputs).log_softmax(-1).gather(-1, torch.tensor(batch.targets)[..., None])[..., 0]
        loss = -(log * torch.tensor(batch.loss_mask)).sum() / 4
        optimiser.zero_grad()
        loss.backward()
        norms.append(float(nn.utils.clip_grad_norm_(parameters, max_norm)))
        optimiser.step()
        state = state.detach()
        total, counted = total + 4 * loss.item(), counted + float(batch.loss_mask.sum())
    assert min(norms) > 0.5  # so that 0.5 clips, and a million does not
    assert max(norms) < 1e6
    result = train_trial(TANH, XML, setting, budget, 7)
    assert result.units == units
    assert result.curve[0].loss == pytest.approx(total / counted, rel=1e-5)
    expected, steps = nn_validation(XML, entry, rnn, readout)
    assert result.validation_loss == pytest.approx(expected, rel=1e-4)
    assert result.steps == 3
    assert steps > 0


def twins(model: SequenceModel, entry: nn.Embedding, rnn: nn.RNN, readout: nn.Linear) -> list[tuple[Tensor, Tensor]]:
    """Tensors of a torch.nn model and those of a plain recurrent network."""
    pairs: list[tuple[Tensor, Tensor]] = [
        (entry.weight, model.entry),
        (readout.weight, model.readout),
        (readout.bias, model.readout_bias),
    ]
    graph = model.graph
    of_x = next(k for k, i in enumerate(graph.linears) if graph.nodes[graph.nodes[i].inputs[0]].op is Op.INPUT)
    for layer, (weight, bias) in enumerate(zip(model.weights, model.biases, strict=True)):
        for kind, k in (("ih", of_x), ("hh", 1 - of_x)):
            pairs.append((getattr(rnn, f"weight_{kind}_l{layer}"), weight[k]))
            pairs.append((getattr(rnn, f"bias_{kind}_l{layer}"), bias[k]))
    return pairs


@torch.no_grad()
def nn_validation(task: Task, entry: nn.Embedding, rnn: nn.RNN, readout: nn.Linear) -> tuple[float, float]:
    """Nats a counted step of a torch.nn model on the validation set, and the counted steps."""
    state, nats, steps = None, 0.0, 0.0
    for batch in task.evaluation(Split.VALIDATION, 50, 50):
        outputs, state = rnn(entry(torch.tensor(batch.inputs)), None if batch.starts else state)
        log = readout(outputs).log_softmax(-1).gather(-1, torch.tensor(batch.targets)[..., None])[..., 0]
        nats -= float((log * torch.tensor(batch.loss_mask)).sum())
        steps += float(batch.loss_mask.sum())
    return nats / steps, steps


def without_seconds(result: TrialResult) -> TrialResult:
    return replace(result, seconds=0.0)


def test_a_trial_is_a_function_of_its_inputs_bit_for_bit() -> None:
    a, b, c = (train_trial(GRU, XML, SETTING, SHORT, seed) for seed in (1, 1, 2))
    assert without_seconds(a) == without_seconds(b) != without_seconds(c)
    assert a.curve != c.curve
    assert a.seconds > 0


def test_a_cell_is_trained_in_its_canonical_form() -> None:
    dead = GateGraph((*TANH.nodes, Node(Op.LINEAR, (0,)), Node(Op.LINEAR, (len(TANH),))), TANH.outputs)
    assert dead.canonical() == TANH
    a, b = (train_trial(graph, XML, replace(SETTING, parameter_budget=4_000), SHORT, 1) for graph in (dead, TANH))
    assert without_seconds(a) == without_seconds(b)


@pytest.mark.parametrize("task", [XML, Chords()], ids=["accuracy", "nats"])
def test_a_learning_rate_far_too_large_ends_as_diverged_without_a_metric(task: Task) -> None:
    graph = parse_formula("h' = linear(x) + linear(h, identity=1.1)")  # nothing saturates
    wild = replace(SETTING, learning_rate=1e30, max_norm=1e30)
    result = train_trial(graph, task, wild, SHORT, 0)
    assert result.state is TrialState.DIVERGED
    assert not result.state.is_ranked
    assert result.reason.startswith(("the loss is not finite at step ", "the gradient is not finite at step "))
    assert result.reason.endswith(f" {result.steps}")
    assert (result.validation, result.validation_se, result.validation_loss) == (None, None, None)
    assert (result.test, result.test_se, result.test_loss, result.best_step) == (None, None, None, 0)


def test_a_trial_that_diverges_between_its_last_step_and_validation_has_no_metric() -> None:
    graph = parse_formula("h' = linear(x) + linear(h, identity=1.1)")
    one = Budget(batch=4, unroll=10, epoch_steps=1, epochs=1, halvings=0)
    result = train_trial(graph, XML, replace(SETTING, learning_rate=1e30, max_norm=1e30), one, 0)
    assert (result.state, result.reason) == (TrialState.DIVERGED, "the validation loss is not finite at step 1")
    assert result.validation is None


def test_a_model_that_learns_nothing_is_given_up_at_chance() -> None:
    still = replace(SETTING, learning_rate=1e-9)
    budget = replace(SHORT, epochs=10, patience=10, chance_epochs=2)
    constant_baseline = XML.constant_baseline()
    result = train_trial(TANH, XML, still, budget, 0)
    assert result.state is TrialState.AT_CHANCE
    assert result.state.is_ranked
    assert result.steps == 2 * 3
    assert result.validation is not None
    assert result.validation_se is not None
    assert result.validation <= constant_baseline + 3 * result.validation_se
    assert result.reason == (
        f"not better than a constant prediction, {constant_baseline:.4f}, by more than 3 standard errors at step 6"
    )
    assert result.test is not None


def test_what_chance_is_may_be_given() -> None:
    budget = replace(SHORT, chance_epochs=1)
    assert train_trial(GRU, XML, SETTING, budget, 0, chance=1.0).state is TrialState.AT_CHANCE
    result = train_trial(GRU, XML, SETTING, budget, 0, chance=-1.0)
    assert result.state is TrialState.OK
    assert result.reason == "the schedule ran out"
    assert result.steps == budget.steps == 9


def test_nats_are_at_chance_from_above() -> None:
    budget = replace(SHORT, chance_epochs=1)
    assert train_trial(GRU, Chords(), SETTING, budget, 0, chance=0.0).state is TrialState.AT_CHANCE
    assert train_trial(GRU, Chords(), SETTING, budget, 0, chance=100.0).state is TrialState.OK


@pytest.mark.parametrize(("task", "target"), [(XML, 0.0), (Chords(), 100.0)], ids=["accuracy", "nats"])
def test_a_trial_stops_where_it_reaches_its_target(task: Task, target: float) -> None:
    result = train_trial(GRU, task, SETTING, replace(SHORT, target=target), 0)
    assert result.state is TrialState.STOPPED
    assert result.state.is_ranked
    assert result.steps == result.best_step == 3
    assert result.reason == f"validation reached the target of {target:g} at step 3"


def test_a_target_that_is_met_exactly_is_reached() -> None:
    first = train_trial(GRU, XML, SETTING, SHORT, 0).curve[0].validation
    assert train_trial(GRU, XML, SETTING, replace(SHORT, target=first), 0).state is TrialState.STOPPED
    above = math.nextafter(first, 2.0)
    assert train_trial(GRU, XML, SETTING, replace(SHORT, target=above), 0).steps > 3


def test_a_budget_that_no_size_fits_is_a_failed_trial_that_trains_nothing() -> None:
    result = train_trial(LSTM, XML, replace(SETTING, parameter_budget=50), SHORT, 0)
    assert result.state is TrialState.FAILED
    assert not result.state.is_ranked
    assert "a budget of 50 parameters is too small" in result.reason
    assert (result.steps, result.validation, result.curve) == (0, None, ())


def test_the_curve_has_a_point_an_epoch_and_is_told_as_it_grows() -> None:
    told: list[Point] = []
    result = train_trial(GRU, XML, SETTING, SHORT, 0, on_epoch=told.append)
    assert tuple(told) == result.curve
    assert [point.step for point in told] == [3, 6, 9]
    assert result.validation == max(point.validation for point in told)


def test_the_best_epoch_is_reported_and_test_is_measured_with_its_weights() -> None:
    budget = Budget(batch=8, unroll=10, epoch_steps=20, epochs=5, patience=10, halvings=0, chance_epochs=100)
    result = train_trial(GRU, Turning(), SETTING, budget, 0)
    curve = [point.validation for point in result.curve]
    assert curve[1] == 1.0  # learned
    assert curve[-1] < 0.1  # and unlearned
    assert result.best_step == result.curve[curve.index(1.0)].step
    assert result.validation == 1.0
    assert result.test == 0.0  # the last weights would have 1.0 here
    assert result.test_loss is not None
    assert result.test_loss > 1.0


@pytest.mark.parametrize("task", [XML, Chords()], ids=lambda task: task.name)
def test_metrics_and_standard_errors_are_those_of_a_plain_loop_over_the_sequences(task: Task) -> None:
    found: list[SequenceModel] = []
    result = train_trial(GRU, task, SETTING, replace(SHORT, epochs=1, halvings=0), 0, on_end=found.append)
    (model,) = found
    for split, value, error, loss in (
        (Split.VALIDATION, result.validation, result.validation_se, result.validation_loss),
        (Split.TEST, result.test, result.test_se, result.test_loss),
    ):
        score = EagerStepper(model).evaluate(task.evaluation(split, 50, 50))
        sums = score.correct if task.metric == ACCURACY else score.nats
        total, count = 0.0, 0
        for metric, steps in zip(sums, score.steps, strict=True):
            if steps:
                total, count = total + (metric - sums.sum() / score.steps.sum() * steps) ** 2, count + 1
        assert count > 1
        assert value == pytest.approx(sums.sum() / score.steps.sum(), rel=1e-5)
        assert error == pytest.approx(math.sqrt(count / (count - 1) * total) / score.steps.sum(), rel=1e-3)
        assert loss == pytest.approx(score.nats.sum() / score.steps.sum(), rel=1e-5)


def test_a_trial_has_the_units_of_its_budget() -> None:
    result = train_trial(GRU, Chords(), SETTING, replace(SHORT, epochs=1, halvings=0), 0)
    units = units_for(GRU, SETTING, Interface.same(Output.MULTI_LABEL, 4))
    model = SequenceModel(GRU, units, 1, Interface.same(Output.MULTI_LABEL, 4))
    assert (result.units, result.parameters) == (units, model.flat.numel())


@pytest.mark.parametrize(
    ("task", "setting", "least"),
    [
        (Memorization(length=2, validation=3000, test=3000), Setting(1.0, 1.0, 5.0, 1, 8_000), 0.5),
        (Xml(min_letters=1, max_letters=1, validation=3000, test=3000), Setting(1.0, 0.5, 5.0, 1, 8_000), 0.6),
    ],
    ids=["memorization", "xml"],
)
def test_a_small_gru_learns(task: Task, setting: Setting, least: float) -> None:
    budget = Budget(unroll=20, epoch_steps=125, epochs=4, halvings=2)
    result = train_trial(GRU, task, setting, budget, 0)
    assert result.state is TrialState.OK, result.reason
    assert result.validation is not None
    assert result.test is not None
    assert result.validation > least > 1.5 * task.constant_baseline()
    assert result.test == pytest.approx(result.validation, abs=0.05)
    assert result.curve[-1].loss < 0.5 * task.uniform_loss()

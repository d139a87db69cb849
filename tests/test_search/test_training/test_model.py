"""The model around a cell, compared with torch.nn, plain loops and exact formulas.

T steps, B sequences, H units, V symbols or notes.
"""

import itertools
import math
import os
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional

from search.bench.steps import random_mutants
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, STUDY
from search.cells.notation.formula import parse_formula
from search.cells.operations import Op
from search.core.errors import BudgetError
from search.kernels.errors import KernelError
from search.training.model import SequenceModel, States, count_parameters, units_for
from search.training.settings import Setting
from search.training.stepper import EagerStepper
from tasks.interface import OUTPUTS, Interface
from tasks.task import Batch, Output, Split, Task
from tests.test_search.interfaces import draw_batch
from tests.test_search.small import Chords, small_task

V, H, B, T = 11, 16, 3, 7
MUTANTS = int(os.environ.get("GATESEARCH_TEST_MUTANTS", "20"))
LSTM, GRU = LIBRARY["lstm"].graph, LIBRARY["gru"].graph
GATES = """\
i = sigmoid(linear(x, bias=0.11) + linear(h))
f = sigmoid(linear(x, bias=0.12) + linear(h))
g = tanh(linear(x, bias=0.13) + linear(h))
o = sigmoid(linear(x, bias=0.14) + linear(h))
c' = f * c + i * g
h' = o * tanh(c')"""


def make_model(
    graph: GateGraph = LSTM, layers: int = 1, output: Output = Output.SYMBOLS, seed: int = 0, scale: float = 1.0
) -> SequenceModel:
    model = SequenceModel(graph, H, layers, Interface.same(output, V))
    model.initialise(scale, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        model.log_scale.copy_(torch.linspace(-1.0, 1.0, len(model.log_scale)))
    return model


def make_batch(output: Output = Output.SYMBOLS, seed: int = 0, all_count: bool = False, steps: int = T) -> Batch:
    return draw_batch(np.random.default_rng(seed), Interface.same(output, V), steps, B, 1.0 if all_count else 0.6)


class Twin(nn.Module):
    """The same model in torch.nn: embedding or linear, nn.LSTM, linear, with the weights of the given model."""

    def __init__(self, model: SequenceModel, layers: int) -> None:
        super().__init__()
        self.roll = not model.interface.reads_symbols
        self.output = model.interface.output
        self.log_scale = nn.Parameter(torch.zeros(V if self.output is Output.GAUSSIAN else 0))
        self.entry: nn.Embedding | nn.Linear = nn.Linear(V, H) if self.roll else nn.Embedding(V, H)
        self.lstm, self.readout = nn.LSTM(H, H, layers), nn.Linear(H, V)
        self.places = gate_places(model.graph)
        with torch.no_grad():
            for mine, theirs in self.pairs(model):
                mine.copy_(theirs.detach())

    def pairs(self, model: SequenceModel, gradient: bool = False) -> list[tuple[Tensor, Tensor]]:
        """Return tensors of this module, or their gradients, each with its counterpart in the model."""

        def of(parameter: Tensor) -> Tensor:
            found = parameter.grad if gradient else parameter
            assert found is not None
            return found

        entry = of(self.entry.weight)
        found = [
            (entry.T if self.roll else entry, of(model.entry)),
            (of(self.readout.weight), of(model.readout)),
            (of(self.readout.bias), of(model.readout_bias)),
        ]
        if self.output is Output.GAUSSIAN:
            found.append((of(self.log_scale), of(model.log_scale)))
        if isinstance(self.entry, nn.Linear):
            found.append((of(self.entry.bias), of(model.entry_bias)))
        for layer, (weight, bias) in enumerate(zip(model.weights, model.biases, strict=True)):
            for kind, leaf in (("ih", Op.INPUT), ("hh", Op.STATE)):
                for gate in range(4):  # torch.nn.LSTM stacks input, forget, cell and output gate
                    rows, k = slice(gate * H, (gate + 1) * H), self.places[gate, leaf]
                    found.append((of(getattr(self.lstm, f"weight_{kind}_l{layer}"))[rows], of(weight)[k]))
                    found.append((of(getattr(self.lstm, f"bias_{kind}_l{layer}"))[rows], of(bias)[k]))
        return found

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss by a plain loop over the loss mask: summed over time, averaged over the batch."""
        values = torch.tensor(batch.inputs)
        logits = self.readout(self.lstm(self.entry(values))[0])
        total = torch.zeros(())
        for t, b in itertools.product(range(len(batch.inputs)), range(B)):
            if batch.loss_mask[t, b]:
                target = torch.tensor(batch.targets[t, b])
                if self.output is Output.GAUSSIAN:
                    variance = (2.0 * self.log_scale).exp()
                    nats = functional.gaussian_nll_loss(logits[t, b], target, variance, full=True, reduction="sum")
                    total = total + nats
                elif self.output is Output.SQUARED_ERROR:
                    total = total + 0.5 * functional.mse_loss(logits[t, b], target, reduction="sum")
                elif self.output is Output.MULTI_LABEL:
                    probability = torch.sigmoid(logits[t, b])
                    total = total - torch.where(target > 0, probability.log(), (1 - probability).log()).sum()
                else:
                    total = total - functional.log_softmax(logits[t, b], 0)[target]
        return total / B


def gate_places(graph: GateGraph) -> dict[tuple[int, Op], int]:
    """Return the matrix of each gate of `GATES` (input, forget, cell, output) and leaf, told apart by the biases."""
    places = {}
    for reader, node in enumerate(graph):
        if node.op is Op.ADD and all(graph.nodes[i].op is Op.LINEAR for i in node.inputs):
            biases = [bias for i in node.inputs if isinstance(bias := graph.nodes[i].bias, float)]
            gate = round(100 * sum(biases)) - 11
            for i in node.inputs:
                places[gate, graph.nodes[graph.nodes[i].inputs[0]].op] = graph.linears.index(i)
        assert reader < len(graph)
    assert len(places) == 8
    return places


@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", ["tanh", "lstm", "gru", "mut1"])
def test_the_count_of_parameters_is_the_number_of_numbers_in_the_model(name: str, layers: int, output: Output) -> None:
    graph = LIBRARY[name].graph
    model = SequenceModel(graph, H, layers, Interface.same(output, V))
    numbers = sum(p.numel() for p in model.parameters())
    assert (
        count_parameters(graph, H, layers, Interface.same(output, V))
        == numbers
        == model.flat.numel()
        == model.flat_grad.numel()
    )


@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize("budget", [300, 4_000, 25_000, 26_001, 250_000, 1_000_000])
def test_units_are_those_of_the_nearest_model_that_a_plain_search_finds(budget: int, output: Output) -> None:
    for graph, layers, output_size in itertools.product((LIBRARY["tanh"].graph, LSTM, GRU), (1, 3), (2, 26, 40)):
        setting = Setting(1.0, 1.0, 5.0, layers, budget)
        distances = [
            (abs(count_parameters(graph, h, layers, Interface.same(output, output_size)) - budget), h)
            for h in range(1, 1200)
        ]
        assert units_for(graph, setting, Interface.same(output, output_size)) == min(distances)[1]


def test_of_two_models_that_are_equally_near_the_smaller_one_is_taken() -> None:
    graph = parse_formula("h' = tanh(x) * h")  # 2 V H + V numbers: 10 a unit
    for budget, units in ((34, 3), (35, 3), (39, 3), (40, 3), (41, 4), (45, 4)):
        assert units_for(graph, Setting(1.0, 1.0, 5.0, 1, budget), Interface.same(Output.SYMBOLS, 5)) == units


def test_a_budget_that_a_model_of_1_unit_exceeds_is_an_error_with_both_numbers() -> None:
    least = count_parameters(LSTM, 1, 2, Interface.same(Output.SYMBOLS, 26))
    assert least == 2 * 8 * 2 + 3 * 26
    assert units_for(LSTM, Setting(1.0, 1.0, 5.0, 2, least), Interface.same(Output.SYMBOLS, 26)) == 1
    with pytest.raises(
        BudgetError,
        match=rf"^a budget of {least - 1} parameters is too small: a model of 1 unit in 2 layers takes {least}$",
    ):
        units_for(LSTM, Setting(1.0, 1.0, 5.0, 2, least - 1), Interface.same(Output.SYMBOLS, 26))


SIZES = {"arithmetic": (40, Output.SYMBOLS), "xml": (29, Output.SYMBOLS), "music": (88, Output.MULTI_LABEL)}


@pytest.mark.parametrize("name", [*SIZES, "language"])
def test_models_of_one_budget_are_of_one_size(name: str) -> None:
    """One layer of named cells and mutants. A word takes 2 numbers a unit, so that 1,000 words need larger budgets."""
    output_size, output = SIZES.get(name, (1000, Output.SYMBOLS))
    graphs = [cell.graph for cell in STUDY.values()]
    graphs += [graph.canonical() for graph in random_mutants(MUTANTS)]

    def distances(budget: int) -> npt.NDArray[np.float64]:
        setting = Setting(1.0, 1.0, 5.0, 1, budget)
        units = [units_for(graph, setting, Interface.same(output, output_size)) for graph in graphs]
        found = [
            count_parameters(g, h, 1, Interface.same(output, output_size)) for g, h in zip(graphs, units, strict=True)
        ]
        return np.abs(np.array(found) / budget - 1.0)

    least, large = (80_000, (150_000, 250_000, 1_000_000)) if name == "language" else (24_000, (100_000, 1_000_000))
    assert np.median(distances(least)) <= 0.01
    assert distances(least).max() <= 0.03
    for budget in large:
        assert distances(budget).max() <= 0.01


def test_initial_numbers_fill_the_interval_evenly_in_every_tensor() -> None:
    graph = LIBRARY["tanh"].graph
    model = SequenceModel(graph, 64, 2, Interface.same(Output.MULTI_LABEL, 40))
    model.initialise(1.4, torch.Generator().manual_seed(0))
    bound = 1.4 / math.sqrt(64)
    for parameter in filter(torch.numel, model.parameters()):  # this cell has no vectors
        values = parameter.detach().double()
        n = values.numel()
        assert values.abs().max() <= bound
        assert values.abs().max() > bound * (1 - 20 / n)
        assert values.mean().abs() < 4.5 * bound / math.sqrt(3 * n)
        # The variance of U[-s, s] is s^2 / 3, that of its square 4 s^4 / 45.
        assert (values.square().mean() - bound**2 / 3).abs() < 4.5 * bound**2 * math.sqrt(4 / 45 / n)


def test_identity_and_bias_are_added_to_the_uniform_numbers() -> None:
    formula = "h' = tanh(linear(x, identity=0.9, bias=2) + linear(h, identity=1.1))"
    model = make_model(parse_formula(formula), layers=2)
    (mine,) = (k for k, i in enumerate(model.graph.linears) if model.graph.nodes[i].bias)
    bound = 1.0 / math.sqrt(H)
    for layer in range(2):
        weight, bias = model.weights[layer].detach(), model.biases[layer].detach()
        for k, (identity, added) in {mine: (0.9, 2.0), 1 - mine: (1.1, 0.0)}.items():
            assert (weight[k] - identity * torch.eye(H)).abs().max() <= bound + 1e-6
            assert weight[k].diagonal().mean().item() == pytest.approx(identity, abs=4.5 * bound / math.sqrt(3 * H))
            assert (bias[k] - added).abs().max() <= bound + 1e-6
            assert (bias[k] - added).std() > bound / 4  # added to it, not written over it


def test_the_forget_gate_of_lstm_b_starts_one_higher_and_no_other_does() -> None:
    model = make_model(LIBRARY["lstm-b"].graph, layers=2, scale=0.3)
    raised = [k for k, i in enumerate(model.graph.linears) if model.graph.nodes[i].bias == 1.0]
    assert len(raised) == 1
    # The forget gate is what multiplies the old cell state.
    gates = model.graph
    state = next(i for i, node in enumerate(gates) if node.op is Op.STATE and node.state == 1)
    (product,) = gates.consumers[state]
    assert gates.linears[raised[0]] in gates.ancestors(product)
    bound = 0.3 / math.sqrt(H)
    for bias in model.biases:
        others = [k for k in range(len(bias)) if k not in raised]
        assert bias[others].abs().max() <= bound
        assert (bias[raised[0]] - 1).abs().max() <= bound


def test_equal_seeds_give_equal_weights_and_others_give_others() -> None:
    assert torch.equal(make_model(seed=1).flat, make_model(seed=1).flat)
    assert not torch.equal(make_model(seed=1).flat, make_model(seed=2).flat)


@pytest.mark.parametrize("task", [small_task("xml"), small_task("memorization"), Chords()], ids=lambda task: task.name)
def test_a_model_that_knows_nothing_has_the_uniform_loss(task: Task) -> None:
    model = SequenceModel(GRU, H, 1, task.interface)
    model.initialise(1.0, torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.readout.zero_()
        model.readout_bias.zero_()
    score = EagerStepper(model).evaluate(task.evaluation(Split.VALIDATION, 50, 50))
    assert score.nats.sum() / score.steps.sum() == pytest.approx(task.uniform_loss(), rel=1e-6)
    batch = next(iter(task.training(4, 9, np.random.default_rng(0))))
    loss, steps, _ = model.loss(batch, model.zero_states(4))
    assert loss.item() == pytest.approx(task.uniform_loss() * steps / 4, rel=1e-5)


@pytest.mark.parametrize("all_count", [True, False])
@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize("layers", [1, 3])
def test_loss_and_gradients_are_those_of_torch_nn(layers: int, output: Output, all_count: bool) -> None:
    model = make_model(parse_formula(GATES), layers=layers, output=output)
    batch = make_batch(output, all_count=all_count)
    twin = Twin(model, layers)
    expected = twin.loss(batch)
    expected.backward()  # type: ignore[no-untyped-call]
    loss, steps, _ = model.loss(batch, model.zero_states(B))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert steps == int(batch.loss_mask.sum())
    for theirs, mine in twin.pairs(model, gradient=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)
    squares = sum(float(p.grad.square().sum()) for p in twin.parameters() if p.grad is not None)
    assert model.flat_grad.norm().item() == pytest.approx(math.sqrt(squares), rel=1e-4)


def test_gradients_add_up_in_the_one_buffer_that_is_cleared_by_hand() -> None:
    model, batch = make_model(), make_batch()
    for _ in range(2):
        loss, _, _ = model.loss(batch, model.zero_states(B))
        loss.backward()  # type: ignore[no-untyped-call]
    twice = model.flat_grad.clone()
    model.flat_grad.zero_()
    loss, _, _ = model.loss(batch, model.zero_states(B))
    loss.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(twice, 2 * model.flat_grad)
    parts = [p.grad for p in model.parameters() if p.grad is not None]
    assert torch.equal(torch.cat([part.flatten() for part in parts]), model.flat_grad)


@pytest.mark.parametrize("name", ["lstm", "gru", "mut2"])
def test_two_windows_with_the_state_carried_over_are_one_long_window(name: str) -> None:
    model = make_model(LIBRARY[name].graph, layers=2)
    whole = make_batch(steps=2 * T)
    halves = [
        replace(
            whole, inputs=whole.inputs[s], targets=whole.targets[s], loss_mask=whole.loss_mask[s], starts=s.start == 0
        )
        for s in (slice(0, T), slice(T, 2 * T))
    ]
    long, _, final = model.loss(whole, model.zero_states(B))
    first, _, between = model.loss(halves[0], model.zero_states(B))
    second, _, after = model.loss(halves[1], between)
    assert (first + second).item() == pytest.approx(long.item(), rel=1e-5)
    for a, b in zip(itertools.chain(*after), itertools.chain(*final), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    assert not any(state.requires_grad for layer in between for state in layer)
    split, joined = EagerStepper(model).evaluate(iter(halves)), EagerStepper(model).evaluate(iter([whole]))
    np.testing.assert_allclose(split.nats, joined.nats, rtol=1e-5)
    np.testing.assert_array_equal(split.correct, joined.correct)
    forgotten = EagerStepper(model).evaluate(iter([replace(half, starts=True) for half in halves]))
    assert len(forgotten.nats) == 2 * B
    assert abs(forgotten.nats.sum() - joined.nats.sum()) > 1e-3


@pytest.mark.parametrize("output", Output)
def test_a_score_is_what_numpy_finds_for_each_step(output: Output) -> None:
    model, batch = make_model(GRU, output=output, scale=4.0), make_batch(output)
    with torch.no_grad():
        outputs, _ = model.outputs(torch.tensor(batch.inputs), model.zero_states(B))
        logits = model.logits(outputs.flatten(0, 1)).double().numpy().reshape(T, B, V)
    loss_mask = batch.loss_mask > 0
    score, _ = model.score(batch, model.zero_states(B))
    if output is Output.SYMBOLS:
        np.testing.assert_array_equal(score.predicted, logits.argmax(-1)[loss_mask])
        log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        nats = -np.take_along_axis(log, batch.targets[..., None], -1)[..., 0][loss_mask]
    elif OUTPUTS[output].real:
        errors = logits - batch.targets
        scale = model.log_scale.detach().exp().double().numpy() if output is Output.GAUSSIAN else 1.0
        nats = -np.asarray(stats.norm.logpdf(errors, scale=scale)).sum(-1)[loss_mask]
        if output is Output.SQUARED_ERROR:
            nats -= 0.5 * V * np.log(2 * np.pi)
        np.testing.assert_allclose(score.squared, np.square(errors).mean(-1)[loss_mask], rtol=1e-4)
        np.testing.assert_allclose(score.absolute, np.abs(errors).mean(-1)[loss_mask], rtol=1e-4)
    else:
        signs = np.where(batch.targets > 0, 1.0, -1.0)
        nats = np.log1p(np.exp(-signs * logits)).sum(-1)[loss_mask]
        assert not score.predicted.size
    np.testing.assert_allclose(score.nats, nats, rtol=1e-4, atol=1e-6)


def test_states_before_a_sequence_are_zeros_for_each_layer_and_state() -> None:
    states: States = make_model(layers=3).zero_states(5)
    assert [len(layer) for layer in states] == [2, 2, 2]
    assert all(state.shape == (5, H) and not state.any() for layer in states for state in layer)


@pytest.mark.parametrize("symbol", [-1, V])
def test_an_input_symbol_out_of_range_is_named(symbol: int) -> None:
    model, batch = make_model(), make_batch()
    batch.inputs[2, 1] = symbol
    low, high = batch.inputs.min(), batch.inputs.max()
    with pytest.raises(
        KernelError, match=rf"^symbols of inputs range from {low} to {high}; the model has 0 to {V - 1}$"
    ):
        model.loss(batch, model.zero_states(B))


def test_a_batch_that_does_not_fit_the_states_is_named() -> None:
    model = make_model()
    with pytest.raises(KernelError, match=rf"^state 0 has shape \({B + 1}, {H}\); it must be \({B}, {H}\)"):
        model.loss(make_batch(), model.zero_states(B + 1))


def test_a_large_vocabulary_has_the_loss_and_gradients_of_exact_arithmetic() -> None:
    """The loss over 1,000 words against numpy in double precision; the gradient of a logit is p - 1 or p."""
    model = SequenceModel(GRU, H, 1, Interface.same(Output.SYMBOLS, 1000))
    model.initialise(2.0, torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    inputs, targets = rng.integers(1000, size=(2, T, B))
    batch = Batch(inputs, targets, np.ones((T, B), np.float32), starts=True)
    loss, _, _ = model.loss(batch, model.zero_states(B))
    loss.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        outputs, _ = model.outputs(torch.tensor(inputs), model.zero_states(B))
        logits = model.logits(outputs.flatten(0, 1)).double().numpy()
    powers = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = powers / powers.sum(1, keepdims=True)
    picked = np.arange(T * B), targets.ravel()
    assert loss.item() == pytest.approx(-np.log(probabilities[picked]).sum() / B, rel=1e-5)
    probabilities[picked] -= 1.0
    assert model.readout_bias.grad is not None
    np.testing.assert_allclose(model.readout_bias.grad.numpy(), probabilities.sum(0) / B, rtol=1e-3, atol=1e-6)

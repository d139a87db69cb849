"""Gradient norms against exact Jacobians, and on cells whose norms are known."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import torch

from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.kernels.parameters import LayerParameters
from search.kernels.reference import run_reference
from search.training.gradients import Probe, gradient_norms, trained_gradient_norms
from search.training.model import SequenceModel
from tasks.generated import GeneratedTask, Sample
from tasks.interface import Interface
from tasks.registry import load_task
from tasks.task import Output


class Letters(GeneratedTask):
    """Letters drawn uniformly."""

    name = "letters"
    vocabulary = "abcdefghijklmnopqrstuvwxyz."

    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        while True:
            drawn: npt.NDArray[np.int64] = rng.integers(27, size=40)
            yield Sample("".join(self.vocabulary[k] for k in drawn), counts_from=0)


def test_a_cell_that_adds_up_forgets_nothing_and_one_that_only_sees_its_input_everything() -> None:
    probe = Probe(steps=5, run_in=2, units=16, sequences=400, symbols=4)
    adds = gradient_norms(parse_formula("h' = h + x"), probe)
    assert adds.hidden == pytest.approx([1.0] * 6, rel=0.05)
    assert adds.hidden == adds.states
    sees = gradient_norms(parse_formula("h' = tanh(x) + c\nc' = relu(x) - x"), probe)
    assert sees.hidden == (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert sees.states == pytest.approx([1.0, 1.0, 0.0, 0.0, 0.0, 0.0], rel=0.05)


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_the_norms_are_those_of_the_exact_jacobians(name: str) -> None:
    graph = LIBRARY[name].graph
    probe = Probe(steps=6, run_in=3, units=16, sequences=600, symbols=4, scale=2.0)
    found = gradient_norms(graph, probe)
    # One sequence after the other, by PyTorch's Jacobian of the reference.
    generator = torch.Generator().manual_seed(probe.seed)
    model = SequenceModel(graph, 16, 1, Interface.same(Output.SYMBOLS, 4))
    model.initialise(2.0, generator)
    weight, bias = model.weights[0].detach().double(), model.biases[0].detach().double()
    x = model.entry.detach().double()[torch.randint(4, (9, 600), generator=generator)][:, :40]
    for k in (1, 4, 6):
        before = tuple(torch.zeros(40, 16, dtype=torch.float64) for _ in range(graph.states))
        _, before = run_reference(graph, LayerParameters(weight, bias), x[: 9 - k], before)
        squares = torch.zeros(graph.states, dtype=torch.float64)
        for b in range(40):

            def last(*states: torch.Tensor, k: int = k, b: int = b) -> torch.Tensor:
                return run_reference(graph, LayerParameters(weight, bias), x[9 - k :, b : b + 1], states)[1][0]

            own = tuple(state[b : b + 1] for state in before)
            jacobians = torch.autograd.functional.jacobian(last, own)  # type: ignore[no-untyped-call]
            squares += torch.stack([jacobian.square().sum() for jacobian in jacobians]) / 16 / 40
        assert found.hidden[k] == pytest.approx(math.sqrt(squares[0]), rel=0.1)
        assert found.states[k] == pytest.approx(math.sqrt(squares.sum()), rel=0.1)


def test_the_lstm_keeps_more_in_all_its_states_than_in_its_output() -> None:
    norms = gradient_norms(LIBRARY["lstm"].graph, Probe(steps=20))
    assert all(both > alone for both, alone in zip(norms.states[1:], norms.hidden[1:], strict=True))
    tanh = gradient_norms(LIBRARY["tanh"].graph, Probe(steps=20))
    assert tanh.states == tanh.hidden
    assert tanh.hidden[20] < norms.states[20]


def test_a_gradient_that_overflows_is_no_number() -> None:
    norms = gradient_norms(parse_formula("h' = linear(linear(linear(h, 1000), 1000), 1000) + x"), Probe(sequences=4))
    assert norms.hidden[1] > 1e8
    assert math.isnan(norms.hidden[-1])


@pytest.mark.parametrize("layers", [1, 2])
def test_both_measurements_agree_on_an_untrained_model(layers: int) -> None:
    """The task's symbols are uniform, like those of the untrained layer; the layers below the last one run first."""
    graph, probe = LIBRARY["gru"].graph, Probe(steps=12, run_in=8, units=32, sequences=400, symbols=27)
    model = SequenceModel(graph, 32, layers, Interface.same(Output.SYMBOLS, 27))
    model.initialise(1.0, torch.Generator().manual_seed(3))
    found = trained_gradient_norms(model, Letters(), probe)
    assert len(found.hidden) == 13
    fresh = gradient_norms(graph, probe)
    if layers == 1:
        assert found.hidden == pytest.approx(fresh.hidden, rel=0.35)  # other weights of the same kind
    # The exact Jacobian of the last layer, for one sequence.
    batch = next(Letters().training(1, 20, np.random.default_rng(0)))
    x = model.entry.detach().double()[torch.tensor(batch.inputs)]
    zeros = (torch.zeros(1, 32, dtype=torch.float64),)
    parameters = [(w.detach().double(), b.detach().double()) for w, b in zip(model.weights, model.biases, strict=True)]
    for weight, bias in parameters[:-1]:
        x, _ = run_reference(graph, LayerParameters(weight, bias), x, zeros)
    weight, bias = parameters[-1]
    _, before = run_reference(graph, LayerParameters(weight, bias), x[:-5], zeros)
    jacobian = torch.autograd.functional.jacobian(  # type: ignore[no-untyped-call]
        lambda state: run_reference(graph, LayerParameters(weight, bias), x[-5:], (state,))[1][0], before[0]
    )
    exact = math.sqrt(jacobian.square().sum().item() / 32)
    assert found.hidden[5] == pytest.approx(exact, rel=0.25)  # the mean over 400 sequences, and one of them


def test_pieces_that_are_short_are_followed_as_far_as_they_go() -> None:
    task = load_task("memorization", length=3, validation=300, test=300)
    model = SequenceModel(LIBRARY["lstm"].graph, 16, 1, task.interface)
    model.initialise(1.0, torch.Generator().manual_seed(0))
    norms = trained_gradient_norms(model, task, Probe(sequences=8))
    assert len(norms.hidden) == len(norms.states) == len(next(task.training(8, 150, np.random.default_rng(0))).inputs)

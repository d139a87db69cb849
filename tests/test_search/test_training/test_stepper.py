"""The native training step against PyTorch's, with every layer run by the reference.

T steps, B sequences, H units, V symbols or notes.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import search.training.trial
from search.bench.steps import random_mutants
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.kernels.codegen.host import Host
from search.kernels.dropout import Masks
from search.kernels.errors import KernelError
from search.kernels.reference import run_reference
from search.kernels.runtime import compiled as compiled_module
from search.kernels.runtime import step as step_commands
from search.kernels.runtime.compiled import compile_cell
from search.kernels.runtime.native_model import NativeModel
from search.training.model import SequenceModel, States
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.stepper import EagerStepper, NativeStepper, stepper_for
from search.training.trial import train_trial
from tasks.interface import OUTPUTS, Interface
from tasks.task import Batch, Output
from tests.paths import ROOT
from tests.test_search.interfaces import assert_same_scores, draw_batch, pairs, with_ends
from tests.test_search.small import Chords, small_task
from tests.test_search.test_kernels.comparison import LAYERED, layered_descendants
from tests.test_search.test_kernels.hosts import HOSTS, require_host
from tests.test_search.test_kernels.vocabulary import GUARDED, VOCABULARY, fitting_units, vocabulary_mutants

GRU = LIBRARY["gru"].graph
MUTANTS = int(os.environ.get("GATESEARCH_TEST_MUTANTS", "4"))
ODD = [
    "h' = tanh(x) * h",
    "h' = x",
    "c' = tanh(linear(x) + linear(c)); h' = c",
    "c' = tanh(linear(x)); h' = c * linear(h)",
    "c' = tanh(linear(x) + linear(c)); h' = sigmoid(linear(c') + linear(tanh(x))) * c",
    "c' = h; h' = tanh(linear(c) + linear(h) + x)",
    "g = linear(h); h' = (linear(x) + g) * sigmoid(g)",
    "h' = linear(x)",
]


OUTPUTS_IN_FULL = [
    *(Output.SYMBOLS, Output.GAUSSIAN),
    *(pytest.param(output, marks=pytest.mark.exact) for output in (Output.MULTI_LABEL, Output.SQUARED_ERROR)),
]
"""Kinds of output; they differ in the readout alone, so two of them see what there is to see of layers."""


class Slow(SequenceModel):
    """The same model with its layers run by the reference."""

    def outputs(self, inputs: Tensor, states: States, masks: Masks | None = None) -> tuple[Tensor, States]:
        symbols = self.interface.reads_symbols
        values = functional.embedding(inputs, self.entry) if symbols else inputs @ self.entry + self.entry_bias
        after = []
        for parameters, before in zip(self.layer_parameters(), states, strict=True):
            values, final = run_reference(self.graph, parameters, values, before)
            after.append(tuple(state.detach().clone() for state in final))
        return values, tuple(after)


def pair(
    graph: GateGraph, units: int, layers: int, output_size: int, output: Output, scale: float = 1.0
) -> tuple[NativeStepper, EagerStepper]:
    """Return the native stepper, and PyTorch's of a slow model with the same weights, that predict what they read."""
    return pair_of(graph, units, layers, Interface.same(output, output_size), scale)


def pair_of(
    graph: GateGraph, units: int, layers: int, interface: Interface, scale: float = 1.0
) -> tuple[NativeStepper, EagerStepper]:
    """Return the native stepper, and PyTorch's of a slow model with the same weights."""
    models = [kind(graph, units, layers, interface) for kind in (SequenceModel, Slow)]
    for model in models:
        model.initialise(scale, torch.Generator().manual_seed(1))
        with torch.no_grad():
            model.log_scale.copy_(torch.linspace(-1.0, 1.0, len(model.log_scale)))
    require_host()
    native = stepper_for(models[0])
    assert isinstance(native, NativeStepper)
    return native, EagerStepper(models[1])


def draw(
    rng: np.random.Generator, steps: int, batch: int, output_size: int, output: Output, share: float = 0.7
) -> Batch:
    return draw_batch(rng, Interface.same(output, output_size), steps, batch, share)


def assert_near(found: Tensor, expected: Tensor, tolerance: float, what: str, least: float = 1e-3) -> None:
    """Assert equality relative to the largest entry, or to `least` if all entries are smaller."""
    assert found.shape == expected.shape, what
    if not expected.numel():  # states of sequences that have ended
        return
    error = (found - expected).abs().max().item() / max(least, expected.abs().max().item())
    assert error <= tolerance, (what, error)


def assert_same_training(native: NativeStepper, slow: EagerStepper, batches: list[Batch], what: str) -> bool:
    """Assert equal steps, gradients, weights, states and scores; return False if the cell's values diverge.

    After each step, when weights and states are equal within the tolerance, the slow model takes over those of the
    native one. Each step is then compared on its own. Some mutants multiply their states by ten at every step, and
    would otherwise amplify the rounding errors of the batch before.
    """
    for batch in batches:
        step, expected = (stepper.train(batch, 0.1, 1.0) for stepper in (native, slow))
        if expected.trouble is not None or expected.norm > 1e6:
            return False
        assert step.nats == pytest.approx(expected.nats, rel=1e-4, abs=1e-6), what
        assert step.norm == pytest.approx(expected.norm, rel=1e-4, abs=1e-6), what
        assert step.steps == expected.steps
        assert_near(native.model.flat_grad, slow.model.flat_grad, 1e-4, f"gradient of {what}")
        assert_near(native.model.flat, slow.model.flat, 1e-4, f"weights of {what}")
        slow.model.flat.copy_(native.model.flat)
        for carried, layer in zip(native.native.states(train=True), slow._training, strict=True):
            for found, expected_state in zip(carried, layer, strict=True):
                # The least is 1, the size of a state's terms: a state may be the difference of two of them.
                assert_near(found, expected_state, 1e-4, f"states of {what}", least=1.0)
                expected_state.copy_(found)
    score, expected_score = (stepper.evaluate(batches) for stepper in (native, slow))
    np.testing.assert_array_equal(score.steps, expected_score.steps)
    if not np.isfinite(expected_score.nats).all():
        return not np.isfinite(score.nats).all()
    np.testing.assert_allclose(score.nats, expected_score.nats, rtol=1e-4, atol=1e-6)
    # Rounding may break a tie either way.
    symbols = native.model.interface.output is Output.SYMBOLS
    assert np.abs(score.correct - expected_score.correct).sum() <= symbols
    np.testing.assert_array_equal(score.labels.target, expected_score.labels.target)
    np.testing.assert_allclose(score.squared, expected_score.squared, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(score.absolute, expected_score.absolute, rtol=1e-4, atol=1e-5)
    return True


@pytest.mark.parametrize("interface", pairs(6, 5) + pairs(37, 1)[-3:] + pairs(2, 19)[4:])
@pytest.mark.parametrize("name", ["lstm", "rhn-3", "sru-v1-tanh"])
def test_every_pair_of_input_and_output_trains_as_the_reference_does(name: str, interface: Interface) -> None:
    rng = np.random.default_rng(0)
    native, slow = pair_of(LIBRARY[name].graph, 13, 2, interface)
    batches = [draw_batch(rng, interface, steps, 4) for steps in (9, 3)]
    batches.append(replace(draw_batch(rng, interface, 5, 4), starts=False))
    batches.append(with_ends(rng, draw_batch(rng, interface, 6, 5)))
    assert assert_same_training(native, slow, batches, f"{name}, {interface}")


@pytest.mark.parametrize("output", OUTPUTS_IN_FULL)
def test_mutants_train_as_the_reference_does(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    graphs = [*map(parse_formula, ODD), *random_mutants(MUTANTS)]
    graphs += [
        *map(parse_formula, [*LAYERED.values(), *VOCABULARY.values()]),
        *layered_descendants(MUTANTS // 2),
        *vocabulary_mutants(MUTANTS // 2),
    ]
    held = 0
    for k, graph in enumerate(graphs):
        units, layers = int(rng.choice([1, 3, 7, 15, 16, 17, 31, 32, 33, 47, 50])), int(rng.choice([1, 1, 2, 4]))
        output_size, steps, batch = int(rng.choice([2, 7, 29, 300])), int(rng.integers(1, 7)), int(rng.integers(1, 8))
        first = draw(rng, steps, batch, output_size, output)
        second = replace(draw(rng, steps, batch, output_size, output), starts=False)
        if k % 4 > 1:
            second = with_ends(rng, second)
        native, slow = pair(graph, fitting_units(graph, units), layers, output_size, output)
        monkeypatch.setattr(step_commands, "CHUNK_FLOATS", (1, 1 << 18)[k // 2 % 2])  # two steps in a chunk, or all
        held += assert_same_training(native, slow, [first, second], f"{k}: {graph}")
    assert held >= 0.9 * len(graphs)


@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize(
    ("steps", "batch", "output_size"), [(1, 1, 7), (35, 20, 29), (9, 5, 88), (70, 30, 700), (3, 2, 17)]
)
def test_any_shape_trains_as_the_reference_does(steps: int, batch: int, output_size: int, output: Output) -> None:
    rng = np.random.default_rng(0)
    for share in (0.5, 1.0):
        batches = [draw(rng, steps, batch, output_size, output, share) for _ in range(2)]
        assert assert_same_training(*pair(GRU, 32, 1, output_size, output), batches, "gru")


@pytest.mark.parametrize("output", OUTPUTS_IN_FULL)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", ["tanh", "lstm", "gru", "mut1", "mut2", "mut3"])
def test_any_number_of_units_trains_as_the_reference_does(name: str, layers: int, output: Output) -> None:
    """Three batches, the last two with the states carried over; symbols by table and by step."""
    rng = np.random.default_rng(0)
    for units, output_size in zip((1, 2, 3, 7, 15, 17, 31, 33, 47, 50), itertools.cycle((5, 30)), strict=False):
        batches = [draw(rng, 4, 5, output_size, output) for _ in range(3)]
        batches[1:] = [replace(batch, starts=False) for batch in batches[1:]]
        steppers = pair(LIBRARY[name].graph, units, layers, output_size, output)
        assert assert_same_training(*steppers, batches, f"{name} of {units} units")


@pytest.mark.parametrize("layers", [1, 2])
def test_piano_rolls_train_by_note_as_the_reference_does(layers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three batches of rolls with fewer notes than units, the last two with the states carried over."""
    rng = np.random.default_rng(0)
    formulas = [*ODD, *LAYERED.values(), *(VOCABULARY[name] for name in GUARDED)]
    by_note = 0
    for k, graph in enumerate([LIBRARY["lstm"].graph, *map(parse_formula, formulas)]):
        monkeypatch.setattr(step_commands, "CHUNK_FLOATS", (1, 1 << 18)[k % 2])
        units = fitting_units(graph, (18, 32)[k % 2])
        batches = [replace(draw(rng, 5, 3, 7, Output.MULTI_LABEL), starts=n == 0) for n in range(3)]
        batches[2] = with_ends(rng, batches[2])
        native, slow = pair(graph, units, layers, 7, Output.MULTI_LABEL)
        assert assert_same_training(native, slow, batches, f"{graph}")
        by_note += native.native.buffers.code.by_note
    assert by_note > 12


UNTOUCHED = ("one", "ones", "inverse", "start", "zeros", "carry", "loss_mask", "inputs", "targets")
"""Memory that a step reads before it writes, or that holds the batch."""


@pytest.mark.parametrize("output", OUTPUTS_IN_FULL)
def test_what_is_in_the_padding_and_in_scratch_memory_changes_no_bit(output: Output) -> None:
    """NaN in the padding of states and of the row of zeros, and in all of the memory that a step writes itself."""
    rng = np.random.default_rng(0)
    graphs = [LIBRARY[name].graph for name in ("lstm", "gru", "mut1", "mut2", "mut3")]
    formulas = [*ODD, *list(LAYERED.values())[:3], *(VOCABULARY[name] for name in GUARDED)]
    # The second kind of output differs in the readout alone: it sees a third of the cells.
    for graph in [*graphs, *map(parse_formula, formulas), *random_mutants(3)][:: 1 if output is Output.SYMBOLS else 3]:
        for units, output_size in itertools.product((1, 15, 17, 50), (5, 30)):  # of one graph, which is compiled once
            fitting = fitting_units(graph, units)
            (clean, _), (poisoned, _) = (pair(graph, fitting, 2, output_size, output) for _ in range(2))
            batches = [replace(draw(rng, 4, 3, output_size, output), starts=k == 0) for k in range(3)]
            batches[2] = with_ends(rng, batches[2])
            what = f"{fitting} units, {output_size} outputs: {graph}"
            for batch in batches:
                for act in ("train", "score"):
                    arguments = (0.1, 1.0) if act == "train" else ()
                    expected = getattr(clean, act)(batch, *arguments)
                    poison(poisoned.native)
                    found_result = getattr(poisoned, act)(batch, *arguments)
                    for part, same_part in zip(found_result, expected, strict=True):
                        np.testing.assert_array_equal(part, same_part, what)
                for name in ("flat", "flat_grad"):
                    found, same = (getattr(stepper.model, name).view(torch.int32) for stepper in (poisoned, clean))
                    assert torch.equal(found, same), (what, name)


def poison(native: NativeModel) -> None:
    """Fill padding and scratch memory with NaN; nothing before the first step, which allocates it."""
    buffers, poisoned = native.buffers, 0
    for name, block in buffers.arena._blocks.items():
        if name.split()[0] in ("carry", "zeros"):
            rows = block[: block.numel() // buffers.padded_units * buffers.padded_units]
            rows.view(-1, buffers.padded_units)[:, buffers.units :] = float("nan")
        elif name.split()[0] not in UNTOUCHED:
            block.fill_(float("nan"))
            poisoned += 1
    assert poisoned >= 10 or not native._steps


def test_a_state_that_is_a_learned_vector_is_carried_as_it_was_before_the_step() -> None:
    """The next batch begins from the vector's values of then, not from those after the update."""
    graph = parse_formula("p = param(0.5); c' = p; h' = tanh(linear(x) + c * linear(h))")
    for stepper in pair(graph, 16, 1, 9, Output.SYMBOLS):
        before = stepper.model.vectors[0].detach().clone()
        stepper.train(draw(np.random.default_rng(0), 4, 3, 9, Output.SYMBOLS), 0.5, 1.0)
        assert not torch.equal(stepper.model.vectors[0], before)
        carried = (
            stepper.native.states(train=True)[0, 1] if isinstance(stepper, NativeStepper) else stepper._training[0][1]
        )
        assert torch.equal(carried, before.expand(3, 16))


def test_the_first_of_equal_logits_is_the_guess() -> None:
    for output_size in (5, 40):
        native, _ = pair(GRU, 16, 1, output_size, Output.SYMBOLS)
        native.model.flat.zero_()
        with torch.no_grad():
            native.model.readout_bias[2] = native.model.readout_bias[output_size - 1] = 1.0
        targets = np.arange(output_size)[:, None].repeat(3, 1)
        score = native.score(Batch(targets, targets, np.ones(targets.shape, np.float32), True))
        np.testing.assert_array_equal(score.predicted, 2)


def test_a_batch_without_a_step_in_the_loss_mask_changes_nothing() -> None:
    native, _ = pair(GRU, 16, 2, 11, Output.SYMBOLS)
    before = native.model.flat.clone()
    step = native.train(draw(np.random.default_rng(0), 4, 3, 11, Output.SYMBOLS, 0.0), 0.1, 1.0)
    assert (step.nats, step.norm, step.steps, step.trouble) == (0.0, 0.0, 0, None)
    assert torch.equal(native.model.flat, before)


@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize(("where", "number"), [("entry", float("nan")), ("readout", float("inf")), ("flat", 1e30)])
def test_a_loss_that_is_not_finite_changes_nothing(where: str, number: float, output: Output) -> None:
    native, slow = pair(parse_formula("h' = linear(x) + linear(h)"), 16, 1, 5, output)
    for stepper in (native, slow):
        getattr(stepper.model, where).data.fill_(number)
    before = native.model.flat.clone()
    batch = draw(np.random.default_rng(0), 4, 3, 5, output)
    step, expected = (stepper.train(batch, 0.1, 1.0) for stepper in (native, slow))
    assert step.trouble == expected.trouble == "loss"
    assert torch.equal(native.model.flat.nan_to_num(), before.nan_to_num())


def test_a_gradient_whose_square_is_beyond_single_precision_is_not_finite() -> None:
    native, slow = pair(parse_formula("h' = linear(x) + linear(h)"), 16, 1, 5, Output.SYMBOLS)
    for stepper in (native, slow):
        with torch.no_grad():
            stepper.model.flat.fill_(0.0)
            stepper.model.readout.uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
            stepper.model.weights[0].fill_(1e30)
    batch = draw(np.random.default_rng(0), 1, 3, 5, Output.SYMBOLS, 1.0)
    step, expected = (stepper.train(batch, 0.1, 1.0) for stepper in (native, slow))
    assert step.trouble == expected.trouble == "gradient"


def test_a_step_is_the_same_whatever_shapes_were_met_before() -> None:
    rng = np.random.default_rng(0)
    shapes = [(3, 2), (9, 4), (1, 1), (5, 7)]
    for output in Output:
        batches = [draw(rng, steps, batch, 9, output) for steps, batch in shapes]
        used, _ = pair(GRU, 16, 2, 9, output)
        for batch in [*batches, *batches]:
            fresh, _ = pair(GRU, 16, 2, 9, output)
            used.score(batches[1])
            fresh.model.flat.copy_(used.model.flat)
            assert used.train(batch, 0.1, 1.0) == fresh.train(batch, 0.1, 1.0)
            assert torch.equal(used.model.flat, fresh.model.flat)
            assert_same_scores(used.score(batch), fresh.score(batch))


def test_the_states_of_training_and_of_scores_are_apart() -> None:
    rng = np.random.default_rng(0)
    first, second = draw(rng, 4, 3, 9, Output.SYMBOLS), replace(draw(rng, 4, 3, 9, Output.SYMBOLS), starts=False)
    native, slow = pair(GRU, 16, 2, 9, Output.SYMBOLS, scale=3.0)
    for stepper in (native, slow):
        stepper.train(first, 0.0, 1.0)
        stepper.score(draw(np.random.default_rng(5), 4, 3, 9, Output.SYMBOLS))
    assert native.train(second, 0.0, 1.0).nats == pytest.approx(slow.train(second, 0.0, 1.0).nats, rel=1e-5)
    np.testing.assert_allclose(native.score(second).nats, slow.score(second).nats, rtol=1e-4)


@pytest.mark.parametrize("output", Output)
def test_evaluation_adds_up_the_steps_of_each_sequence(output: Output) -> None:
    """Two sequences in two windows each, then three in one, against a loop over the steps in the loss mask."""
    rng = np.random.default_rng(0)
    shapes = [(4, 2, True), (3, 2, False), (5, 3, True)]
    batches = [replace(draw(rng, steps, columns, 9, output), starts=starts) for steps, columns, starts in shapes]
    batches[0].loss_mask[:, 1] = batches[1].loss_mask[:, 1] = 0.0  # a sequence without a step
    for stepper in pair(GRU, 16, 1, 9, output):
        found = stepper.evaluate(iter(batches))
        steps, nats, correct, squared, absolute = np.zeros((5, 5))
        labels = []
        for first, batch in zip((0, 0, 2), batches, strict=True):
            score, row = stepper.score(batch), 0
            for t, b in np.ndindex(batch.loss_mask.shape):
                if batch.loss_mask[t, b]:
                    steps[first + b] += 1
                    nats[first + b] += score.nats[row]
                    if output is Output.SYMBOLS:
                        correct[first + b] += score.predicted[row] == batch.targets[t, b]
                        labels.append((first + b, batch.targets[t, b], score.predicted[row]))
                    if OUTPUTS[output].real:
                        squared[first + b] += score.squared[row]
                        absolute[first + b] += score.absolute[row]
                    row += 1
            assert row == len(score.nats)
        assert found.steps[1] == 0
        np.testing.assert_array_equal(found.steps, steps)
        np.testing.assert_allclose(found.nats, nats, rtol=1e-12)
        np.testing.assert_array_equal(found.correct, correct)
        np.testing.assert_allclose(found.squared, squared, rtol=1e-12)
        np.testing.assert_allclose(found.absolute, absolute, rtol=1e-12)
        kept = found.labels
        assert [*zip(kept.sequence, kept.target, kept.predicted, strict=True)] == labels
        assert len(stepper.evaluate(iter(())).steps) == 0


STEPPERS = [pytest.param(k, id=name) for k, name in enumerate(("native", "eager"))]


@pytest.mark.parametrize("backend", STEPPERS)
@pytest.mark.parametrize("name", ["inputs", "targets"])
@pytest.mark.parametrize("symbol", [-1, 9])
def test_a_symbol_out_of_range_is_named(name: str, symbol: int, backend: int) -> None:
    stepper = pair(GRU, 16, 1, 9, Output.SYMBOLS)[backend]
    batch = draw(np.random.default_rng(0), 4, 3, 9, Output.SYMBOLS, 1.0)
    getattr(batch, name)[2, 1] = symbol
    before = stepper.model.flat.clone()
    for act in (lambda: stepper.train(batch, 0.1, 1.0), lambda: stepper.score(batch)):
        with pytest.raises(KernelError, match=rf"^symbols of {name} range from .*{symbol}.*; the model has 0 to 8$"):
            act()
    assert torch.equal(stepper.model.flat, before)
    batch.loss_mask[2, 1] = 0.0
    if name == "targets":  # targets outside of the loss mask are ignored
        assert stepper.train(batch, 0.1, 1.0).steps == 11


@pytest.mark.parametrize("backend", STEPPERS)
@pytest.mark.parametrize("name", ["inputs", "targets"])
@pytest.mark.parametrize("kind", ["float64", "float32", "bool", "object", "complex64"])
def test_symbols_that_are_not_integers_are_refused(name: str, kind: str, backend: int) -> None:
    """A NaN among them once gave the results of the batch before."""
    stepper = pair(GRU, 16, 1, 9, Output.SYMBOLS)[backend]
    batch = draw(np.random.default_rng(0), 4, 3, 9, Output.SYMBOLS)
    stepper.score(batch)
    values = getattr(batch, name).astype(kind)
    if kind == "float64":
        values[0, 0] = np.nan
    for act in (stepper.score, lambda wrong: stepper.train(wrong, 0.1, 1.0)):
        with pytest.raises(KernelError, match=rf"^symbols of {name} have type {kind}; convert them to integers$"):
            act(replace(batch, **{name: values}))


@pytest.mark.parametrize("backend", STEPPERS)
@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize(("kind", "value"), [
    ("float32", 0.5), ("float32", np.nan), ("float32", -1.0), ("float64", 1.0 + 1e-12), ("float64", 1e-60),
    ("int64", 2),
])  # fmt: skip
def test_a_loss_mask_other_than_0_and_1_is_refused(kind: str, value: float, output: Output, backend: int) -> None:
    stepper = pair(GRU, 16, 1, 9, output)[backend]
    batch = draw(np.random.default_rng(0), 4, 3, 9, output)
    mask = batch.loss_mask.astype(kind)
    mask[1, 2] = value
    before = stepper.model.flat.clone()
    for act in (stepper.score, lambda wrong: stepper.train(wrong, 0.1, 1.0)):
        with pytest.raises(KernelError, match=r"^loss_mask has the value \S+; it must be 0 or 1 at every step$"):
            act(replace(batch, loss_mask=mask))
    assert torch.equal(stepper.model.flat, before)


@pytest.mark.parametrize("backend", STEPPERS)
def test_shapes_that_do_not_fit_are_named(backend: int) -> None:
    stepper = pair(GRU, 16, 1, 9, Output.SYMBOLS)[backend]
    batch = draw(np.random.default_rng(0), 4, 3, 9, Output.SYMBOLS)
    with pytest.raises(KernelError, match=r"^inputs have shape \(3, 3\) and loss_mask \(4, 3\)"):
        stepper.train(replace(batch, inputs=batch.inputs[1:]), 0.1, 1.0)
    with pytest.raises(KernelError, match=r"^inputs have shape \(4, 3\) and loss_mask \(\)"):
        stepper.score(replace(batch, loss_mask=np.array(1.0, np.float32)))
    with pytest.raises(KernelError, match="a batch of 3 sequences continues from states of 0"):
        stepper.score(replace(batch, starts=False))
    stepper.train(batch, 0.1, 1.0)
    wider = draw(np.random.default_rng(0), 4, 5, 9, Output.SYMBOLS)
    with pytest.raises(KernelError, match="a batch of 5 sequences continues from states of 3"):
        stepper.train(replace(wider, starts=False), 0.1, 1.0)


def test_batches_of_other_types_and_layouts_give_the_same() -> None:
    batch = draw(np.random.default_rng(0), 4, 3, 9, Output.SYMBOLS)
    other = Batch(
        np.asfortranarray(batch.inputs).astype(np.int32), batch.targets[::1].astype(np.uint8),
        np.asfortranarray(batch.loss_mask), True,
    )  # fmt: skip
    whole = replace(other, loss_mask=batch.loss_mask.astype(bool))
    (a, c), (b, d), (e, f) = (pair(GRU, 16, 1, 9, Output.SYMBOLS) for _ in range(3))
    assert a.train(batch, 0.1, 1.0) == b.train(other, 0.1, 1.0) == e.train(whole, 0.1, 1.0)
    assert c.train(batch, 0.1, 1.0) == d.train(other, 0.1, 1.0) == f.train(whole, 0.1, 1.0)


@pytest.mark.parametrize("host", HOSTS[1:] or HOSTS)
@pytest.mark.parametrize("output", Output)
def test_any_vector_width_trains_as_the_reference_does(
    host: Host, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_cell.cache_clear()
    monkeypatch.setattr(compiled_module, "host", lambda: host)
    rng = np.random.default_rng(0)
    try:
        for steps, batch, output_size in ((4, 3, 9), (6, 20, 50), (1, 1, 88)):
            batches = [draw(rng, steps, batch, output_size, output) for _ in range(2)]
            for units in (16, 13):
                assert assert_same_training(*pair(GRU, units, 2, output_size, output), batches, "gru")
    finally:
        compile_cell.cache_clear()


@pytest.mark.slow
def test_every_process_trains_to_the_same_bits_on_any_number_of_threads() -> None:
    program = """
import sys, hashlib, numpy as np, torch
from search.cells.library import LIBRARY
from search.training.model import SequenceModel
from search.training.stepper import stepper_for
from search.kernels.parameters import LayerParameters
from tasks.xml import Xml
torch.set_num_threads(int(sys.argv[1]))
task = Xml(validation=300, test=300)
model = SequenceModel(LIBRARY["lstm"].graph, 96, 2, task.interface)
model.initialise(1.0, torch.Generator().manual_seed(0))
stepper, stream = stepper_for(model), task.training(20, 35, np.random.default_rng(0))
for _ in range(5):
    step = stepper.train(next(stream), 0.5, 1.0)
print(step.nats.hex(), hashlib.sha256(model.flat.numpy().tobytes()).hexdigest())
"""
    runs = [
        subprocess.run(
            [sys.executable, "-c", program, threads],
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for threads in ("1", "2")
    ]
    assert len(runs[0]) > 65
    assert runs[0] == runs[1]


def test_a_model_without_machine_code_is_trained_by_the_eager_backend() -> None:
    no_layer, double = (SequenceModel(GRU, *size, Interface.same(Output.SYMBOLS, 9)) for size in ((16, 0), (16, 1)))
    double.flat = double.flat.double()
    for model in (no_layer, double):
        stepper = stepper_for(model)
        assert isinstance(stepper, EagerStepper)
        assert stepper.backend == "eager"
    for units in (1, 16, 19):
        assert stepper_for(SequenceModel(GRU, units, 1, Interface.same(Output.SYMBOLS, 9))).backend == "native"


@pytest.mark.parametrize("name", ["lstm", "gru", "gru-after", "mut1", "mut2", "mut3"])
def test_a_step_takes_no_more_memory_than_torchs_lstm(name: str) -> None:
    """Compare all memory of a native step with the tensors that autograd saves for torch.nn.LSTM and its readout."""
    native, _ = pair(LIBRARY[name].graph, 64, 1, 40, Output.SYMBOLS)
    native.train(draw(np.random.default_rng(0), 50, 20, 40, Output.SYMBOLS), 0.1, 1.0)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    x = torch.randn(50, 20, 64, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs, _ = nn.LSTM(64, 64)(x)
        functional.cross_entropy(nn.Linear(64, 40)(outputs).flatten(0, 1), torch.zeros(1000, dtype=torch.long))
    assert 0 < native.native.buffers.arena.bytes_held() <= sum(kept.values())


@pytest.mark.parametrize(("task", "cell"), [("xml", "gru"), ("memorization", "lstm"), ("chords", "mut1")])
def test_a_whole_trial_is_the_same_by_either_backend(task: str, cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = LIBRARY[cell].graph
    data = Chords() if task == "chords" else small_task(task)
    setting = Setting(scale=1.0, learning_rate=0.2, max_norm=1.0, layers=2, parameter_budget=6_000)
    budget = Budget(batch=8, unroll=10, epoch_steps=20, epochs=3, halvings=1, chance_epochs=100)
    native = train_trial(graph, data, setting, budget, 3)
    monkeypatch.setattr(search.training.trial, "stepper_for", EagerStepper)
    slow = train_trial(graph, data, setting, budget, 3)
    assert native.state is slow.state
    assert len(native.curve) == len(slow.curve) == 3
    for point, expected in zip(native.curve, slow.curve, strict=True):
        assert point.loss == pytest.approx(expected.loss, rel=1e-3)
        assert point.validation == pytest.approx(expected.validation, rel=0.02, abs=0.005)

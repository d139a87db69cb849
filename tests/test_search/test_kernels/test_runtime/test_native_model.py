"""A whole model in machine code: its results against exact formulas, its states, its errors and its memory.

Training by the native and the eager backend is compared in `test_training/test_stepper.py`.
"""

from __future__ import annotations

import copy
import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
import torch

from search.cells.library import LIBRARY
from search.kernels.errors import KernelError
from search.kernels.runtime import native_model as native_module
from search.kernels.runtime.native_model import NativeModel
from search.training.model import SequenceModel
from search.training.stepper import NativeStepper, stepper_for
from tasks.interface import Interface
from tasks.task import Output
from tests.test_search.interfaces import assert_same_scores
from tests.test_search.test_kernels.hosts import require_host

Integers: TypeAlias = npt.NDArray[np.int64]

T, B, H, V = 5, 3, 16, 9


def made(output: Output = Output.SYMBOLS, layers: int = 2, *, zero: bool = False) -> tuple[SequenceModel, NativeModel]:
    require_host()
    model = SequenceModel(LIBRARY["gru"].graph, H, layers, Interface.same(output, V))
    model.initialise(1.0, torch.Generator().manual_seed(0))
    if zero:
        model.flat.zero_()
    stepper = stepper_for(model)
    assert isinstance(stepper, NativeStepper)
    return model, stepper.native


def symbols(steps: int = T, batch: int = B) -> tuple[Integers, Integers, npt.NDArray[np.float32]]:
    """Return inputs, targets and a loss mask that has every step."""
    inputs, targets = np.random.default_rng(0).integers(V, size=(2, steps, batch))
    return inputs, targets, np.ones((steps, batch), np.float32)


def test_a_model_of_zeros_has_the_uniform_loss() -> None:
    inputs, targets, mask = symbols()
    mask[0] = 0.0
    _, native = made(zero=True)
    score = native.score(inputs, targets, mask, True)
    assert score.nats.shape == score.predicted.shape == ((T - 1) * B,)
    np.testing.assert_allclose(score.nats, math.log(V), rtol=1e-6)
    assert not score.predicted.any()  # the first of equal logits is the prediction
    _, rolls = made(Output.MULTI_LABEL, zero=True)
    piano = np.zeros((T, B, V), np.float32)
    score = rolls.score(piano, piano, mask, True)
    assert score.nats.shape == ((T - 1) * B,)
    np.testing.assert_allclose(score.nats, V * math.log(2), rtol=1e-6)
    assert not score.predicted.size


def test_training_returns_the_norm_of_the_gradient_that_moved_the_parameters() -> None:
    model, native = made()
    before = model.flat.clone()
    nats, norm, steps = native.train(*symbols(), True, 0.5, 0.01)
    assert nats == pytest.approx(T * B * math.log(V), rel=0.1)
    assert steps == T * B
    assert norm == pytest.approx(model.flat_grad.double().norm().item(), rel=1e-6)
    assert norm > 0.01
    torch.testing.assert_close(model.flat, before - 0.5 * 0.01 / norm * model.flat_grad)


def test_states_are_kept_for_training_and_scores_apart() -> None:
    _, native = made()
    native.train(*symbols(), True, 0.0, 1.0)
    trained = native.states(train=True).clone()
    assert trained.shape == (2, 1, B, H)
    assert trained.abs().max() > 0
    native.score(*symbols(7, 2), True)
    assert native.states(train=False).shape == (2, 1, 2, H)
    assert torch.equal(native.states(train=True), trained)
    native.train(*symbols(), True, 0.0, 1.0)
    assert torch.equal(native.states(train=True), trained)  # from zeros again
    native.train(*symbols(), False, 0.0, 1.0)
    assert not torch.equal(native.states(train=True), trained)


def test_shapes_that_do_not_fit_are_named() -> None:
    _, native = made()
    inputs, targets, mask = symbols()
    with pytest.raises(
        KernelError,
        match=r"^inputs have shape \(4, 3\) and loss_mask \(5, 3\); they must be \(steps, batch\) and \(steps, batch\)",
    ):
        native.score(inputs[1:], targets, mask, True)
    with pytest.raises(KernelError, match="none of them 0"):
        native.score(inputs[:0], targets[:0], mask[:0], True)
    _, rolls = made(Output.MULTI_LABEL)
    with pytest.raises(KernelError, match=rf"they must be \(steps, batch, {V}\) and \(steps, batch\), none of them 0$"):
        rolls.score(inputs, targets, mask, True)


def test_a_batch_that_continues_from_other_states_is_named() -> None:
    _, native = made()
    with pytest.raises(KernelError, match=r"^a batch of 3 sequences continues from states of 0; use as many sequences"):
        native.train(*symbols(), False, 0.1, 1.0)


def test_sequences_that_end_early_train_and_score_as_padded_ones_do() -> None:
    """The same model on the same batch with and without lengths; only the order of sums differs."""
    inputs, targets, mask = symbols()
    lengths = np.array([T, 3, 1])
    mask *= np.arange(T)[:, None] < lengths
    (model, ending), (padded_model, padded) = made(), made()
    found, expected = (
        ending.train(inputs, targets, mask, True, 0.5, 1.0, lengths),
        padded.train(inputs, targets, mask, True, 0.5, 1.0),
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    torch.testing.assert_close(model.flat, padded_model.flat, rtol=1e-5, atol=1e-6)
    scores = ending.score(inputs, targets, mask, True, lengths), padded.score(inputs, targets, mask, True)
    np.testing.assert_allclose(scores[0].nats, scores[1].nats, rtol=1e-5)


def test_a_batch_whose_sequences_ended_leaves_no_states() -> None:
    _, native = made()
    batch, lengths = symbols(), np.full(B, T)
    native.train(*batch, True, 0.1, 1.0, lengths)
    assert native.states(train=True).shape == (2, 1, 0, H)
    with pytest.raises(KernelError, match=r"^a batch of 3 sequences continues from states of 0; .* or set starts$"):
        native.train(*batch, False, 0.1, 1.0)
    native.train(*batch, True, 0.1, 1.0)
    native.train(*batch, False, 0.1, 1.0)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([T, T], r"^lengths are int64 \(2,\); they must be integers \(3,\)$"),
        ([5.0, 5.0, 5.0], r"^lengths are float64 \(3,\); they must be integers"),
        ([4, 4, 4], r"^lengths are \[4, 4, 4\]; they must fall from 5, the steps of the batch, to 0$"),
        ([5, 3, 4], "they must fall from 5"),
        ([5, 5, -1], "they must fall from 5"),
        ([5, 5, 4], "^loss_mask is not 0 behind the end of a sequence$"),
    ],
)
def test_lengths_that_do_not_fit_are_named(lengths: list[float], message: str) -> None:
    _, native = made()
    with pytest.raises(KernelError, match=message):
        native.train(*symbols(), True, 0.1, 1.0, np.array(lengths))


@pytest.mark.parametrize("symbol", [-1, V])
@pytest.mark.parametrize("which", [0, 1])
def test_a_symbol_out_of_range_is_named_and_changes_nothing(which: int, symbol: int) -> None:
    model, native = made()
    before = model.flat.clone()
    batch = symbols()
    wrong = batch[:2][which]
    wrong[2, 1] = symbol
    low, high = wrong.min(), wrong.max()
    name = ("inputs", "targets")[which]
    with pytest.raises(
        KernelError, match=rf"^symbols of {name} range from {low} to {high}; the model has 0 to {V - 1}$"
    ):
        native.train(*batch, True, 0.1, 1.0)
    assert torch.equal(model.flat, before)


def test_a_score_belongs_to_the_caller() -> None:
    _, native = made()
    first = native.score(*symbols(), True)
    kept = copy.deepcopy(first)
    inputs, targets, mask = symbols()
    native.score(inputs, (targets + 1) % V, mask, True)
    assert_same_scores(first, kept)


def test_memory_grows_to_the_largest_batch_and_no_further() -> None:
    _, native = made()
    arena = native.buffers.arena
    native.train(*symbols(30, 7), True, 0.1, 1.0)
    held = arena.bytes_held()
    native.train(*symbols(30, 7), True, 0.1, 1.0)
    assert arena.bytes_held() == held
    native.train(*symbols(20, 7), True, 0.1, 1.0)
    assert arena.bytes_held() == held
    native.train(*symbols(60, 7), True, 0.1, 1.0)
    assert held < arena.bytes_held() <= 2 * held


def test_a_limited_number_of_shapes_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_module, "MOST_SHAPES", 3)
    _, native = made()
    native.score(*symbols(20), True)
    expected = [native.score(*symbols(steps), True) for steps in range(1, 11)]
    assert len(native._steps) <= 3
    for steps, score in enumerate(expected, 1):
        assert_same_scores(native.score(*symbols(steps), True), score)

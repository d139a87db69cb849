"""Training steps and scores of a model, run by the fastest backend that can run it.

The native backend runs a step as one call of machine code (`search.kernels.runtime.native_model`). The eager backend
uses PyTorch's autograd: it is slower, the native one is tested against it, and it runs models without machine code.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from search.kernels.batches import (
    RowScores,
    batch_sizes,
    check_carried,
    check_ended,
    check_states,
    check_types,
    check_values,
    sides,
)
from search.kernels.dropout import Dropout, Masks
from search.kernels.optimisers import OptimiserName, Updates
from search.kernels.runtime.buffers import Parameters
from search.kernels.runtime.native_model import NativeModel, native_model
from search.training.model import SequenceModel, States
from search.training.settings import Setting
from tasks.interface import OUTPUTS
from tasks.metrics import Labels, Score
from tasks.task import Batch

Carried: TypeAlias = npt.NDArray[np.float32]
"""States that training carries from batch to batch: (layers, states, B, H). B is 0 if the sequences have ended."""


class Backend(StrEnum):
    """Implementation of a training step."""

    NATIVE = "native"  # one call of machine code
    EAGER = "eager"  # PyTorch, operation by operation


class StepResult(NamedTuple):
    """Loss and gradient of a training step, before the step changed the weights.

    `nats` is the loss summed over the `steps` steps in the loss mask. `norm` is the norm of the gradient of the loss
    averaged over the batch.
    """

    nats: float
    norm: float
    steps: int

    @property
    def trouble(self) -> str | None:
        """Name of the value that is not finite, "loss" or "gradient"; such a step changes no weight."""
        return "loss" if not math.isfinite(self.nats) else "gradient" if not math.isfinite(self.norm) else None


class Stepper(ABC):
    """Trains and scores a model, and carries its states from batch to batch.

    Training and evaluation have separate states. `updates` is the optimiser with its state. `dropout` is what training
    leaves out, a function of the number of steps that changed the weights.
    """

    backend: Backend

    def __init__(self, model: SequenceModel, updates: Updates | None = None, dropout: Dropout | None = None) -> None:
        self.model = model
        self.updates, self.dropout = updates or updates_of(model), dropout

    @abstractmethod
    def train(self, batch: Batch, rate: float, max_norm: float) -> StepResult:
        """Train on a batch by one step of the optimiser with gradient clipping by norm.

        The loss is averaged over the batch and summed over time. If the loss or the gradient's norm is not finite,
        neither a weight nor the optimiser's state changes.

        Raises:
            KernelError: A shape, a type, a symbol or a value of the loss mask does not fit the model, or the batch
                continues from states of another number of sequences.
        """

    @abstractmethod
    def carried(self) -> Carried:
        """Return a copy of the states after the last training batch, of which there must have been one."""

    @abstractmethod
    def carry(self, states: Carried) -> None:
        """Continue training from states that `carried` returned, as if their batch had been trained on here.

        Raises:
            KernelError: The states are not those of the model's layers and units.
        """

    @abstractmethod
    def score(self, batch: Batch) -> RowScores:
        """Return the score of each step in the loss mask of a batch.

        Raises:
            KernelError: As for `train`.
        """

    def evaluate(self, batches: Iterable[Batch]) -> Score:
        """Return the scores of batches, summed by sequence.

        A batch that starts from zero states begins new sequences, one for each column. Another one continues those of
        the batch before.

        Raises:
            KernelError: As for `train`.
        """
        totals: list[npt.NDArray[np.float64]] = []  # (5, B) for each run of batches
        labels: list[npt.NDArray[np.int64]] = []  # (3, N) for each batch
        begun = 0  # sequences of the runs before
        for batch in batches:
            found, columns = self.score(batch), batch.loss_mask.shape[1]
            index = np.flatnonzero(batch.loss_mask)
            column = index % columns
            correct = None
            if found.predicted.size:
                target = batch.targets.reshape(-1)[index].astype(np.int64)
                correct = found.predicted == target
            parts = (found.nats, correct, found.squared, found.absolute)
            added = [_by_column(column, np.ones(len(index)), columns)]
            added += [_by_column(column, part, columns) for part in parts]
            if batch.starts or not totals:
                begun += totals[-1].shape[1] if totals else 0
                totals.append(np.array(added, np.float64))
            else:
                totals[-1] += added
            if correct is not None:
                labels.append(np.array([column + begun, target, found.predicted]))
        if not totals:
            return Score.empty()
        return Score(*np.concatenate(totals, 1), *((Labels(*np.concatenate(labels, 1)),) if labels else ()))


def _by_column(column: npt.NDArray[np.int64], values: npt.NDArray[Any] | None, columns: int) -> npt.NDArray[np.float64]:
    """Return the sums (B,) of the values of each column; zeros if there are none."""
    if values is None or not values.size:
        return np.zeros(columns)
    return np.asarray(np.bincount(column, values, columns), np.float64)


class NativeStepper(Stepper):
    """Stepper of the native backend."""

    backend = Backend.NATIVE

    def __init__(self, model: SequenceModel, native: NativeModel) -> None:
        super().__init__(model, native.buffers.updates, native.buffers.dropout)
        self.native = native

    def train(self, batch: Batch, rate: float, max_norm: float) -> StepResult:
        """Train on a batch by one call of machine code."""
        result = self.native.train(
            batch.inputs, batch.targets, batch.loss_mask, batch.starts, rate, max_norm, batch.lengths
        )
        return StepResult(*result)

    def carried(self) -> Carried:
        """Return a copy of the states after the last training batch."""
        return self.native.states(train=True).numpy().copy()

    def carry(self, states: Carried) -> None:
        """Continue training from these states."""
        self.native.carry(torch.from_numpy(states), train=True)

    def score(self, batch: Batch) -> RowScores:
        """Return the score of each step in the loss mask, by one call of machine code."""
        return self.native.score(batch.inputs, batch.targets, batch.loss_mask, batch.starts, batch.lengths)


class EagerStepper(Stepper):
    """Stepper of the eager backend: PyTorch's loss and backward, and an update of the model's flat buffer."""

    backend = Backend.EAGER

    def __init__(self, model: SequenceModel, updates: Updates | None = None, dropout: Dropout | None = None) -> None:
        super().__init__(model, updates, dropout)
        self._training: States = ()
        self._scoring: States = ()

    def train(self, batch: Batch, rate: float, max_norm: float) -> StepResult:
        """Train on a batch by autograd."""
        model = self.model
        before = self._before(batch, self._training)
        masks = None if self.dropout is None else Masks(self.dropout, self.updates.steps, len(model.weights))
        loss, steps, self._training = model.loss(batch, before, masks)
        model.flat_grad.zero_()
        torch.autograd.backward(loss)
        nats = loss.item() * batch.loss_mask.shape[1]
        if batch.lengths is not None:
            self._training = model.zero_states(0)
        result = StepResult(nats, torch.linalg.vector_norm(model.flat_grad).item(), steps)
        if result.trouble is None:
            factor = min(1.0, max_norm / result.norm) if result.norm > 0 else 1.0
            self.updates.apply(model.flat, model.flat_grad, factor, rate)
        return result

    def carried(self) -> Carried:
        """Return a copy of the states after the last training batch."""
        return torch.stack([torch.stack(layer) for layer in self._training]).numpy()

    def carry(self, states: Carried) -> None:
        """Continue training from these states."""
        layers, count, units = len(self.model.weights), self.model.graph.states, self.model.units
        check_states(states.shape, (layers, count, units))
        self._training = tuple(tuple(torch.tensor(state) for state in layer) for layer in states)

    def score(self, batch: Batch) -> RowScores:
        """Return the score of each step in the loss mask, by PyTorch's operations."""
        score, after = self.model.score(batch, self._before(batch, self._scoring))
        self._scoring = after if batch.lengths is None else self.model.zero_states(0)
        return score

    def _before(self, batch: Batch, carried: States) -> States:
        """Return the states before a batch, after checking the batch: zeros, or those after the previous batch."""
        both = self.model.interface
        expected = sides(both.reads_symbols, both.input_size, OUTPUTS[both.output].symbols, both.output_size)
        given = batch.inputs, batch.targets, batch.loss_mask, expected
        check_types(*given)
        check_values(*given)
        columns = batch.loss_mask.shape[1]
        if batch.lengths is not None:
            check_ended(batch_sizes(batch.lengths, *batch.loss_mask.shape), batch.loss_mask)
        if batch.starts:
            return self.model.zero_states(columns)
        check_carried(columns, next((len(state) for layer in carried for state in layer), 0))
        return carried


def updates_of(model: SequenceModel, name: OptimiserName = OptimiserName.SGD, decay: float = 0.0) -> Updates:
    """Return an optimiser of a model before its first step; `decay` is its weight decay."""
    return Updates(name, model.flat, decay, model.decayed())


def dropout_of(setting: Setting, seed: int) -> Dropout | None:
    """Return the dropout of a trial, or None if it has none."""
    return Dropout(setting.dropout, setting.variational, seed) if setting.dropout else None


def stepper_for(model: SequenceModel, updates: Updates | None = None, dropout: Dropout | None = None) -> Stepper:
    """Return the fastest stepper of a model, with SGD if no `updates` are given.

    A class derived from `SequenceModel` gets the eager backend, since it may compute something else. The native backend
    works on the model's own buffers, which must not be replaced afterwards.
    """

    def parameters(flat: Tensor, of: Callable[[Tensor], Tensor]) -> Parameters:
        layers = tuple(layer.map(of) for layer in model.layer_parameters())
        ends = (of(p) for p in (model.readout, model.readout_bias, model.log_scale))
        return Parameters(flat, of(model.entry), of(model.entry_bias), layers, *ends)

    updates = updates or updates_of(model)
    if type(model) is not SequenceModel:
        return EagerStepper(model, updates, dropout)
    values = parameters(model.flat, lambda p: p.data)
    gradients = parameters(model.flat_grad, _gradient)
    if model.tied:  # a gradient each, which a training step adds
        gradients = replace(gradients, entry=torch.zeros_like(model.entry))
    interface = model.interface
    native = native_model(model.graph, values, gradients, interface.reads_symbols, interface.output, updates, dropout)
    return EagerStepper(model, updates, dropout) if native is None else NativeStepper(model, native)


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad

"""Training steps and scores of a model, by the fastest path that serves it.

The native path makes one call of machine code a step (`search.kernels.runtime.network`). The other one is PyTorch's:
slow, obvious, and what the native path is tested against; it runs where there is no machine code for the model.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from search.kernels.recurrence import backend_for
from search.kernels.runtime.buffers import Parameters
from search.kernels.runtime.network import Network, network
from search.training.model import Score, SequenceModel, States
from tasks.task import Batch, Output


class Step(NamedTuple):
    """Figures of a training step before it changed the weights.

    `nats`: the loss, summed over the `steps` of the loss mask. `norm`: that of the gradient of the loss averaged over
    the batch.
    """

    nats: float
    norm: float
    steps: int

    @property
    def trouble(self) -> str | None:
        """What is not finite, "loss" or "gradient"; such a step changes no weight."""
        return "loss" if not math.isfinite(self.nats) else "gradient" if not math.isfinite(self.norm) else None


class Stepper(ABC):
    """A model with the states between its batches: those of training and those of evaluation are apart."""

    backend: str
    """ "native": a step is one call; "llvm": PyTorch around a cell in machine code; "eager": PyTorch alone."""

    def __init__(self, model: SequenceModel) -> None:
        self.model = model

    @abstractmethod
    def train(self, batch: Batch, rate: float, max_norm: float) -> Step:
        """One step of SGD: the loss averaged over the batch and summed over time, its gradient clipped by norm."""

    @abstractmethod
    def score(self, batch: Batch) -> Score:
        """Loss and metric on a batch."""

    def evaluate(self, batches: Iterable[Batch]) -> Score:
        """The sums over all batches, with the states carried over as the batches ask for."""
        total = Score(0, 0.0, 0.0, 0.0)
        for batch in batches:
            total += self.score(batch)
        return total


class NativeStepper(Stepper):
    """One call of machine code a step."""

    backend = "native"

    def __init__(self, model: SequenceModel, code: Network) -> None:
        super().__init__(model)
        self._network = code

    def train(self, batch: Batch, rate: float, max_norm: float) -> Step:
        return Step(*self._network.train(batch.inputs, batch.targets, batch.loss_mask, batch.starts, rate, max_norm))

    def score(self, batch: Batch) -> Score:
        *sums, steps = self._network.score(batch.inputs, batch.targets, batch.loss_mask, batch.starts)
        return Score(steps, *sums)


class AutogradStepper(Stepper):
    """PyTorch's loss, backward and update."""

    def __init__(self, model: SequenceModel) -> None:
        super().__init__(model)
        self.backend = backend_for(model.graph, model.flat.view(1, 1, -1))
        self._training: States = ()
        self._scoring: States = ()

    def train(self, batch: Batch, rate: float, max_norm: float) -> Step:
        model, columns = self.model, batch.inputs.shape[1]
        before = model.zero_states(columns) if batch.starts else self._training
        loss, counted, self._training = model.loss(batch, before)
        model.flat_grad.zero_()
        torch.autograd.backward(loss)
        found = Step(loss.item() * columns, torch.linalg.vector_norm(model.flat_grad).item(), counted)
        if found.trouble is None:
            factor = min(1.0, max_norm / found.norm) if found.norm > 0 else 1.0
            model.flat.add_(model.flat_grad, alpha=-rate * factor)
        return found

    def score(self, batch: Batch) -> Score:
        before = self.model.zero_states(batch.inputs.shape[1]) if batch.starts else self._scoring
        found, self._scoring = self.model.score(batch, before)
        return found


def stepper_for(model: SequenceModel) -> Stepper:
    """The fastest stepper of a model; PyTorch's for one of a class derived from `SequenceModel`, since it may compute
    otherwise. It speaks of the model's own buffers, which must stay where they are.
    """

    def parameters(flat: Tensor, of: Callable[[Tensor], Tensor]) -> Parameters:
        weights, biases = (tuple(of(p) for p in layers) for layers in (model.weights, model.biases))
        return Parameters(
            flat, of(model.entry), of(model.entry_bias), weights, biases, of(model.readout), of(model.readout_bias)
        )

    if type(model) is not SequenceModel:
        return AutogradStepper(model)
    values = parameters(model.flat, lambda p: p.data)
    gradients = parameters(model.flat_grad, _gradient)
    code = network(model.graph, values, gradients, model.output is Output.MULTI_LABEL)
    return AutogradStepper(model) if code is None else NativeStepper(model, code)


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad

"""Gradient norms through time: how strongly the output depends on a state k steps earlier.

Two norms are measured: that of the Jacobian d h_t / d h_(t-k), with the other states of step t-k held constant, and
that of d h_t / d s_(t-k), where s is all states of that step together. The second one includes the LSTM's c, through
which it remembers (Hochreiter and Schmidhuber 1997; Pascanu et al. 2013). Both are Frobenius norms divided by the
square root of the number of units, so that they are 1 at k = 0 for every cell. T steps, B sequences, H units.
"""

import math
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.kernels.eager import run_eager
from search.training.model import SequenceModel
from tasks.interface import Interface, Output
from tasks.task import Task


@dataclass(frozen=True)
class Probe:
    """Parameters of the measurement: after `run_in` steps, over `steps` steps of `sequences` sequences.

    `units`, `symbols` and `scale` are those of an untrained layer on random symbols; a trained model has its own units
    and data.
    """

    steps: int = 100
    run_in: int = 50
    sequences: int = 64
    seed: int = 0
    units: int = 64
    symbols: int = 32
    scale: float = 1.0


@dataclass(frozen=True)
class GradientNorms:
    """Norms for k = 0 ... steps: `hidden` of d h_t / d h_(t-k), `states` of d h_t / d s_(t-k); NaN if not finite."""

    hidden: tuple[float, ...]
    states: tuple[float, ...]


def gradient_norms(graph: GateGraph, probe: Probe | None = None) -> GradientNorms:
    """Return the norms for one layer of a cell at initialisation, as root mean squares over sequences."""
    probe = probe or Probe()
    generator = torch.Generator().manual_seed(probe.seed)
    model = SequenceModel(graph, probe.units, 1, Interface.same(Output.SYMBOLS, probe.symbols))
    model.initialise(probe.scale, generator)
    shape = (probe.run_in + probe.steps, probe.sequences)
    symbols = torch.randint(probe.symbols, shape, generator=generator)
    return _norms(model, model.entry.detach().double()[symbols], probe, generator)


def trained_gradient_norms(model: SequenceModel, task: Task, probe: Probe | None = None) -> GradientNorms:
    """Return the norms for the last layer of a trained model, on training data of the task.

    The layers below it run with their trained weights. If the task's pieces are shorter than run-in and steps together,
    the largest k is given by the longest of the first windows of the data. The probe's units, symbols and scale are
    ignored.
    """
    probe = probe or Probe()
    stream = task.training(probe.sequences, probe.run_in + probe.steps, np.random.default_rng(probe.seed))
    inputs = torch.tensor(max(islice(stream, _WINDOWS), key=lambda batch: len(batch.inputs)).inputs)
    x = model.enter(inputs).detach().double()
    return _norms(model, x, probe, torch.Generator().manual_seed(probe.seed))


_WINDOWS = 50
"""Number of windows of training data to choose the longest from."""


def _norms(model: SequenceModel, x: Tensor, probe: Probe, generator: torch.Generator) -> GradientNorms:
    """Return the norms for the model's last layer; x (T, B, H) is the input of its first layer.

    One backward pass gives v^T J for all k at once, with a random v for each sequence. E |v^T J|^2 is the squared
    Frobenius norm for v ~ N(0, I) (Hutchinson 1990), so the result has a relative error of a few per cent.
    """
    layers = [layer.map(lambda tensor: tensor.detach().double()) for layer in model.layer_parameters()]
    sequences, units = x.shape[1:]
    direction = torch.randn(sequences, units, generator=generator, dtype=torch.float64)
    zeros = tuple(torch.zeros(sequences, units, dtype=torch.float64) for _ in range(model.graph.states))
    steps = min(probe.steps, len(x) - 1)
    run_in = len(x) - steps
    with torch.no_grad():
        for layer in layers[:-1]:
            x, _ = run_eager(model.graph, layer, x, zeros)
        _, states = run_eager(model.graph, layers[-1], x[:run_in], zeros)
    read: list[tuple[Tensor, ...]] = []  # before each step
    for t in range(run_in, len(x)):
        # Copies: h may be computed from the same step's c, and the derivative by c must hold h constant.
        states = tuple(state.clone().requires_grad_() for state in states)
        read.append(states)
        _, states = run_eager(model.graph, layers[-1], x[t : t + 1], states)
    flat = [state for before in reversed(read) for state in before]
    # The second term is 0; without it, autograd rejects an output that depends on no state.
    end = (states[0] * direction).sum() + 0.0 * read[0][0].sum()
    found = torch.autograd.grad(end, flat, allow_unused=True, materialize_grads=True)
    squares = torch.stack([gradient.square().sum(1).mean() / units for gradient in found])
    by_step = squares.reshape(steps, len(states))
    return GradientNorms(_roots(by_step[:, 0]), _roots(by_step.sum(1)))


def _roots(squares: Tensor) -> tuple[float, ...]:
    values = [1.0, *squares.sqrt().tolist()]
    return tuple(value if math.isfinite(value) else math.nan for value in values)

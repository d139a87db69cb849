"""Where gradients go: how much of a state is left in the output k steps later, which shows who forgets.

The measure is the norm of the Jacobian d h_t / d h_(t-k), the other states of step t-k held still, and of
d h_t / d s_(t-k) with s all states of that step together: the LSTM keeps in c what its h alone does not show
(Hochreiter and Schmidhuber 1997; Pascanu et al. 2013). Both are Frobenius norms over the square root of the units, so
that they are 1 at k = 0 for every cell. T steps, B sequences, H units.
"""

import math
from dataclasses import dataclass

import torch

from search.cells.graph import GateGraph
from search.kernels.recurrence import run_layer
from search.model import SequenceModel
from tasks.task import Output


@dataclass(frozen=True)
class Probe:
    """How it is measured: on a fresh layer, on random symbols, after a run-in; the same for every cell."""

    steps: int = 100
    run_in: int = 50
    units: int = 64
    sequences: int = 64
    symbols: int = 32
    scale: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Reach:
    """Norms for k = 0 ... steps; `hidden` of d h_t / d h_(t-k), `states` of d h_t / d s_(t-k). NaN where not finite."""

    hidden: tuple[float, ...]
    states: tuple[float, ...]


def gradient_reach(graph: GateGraph, probe: Probe | None = None) -> Reach:
    """The norms for one layer of a cell at initialisation, root mean squares over sequences.

    One backward pass gives v^T J for all k at once, with a random v for each sequence: E |v^T J|^2 is the squared
    Frobenius norm for v ~ N(0, I) (Hutchinson 1990), so the result has a relative error of some per cent.
    """
    probe = probe or Probe()
    generator = torch.Generator().manual_seed(probe.seed)
    model = SequenceModel(graph, probe.units, 1, probe.symbols, Output.SYMBOLS)
    model.initialise(probe.scale, generator)
    weight, bias = (p[0].detach().double() for p in (model.weights, model.biases))
    shape = (probe.run_in + probe.steps, probe.sequences)
    symbols = torch.randint(probe.symbols, shape, generator=generator)
    x = model.entry.detach().double()[symbols]  # (T, B, H)
    direction = torch.randn(probe.sequences, probe.units, generator=generator, dtype=torch.float64)
    states = tuple(state.double() for state in model.zero_states(probe.sequences)[0])
    with torch.no_grad():
        _, states = run_layer(model.graph, weight, bias, x[: probe.run_in], states)
    read: list[tuple[torch.Tensor, ...]] = []  # before each step
    for t in range(probe.run_in, len(x)):
        # Copies: h may be computed from the same step's c, and the derivative by c is to hold h still.
        states = tuple(state.clone().requires_grad_() for state in states)
        read.append(states)
        _, states = run_layer(model.graph, weight, bias, x[t : t + 1], states)
    flat = [state for before in reversed(read) for state in before]
    # The second term is 0: without it, an output that no state reaches would have no gradient to ask for.
    end = (states[0] * direction).sum() + 0.0 * read[0][0].sum()
    found = torch.autograd.grad(end, flat, allow_unused=True, materialize_grads=True)
    squares = torch.stack([gradient.square().sum(1).mean() / probe.units for gradient in found])
    by_step = squares.reshape(probe.steps, len(states))
    return Reach(_roots(by_step[:, 0]), _roots(by_step.sum(1)))


def _roots(squares: torch.Tensor) -> tuple[float, ...]:
    values = [1.0, *squares.sqrt().tolist()]
    return tuple(value if math.isfinite(value) else math.nan for value in values)

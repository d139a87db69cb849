"""Optimisers: how a training step changes the parameters, given their clipped gradient.

`OPTIMISERS` is the registry. An entry has the optimiser's properties and its eager form, which is also the reference;
`search.kernels.codegen.update` has its machine code. The numbers of a step that do not depend on the parameters, such
as Adam's corrections of bias, are computed in double precision, and both forms read the same ones.

The loss is averaged over the batch and summed over time. Twice as long a window doubles the gradient, and with it the
step of SGD. The step of Adam does not depend on the gradient's scale: each parameter moves by about the learning rate.

P parameters, M moments. g is the clipped gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # profiles need the names of optimisers, and no PyTorch
    from torch import Tensor

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""Decay rates of Adam's two moments, and the number that keeps its denominator above zero: PyTorch's defaults."""


class OptimiserName(StrEnum):
    """Name of an optimiser in profiles, settings and stores."""

    SGD = "sgd"
    ADAM = "adam"
    ADAMW = "adamw"


Numbers: TypeAlias = tuple[float, ...]
"""Numbers of a step: their meaning is that of the optimiser."""

NumbersOf: TypeAlias = Callable[[float, int, float], Numbers]
"""Returns the numbers of a step, given the learning rate, the step counted from 1, and the weight decay."""

Update: TypeAlias = "Callable[[Tensor, Tensor, float, Tensor, Sequence[slice], Numbers], None]"
"""Changes parameters (P,), given the gradient (P,), its clipping factor, the moments (M, P), which it changes too, the
parts of the parameters that weight decay applies to, and the numbers of the step."""


@dataclass(frozen=True)
class Optimiser:
    """Update rule of the parameters.

    Attributes:
        moments: M, the number of running averages that it keeps for each parameter; they start at zero.
        numbers: the numbers of a step.
        update: a step in PyTorch.
        adaptive: whether steps do not depend on the gradient's scale; such optimisers share the grid's learning rates.
        decays: whether it has weight decay.
    """

    moments: int
    numbers: NumbersOf
    update: Update
    adaptive: bool = False
    decays: bool = False


def _sgd(
    values: Tensor, gradient: Tensor, factor: float, moments: Tensor, decayed: Sequence[slice], numbers: Numbers
) -> None:
    (rate,) = numbers
    values.add_(gradient, alpha=-rate * factor)


def _adam_numbers(rate: float, step: int, decay: float) -> Numbers:
    """Return the step size, the factor of the second moment's root, and that of decaying parameters.

    The first two contain the corrections of bias (Kingma and Ba 2015, algorithm 1).
    """
    return rate / (1.0 - BETA1**step), 1.0 / math.sqrt(1.0 - BETA2**step), 1.0 - rate * decay


def _adam(
    values: Tensor, gradient: Tensor, factor: float, moments: Tensor, decayed: Sequence[slice], numbers: Numbers
) -> None:
    size, scale, kept = numbers
    first, second = moments
    clipped = gradient * factor
    first.add_(clipped - first, alpha=1.0 - BETA1)
    second.mul_(BETA2).addcmul_(clipped, clipped, value=1.0 - BETA2)
    if kept != 1.0:
        for part in decayed:
            values[part].mul_(kept)
    values.addcdiv_(first, second.sqrt().mul_(scale).add_(EPSILON), value=-size)


OPTIMISERS: dict[OptimiserName, Optimiser] = {
    OptimiserName.SGD: Optimiser(0, lambda rate, step, decay: (rate,), _sgd),
    OptimiserName.ADAM: Optimiser(2, _adam_numbers, _adam, adaptive=True),  # Kingma and Ba 2015, algorithm 1
    OptimiserName.ADAMW: Optimiser(
        2, _adam_numbers, _adam, adaptive=True, decays=True
    ),  # Loshchilov and Hutter 2019, algorithm 2
}
"""All optimisers."""


class Updates:
    """Updates of one model's parameters: the optimiser, and the state that it keeps from step to step.

    Attributes:
        name: the optimiser.
        decay: its weight decay; 0 if it has none.
        decayed: parts of the parameters that weight decay applies to, in order.
        moments: running averages (M, P).
        steps: number of steps that changed the parameters.
    """

    def __init__(
        self, name: OptimiserName, parameters: Tensor, decay: float = 0.0, decayed: Sequence[slice] = ()
    ) -> None:
        self.name, self.decay, self.decayed = name, decay, tuple(decayed)
        self.moments = parameters.new_zeros((OPTIMISERS[name].moments, parameters.numel()))
        self.steps = 0

    def numbers(self, rate: float) -> Numbers:
        """Return the numbers of the next step with a learning rate."""
        return OPTIMISERS[self.name].numbers(rate, self.steps + 1, self.decay)

    def apply(self, values: Tensor, gradient: Tensor, factor: float, rate: float) -> None:
        """Take a step in PyTorch: change the parameters (P,), given the gradient (P,) and its clipping factor."""
        OPTIMISERS[self.name].update(values, gradient, factor, self.moments, self.decayed, self.numbers(rate))
        self.steps += 1

    def parts(self) -> npt.NDArray[np.int64]:
        """Return all parts of the parameters (count, 3): start, stop, and 1 if weight decay applies, else 0."""
        ends = [0, *(end for part in self.decayed for end in (part.start, part.stop)), self.moments.shape[1]]
        found = [(start, stop, k % 2) for k, (start, stop) in enumerate(pairwise(ends)) if start < stop]
        return np.array(found, np.int64).reshape(-1, 3)

    def restore(self, moments: npt.NDArray[np.float32], steps: int) -> None:
        """Continue from the moments and the number of steps of another model's updates."""
        self.moments.copy_(self.moments.new_tensor(moments))
        self.steps = steps

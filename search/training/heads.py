"""Losses and scores of each kind of output, by PyTorch: the reference of the machine code's.

N steps in the loss mask, V output size.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from search.kernels.batches import NO_VALUES, RowScores
from search.kernels.codegen import loss as kernels
from tasks.interface import Output

Losses = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Loss of each step (N,), from the readout's outputs (N, V), the targets, and the logarithms of the scales (V,)."""


@dataclass(frozen=True)
class Head:
    """Kind of output of a model.

    Attributes:
        losses: returns the loss of each step.
        scores: returns the parts of `RowScores` besides the losses, from outputs and targets.
    """

    losses: Losses
    scores: Callable[[Tensor, Tensor], RowScores]


def _gaussian(outputs: Tensor, targets: Tensor, log_scale: Tensor) -> Tensor:
    z = (outputs - targets) * (-log_scale).exp()
    return (0.5 * z * z + log_scale + 0.5 * math.log(2.0 * math.pi)).sum(1)


def _multi_label(outputs: Tensor, targets: Tensor, log_scale: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none").sum(1)


_NONE = RowScores(NO_VALUES)


def _errors(outputs: Tensor, targets: Tensor) -> RowScores:
    errors = outputs - targets
    return _NONE._replace(squared=errors.square().mean(1).numpy(), absolute=errors.abs().mean(1).numpy())


HEADS: Mapping[Output, Head] = {
    Output.SYMBOLS: Head(
        lambda outputs, targets, _: functional.cross_entropy(outputs, targets, reduction="none"),
        lambda outputs, targets: _NONE._replace(predicted=outputs.argmax(1).numpy()),
    ),
    Output.MULTI_LABEL: Head(_multi_label, lambda outputs, targets: _NONE),
    Output.GAUSSIAN: Head(_gaussian, _errors),
    Output.SQUARED_ERROR: Head(lambda outputs, targets, _: 0.5 * (outputs - targets).square().sum(1), _errors),
}
"""Every kind of output."""


def is_scaled(output: Output) -> bool:
    """Return whether a model has a learned scale for each output."""
    return kernels.HEADS[output].scaled

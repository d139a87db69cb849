"""From the last layer's outputs to the loss: with a large vocabulary, most of a training step.

Three matrix products are the floor. To stay near it, nothing is kept twice: there is no one-hot matrix, the gradient of
the logits is written where the probabilities were, and the memory of both is taken from a pool, since fresh pages of a
matrix of that size cost more than the product that fills them.

N counted steps, H units, V symbols.
"""

from typing import Any

import torch
from torch import Tensor


class Pool:
    """Memory of matrices that are needed for one training step, to be used again in the next.

    A matrix belongs to whoever took it until it is given back; what is never given back is ordinary memory.
    """

    def __init__(self, most: int = 4) -> None:
        self._free: list[Tensor] = []
        self._most = most

    def take(self, rows: int, columns: int) -> Tensor:
        """A matrix (rows, columns) of float32 with anything in it."""
        size = rows * columns
        for place, memory in enumerate(self._free):
            if size <= memory.numel():
                return self._free.pop(place)[:size].view(rows, columns)
        return torch.empty(size).view(rows, columns)

    def give(self, matrix: Tensor) -> None:
        """Give a matrix back; nothing may use it any more."""
        memory = matrix.view(-1)
        whole = memory.as_strided((memory.untyped_storage().nbytes() // 4,), (1,))
        self._free = sorted([*self._free, whole], key=Tensor.numel)[-self._most :]


_POOL = Pool()


class _Nats(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, outputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        logits = torch.addmm(bias, outputs, weight.T, out=_POOL.take(len(outputs), len(weight)))
        probabilities = torch.softmax(logits, 1, out=_POOL.take(*logits.shape))
        targets = targets.unsqueeze(1)
        # ln sum exp without another exponential: a logit minus the log of its probability, taken at the largest of each
        # row, whose probability is at least 1 / V, so that nothing underflows.
        total = logits.amax(1) - probabilities.amax(1).log_()
        nats = (total - logits.gather(1, targets).squeeze(1)).sum()
        _POOL.give(logits)
        ctx.error = probabilities.scatter_add_(1, targets, bias.new_full((1, 1), -1.0).expand_as(targets))
        ctx.save_for_backward(outputs, weight)
        return nats

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        outputs, weight = ctx.saved_tensors
        (scale,) = gradients
        # The scale is one number: it is cheaper on the products than on the errors.
        found = (ctx.error @ weight).mul_(scale), (ctx.error.T @ outputs).mul_(scale), ctx.error.sum(0).mul_(scale)
        _POOL.give(ctx.error)
        del ctx.error
        return (*found, None)


def softmax_nats(outputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """The negative log likelihood of symbols, in nats, summed: a scalar.

    The same as `cross_entropy(linear(outputs, weight, bias), targets, reduction="sum")` of torch.nn.functional, for
    `outputs` (N, H), `weight` (V, H) and `bias` (V,), all float32 on the CPU, and `targets` (N,) int64. Differentiable
    in the first three, by one backward pass each call.
    """
    nats: Tensor = _Nats.apply(outputs, weight, bias, targets)  # type: ignore[no-untyped-call]
    return nats

"""Batches that a step accepts, and what a score returns for them.

T steps, B sequences, V symbols or notes, N steps in the loss mask.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from search.kernels.errors import KernelError


class RowScores(NamedTuple):
    """Score of each step in the loss mask, in the order of t * B + b: arrays (N,).

    `nats` is the negative log-likelihood of the target. `correct` is 1 if the largest logit, the first one of equal
    logits, is the target's, and 0 if not; for piano rolls it is 0.
    """

    nats: npt.NDArray[np.float32]
    correct: npt.NDArray[np.float32]


def check_types(
    inputs: npt.NDArray[Any], targets: npt.NDArray[Any], loss_mask: npt.NDArray[Any], size: int, multi_label: bool
) -> None:
    """Check the shapes and the types of a batch, not its values.

    Args:
        inputs: (T, B) symbols, or (T, B, V) piano rolls.
        targets: As `inputs`.
        loss_mask: (T, B), 1 where a step has a part in loss and metric, else 0.
        size: V.
        multi_label: Whether inputs and targets are piano rolls.

    Raises:
        KernelError: A shape does not fit, or symbols are not integers.
    """
    shape = loss_mask.shape
    expected = (*shape, size) if multi_label else shape
    if inputs.shape != expected or targets.shape != expected or len(shape) != 2 or 0 in shape:
        raise KernelError(
            f"inputs have shape {inputs.shape}, targets {targets.shape} and loss_mask {shape}; they must be "
            f"(steps, batch), none of them 0, and for piano rolls the first two (steps, batch, {size})"
        )
    for name, values in (("inputs", inputs), ("targets", targets)):
        if not multi_label and values.dtype.kind not in "iu":
            raise KernelError(f"symbols of {name} have type {values.dtype}; convert them to integers")


def check_values(
    inputs: npt.NDArray[Any], targets: npt.NDArray[Any], loss_mask: npt.NDArray[Any], size: int, multi_label: bool
) -> None:
    """Check the values of a batch whose types were checked; arguments are those of `check_types`.

    All input symbols count, and target symbols in the loss mask.

    Raises:
        KernelError: The loss mask has a value other than 0 and 1, or a symbol is not one of the model's.
    """
    check_mask(loss_mask)
    if not multi_label:
        check_symbols("inputs", inputs, size)
        check_symbols("targets", targets[loss_mask == 1], size)


def check_mask(loss_mask: npt.NDArray[Any]) -> None:
    """Check that a loss mask is 0 or 1 at every step.

    Raises:
        KernelError: It is not.
    """
    wrong = loss_mask[(loss_mask != 0) & (loss_mask != 1)]
    if wrong.size:
        raise KernelError(f"loss_mask has the value {wrong[0]}; it must be 0 or 1 at every step")


def check_symbols(name: str, symbols: npt.NDArray[Any], size: int) -> None:
    """Check that symbols are from 0 to `size` - 1.

    Raises:
        KernelError: A symbol is not.
    """
    if symbols.size and ((low := symbols.min()) < 0) | ((high := symbols.max()) >= size):
        raise KernelError(f"symbols of {name} range from {low} to {high}; the model has 0 to {size - 1}")


def check_carried(batch: int, held: int) -> None:
    """Check that a batch of `batch` sequences continues from the states of as many, `held`.

    Raises:
        KernelError: The numbers differ.
    """
    if held != batch:
        raise KernelError(
            f"a batch of {batch} sequences continues from states of {held}; use as many sequences, or set starts"
        )


def check_states(shape: tuple[int, ...], expected: tuple[int, int, int]) -> None:
    """Check the shape of the states that a model is to continue from.

    Args:
        shape: Shape of the states, (layers, states, B, H) for any B from 1 on.
        expected: Number of layers, of states of the cell, and of units H of the model.

    Raises:
        KernelError: The shape is another one.
    """
    layers, states, units = expected
    if len(shape) != 4 or (*shape[:2], shape[3]) != expected or shape[2] < 1:
        raise KernelError(f"the states have shape {shape}; the model's have ({layers}, {states}, sequences, {units})")

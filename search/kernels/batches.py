"""Batches that a step accepts, and what a score returns for them.

T steps, B sequences, D input size, V output size, N steps in the loss mask.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from search.kernels.errors import KernelError

NO_SYMBOLS = np.empty(0, np.int64)
NO_VALUES = np.empty(0, np.float32)


class RowScores(NamedTuple):
    """Score of each step in the loss mask, in the order of t * B + b.

    `nats` (N,) is the loss: the negative log-likelihood of the target, or half the squared error for that kind of
    output. Of symbols, `predicted` (N,) is the one with the largest logit, the first one of equal logits. Of real
    values, `squared` and `absolute` (N,) are the errors, means over the V values of a step. What the kind of output
    does not have is empty.
    """

    nats: npt.NDArray[np.float32]
    predicted: npt.NDArray[np.int64] = NO_SYMBOLS
    squared: npt.NDArray[np.float32] = NO_VALUES
    absolute: npt.NDArray[np.float32] = NO_VALUES


class Side(NamedTuple):
    """Inputs or targets of a model: symbols from 0 to `size` - 1, or `size` numbers for each step."""

    name: str
    symbols: bool
    size: int

    def check_type(self, values: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
        """Check the shape and the type of an array, not its values; `shape` is that of the loss mask.

        Raises:
            KernelError: The shape does not fit, or symbols are not integers.
        """
        expected = shape if self.symbols else (*shape, self.size)
        if values.shape != expected or len(shape) != 2 or 0 in shape:
            what = "(steps, batch)" if self.symbols else f"(steps, batch, {self.size})"
            raise KernelError(
                f"{self.name} have shape {values.shape} and loss_mask {shape}; they must be {what} and (steps, batch), "
                "none of them 0"
            )
        if self.symbols and values.dtype.kind not in "iu":
            raise KernelError(f"symbols of {self.name} have type {values.dtype}; convert them to integers")


def sides(read_symbols: bool, input_size: int, predict_symbols: bool, output_size: int) -> tuple[Side, Side]:
    """Return kinds and sizes of the inputs and targets of a model."""
    return Side("inputs", read_symbols, input_size), Side("targets", predict_symbols, output_size)


def check_types(
    inputs: npt.NDArray[Any], targets: npt.NDArray[Any], loss_mask: npt.NDArray[Any], both: tuple[Side, Side]
) -> None:
    """Check the shapes and the types of a batch, not its values.

    Args:
        inputs: (T, B) symbols, or (T, B, D) values.
        targets: (T, B) symbols, or (T, B, V) notes or values.
        loss_mask: (T, B), 1 where a step has a part in loss and metric, else 0.
        both: Kinds and sizes of inputs and targets.

    Raises:
        KernelError: A shape does not fit, or symbols are not integers.
    """
    for side, values in zip(both, (inputs, targets), strict=True):
        side.check_type(values, loss_mask.shape)


def check_values(
    inputs: npt.NDArray[Any], targets: npt.NDArray[Any], loss_mask: npt.NDArray[Any], both: tuple[Side, Side]
) -> None:
    """Check the values of a batch whose types were checked; arguments are those of `check_types`.

    All input symbols count, and target symbols in the loss mask.

    Raises:
        KernelError: The loss mask has a value other than 0 and 1, or a symbol is not one of the model's.
    """
    check_mask(loss_mask)
    read, predicted = both
    if read.symbols:
        check_symbols(read.name, inputs, read.size)
    if predicted.symbols:
        check_symbols(predicted.name, targets[loss_mask == 1], predicted.size)


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


def batch_sizes(lengths: npt.NDArray[Any], steps: int, batch: int) -> npt.NDArray[np.int64]:
    """Return how many sequences of a batch have a step t, for each t (T,).

    Args:
        lengths: (B,) steps of each sequence, the longest (T) first.
        steps: Number of steps, T.
        batch: Number of sequences, B.

    Raises:
        KernelError: The lengths are not B integers from T down to 0.
    """
    if lengths.shape != (batch,) or lengths.dtype.kind not in "iu":
        raise KernelError(f"lengths are {lengths.dtype} {lengths.shape}; they must be integers ({batch},)")
    if lengths[0] != steps or lengths[-1] < 0 or (lengths[:-1] < lengths[1:]).any():
        raise KernelError(f"lengths are {lengths.tolist()}; they must fall from {steps}, the steps of the batch, to 0")
    return np.asarray(batch - np.searchsorted(lengths[::-1], np.arange(steps), "right"), np.int64)


def check_ended(sizes: npt.NDArray[np.int64], loss_mask: npt.NDArray[Any]) -> None:
    """Check that a loss mask (T, B) is 0 behind the end of each sequence; `sizes` (T,) are those of `batch_sizes`.

    Raises:
        KernelError: It is not.
    """
    if loss_mask[np.arange(loss_mask.shape[1]) >= sizes[:, None]].any():
        raise KernelError("loss_mask is not 0 behind the end of a sequence")


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
        shape: Shape of the states, (layers, states, B, H) for any B; 0 if the sequences have ended.
        expected: Number of layers, of states of the cell, and of units H of the model.

    Raises:
        KernelError: The shape is another one.
    """
    layers, states, units = expected
    if len(shape) != 4 or (*shape[:2], shape[3]) != expected:
        raise KernelError(f"the states have shape {shape}; the model's have ({layers}, {states}, sequences, {units})")

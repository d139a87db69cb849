"""Batches and splits: what a task yields, and for which part of the data.

Dimension letters: T time steps, B columns of a batch (independent sequences), D input size, W output size.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt


class Split(StrEnum):
    """Part of the data: training updates weights, validation selects, test is reported."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, eq=False)
class Batch:
    """Window of B sequences: the input of each step, and the target that follows it.

    With `lengths`, machine code computes nothing behind the end of a sequence, and the next batch starts new ones.
    """

    inputs: npt.NDArray[Any]  # SYMBOLS: (T, B) integers 0 to D - 1; VALUES: (T, B, D) float32
    targets: npt.NDArray[Any]  # SYMBOLS: (T, B) integers 0 to W - 1; others: (T, B, W) float32, of notes 0 and 1
    loss_mask: npt.NDArray[np.float32]  # (T, B) of 0 and 1: weight of the step in loss and metric
    starts: bool  # whether the hidden state is zero before this batch; else it is carried over from the previous one
    lengths: npt.NDArray[np.int64] | None = None  # (B,) steps of each sequence, the longest (T) first; else all have T


def lengths_breach(lengths: object, loss_mask: npt.NDArray[np.float32]) -> str | None:
    """Return what is wrong with the lengths of a batch: the value, the rule and the remedy; None if nothing is.

    Args:
        lengths: what is given as `Batch.lengths`, but None.
        loss_mask: (T, B).
    """
    steps, columns = loss_mask.shape
    if not isinstance(lengths, np.ndarray) or lengths.dtype.kind not in "iu":
        kind = f"dtype {lengths.dtype}" if isinstance(lengths, np.ndarray) else f"type {type(lengths).__name__}"
        return f"lengths has the {kind}; it must be a NumPy array of integers, so use np.array(lengths, np.int64)"
    if lengths.shape != (columns,):
        return f"lengths has the shape {lengths.shape}; it must be ({columns},), the steps of each column"
    if lengths[0] != steps:
        return f"lengths begins with {lengths[0]}; the longest sequence comes first, and has all {steps} steps"
    rises = np.flatnonzero(lengths[1:] > lengths[:-1])  # unsigned integers have no negative difference
    if rises.size:
        column = int(rises[0]) + 1
        return (
            f"lengths has {lengths[column]} at column {column} after {lengths[column - 1]}; order the columns by "
            "length, the longest first"
        )
    if lengths[-1] < 0:
        return f"lengths has {lengths[-1]}; a sequence has 0 steps or more"
    late = np.argwhere((np.arange(steps)[:, None] >= lengths) & (loss_mask != 0))
    if late.size:
        step, column = late[0].tolist()
        return (
            f"loss_mask is {loss_mask[step, column]:g} at step {step} of column {column}, of which lengths has "
            f"{lengths[column]}; it must be 0 behind the end of a sequence"
        )
    return None

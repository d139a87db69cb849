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
    """Window of B sequences: the input of each step, and the target that follows it."""

    inputs: npt.NDArray[Any]  # SYMBOLS: (T, B) integers 0 to D - 1; VALUES: (T, B, D) float32
    targets: npt.NDArray[Any]  # SYMBOLS: (T, B) integers 0 to W - 1; others: (T, B, W) float32, of notes 0 and 1
    loss_mask: npt.NDArray[np.float32]  # (T, B) of 0 and 1: weight of the step in loss and metric
    starts: bool  # whether the hidden state is zero before this batch; else it is carried over from the previous one

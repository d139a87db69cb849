"""Contiguous symbols, cut into columns and read in windows.

Dimension letters: T steps of a window, B columns, L symbols of a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.task import Batch

_CHUNK = 32  # windows transposed at once

Integers = npt.NDArray[np.integer[Any]]


def columns(symbols: Integers, batch: int) -> tuple[Integers, npt.NDArray[np.float32]]:
    """Cut N symbols into B columns of equal length, each beginning with the last symbol of the previous one.

    Every symbol but the first is then a target in exactly one column. The last columns are padded with symbols outside
    the loss mask.

    Returns:
        The symbols (B, L) and the loss mask (B, L), as `windows` takes them.
    """
    steps = -(-(len(symbols) - 1) // batch)
    padded = np.zeros(batch * steps + 1, symbols.dtype)
    padded[: len(symbols)] = symbols
    places = np.arange(batch)[:, None] * steps + np.arange(steps + 1)
    return padded[places], (places < len(symbols)).astype(np.float32)


def windows(symbols: Integers, loss_mask: npt.NDArray[np.float32], steps: int, starts: bool = True) -> Iterator[Batch]:
    """Yield windows of at most `steps` steps over columns of symbols; the target of a step is the next symbol.

    Args:
        symbols: (B, L).
        loss_mask: (B, L) of 0 and 1, the weight of each symbol as a target; that of the first is not used.
        steps: length of a window; the last one may be shorter.
        starts: whether the hidden state is zero before the first window; it is carried over between windows.
    """
    last = symbols.shape[1] - 1
    for first in range(0, last, steps * _CHUNK):
        # Transposing many windows at once and slicing the result is faster than transposing each.
        end = min(first + steps * _CHUNK, last)
        inputs = symbols[:, first:end].T.astype(np.int64, order="C")
        targets = symbols[:, first + 1 : end + 1].T.astype(np.int64, order="C")
        mask = loss_mask[:, first + 1 : end + 1].T.astype(np.float32, order="C")
        for begin in range(0, end - first, steps):
            part = slice(begin, begin + steps)
            yield Batch(inputs[part], targets[part], mask[part], starts and first + begin == 0)

"""Contiguous symbols, cut into columns and walked in windows.

Dimension letters: T steps of a window, B columns, L symbols of a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.task import Batch

_CHUNK = 32  # windows

Integers = npt.NDArray[np.integer[Any]]


def columns(symbols: Integers, batch: int) -> tuple[Integers, npt.NDArray[np.float32]]:
    """Cut N symbols into B columns of equal length; each begins with the symbol the one before ends with.

    So the prediction of every symbol but the first is in one column. The last columns are filled up with symbols
    whose prediction does not count.

    Returns:
        symbols (B, L) and loss_mask (B, L), as `windows` takes them.
    """
    steps = -(-(len(symbols) - 1) // batch)
    padded = np.zeros(batch * steps + 1, symbols.dtype)
    padded[: len(symbols)] = symbols
    places = np.arange(batch)[:, None] * steps + np.arange(steps + 1)
    return padded[places], (places < len(symbols)).astype(np.float32)


def windows(symbols: Integers, loss_mask: npt.NDArray[np.float32], steps: int, starts: bool = True) -> Iterator[Batch]:
    """Walk columns of symbols in windows of at most `steps` steps; each predicts the symbol that follows.

    Args:
        symbols: (B, L).
        loss_mask: (B, L) of 0 and 1, whether the prediction OF that symbol counts; the first one has none.
        steps: length of a window; the last one may be shorter.
        starts: whether the state is zero before the first window; it is carried over between them.
    """
    last = symbols.shape[1] - 1
    for first in range(0, last, steps * _CHUNK):
        # Many windows are turned at once, and each is a part of what came out: turning one by one costs more.
        end = min(first + steps * _CHUNK, last)
        inputs = symbols[:, first:end].T.astype(np.int64, order="C")
        targets = symbols[:, first + 1 : end + 1].T.astype(np.int64, order="C")
        counts = loss_mask[:, first + 1 : end + 1].T.astype(np.float32, order="C")
        for begin in range(0, end - first, steps):
            part = slice(begin, begin + steps)
            yield Batch(inputs[part], targets[part], counts[part], starts and first + begin == 0)

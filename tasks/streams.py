"""Contiguous symbols, cut into columns and walked in windows.

Dimension letters: T steps of a window, B columns, L symbols of a column.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tasks.task import Batch


def windows(
    symbols: npt.NDArray[np.int64], counted: npt.NDArray[np.float32], steps: int, starts: bool = True
) -> Iterator[Batch]:
    """Walk columns of symbols in windows of at most `steps` steps; each predicts the symbol that follows.

    Args:
        symbols: (B, L).
        counted: (B, L) of 0 and 1, whether the prediction OF that symbol counts; the first one has none.
        steps: length of a window; the last one may be shorter.
        starts: whether the state is zero before the first window; it is carried over between them.
    """
    last = symbols.shape[1] - 1
    for begin in range(0, last, steps):
        end = min(begin + steps, last)
        yield Batch(
            inputs=np.ascontiguousarray(symbols[:, begin:end].T),
            targets=np.ascontiguousarray(symbols[:, begin + 1 : end + 1].T),
            counted=np.ascontiguousarray(counted[:, begin + 1 : end + 1].T),
            starts=starts and begin == 0,
        )

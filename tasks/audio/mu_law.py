"""Mu-law: amplitudes as 256 symbols, in nearly logarithmic steps.

ITU-T G.711 by its continuous formula, with mu = 255 and 256 equal steps of the compressed amplitude, as van den Oord et
al. 2016 ("WaveNet", section 2.2) model sound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

LEVELS = 256
_MU = LEVELS - 1


def encoded(amplitudes: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint8]:
    """Return the levels, 0 to 255, of amplitudes of any shape; those beyond -1 to 1 are clipped."""
    clipped = np.clip(amplitudes.astype(np.float64), -1.0, 1.0)
    compressed = np.sign(clipped) * np.log1p(_MU * np.abs(clipped)) / np.log1p(_MU)
    levels: npt.NDArray[np.uint8] = np.floor((compressed + 1.0) / 2.0 * _MU + 0.5).astype(np.uint8)
    return levels


def decoded(levels: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float64]:
    """Return the amplitudes, -1 to 1, in the middle of the compressed steps of levels of any shape."""
    compressed = 2.0 * levels.astype(np.float64) / _MU - 1.0
    amplitudes: npt.NDArray[np.float64] = np.sign(compressed) * np.expm1(np.abs(compressed) * np.log1p(_MU)) / _MU
    return amplitudes


class MuLaw:
    """Features of a recording that are its samples as levels, one row a sample."""

    width = 1
    dtype = "u1"

    def feed(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Return the rows (n, 1) of the next samples (n,)."""
        return encoded(samples)[:, None]

    def end(self) -> npt.NDArray[np.uint8]:
        """Return the rows that are still missing at the end of the recording: none."""
        return np.empty((0, 1), np.uint8)

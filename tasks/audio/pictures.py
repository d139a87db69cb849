"""Pictures of sound in text, for the terminal."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.audio.mu_law import LEVELS, decoded

_BARS = "▁▂▃▄▅▆▇█"
_SHADES = " ░▒▓█"
_ROWS, _COLUMNS = 10, 60  # largest size of a spectrogram in characters


def wave(levels: npt.NDArray[np.integer[Any]], rate: int) -> str:
    """Return samples (n,) as bars, loudest up and down, and their length and peak."""
    bars = "".join(_BARS[level * len(_BARS) // LEVELS] for level in levels.tolist())
    return f"{bars}\n{1000 * len(levels) / rate:.1f} ms, peak {np.abs(decoded(levels)).max():.3f}"


def spectrogram(frames: npt.NDArray[np.float32]) -> str:
    """Return frames (T, D) as shades: time to the right, frequency upwards; means of neighbours if there are many."""
    for axis, most in enumerate((_COLUMNS, _ROWS)):
        if frames.shape[axis] > most:
            parts = np.array_split(frames, most, axis=axis)
            frames = np.stack([part.mean(axis=axis) for part in parts], axis=axis)
    low, high = float(frames.min()), float(frames.max())
    shades = np.minimum((frames - low) / max(high - low, 1e-9) * len(_SHADES), len(_SHADES) - 1).astype(np.int64)
    return "\n".join("".join(_SHADES[shade] for shade in row).rstrip() for row in shades.T[::-1].tolist())

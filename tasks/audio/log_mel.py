"""Log-mel frames: logarithms of the power in frequency bands that are spaced as pitch is heard.

Frames of 25 ms every 10 ms, with a Hann window. Bands are triangles on the mel scale (Davis and Mermelstein 1980) in
the form of HTK (Young et al., "The HTK Book", section 5.4): mel = 2595 log10(1 + f / 700).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FRAME_SECONDS, HOP_SECONDS = 0.025, 0.010

FLOOR = 1e-10
"""Smallest power of a band, that of silence; a tone at full scale has some thousands."""

Floats = npt.NDArray[np.float64]


def mel_of(hertz: npt.ArrayLike) -> Floats:
    """Return frequencies on the mel scale."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hertz, np.float64) / 700.0))


def hertz_of(mel: npt.ArrayLike) -> Floats:
    """Return the frequencies of values of the mel scale."""
    return np.asarray(700.0 * (10.0 ** (np.asarray(mel, np.float64) / 2595.0) - 1.0))


def frame_samples(rate: int) -> tuple[int, int]:
    """Return the samples of a frame, and from one frame to the next."""
    return round(rate * FRAME_SECONDS), round(rate * HOP_SECONDS)


def transform_size(rate: int) -> int:
    """Return the samples of the Fourier transform: at least twice those of a frame, a power of two."""
    return 1 << (2 * frame_samples(rate)[0] - 1).bit_length()


def filter_bank(rate: int, bands: int) -> Floats:
    """Return the weights of the frequencies of a transform in each band, (bands, frequencies).

    A band rises from 0 at the centre of the band below it to 1 at its own, and falls to 0 at that of the band above it;
    the centres are evenly spaced in mel from 0 to half of the rate.
    """
    corners = hertz_of(np.linspace(0.0, mel_of(rate / 2), bands + 2))
    size = transform_size(rate)
    frequencies = np.arange(size // 2 + 1) * (rate / size)
    low, centre, high = (corners[first : first + bands, None] for first in range(3))
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


def most_bands(rate: int) -> int:
    """Return the largest number of bands of which none is empty."""
    bands = 1
    while bands < 256 and filter_bank(rate, bands + 1).any(axis=1).all():
        bands += 1
    return bands


class LogMel:
    """Features of a recording that are its log-mel frames, one row a frame.

    Every sample is in a frame: the last frame is padded with silence.

    Args:
        rate: samples per second.
        bands: number of bands, so that none is empty (`most_bands`).
    """

    dtype = "<f4"

    def __init__(self, rate: int, bands: int) -> None:
        self.width = bands
        self._frame, self._hop = frame_samples(rate)
        self._size = transform_size(rate)
        self._window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(self._frame) / self._frame)  # Hann, periodic
        self._weights = filter_bank(rate, bands).T
        self._left = np.empty(0, np.float32)  # samples from the beginning of the next frame on
        self._begun = False

    def feed(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the frames (n, bands) that the next samples complete."""
        known = np.concatenate([self._left, samples])
        count = max(0, (len(known) - self._frame) // self._hop + 1)
        self._left = known[count * self._hop :]
        self._begun = self._begun or count > 0
        if not count:
            return np.empty((0, self.width), np.float32)
        return self._frames(np.lib.stride_tricks.sliding_window_view(known, self._frame)[:: self._hop][:count])

    def end(self) -> npt.NDArray[np.float32]:
        """Return the last frame, (1, bands), or (0, bands) if the frames so far have all samples."""
        seen = self._frame - self._hop if self._begun else 0
        if len(self._left) <= seen:
            return np.empty((0, self.width), np.float32)
        padded = np.pad(self._left, (0, self._frame - len(self._left)))
        return self._frames(padded[None])

    def _frames(self, samples: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        spectrum = np.fft.rfft(samples * self._window, self._size)
        power = spectrum.real**2 + spectrum.imag**2
        return np.log(np.maximum(power @ self._weights, FLOOR)).astype(np.float32)

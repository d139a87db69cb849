"""Samples of a split as one long sequence of levels, of which any part is read from the file of rows.

Dimension letters: B columns of a batch, L samples of a column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.audio.mu_law import LEVELS
from tasks.audio.recordings import Integers
from tasks.row_file import RowReader
from tasks.streams import columns, windows
from tasks.task import Batch

CHUNK_SECONDS = 0.5
"""Length of the stretches that training draws, and of those that evaluation takes out of longer data."""

_PART, _PARTS = 1 << 18, 256  # samples that a pass over all of them reads at once, and how often at most


class Stretch(NamedTuple):
    """Successive samples.

    Attributes:
        levels: (L,) of 0 to 255.
        firsts: (L,) whether a sample is the first of a recording or stretch, so that nothing predicts it.
    """

    levels: npt.NDArray[np.uint8]
    firsts: npt.NDArray[np.bool_]


class Samples:
    """Samples of recordings, one after the other.

    Args:
        spans: the rows of each recording, (R, 2).
    """

    def __init__(self, spans: Integers) -> None:
        self._spans = spans
        self._ends = np.cumsum(spans[:, 1] - spans[:, 0])
        self.count = int(self._ends[-1])

    def read(self, reader: RowReader, begin: int, end: int) -> Stretch:
        """Return the samples from `begin` up to `end`."""
        levels = np.empty(end - begin, np.uint8)
        firsts = np.zeros(end - begin, np.bool_)
        recording = int(np.searchsorted(self._ends, begin, side="right"))
        place = begin
        while place < end:
            upto = min(end, int(self._ends[recording]))
            first, last = self._spans[recording].tolist()
            row = last - int(self._ends[recording]) + place
            levels[place - begin : upto - begin] = reader.read(row, row + upto - place)[:, 0]
            if row == first and upto > place:
                firsts[place - begin] = True
            place = upto
            recording += 1
        return Stretch(levels, firsts)

    def passed(self, reader: RowReader) -> Iterator[Stretch]:
        """Yield the samples in order, in parts; evenly spaced parts, some 67 million samples, if there are more."""
        parts = -(-self.count // _PART)
        for number in np.unique(np.linspace(0, parts - 1, min(parts, _PARTS)).round().astype(np.int64)).tolist():
            yield self.read(reader, number * _PART, min((number + 1) * _PART, self.count))

    def spread(self, reader: RowReader, most: int, length: int) -> Stretch:
        """Return all samples, or at most `most` of them, in stretches of `length` that are evenly spaced."""
        if self.count <= most:
            return self.read(reader, 0, self.count)
        number = max(1, most // length)
        length = min(length, most)
        begins = np.linspace(0, self.count - length, number).round().astype(np.int64)
        stretches = [self.read(reader, begin, begin + length) for begin in begins.tolist()]
        for stretch in stretches:
            stretch.firsts[0] = True
        return Stretch(*(np.concatenate(parts) for parts in zip(*stretches, strict=True)))

    def drawn(
        self, reader: RowReader, batch: int, steps: int, length: int, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Yield endless windows: a stretch of `length` steps in each column, from random places and zero states."""
        length = min(length + 1, self.count)
        while True:
            begins = rng.integers(self.count - length + 1, size=batch)
            stretches = [self.read(reader, begin, begin + length) for begin in begins.tolist()]
            levels = np.stack([stretch.levels for stretch in stretches])
            counted = np.stack([~stretch.firsts for stretch in stretches])
            yield from windows(levels, counted.astype(np.float32), steps)


def stretch_windows(stretch: Stretch, batch: int, steps: int) -> Iterator[Batch]:
    """Yield windows over a stretch that is cut into columns; each sample but the firsts is a target once."""
    levels, loss_mask = columns(stretch.levels, batch)
    firsts, _ = columns(stretch.firsts.view(np.uint8), batch)
    return windows(levels, loss_mask * (firsts == 0), steps)


def transitions(stretches: Iterable[Stretch]) -> npt.NDArray[np.float64]:
    """Return how often each level follows each, (256, 256)."""
    counts = np.zeros(LEVELS * LEVELS, np.int64)
    for levels, firsts in stretches:
        pairs = levels[:-1].astype(np.int64) * LEVELS + levels[1:]
        counts += np.bincount(pairs[~firsts[1:]], minlength=len(counts))
    return counts.reshape(LEVELS, LEVELS).astype(np.float64)


def markov_bits(training: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]) -> float:
    """Return the bits per sample of a first-order Markov chain.

    Args:
        training: how often each level follows each in training, (256, 256); 1 is added to each (Laplace's rule).
        counts: how often it does in the samples that are predicted.
    """
    smoothed = training + 1.0
    bits = -np.log2(smoothed / smoothed.sum(axis=1, keepdims=True))
    return float((counts * bits).sum() / counts.sum())

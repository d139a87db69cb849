"""Log-mel frames of a split's recordings, as whole sequences with the label at the last step.

Dimension letters: T steps, B columns of a batch, R recordings, D bands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.audio.recordings import Integers, Part
from tasks.packing import evaluation_groups, longest_first, of_columns, training_groups
from tasks.row_file import RowReader
from tasks.task import Batch

_PASS = 4096  # frames that are read at once by a pass over all of them

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Scale:
    """Means and standard deviations of each band in training, (D,), by which frames are standardised."""

    mean: Floats
    deviation: Floats


@dataclass(frozen=True, eq=False)
class Spectra:
    """Recordings of one split.

    Attributes:
        begins: first frame of each in the file of rows, (R,).
        lengths: frames of each that are read, (R,).
        labels: class of each, (R,).
    """

    begins: Integers
    lengths: Integers
    labels: Integers

    @classmethod
    def of(cls, part: Part, longest: int) -> Spectra:
        """Return the recordings of a part, each cut to its first `longest` frames."""
        return cls(part.spans[:, 0], np.minimum(part.lengths, longest), part.labels)

    def spread(self, most: int) -> Spectra:
        """Return all recordings, or evenly spaced ones that have about `most` frames; at least one."""
        total = int(self.lengths.sum())
        if total <= most:
            return self
        count = max(1, len(self.lengths) * most // total)
        chosen = np.linspace(0, len(self.lengths) - 1, count).round().astype(np.int64)
        return Spectra(self.begins[chosen], self.lengths[chosen], self.labels[chosen])

    def training(self, reader: RowReader, scale: Scale, batch: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield endless batches of whole recordings."""
        for group in training_groups(self.lengths, batch, rng):
            yield self._packed(reader, scale, group, batch)

    def evaluation(self, reader: RowReader, scale: Scale, batch: int) -> Iterator[Batch]:
        """Yield every recording once."""
        for group in evaluation_groups(self.lengths, batch):
            yield self._packed(reader, scale, group, batch)

    def scale(self, reader: RowReader) -> Scale:
        """Return means and standard deviations over all frames; a band that never changes has the deviation 1."""
        count = int(self.lengths.sum())
        mean = sum(block.sum(axis=0, dtype=np.float64) for block in self._passed(reader)) / count
        squares = sum(np.square(block - mean).sum(axis=0) for block in self._passed(reader)) / count
        deviation = np.sqrt(np.where(squares > 1e-12, squares, 1.0))
        return Scale(np.asarray(mean, np.float32), np.asarray(deviation, np.float32))

    def _passed(self, reader: RowReader) -> Iterator[Floats]:
        for begin, length in zip(self.begins.tolist(), self.lengths.tolist(), strict=True):
            for first in range(begin, begin + length, _PASS):
                yield reader.read(first, min(first + _PASS, begin + length))

    def _packed(self, reader: RowReader, scale: Scale, group: Integers, batch: int) -> Batch:
        group = longest_first(self.lengths, group)
        lengths = self.lengths[group]
        shape = int(lengths[0]), batch
        inputs = np.zeros((*shape, len(scale.mean)), np.float32)
        targets, loss_mask = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
        for column, (number, length) in enumerate(zip(group.tolist(), lengths.tolist(), strict=True)):
            begin = int(self.begins[number])
            inputs[:length, column] = (reader.read(begin, begin + length) - scale.mean) / scale.deviation
            targets[:length, column] = self.labels[number]
            loss_mask[length - 1, column] = 1.0
        return Batch(inputs, targets, loss_mask, True, of_columns(lengths, batch))

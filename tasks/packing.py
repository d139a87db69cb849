"""Whole sequences of unlike lengths in batches.

A batch has sequences of similar lengths, one in each column, from a zero state, the longest in the first column. The
arrays of shorter ones are padded at their end, outside the loss mask, and the batch says their lengths, so that nothing
is computed for the padding.

Dimension letters: T steps of a batch, B columns, N sequences, S steps of all sequences, D input size, W output size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.task import Batch

Integers = npt.NDArray[np.int64]

SECTION = 0.9
"""Share of a pass that is sorted at once: which sequences are neighbours then differs from pass to pass."""


def training_groups(lengths: Integers, batch: int, rng: np.random.Generator) -> Iterator[Integers]:
    """Yield endless groups of `batch` sequences of similar lengths, in a random order determined by `rng` alone.

    Random permutations of the sequences follow each other, so that each pass has every sequence once, and no column is
    empty. A section of most of a pass is sorted by length, those of equal length in random order, and cut into groups,
    which are shuffled. What is left of a pass begins the next section, whose rest is from the next pass. A group has no
    sequence twice.

    Args:
        lengths: steps of each sequence (N,).
        batch: sequences in a group, B. With fewer sequences than that, a group has some of them more than once.
        rng: source of all random numbers.
    """
    count = len(lengths)
    section = batch * max(1, min(round(SECTION * count / batch), count // batch))
    waiting = np.empty(0, np.int64)
    while True:
        while len(waiting) < section:
            order = rng.permutation(count)
            again = np.isin(order, waiting)  # these come last, so that no group has a sequence of two passes twice
            waiting = np.concatenate([waiting, order[~again], order[again]])
        chosen, waiting = waiting[:section], waiting[section:]
        groups = chosen[np.argsort(lengths[chosen], kind="stable")].reshape(-1, batch)
        yield from groups[rng.permutation(len(groups))]


def evaluation_groups(lengths: Integers, batch: int) -> Iterator[Integers]:
    """Yield each sequence once, in groups of `batch` by increasing length; the first group may have fewer.

    The groups depend on the lengths alone. Empty columns are those of the shortest sequences, where they cost least.

    Args:
        lengths: steps of each sequence (N,).
        batch: sequences in a group, B.
    """
    order = np.argsort(lengths, kind="stable").astype(np.int64)
    first = len(order) % batch
    if first:
        yield order[:first]
    yield from order[first:].reshape(-1, batch)


def longest_first(lengths: Integers, group: Integers) -> Integers:
    """Return the sequences of a group by decreasing length, those of equal length in their order.

    Args:
        lengths: steps of each sequence (N,).
        group: numbers of sequences.
    """
    return group[np.argsort(-lengths[group], kind="stable")]


def of_columns(lengths: Integers, columns: int) -> Integers:
    """Return the lengths of a batch (B,): those of the sequences in its first columns, then zeros.

    Args:
        lengths: steps of the sequences, the longest first.
        columns: number of columns, B.
    """
    return np.concatenate([lengths, np.zeros(columns - len(lengths), np.int64)])


@dataclass(frozen=True, eq=False)
class Sequences:
    """N sequences of any lengths, one after the other.

    Attributes:
        inputs: of each step, (S,) symbols or (S, D) values.
        targets: of each step, (S,) symbols, or (S, W) notes or values.
        loss_mask: (S,) of 0 and 1.
        lengths: (N,) steps of each sequence, none of them 0.
    """

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    loss_mask: npt.NDArray[np.float32]
    lengths: Integers

    def training(self, batch: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield endless batches of whole sequences (`training_groups`)."""
        for group in training_groups(self.lengths, batch, rng):
            yield self.packed(group, batch)

    def evaluation(self, batch: int) -> Iterator[Batch]:
        """Yield every sequence once (`evaluation_groups`)."""
        for group in evaluation_groups(self.lengths, batch):
            yield self.packed(group, batch)

    def packed(self, numbers: Integers, columns: int) -> Batch:
        """Return sequences in a batch, one per column by decreasing length, padded with zeros outside the loss mask.

        Args:
            numbers: at least one and at most `columns` sequences.
            columns: number of columns, B; those without a sequence are padding.
        """
        numbers = longest_first(self.lengths, numbers)
        lengths = self.lengths[numbers]
        steps = np.arange(int(lengths[0]))[:, None]  # (T, 1)
        filled = steps < lengths  # (T, B)
        places = (self._begins[numbers] + steps)[filled]
        target = np.zeros((len(steps), columns), np.bool_)
        target[:, : len(numbers)] = filled

        def padded(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            whole = np.zeros((*target.shape, *values.shape[1:]), values.dtype)
            whole[target] = values[places]
            return whole

        arrays = padded(self.inputs), padded(self.targets), padded(self.loss_mask)
        return Batch(*arrays, True, of_columns(lengths, columns))

    @cached_property
    def _begins(self) -> Integers:
        return np.cumsum(self.lengths) - self.lengths


def of_labels(values: npt.NDArray[np.float32], lengths: Integers, labels: Integers, *, every_step: bool) -> Sequences:
    """Return labelled sequences: the target of each step is the label, and the last step of each counts.

    Args:
        values: (S, D).
        lengths: (N,).
        labels: (N,) class of each sequence.
        every_step: whether all steps count.
    """
    loss_mask = np.full(len(values), float(every_step), np.float32)
    loss_mask[np.cumsum(lengths) - 1] = 1.0
    return Sequences(values, np.repeat(labels, lengths), loss_mask, lengths)


def of_next_steps(values: npt.NDArray[np.float32], lengths: Integers) -> Sequences:
    """Return sequences of which each step predicts the next one: a sequence of L steps has L - 1 targets.

    Args:
        values: (S, D).
        lengths: (N,), each at least 2.
    """
    ends = np.cumsum(lengths)
    read, predicted = np.ones(len(values), np.bool_), np.ones(len(values), np.bool_)
    read[ends - 1] = False
    predicted[ends - lengths] = False
    loss_mask = np.ones(len(values) - len(lengths), np.float32)
    return Sequences(values[read], values[predicted], loss_mask, lengths - 1)

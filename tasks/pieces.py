"""Sequences of real values, cut into pieces that stand side by side in batches.

Dimension letters: T steps of a window, B columns, N steps of all sequences, S sequences, P pieces, D inputs, W outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.batch import Batch

Integers = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps of S sequences, one after the other.

    Attributes:
        inputs: (N, D) values that are read.
        targets: (N, W) values that are to be predicted.
        loss_mask: (N,) of 0 and 1: the steps that count.
        lengths: (S,) steps of each sequence.
    """

    inputs: Reals
    targets: Reals
    loss_mask: Reals
    lengths: Integers


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of sequences. A piece that reaches the end of its sequence continues at the beginning.

    Attributes:
        base: (P,) first step of the piece's sequence.
        size: (P,) steps of that sequence.
        start: (P,) first step of the piece, within its sequence.
        length: (P,) steps of the piece.
        context: (P,) steps at the beginning of the piece that only give the state, and do not count.
    """

    base: Integers
    size: Integers
    start: Integers
    length: Integers
    context: Integers

    def __getitem__(self, chosen: Integers | slice) -> Pieces:
        return Pieces(
            self.base[chosen], self.size[chosen], self.start[chosen], self.length[chosen], self.context[chosen]
        )


def training_pieces(lengths: Integers, batch: int, least: int, rng: np.random.Generator) -> Pieces:
    """Cut each sequence at random into equal pieces, so that every step is in one of them.

    Sequences are cut so that all of them make about `batch` pieces, but not into pieces of fewer than `least` steps.
    One that is not cut begins with its first step.

    Args:
        lengths: (S,) steps of each sequence.
        batch: columns of a batch.
        least: smallest length of a piece, but for shorter sequences.
        rng: source of the places of the cuts.
    """
    wanted = max(-(-int(lengths.sum()) // batch), least)
    counts = np.maximum(lengths // wanted, 1)
    offsets = np.where(counts > 1, (rng.random(len(lengths)) * lengths).astype(np.int64), 0)
    pieces = _equal_parts(lengths, counts)
    of = np.repeat(np.arange(len(lengths)), counts)
    start = (pieces.start + offsets[of]) % pieces.size
    return Pieces(pieces.base, pieces.size, start, pieces.length, pieces.context)


def training_windows(steps: Steps, batch: int, window: int, least: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Yield windows without end: passes over all steps, in pieces of similar length side by side.

    Each batch of pieces begins at a zero state, which is carried over between its windows. Where there are few pieces,
    a pass cuts the sequences several times; some pieces are repeated to fill its last batch.

    Args:
        steps: the data.
        batch: columns of a batch.
        window: largest number of steps of a window.
        least: as in `training_pieces`.
        rng: source of all that is random.
    """
    while True:
        cuts = [training_pieces(steps.lengths, batch, least, rng)]
        cuts += [training_pieces(steps.lengths, batch, least, rng) for _ in range((batch - 1) // len(cuts[0].base))]
        pieces = _joined(cuts)
        count = len(pieces.base)
        chosen = np.append(rng.permutation(count), rng.integers(count, size=-count % batch))
        noisy = pieces.length[chosen] * rng.uniform(0.9, 1.1, len(chosen))
        chosen = chosen[np.argsort(noisy, kind="stable")]
        for group in rng.permutation(chosen.reshape(-1, batch)):
            yield from windows_of(steps, pieces[group], batch, window)


def evaluation_pieces(lengths: Integers, batch: int, context: int, least: int) -> Pieces:
    """Cut each sequence into equal parts, all sequences into about `batch`, so that every step counts in one piece.

    A piece also has up to `context` steps before its part, which give the state. The shortest pieces come first.

    Args:
        lengths: (S,) steps of each sequence.
        batch: columns of a batch.
        context: most steps before a part.
        least: smallest length of a part, but for shorter sequences.
    """
    wanted = max(-(-int(lengths.sum()) // batch), least)
    parts = _equal_parts(lengths, np.maximum(lengths // wanted, 1))
    before = np.minimum(parts.start, context)
    pieces = Pieces(parts.base, parts.size, parts.start - before, parts.length + before, before)
    return pieces[np.argsort(pieces.length, kind="stable")]


def evaluation_windows(steps: Steps, batch: int, window: int, context: int, least: int) -> Iterator[Batch]:
    """Yield the windows of all sequences once; arguments are those of `evaluation_pieces`."""
    pieces = evaluation_pieces(steps.lengths, batch, context, least)
    for begin in range(0, len(pieces.base), batch):
        yield from windows_of(steps, pieces[begin : begin + batch], batch, window)


def windows_of(steps: Steps, pieces: Pieces, batch: int, window: int) -> Iterator[Batch]:
    """Yield windows of at most `window` steps over at most `batch` pieces, from a zero state.

    Shorter pieces are padded at the end with zeros outside the loss mask, as are columns without a piece.
    """
    missing = batch - len(pieces.base)
    base, size, start, length, context = (
        np.append(values, np.full(missing, filler))
        for values, filler in (
            (pieces.base, 0),
            (pieces.size, 1),
            (pieces.start, 0),
            (pieces.length, 0),
            (pieces.context, 0),
        )
    )
    longest = int(length.max())
    for begin in range(0, longest, window):
        time = np.arange(begin, min(begin + window, longest))[:, None]
        inside = time < length
        place = base + (start + np.where(inside, time, 0)) % size
        kept = inside.astype(np.float32)
        yield Batch(
            steps.inputs[place] * kept[..., None],
            steps.targets[place] * kept[..., None],
            steps.loss_mask[place] * (inside & (time >= context)),
            begin == 0,
        )


def _equal_parts(lengths: Integers, counts: Integers) -> Pieces:
    """Cut each sequence into a number of parts whose lengths differ by at most one step."""
    of = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    begin, end = (k * lengths[of] // counts[of] for k in (number, number + 1))
    base = np.cumsum(lengths) - lengths
    return Pieces(base[of], lengths[of], begin, end - begin, np.zeros(len(of), np.int64))


def _joined(pieces: list[Pieces]) -> Pieces:
    fields = ("base", "size", "start", "length", "context")
    return Pieces(*(np.concatenate([getattr(each, name) for each in pieces]) for name in fields))

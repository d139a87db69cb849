"""Labelled sequences, ready for a model: divided into splits, complete, and standardised by the training part.

Dimension letters: N sequences, S steps of all sequences, D channels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.batch import Split
from tasks.cache import Arrays
from tasks.errors import TaskError
from tasks.labelled.division import divided
from tasks.labelled.record import Floats, Labelled
from tasks.packing import Integers
from tasks.table_facts import numbering, rising
from tasks.tables import NOTHING, Skipped

MISSING = ("refuse", "forward", "mean")
"""Treatments of missing values: refuse them, repeat the value before, or use the mean of the training part."""

LONGEST = 20_000
"""Largest number of steps of a sequence, since all of them are in memory at once when a model is trained."""

_FLAT = 1e-9  # standard deviation, relative to the mean, up to which a channel is constant
_COUNTS = ("missing", "averaged", "leading", "cut", "uneven", "apart")


@dataclass(frozen=True, eq=False)
class LabelSet:
    """Labelled sequences of one split.

    Attributes:
        values: (S, D) standardised.
        lengths: (N,) steps of each sequence.
        labels: (N,) class of each sequence.
        missing: number of values that were missing and are filled in, of averages if steps are averaged.
        averaged: number of values that were missing and have no part in an average.
        leading: number of those that have no value before them to repeat, and are the mean of the training part.
        cut: number of steps that were cut off, since all values from there to the end of a sequence are missing.
        uneven: number of sequences whose time steps are uneven.
        apart: number of sequences between whose rows are others, in a table without times.
    """

    values: npt.NDArray[np.float32]
    lengths: Integers
    labels: Integers
    missing: int
    averaged: int
    leading: int
    cut: int
    uneven: int
    apart: int

    def digests(self) -> list[bytes]:
        """Return a checksum of the values of each sequence, equal for copies."""
        return [_digest(part) for part in np.split(self.values, np.cumsum(self.lengths)[:-1])]


@dataclass(frozen=True, eq=False)
class LabelSets:
    """Labelled sequences of all splits.

    Attributes:
        sets: the sequences of each split.
        classes: names of the classes.
        channels: names of the channels, (D,).
        constant: (D,) whether a channel has one value in all of the training part; it is then 0 there.
        counters: (D,) whether a channel counts rows or sequences in every file, and measures nothing.
        skipped: what of the files is left out.
    """

    sets: Mapping[Split, LabelSet]
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    constant: npt.NDArray[np.bool_]
    counters: npt.NDArray[np.bool_]
    skipped: Skipped


@dataclass(frozen=True)
class Preparation:
    """Choices by which sequences are prepared.

    Attributes:
        missing: one of `MISSING`.
        average: number of successive steps that become one, their mean (Keogh et al. 2001, "Dimensionality Reduction
            for Fast Similarity Search in Large Time Series Databases", piecewise aggregate approximation).
        shares: share of the sequences of each split that the files do not have.
    """

    missing: str = "refuse"
    average: int = 1
    shares: Mapping[Split, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _One:
    """Sequence before it is complete: what `LabelSet` has of all, and where it is from."""

    values: Floats
    label: str
    averaged: int
    cut: int
    uneven: bool
    apart: bool
    place: str


_Part = list[_One]


def label_sets(read: Mapping[Split | None, Labelled] | Mapping[Split, Labelled], preparation: Preparation) -> LabelSets:
    """Prepare sequences for training.

    Args:
        read: what was read of each part of the data, or of all of it (None).
        preparation: choices by which they are prepared.

    Raises:
        TaskError: the files do not fit each other, values are missing and must not be, or a split is empty.
    """
    first, *others = read.values()
    for other in others:
        if len(other.channels) != len(first.channels):
            raise TaskError(
                f"{other.source} has {len(other.channels)} channels, and {first.source} {len(first.channels)}; both "
                "must have the same"
            )
        if sorted(other.channels) != sorted(first.channels):
            strange = sorted(set(other.channels) - set(first.channels))[0]
            raise TaskError(f"{other.source} has the channel {strange[:40]!r}, which {first.source} has not; rename it")
    declared = dict.fromkeys(label for each in read.values() for label in (*each.classes, *each.labels))
    classes = tuple(declared)
    if len(classes) < 2:
        raise TaskError(f"{first.source}: all sequences have the label {classes[0][:40]!r}; there must be two or more")
    if preparation.missing == "refuse":
        _refuse(read.values())
    parts: dict[Split | None, _Part] = {
        split: _part(each, first.channels, preparation.average) for split, each in read.items()
    }
    found = _complete(_divided(parts, classes, preparation.shares), classes, first.channels, preparation.missing)
    index = dict.fromkeys(name for each in read.values() for name in each.skipped.index)
    skipped = Skipped(tuple(index), sum(each.skipped.empty for each in read.values()))
    return replace(found, counters=_counters(read.values(), first.channels), skipped=skipped)


def _counters(read: Iterable[Labelled], channels: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return which channels count rows or sequences in every file, (D,)."""
    found = np.ones(len(channels), np.bool_)
    for each in read:
        order = [each.channels.index(name) for name in channels]
        found &= (rising(each.sequences) | numbering(each.sequences))[order]
    return found


def _part(read: Labelled, channels: Sequence[str], average: int) -> _Part:
    """Order the channels of a file, cut steps without any value from the ends, and average."""
    order = [read.channels.index(name) for name in channels]
    none = [False] * len(read.sequences)
    flags = zip(read.uneven or none, read.apart or none, strict=True)
    part = []
    for sequence, label, place, (uneven, apart) in zip(read.sequences, read.labels, read.places, flags, strict=True):
        where = f"{read.source}, {place}"
        end = _end(sequence)
        if not end:
            raise TaskError(f"{where}: has no value; leave the sequence out")
        values = _averaged(sequence[:end, order], average)
        averaged = 0 if average == 1 else int(np.isnan(sequence[:end]).sum())
        if len(values) > LONGEST:
            raise TaskError(
                f"{where}: has {len(values):,} steps; at most {LONGEST:,} fit, so set average = "
                f"{-(-end // LONGEST)}, which makes one step of that many, or cut the sequence"
            )
        part.append(_One(values, label, averaged, len(sequence) - end, uneven, apart, where))
    return part


def _end(sequence: Floats) -> int:
    """Return the number of steps up to the last one that has a value."""
    known = np.flatnonzero(~np.isnan(sequence).all(axis=1))
    return int(known[-1]) + 1 if len(known) else 0


def _averaged(sequence: Floats, steps: int) -> Floats:
    """Return the means of blocks of steps; the last block may be shorter. Missing values have no part in a mean."""
    if steps == 1:
        return sequence
    begins = np.arange(0, len(sequence), steps)
    known = ~np.isnan(sequence)
    sums = np.add.reduceat(np.where(known, sequence, 0.0), begins)
    counts = np.add.reduceat(known.astype(np.float64), begins)
    return np.where(counts > 0, sums / np.maximum(counts, 1.0), np.nan)


def _divided(
    parts: Mapping[Split | None, _Part], classes: tuple[str, ...], shares: Mapping[Split, float]
) -> dict[Split, _Part]:
    """Divide what has no split, and take from the training part those splits that the files do not have."""
    found = {split: part for split, part in parts.items() if split is not None}
    whole = parts[None] if None in parts else parts[Split.TRAIN]
    lacking = {split: share for split, share in shares.items() if split not in found}
    if lacking:
        labels = np.array([classes.index(one.label) for one in whole], np.int64)
        numbers = divided(labels, [_digest(one.values) for one in whole], lacking)
        found |= {split: [whole[number] for number in chosen] for split, chosen in numbers.items()}
    for split in Split:
        if not found[split]:
            raise TaskError(
                f"{whole[0].place}: the {len(whole):,} sequences there leave none for {split}; add sequences, or set a "
                f"larger share for {split}"
            )
    return {split: found[split] for split in Split}


def _complete(
    parts: Mapping[Split, _Part], classes: tuple[str, ...], channels: tuple[str, ...], missing: str
) -> LabelSets:
    """Fill in missing values, and standardise by the training part."""
    training = np.concatenate([one.values for one in parts[Split.TRAIN]])
    empty = np.isnan(training).all(axis=0)
    if empty.any():
        name = channels[int(np.flatnonzero(empty)[0])]
        raise TaskError(f"channel {name[:40]!r} has no value in the training part; leave it out")
    mean, scale = np.nanmean(training, axis=0), np.nanstd(training, axis=0)
    constant = scale <= _FLAT * np.maximum(np.abs(mean), np.finfo(np.float64).tiny)
    if constant.all():
        raise TaskError("all values of the training part are equal; give sequences that differ")
    scale = np.where(constant, 1.0, scale)
    sets = {}
    for split, part in parts.items():
        values = np.concatenate([one.values for one in part])
        lengths = np.array([len(one.values) for one in part], np.int64)
        missed = int(np.isnan(values).sum())
        leading = 0
        if missing == "forward":
            values = _forward(values, lengths)
            leading = int(np.isnan(values).sum())
        sets[split] = LabelSet(
            values=np.where(np.isnan(values), 0.0, (values - mean) / scale).astype(np.float32),
            lengths=lengths,
            labels=np.array([classes.index(one.label) for one in part], np.int64),
            missing=missed,
            averaged=sum(one.averaged for one in part),
            leading=leading,
            cut=sum(one.cut for one in part),
            uneven=sum(one.uneven for one in part),
            apart=sum(one.apart for one in part),
        )
    return LabelSets(sets, classes, channels, constant, np.zeros(len(channels), np.bool_), NOTHING)


def _refuse(read: Iterable[Labelled]) -> None:
    """Raise `TaskError` if a value is missing before the end of a sequence."""
    count = sequences = 0
    first = ""
    for each in read:
        for sequence, place in zip(each.sequences, each.places, strict=True):
            unknown = np.argwhere(np.isnan(sequence[: _end(sequence)]))
            if len(unknown):
                step, channel = unknown[0].tolist()
                where = f"{each.source}, {place}: step {step + 1} of channel {each.channels[channel][:40]}"
                first = first or where
                count += len(unknown)
                sequences += 1
    if count:
        rest = "" if count == 1 else f" ({count:,} values of {sequences:,} sequences are)"
        raise TaskError(
            f"{first} is missing{rest}; set missing = 'forward' to repeat the value before it, or 'mean' for the mean "
            "of the training part"
        )


def _forward(values: Floats, lengths: Integers) -> Floats:
    """Return values with the last known one of the same sequence in the place of each missing one, as far as any is."""
    steps = np.arange(len(values))[:, None]
    begins = np.repeat(np.cumsum(lengths) - lengths, lengths)[:, None]
    known = np.maximum.accumulate(np.where(np.isnan(values), -1, steps), axis=0)
    filled: Floats = np.take_along_axis(values, np.maximum(known, 0), axis=0)
    return np.where(known >= begins, filled, np.nan)


def packed(found: LabelSets) -> Arrays:
    """Return sets as plain arrays, for the cache (`NAMES`)."""
    arrays: Arrays = {
        "classes": np.array(found.classes, np.str_),
        "channels": np.array(found.channels, np.str_),
        "constant": found.constant,
        "counters": found.counters,
        "index": np.array(found.skipped.index, np.str_),
        "empty": np.array([found.skipped.empty]),
    }
    for split, each in found.sets.items():
        arrays[split.value] = each.values
        arrays[f"{split}_lengths"] = each.lengths
        arrays[f"{split}_labels"] = each.labels
        arrays[f"{split}_counts"] = np.array([getattr(each, name) for name in _COUNTS], np.int64)
    return arrays


NAMES = (
    "classes",
    "channels",
    "constant",
    "counters",
    "index",
    "empty",
    *(f"{split}{end}" for split in Split for end in ("", "_lengths", "_labels", "_counts")),
)
"""Names of the arrays of `packed`."""


def unpacked(arrays: Arrays) -> LabelSets:
    """Return the sets of arrays from `packed`."""
    for array in arrays.values():
        array.flags.writeable = False
    sets = {
        split: LabelSet(
            arrays[split.value],
            arrays[f"{split}_lengths"],
            arrays[f"{split}_labels"],
            *arrays[f"{split}_counts"].tolist(),
        )
        for split in Split
    }
    texts = {name: tuple(str(text) for text in arrays[name]) for name in ("classes", "channels", "index")}
    skipped = Skipped(texts["index"], int(arrays["empty"][0]))
    return LabelSets(sets, texts["classes"], texts["channels"], arrays["constant"], arrays["counters"], skipped)


def _digest(values: npt.NDArray[np.floating[Any]]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=16).digest()

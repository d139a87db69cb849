"""Description of labelled sequences, and samples of them as text."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tasks.batch import Batch, Split
from tasks.description import Description, Fact, Kind
from tasks.labelled.sets import LabelSet, LabelSets
from tasks.packing import Integers
from tasks.table_facts import skipped_facts
from tasks.tables import number_of

PADDING = "(padding only)"
"""Text of a column without a sequence."""

_SHOWN = 8  # values of a channel in a sample


def describe_labelled(found: LabelSets, source: str, *, every_step: bool) -> dict[Split, Description]:
    """Return the description of each split.

    Args:
        found: the sequences.
        source: the files, or the package.
        every_step: whether every step counts, or the last one alone.
    """
    digests = {split: each.digests() for split, each in found.sets.items()}
    described = {}
    for split, each in found.sets.items():
        elsewhere = {digest for other in Split if other is not split for digest in digests[other]}
        again = np.array([digest in elsewhere for digest in digests[split]], np.bool_)
        steps = int(each.lengths.sum())
        described[split] = Description(
            source=source,
            sequences=len(each.lengths),
            steps=steps,
            counted=steps if every_step else len(each.lengths),
            seen=len(np.unique(each.labels)),
            repeated=int(again.sum()),
            repeated_steps=int(each.lengths[again].sum()),
            facts=_facts(split, each, found),
        )
    return described


def _facts(split: Split, each: LabelSet, found: LabelSets) -> tuple[Fact, ...]:
    """Return what else is known of a split; what never happened in any split is left out."""
    absent = [name for number, name in enumerate(found.classes) if not (each.labels == number).any()]
    listed = ", ".join(name[:40] for name in absent[:10])
    facts = [
        *length_facts(each.lengths),
        Fact("classes without a sequence", len(absent), Kind.COUNT, 0, f"add sequences of {listed}, or leave them out"),
    ]
    if any(other.missing for other in found.sets.values()):
        facts.append(Fact("missing values filled", each.missing, Kind.COUNT))
    if any(other.averaged for other in found.sets.values()):
        facts.append(Fact("missing values left out of averages", each.averaged, Kind.COUNT))
    if any(other.leading for other in found.sets.values()):
        facts.append(Fact("of them filled with the mean, as none is before", each.leading, Kind.COUNT))
    if any(other.cut for other in found.sets.values()):
        facts.append(Fact("steps without values cut from ends", each.cut, Kind.COUNT))
    if any(other.uneven for other in found.sets.values()):
        remedy = "sample them at even times, since a model sees no time"
        facts.append(Fact("sequences with uneven time steps", each.uneven, Kind.COUNT, 0, remedy))
    if any(other.apart for other in found.sets.values()):
        remedy = "check that no id is used twice, and add a column of times"
        facts.append(Fact("sequences with rows of others between", each.apart, Kind.COUNT, 0, remedy))
    if split is Split.TRAIN:
        facts += skipped_facts(found.skipped)
    if found.counters.any():
        names = ", ".join(name[:40] for name, counts in zip(found.channels, found.counters, strict=True) if counts)
        remedy = f"labels that are sorted in the file can be read from it, so name it in `ignore`: {names[:200]}"
        count = int(found.counters.sum()) if split is Split.TRAIN else 0
        facts.append(Fact("channels that count rows or sequences", count, Kind.COUNT, 0, remedy, whole=True))
    alike = _alike(found.classes)
    if alike:
        remedy = f"write those alike that are one class: {alike[0][0][:40]!r} and {alike[0][1][:40]!r}"
        count = len(alike) if split is Split.TRAIN else 0
        facts.append(
            Fact("classes that another one differs from in writing only", count, Kind.COUNT, 0, remedy, whole=True)
        )
    if found.constant.any():
        names = ", ".join(name[:40] for name, flat in zip(found.channels, found.constant, strict=True) if flat)
        remedy = f"leave out what does not vary there: {names[:200]}"
        count = int(found.constant.sum()) if split is Split.TRAIN else 0
        facts.append(Fact("channels that are constant in training", count, Kind.COUNT, 0, remedy, whole=True))
    return tuple(facts)


def _alike(classes: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the pairs of classes that are one number, or one word but for case and blanks, written in two ways."""
    first: dict[str | float, str] = {}
    pairs = []
    for name in classes:
        number = number_of(name)
        key: str | float = " ".join(name.casefold().split()) if number is None or math.isnan(number) else number
        if key in first:
            pairs.append((first[key], name))
        else:
            first[key] = name
    return pairs


def length_facts(lengths: Integers) -> tuple[Fact, ...]:
    """Return the facts of lengths of sequences."""
    return (
        Fact("steps in the shortest sequence", int(lengths.min()), Kind.COUNT),
        Fact("steps in the longest sequence", int(lengths.max()), Kind.COUNT),
    )


def render_labelled(batch: Batch, column: int, label: Callable[[int], str]) -> str:
    """Return a column of a batch as text: its label, its length, and the first values of each channel."""
    counted = np.flatnonzero(batch.loss_mask[:, column])
    if not len(counted):
        return PADDING
    length = int(counted[-1]) + 1
    name = label(int(batch.targets[counted[-1], column]))
    values = batch.inputs[:length, column]
    lines = [f"label {name}, {length:,} steps of {values.shape[1]:,} standardised values"]
    for channel in range(min(values.shape[1], _SHOWN)):
        shown = " ".join(f"{value:6.2f}" for value in values[:_SHOWN, channel])
        lines.append(f"  {shown}{' ...' if length > _SHOWN else ''}")
    if values.shape[1] > _SHOWN:
        lines.append(f"  and {values.shape[1] - _SHOWN:,} channels more")
    return "\n".join(lines)

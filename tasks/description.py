"""Description of what was read for a task: how much, and what stands out in it, by split.

Dimension letters: T time steps, B columns of a batch, W output size.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tasks.interface import Output

ALARMING = 0.5  # share of unknown words or of silent steps above which a task is mostly that


class Kind(StrEnum):
    """Kind of number that a fact is."""

    COUNT = "count"
    SHARE = "share"  # from 0 to 1
    MEAN = "mean"
    METRIC = "metric"  # of a forecast that needs no training; shown in tables only


@dataclass(frozen=True)
class Fact:
    """Number that only some tasks have, such as the share of unknown words."""

    name: str
    value: float
    kind: Kind
    limit: float = math.inf  # largest value that raises no warning
    remedy: str = ""  # what to do about a larger one, for the warning
    whole: bool = False  # whether it is a number of the whole data, which the training split stands for


@dataclass(frozen=True, kw_only=True)
class Description:
    """Content of one split of a task.

    Attributes:
        source: package and version, or path, of the data; or how they are made.
        sequences: number of sequences: pieces, lines or samples (`unit`).
        unit: what a sequence is, a plural noun.
        steps: number of steps of all sequences, padding left out.
        counted: number of them in the loss mask.
        seen: number of different symbols, notes or values among the targets.
        repeated: number of sequences that are also in another split, with all of their symbols or notes.
        repeated_steps: number of steps of those sequences.
        endless: whether the data are drawn without end; the numbers are then those of a sample.
        facts: what else is known.
    """

    source: str
    sequences: int
    unit: str = "sequences"
    steps: int
    counted: int
    seen: int
    repeated: int
    repeated_steps: int
    endless: bool = False
    facts: tuple[Fact, ...] = ()

    @property
    def loss_mask_share(self) -> float:
        """Share of the steps in the loss mask."""
        return self.counted / self.steps if self.steps else 0.0

    @property
    def repeated_share(self) -> float:
        """Share of the steps that are in sequences of another split, too."""
        return self.repeated_steps / self.steps if self.steps else 0.0


class Window(Protocol):
    """Batch of a task (`tasks.task.Batch`), as far as it is read here."""

    @property
    def targets(self) -> npt.NDArray[Any]:
        """Symbols (T, B), or notes or values (T, B, W)."""

    @property
    def loss_mask(self) -> npt.NDArray[np.float32]:
        """Zeros and ones, (T, B)."""

    @property
    def starts(self) -> bool:
        """True if the sequences begin with this window."""


@dataclass(frozen=True)
class Reading:
    """Sums over the sequences of batches; steps after the last one in the loss mask are padding."""

    counted: int
    seen: int
    silent: int  # steps without a note
    notes: int | None  # notes of all steps; None if there are none
    lengths: tuple[int, ...]  # steps of each sequence
    digests: tuple[bytes, ...]  # checksum of each sequence: equal for equal targets

    def description(
        self, source: str, others: Iterable[Reading], *, unit: str = "sequences", endless: bool = False
    ) -> Description:
        """Return the description of these sequences.

        Args:
            source: as in `Description`, as are `unit` and `endless`.
            others: the readings of the other splits.
            unit: what a sequence is.
            endless: whether this is a sample of endless data.
        """
        elsewhere = {digest for other in others for digest in other.digests}
        again = [n for n, digest in zip(self.lengths, self.digests, strict=True) if digest in elsewhere]
        steps = sum(self.lengths)
        return Description(
            source=source,
            sequences=len(self.lengths),
            unit=unit,
            steps=steps,
            counted=self.counted,
            seen=self.seen,
            repeated=len(again),
            repeated_steps=sum(again),
            endless=endless,
            facts=() if self.notes is None else roll_facts(steps, self.silent, self.notes),
        )


def package_source(name: str) -> str:
    """Return name and version of an installed package, as a source of data."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} of unknown version"


def roll_facts(steps: int, silent: int, notes: int) -> tuple[Fact, ...]:
    """Return the facts of piano rolls, from their steps, those without a note, and the notes of all steps."""
    remedy = "cut the rests out, or leave out the pieces that have them"
    return (
        Fact("silent steps", silent / max(steps, 1), Kind.SHARE, ALARMING, remedy),
        Fact("notes per step", notes / max(steps, 1), Kind.MEAN),
    )


def reading(windows: Iterable[Window], output_size: int, output: Output) -> Reading:
    """Read batches to their end. Of real values, those that differ from 0 somewhere are seen.

    A sequence is a column of the windows from one that starts to the next such. Columns without a step in the loss mask
    are padding.
    """
    occurs = np.zeros(output_size, np.bool_)
    counted = silent = 0
    notes: int | None = None
    lengths: list[int] = []
    digests: list[bytes] = []

    def close(run: Sequence[Window]) -> None:
        nonlocal counted, silent, notes
        targets = np.concatenate([window.targets for window in run])
        loss_mask = np.concatenate([window.loss_mask for window in run]) > 0
        counted += int(loss_mask.sum())
        for column in np.flatnonzero(loss_mask.any(axis=0)):
            length = len(loss_mask) - int(loss_mask[::-1, column].argmax())
            sequence = targets[:length, column]
            lengths.append(length)
            if sequence.ndim == 2:
                sounding = sequence != 0
                occurs[sounding.any(axis=0)] = True
                if output is Output.MULTI_LABEL:
                    silent += length - int(sounding.any(axis=1).sum())
                    notes = (notes or 0) + int(sounding.sum())
                    sequence = np.packbits(sounding, axis=1)
            else:
                occurs[sequence] = True
            digests.append(hashlib.blake2b(np.ascontiguousarray(sequence).tobytes(), digest_size=16).digest())

    run: list[Window] = []
    for window in windows:
        if window.starts and run:
            close(run)
            run = []
        run.append(window)
    if run:
        close(run)
    return Reading(counted, int(occurs.sum()), silent, notes, tuple(lengths), tuple(digests))

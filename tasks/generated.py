"""Tasks whose data are random texts, split by content so that no sample is in two splits.

A sample belongs to training, validation or test by a hash of its `key`. A stream of one split draws samples
and drops those of the others, so there is no overlap by construction, and validation and test are fixed sets,
drawn from a seed of their own: no run's seed changes them.

A task of one's own is a vocabulary and a generator of samples:

    class Parity(GeneratedTask):
        name = "parity"
        vocabulary = "01="

        def samples(self, rng):
            while True:
                bits = "".join(rng.choice(["0", "1"], 8))
                yield Sample(f"{bits}={bits.count('1') % 2}", counts_from=9)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.errors import TaskError
from tasks.parameters import check_integer
from tasks.splits import split_of
from tasks.streams import windows
from tasks.task import ACCURACY, Batch, Output, Split, Task

FIXED_SEED = 20150706  # of the validation and test sets, whatever the seed of a run
PATIENCE = 10_000  # samples drawn in a row without one of the wanted split, before the task is called too small
BLOCK = 32  # training windows encoded at once


class Sample(NamedTuple):
    """One text of a generated task."""

    text: str
    counts_from: int = 0  # the prediction of this character and of those after it counts
    key: str = ""  # what decides the split: samples of equal keys are in one; empty: the text itself


@dataclass(frozen=True, kw_only=True)
class GeneratedTask(Task):
    """Random texts over a vocabulary of characters.

    Each column of a training batch is an endless stream of samples of its own, the state is carried over
    between its windows, and only the first window starts at zero. Where samples stand `alone` a batch is
    whole samples instead, each from a zero state, the shorter ones padded with steps that do not count, and
    the `steps` asked for are ignored.

    Parameters: `validation` and `test`, the sizes of the fixed sets in characters (whole samples: the last
    one is completed).

    Raises:
        TaskError: a parameter out of range; a split without samples; a sample that is not of the vocabulary.
    """

    output = Output.SYMBOLS
    metric = ACCURACY
    vocabulary: ClassVar[str]
    alone: ClassVar[bool] = False
    required = ("name", "vocabulary")

    validation: int = 50_000
    test: int = 100_000

    def __post_init__(self) -> None:
        check_integer(self.name, "validation", self.validation, 1, 100_000_000)
        check_integer(self.name, "test", self.test, 1, 100_000_000)
        if len(self.vocabulary) < 2 or len(set(self.vocabulary)) < len(self.vocabulary):
            raise TaskError(
                f"task {self.name!r}: its vocabulary is {self.vocabulary!r}; it must be different characters"
            )
        for split in Split:
            next(self._drawn(split, np.random.default_rng(FIXED_SEED)))

    @abstractmethod
    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        """Endless samples of all splits, a function of `rng` alone."""

    @property
    def width(self) -> int:
        return len(self.vocabulary)

    def label(self, index: int) -> str:
        return self.vocabulary[index]

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        source = self._drawn(Split.TRAIN, rng)
        if self.alone:
            while True:
                yield from self._padded([[next(source)] for _ in range(batch)], None)
        length = BLOCK * steps
        rest = [("", b"")] * batch
        starts = True
        while True:
            symbols = np.empty((batch, length + 1), np.int64)
            counted = np.empty((batch, length + 1), np.float32)
            for column in range(batch):
                text, marks = _filled(*rest[column], source, length + 1)
                symbols[column] = self._encoded(text[: length + 1])
                counted[column] = np.frombuffer(marks, np.uint8, length + 1)
                rest[column] = text[length:], marks[length:]  # the last symbol is the first one read next
            yield from windows(symbols, counted, steps, starts)
            starts = False

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        samples = self._fixed_set(split)
        if self.alone:
            for begin in range(0, len(samples), batch):
                group = [[sample] for sample in samples[begin : begin + batch]]
                yield from self._padded(group + [[]] * (batch - len(group)), None)
        else:
            yield from self._padded(_dealt(samples, batch), steps)

    def _padded(self, columns: list[list[Sample]], steps: int | None) -> Iterator[Batch]:
        """Windows over columns of samples, filled up with symbols whose prediction does not count."""
        samples = [sample for column in columns for sample in column]
        lengths = [sum(len(sample.text) for sample in column) for column in columns]
        length = max(lengths)
        filled = np.arange(length) < np.array(lengths)[:, None]
        symbols = np.zeros(filled.shape, np.int64)
        counted = np.zeros(filled.shape, np.float32)
        symbols[filled] = self._encoded("".join(sample.text for sample in samples))
        counted[filled] = np.frombuffer(b"".join(map(_marks, samples)), np.uint8)
        return windows(symbols, counted, steps or length)

    def _drawn(self, split: Split, rng: np.random.Generator) -> Iterator[Sample]:
        """Endless samples of one split."""
        dropped = 0
        for sample in self.samples(rng):
            length = len(sample.text)
            if length == 0:
                raise TaskError(f"task {self.name!r}: a sample is empty; each needs at least one character")
            if not 0 <= sample.counts_from < length:
                where = f"counts from character {sample.counts_from} of {length}"
                raise TaskError(f"task {self.name!r}: a sample {where}; it must be from 0 to {length - 1}")
            if split_of(sample.key or sample.text) is split:
                dropped = 0
                yield sample
                continue
            dropped += 1
            if dropped == PATIENCE:
                raise TaskError(
                    f"task {self.name!r}: {PATIENCE:,} samples in a row without one of the {split} split; "
                    "the task has too few different samples, so choose larger parameters"
                )
        raise TaskError(f"task {self.name!r}: its samples came to an end; they must be endless")

    def _fixed_set(self, split: Split) -> list[Sample]:
        if split not in self._fixed_sets:
            rng = np.random.default_rng([FIXED_SEED, list(Split).index(split)])
            size = self.test if split is Split.TEST else self.validation
            samples, total = [], 0
            for sample in self._drawn(split, rng):
                samples.append(sample)
                total += len(sample.text)
                if total >= size:
                    break
            self._fixed_sets[split] = samples
        return self._fixed_sets[split]

    @cached_property
    def _fixed_sets(self) -> dict[Split, list[Sample]]:
        return {}

    @cached_property
    def _codes(self) -> npt.NDArray[np.int64]:
        """Symbol of every character code; -1 where there is none."""
        points = [ord(character) for character in self.vocabulary]
        codes = np.full(max(points) + 2, -1, np.int64)
        codes[points] = np.arange(len(points))
        return codes

    def _encoded(self, text: str) -> npt.NDArray[np.int64]:
        points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        symbols = self._codes[np.minimum(points, len(self._codes) - 1)]
        if symbols.size and symbols.min() < 0:
            strange = text[int(symbols.argmin())]
            raise TaskError(f"task {self.name!r}: a sample has {strange!r}, which its vocabulary has not; add it")
        return symbols


def _marks(sample: Sample) -> bytes:
    """A byte 0 or 1 for each character: whether its prediction counts."""
    return bytes(sample.counts_from) + b"\x01" * (len(sample.text) - sample.counts_from)


def _filled(text: str, marks: bytes, source: Iterator[Sample], length: int) -> tuple[str, bytes]:
    """The text and its marks, followed by samples until there are at least `length` characters."""
    texts, all_marks, total = [text], [marks], len(text)
    while total < length:
        sample = next(source)
        texts.append(sample.text)
        all_marks.append(_marks(sample))
        total += len(sample.text)
    return "".join(texts), b"".join(all_marks)


def _dealt(samples: list[Sample], batch: int) -> list[list[Sample]]:
    """Samples in `batch` columns of nearly equal length, none of them cut."""
    columns: list[list[Sample]] = [[] for _ in range(batch)]
    size = sum(len(sample.text) for sample in samples)
    total = 0
    for sample in samples:
        columns[min(total * batch // size, batch - 1)].append(sample)
        total += len(sample.text)
    return columns

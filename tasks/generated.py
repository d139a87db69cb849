"""Tasks on random texts, split by content so that no sample is in two splits.

A hash of a sample's `key` decides whether it belongs to training, validation or test. The stream of a split draws
samples and drops those of other splits, so splits are disjoint by construction. Validation and test are fixed sets
drawn from a fixed seed, which the seed of a run does not change.

A user's task is a vocabulary and a generator of samples:

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.description import Description
from tasks.errors import TaskError
from tasks.parameters import check_integer
from tasks.splits import codes_of, hashes_of, octant_splits, octants_of
from tasks.streams import windows
from tasks.task import ACCURACY, CROSS_ENTROPY, Batch, Output, Split, Task

FIXED_SEED = 20150706  # random seed of validation and test sets, independent of the seed of a run
PATIENCE = 10_000  # successive samples without one of the wanted split, after which the task is too small
WINDOWS = 64  # training windows encoded at once
SAMPLES = 64  # samples collected into a block from a task that yields them one by one


class Sample(NamedTuple):
    """Text of a generated task."""

    text: str
    counts_from: int = 0  # index of the first character in the loss mask; later ones are in it, too
    key: str = ""  # text that decides the split: samples with equal keys share one; empty: the text itself


class Block(NamedTuple):
    """Concatenated samples: N samples with L characters in total, and keys with K characters in total."""

    characters: npt.NDArray[Any]  # (L,) character codes
    lengths: npt.NDArray[np.int64]  # (N,) lengths of the samples
    counts_from: npt.NDArray[np.int64]  # (N,) as in `Sample`
    keys: npt.NDArray[Any]  # (K,) character codes
    key_lengths: npt.NDArray[np.int64]  # (N,) lengths of the keys

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Block:
        """Return samples as a block."""
        keys = [sample.key or sample.text for sample in samples]
        return cls(
            codes_of("".join(sample.text for sample in samples)),
            np.array([len(sample.text) for sample in samples], np.int64),
            np.array([sample.counts_from for sample in samples], np.int64),
            codes_of("".join(keys)),
            np.array([len(key) for key in keys], np.int64),
        )

    def samples(self) -> Iterator[Sample]:
        """Yield the samples one by one."""
        text, keys = self.characters.astype(np.uint32), self.keys.astype(np.uint32)
        parts = zip(np.split(text, np.cumsum(self.lengths)), np.split(keys, np.cumsum(self.key_lengths)), strict=True)
        for (characters, key), counts_from in zip(parts, self.counts_from.tolist(), strict=False):
            yield Sample(characters.tobytes().decode("utf-32-le"), counts_from, key.tobytes().decode("utf-32-le"))

    def kept(self, which: npt.NDArray[np.bool_]) -> Block:
        """Return the samples that a mask (N,) selects."""
        if which.all():
            return self
        return Block(
            _of_rows(self.characters, self.lengths, which), self.lengths[which], self.counts_from[which],
            _of_rows(self.keys, self.key_lengths, which), self.key_lengths[which],
        )  # fmt: skip

    def part(self, begin: int, end: int) -> Block:
        """Return the samples from index `begin` up to, but without, `end`."""
        first, last = int(self.lengths[:begin].sum()), int(self.lengths[:end].sum())
        key, last_key = int(self.key_lengths[:begin].sum()), int(self.key_lengths[:end].sum())
        return Block(
            self.characters[first:last], self.lengths[begin:end], self.counts_from[begin:end],
            self.keys[key:last_key], self.key_lengths[begin:end],
        )  # fmt: skip

    def marks(self) -> npt.NDArray[np.float32]:
        """Return the loss mask of the characters, (L,) of 0 and 1."""
        if not self.counts_from.any():
            return np.ones(len(self.characters), np.float32)
        spans = np.stack([self.counts_from, self.lengths - self.counts_from], 1).ravel()
        return np.repeat(np.tile(np.array([0, 1], np.float32), len(self.lengths)), spans)


@dataclass(frozen=True, kw_only=True)
class GeneratedTask(Task):
    """Task on random texts over a vocabulary of characters.

    Each column of a training batch is an endless stream of samples. The hidden state is carried over between windows,
    and is zero before the first one only. With `alone`, a batch is whole samples instead, each from a zero state;
    shorter ones are padded with steps outside the loss mask, and the argument `steps` is ignored.

    Parameters: `validation` and `test` are the sizes of the fixed sets in characters; the last sample is completed.

    Raises:
        TaskError: a parameter is out of range, a split has no samples, or a sample leaves the vocabulary.
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
        vocabulary: object = self.vocabulary
        if not isinstance(vocabulary, str):
            raise TaskError(f"task {self.name!r}: its vocabulary is {vocabulary!r}; give its characters as one text")
        if len(self.vocabulary) < 2 or len(set(self.vocabulary)) < len(self.vocabulary):
            raise TaskError(
                f"task {self.name!r}: its vocabulary is {self.vocabulary!r}; give two or more different characters"
            )
        for split in Split:
            next(self._drawn(split, np.random.default_rng(FIXED_SEED)))

    @abstractmethod
    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        """Yield endless samples of all splits, determined by `rng` alone."""

    def blocks(self, rng: np.random.Generator) -> Iterator[Block]:
        """Yield the same samples in blocks. Tasks that draw whole arrays implement this (`BlockTask`)."""
        source = self.samples(rng)
        while some := list(islice(source, SAMPLES)):
            for sample in some:
                wrong = _wrong_type(sample)
                if wrong is not None:
                    raise TaskError(
                        f"task {self.name!r}: samples() yielded a {wrong}; yield gatesearch.Sample(text, counts_from)"
                    )
                length = len(sample.text)
                if length == 0:
                    raise TaskError(f"task {self.name!r}: a sample is empty; each needs at least one character")
                if not 0 <= sample.counts_from < length:
                    raise TaskError(
                        f"task {self.name!r}: a sample of {length} characters has counts_from = {sample.counts_from}; "
                        f"give 0 to {length - 1}"
                    )
            yield Block.of(some)

    @property
    def output_size(self) -> int:
        return len(self.vocabulary)

    def label(self, index: int) -> str:
        return self.vocabulary[index]

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        blocks = self._drawn(Split.TRAIN, rng)
        if self.alone:
            yield from self._groups(blocks, batch)
        source = _Source(blocks)
        length = WINDOWS * steps
        rest = [(np.empty(0, np.uint32), np.empty(0, np.float32))] * batch
        starts = True
        while True:
            characters = np.empty((batch, length + 1), np.uint32)
            loss_mask = np.empty((batch, length + 1), np.float32)
            for column in range(batch):
                text, marks = source.filled(*rest[column], length + 1)
                characters[column], loss_mask[column] = text[: length + 1], marks[: length + 1]
                rest[column] = text[length:], marks[length:]  # the last target is the next input
            yield from windows(self._encoded(characters), loss_mask, steps, starts)
            starts = False

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        block = self._fixed_set(split)
        if not self.alone:
            yield from self._padded(block.characters, block.marks(), column_lengths(block.lengths, batch), steps)
            return
        for begin in range(0, len(block.lengths), batch):
            group = block.part(begin, begin + batch)
            lengths = np.pad(group.lengths, (0, batch - len(group.lengths)))
            yield from self._padded(group.characters, group.marks(), lengths, None)

    def describe(self) -> dict[Split, Description]:
        """Describe the samples of the fixed sets; that of training is a sample, as large as that of validation.

        Keys are in one split by construction, so that only equal texts with different keys can be in two.
        """
        blocks = {split: self._fixed_set(split) for split in Split}
        hashes = {split: hashes_of(block.characters, block.lengths) for split, block in blocks.items()}
        found = {}
        for split, block in blocks.items():
            again = np.isin(hashes[split], np.concatenate([hashes[other] for other in Split if other is not split]))
            marks = block.marks()
            begins = np.cumsum(block.lengths) - block.lengths
            begins = begins if self.alone else begins[:1]  # nothing predicts the first character after a zero state
            steps = block.lengths.copy()
            steps[: len(begins)] -= 1
            found[split] = Description(
                source="random samples",
                sequences=len(block.lengths),
                unit="samples",
                steps=int(steps.sum()),
                counted=int(marks.sum() - marks[begins].sum()),
                seen=int(np.count_nonzero(np.bincount(block.characters))),
                repeated=int(again.sum()),
                repeated_steps=int(steps[again].sum()),
                endless=split is Split.TRAIN,
            )
        return found

    def _determined(self) -> float | None:
        """Return the ceiling of a task of which every step in the loss mask follows from earlier ones."""
        return {ACCURACY: 1.0, CROSS_ENTROPY: 0.0}.get(self.metric)

    def _groups(self, blocks: Iterator[Block], batch: int) -> Iterator[Batch]:
        """Yield endless batches of whole samples, each from a zero state."""
        left: list[Block] = []
        for block in blocks:
            left.append(block)
            count = sum(len(part.lengths) for part in left) // batch
            if count == 0:
                continue
            whole = _joined(left)
            left, whole = [whole.part(count * batch, len(whole.lengths))], whole.part(0, count * batch)
            symbols, marks = self._encoded(whole.characters), whole.marks()
            if (whole.lengths == whole.lengths[0]).all():
                shape = count, batch, int(whole.lengths[0])
                turned = symbols.reshape(shape).transpose(0, 2, 1)
                inputs, targets = turned[:, :-1].copy(), turned[:, 1:].copy()
                loss_mask = marks.reshape(shape).transpose(0, 2, 1)[:, 1:].copy()
                for number in range(count):
                    yield Batch(inputs[number], targets[number], loss_mask[number], True)
                continue
            ends = np.cumsum(whole.lengths).reshape(count, batch)
            for lengths, end in zip(whole.lengths.reshape(count, batch), ends[:, -1].tolist(), strict=True):
                part = slice(end - int(lengths.sum()), end)
                yield from self._padded(whole.characters[part], marks[part], lengths, None)

    def _padded(
        self,
        characters: npt.NDArray[Any],
        marks: npt.NDArray[np.float32],
        lengths: npt.NDArray[np.int64],
        steps: int | None,
    ) -> Iterator[Batch]:
        """Yield windows over columns of these lengths, padded with symbols outside the loss mask."""
        length = int(lengths.max())
        filled = np.arange(length) < lengths[:, None]
        symbols = np.zeros(filled.shape, np.int64)
        loss_mask = np.zeros(filled.shape, np.float32)
        symbols[filled] = self._encoded(characters)
        loss_mask[filled] = marks
        return windows(symbols, loss_mask, steps or length)

    def _drawn(self, split: Split, rng: np.random.Generator) -> Iterator[Block]:
        """Yield endless blocks of samples of one split, none of them empty."""
        dropped = 0
        for block in self.blocks(rng):
            kept = octant_splits(split, octants_of(block.keys, block.key_lengths))
            found = np.flatnonzero(kept)
            dropped = len(kept) - 1 - int(found[-1]) if len(found) else dropped + len(kept)
            if len(found):
                yield block.kept(kept)
            elif dropped >= PATIENCE:
                raise TaskError(
                    f"task {self.name!r}: {PATIENCE:,} samples in a row without one of the {split} split; "
                    "the task has too few different samples, so choose larger parameters"
                )
        raise TaskError(f"task {self.name!r}: its samples ended, but must be endless; loop in samples()")

    def _fixed_set(self, split: Split) -> Block:
        if split not in self._fixed_sets:
            rng = np.random.default_rng([FIXED_SEED, list(Split).index(split)])
            size = self.test if split is Split.TEST else self.validation
            parts, total = [], 0
            for block in self._drawn(split, rng):
                parts.append(block)
                total += len(block.characters)
                if total >= size:
                    break
            whole = _joined(parts)
            before = np.cumsum(whole.lengths) - whole.lengths
            self._fixed_sets[split] = whole.kept(before < size)
        return self._fixed_sets[split]

    @cached_property
    def _fixed_sets(self) -> dict[Split, Block]:
        return {}

    @cached_property
    def _codes(self) -> npt.NDArray[np.int64]:
        """Symbol of each character code; -1 for characters outside the vocabulary."""
        points = [ord(character) for character in self.vocabulary]
        codes = np.full(max(points) + 2, -1, np.int64)
        codes[points] = np.arange(len(points))
        return codes

    def _encoded(self, characters: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        symbols: npt.NDArray[np.int64] = self._codes[np.minimum(characters, len(self._codes) - 1)]
        if symbols.size and symbols.min() < 0:
            strange = chr(characters.flat[int(symbols.argmin())])
            raise TaskError(f"task {self.name!r}: a sample has {strange!r}, which is not in its vocabulary; add it")
        return symbols


class BlockTask(GeneratedTask):
    """Generated task that draws its samples in blocks."""

    @abstractmethod
    def blocks(self, rng: np.random.Generator) -> Iterator[Block]:
        """Yield endless blocks of samples of all splits, determined by `rng` alone."""

    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        for block in self.blocks(rng):
            yield from block.samples()


def column_lengths(lengths: npt.NDArray[np.int64], batch: int) -> npt.NDArray[np.int64]:
    """Return the characters of each evaluation column, (B,): nearly equal, and no sample is cut."""
    ends = np.cumsum(lengths)
    columns = np.minimum((ends - lengths) * batch // ends[-1], batch - 1)
    return np.bincount(columns, lengths, batch).astype(np.int64)


class _Source:
    """Reader of whole samples from endless blocks, as characters and loss mask."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._next()

    def _next(self) -> None:
        block = next(self._blocks)
        self._characters, self._marks = block.characters, block.marks()
        self._ends = np.cumsum(block.lengths)
        self._at = 0

    def filled(
        self, characters: npt.NDArray[Any], marks: npt.NDArray[np.float32], length: int
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float32]]:
        """Return the given characters and mask, extended by whole samples to at least `length` characters."""
        texts, all_marks, total = [characters], [marks], len(characters)
        while total < length:
            if self._at == len(self._characters):
                self._next()
            wanted = min(self._at + length - total, len(self._characters))
            end = int(self._ends[np.searchsorted(self._ends, wanted)])
            texts.append(self._characters[self._at : end])
            all_marks.append(self._marks[self._at : end])
            total += end - self._at
            self._at = end
        return np.concatenate(texts), np.concatenate(all_marks)


def _joined(blocks: Sequence[Block]) -> Block:
    return Block(*(np.concatenate(parts) for parts in zip(*blocks, strict=True))) if len(blocks) > 1 else blocks[0]


def _wrong_type(sample: object) -> str | None:
    """Return what a user's generator yielded instead of a sample; None if it is one."""
    if not isinstance(sample, Sample):
        return type(sample).__name__
    text: object = sample.text
    return None if isinstance(text, str) else "Sample whose text is no str"


def _of_rows(
    characters: npt.NDArray[Any], lengths: npt.NDArray[np.int64], which: npt.NDArray[np.bool_]
) -> npt.NDArray[Any]:
    """Return the characters of the texts that a mask (N,) selects."""
    if (lengths == lengths[0]).all():
        return characters.reshape(len(lengths), -1)[which].ravel()
    return characters[np.flatnonzero(np.repeat(which, lengths))]

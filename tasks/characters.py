"""Text task: the next character or byte of any text files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.description import Description, Fact, Kind
from tasks.errors import TaskError
from tasks.metrics import BITS, METRICS, metrics_of
from tasks.parameters import check_integer, check_number
from tasks.splits import codes_of, in_shared_runs
from tasks.streams import columns, windows
from tasks.task import CROSS_ENTROPY, Batch, Output, Split, Task
from tasks.text_parts import TextParts, text_parts

LARGEST_VOCABULARY = 100_000
_BYTES = 256
_CODES = 0x110000  # of Unicode
_UNKNOWN = 0  # symbol of characters outside the vocabulary
_SHOWN = {"\n": "↵", "\t": "→"}

RUN = 50
"""Successive symbols of validation or test that are told if another split has them."""

MOST_SHARED, MOST_UNKNOWN = 0.05, 0.05
"""Shares of symbols in such runs, and of unknown characters, above which a task is warned about."""

Symbols = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True)
class Text(Task):
    """The next character, or the next byte, of text; the loss mask covers all but the first.

    `tasks.text_parts` reads and divides the files: a folder with files or folders named train, valid and test, a folder
    of any texts, or one file, which is cut by position. Several texts of a split are joined by line ends. Characters
    are those of `tasks.decoding`: every line ends with a line feed.

    The vocabulary is the characters of the training text; others are one unknown character. The vocabulary of bytes is
    all 256. Training cuts the text into the columns of a batch and reads them in windows, with the hidden state carried
    over; each pass begins at a random symbol, from a zero state.

    Parameters:
        data: the file or folder.
        unit: "characters" or "bytes".
        vocabulary: largest number of characters, the most frequent ones.
        validation: share of the text for validation where names do not divide it; `test` likewise.
        max_symbols: number of symbols of the training text that are used; None for all.
        max_evaluation_symbols: the same of validation and test each.
        ranked_by: metric that ranks, cross_entropy or accuracy. Bits per character are cross entropy / ln 2.

    Raises:
        TaskError: a parameter is out of range, or files are unusable.
    """

    name = "text"
    metric = CROSS_ENTROPY
    output = Output.SYMBOLS
    summary = "characters or bytes of text files; cross entropy of every symbol, in bits per character"

    data: str
    unit: str = "characters"
    vocabulary: int = 10_000
    validation: float = 0.05
    test: float = 0.05
    max_symbols: int | None = None
    max_evaluation_symbols: int | None = None
    ranked_by: str = CROSS_ENTROPY.name

    def __post_init__(self) -> None:
        if not isinstance(self.data, str | Path):
            raise TaskError(f"task 'text': data = {self.data!r}, but it must be the path of a file or folder")
        if self.unit not in ("characters", "bytes"):
            raise TaskError(f"task 'text': unit = {self.unit!r}, but it must be 'characters' or 'bytes'")
        check_integer(self.name, "vocabulary", self.vocabulary, 1, LARGEST_VOCABULARY)
        for name in ("validation", "test"):
            check_number(self.name, name, getattr(self, name), 0.001, 0.4)
        for name in ("max_symbols", "max_evaluation_symbols"):
            if getattr(self, name) is not None:
                check_integer(self.name, name, getattr(self, name), 2, 10**12)
        fitting = [metric.name for metric in metrics_of(self.output) if metric.usual]
        if self.ranked_by not in fitting:
            raise TaskError(f"task 'text': ranked_by = {self.ranked_by!r}, but it must be one of {', '.join(fitting)}")
        object.__setattr__(self, "metric", METRICS[self.ranked_by])
        for split in Split:
            symbols = self._symbols[split]
            if len(symbols) < 2:
                raise TaskError(f"data = {self.data!r}: {split} has fewer than 2 {self.unit}; give longer texts")
            if self.unit == "characters" and not symbols.any():
                raise TaskError(
                    f"data = {self.data!r}: no character of {split} is in the training text; give texts of one alphabet"
                )

    @property
    def output_size(self) -> int:
        return _BYTES if self.unit == "bytes" else 1 + len(self._characters)

    def label(self, index: int) -> str:
        """Return a character as it is shown: ↵ is a line end, → a tabulator, � unknown, · any other without a sign."""
        if self.unit == "bytes":
            character = chr(index) if index < 128 else ""
        elif index == _UNKNOWN:
            return "�"
        else:
            character = chr(self._characters[index - 1])
        return _SHOWN.get(character) or (character if character.isprintable() and character else "·")

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        symbols = self._symbols[Split.TRAIN]
        while True:
            offset = int(rng.integers(len(symbols)))
            yield from windows(*columns(np.roll(symbols, -offset), batch), steps)

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        return windows(*columns(self._symbols[split], batch), steps)

    def content(self) -> Iterator[bytes]:
        yield f"{self.unit} {list(map(int, self._characters))}".encode()
        for split in Split:
            yield f"\n{split}\n".encode() + self._symbols[split].astype("<i4").tobytes()

    def describe(self) -> dict[Split, Description]:
        """Describe the texts; the bits are those of the constant baseline, where cross entropy ranks."""
        digests = {split: list(map(_digest, texts)) for split, texts in self._parts.texts.items()}
        found = {}
        for split in Split:
            symbols, texts = self._symbols[split], self._parts.texts[split]
            elsewhere = {digest for other in Split if other is not split for digest in digests[other]}
            again = [digest in elsewhere for digest in digests[split]]
            lengths = [len(_codes(text, self.unit)) for text in texts]
            found[split] = Description(
                source=str(self.data),
                sequences=len(texts),
                unit="texts",
                steps=len(symbols) - 1,
                counted=len(symbols) - 1,
                seen=int(np.count_nonzero(np.bincount(symbols[1:]))),
                repeated=sum(again),
                repeated_steps=min(sum(np.compress(again, lengths)), len(symbols) - 1),
                facts=(*self._facts(split, sum(lengths) + len(lengths) - 1), *self._parts.facts),
            )
        return found

    def _facts(self, split: Split, whole: int) -> Iterator[Fact]:
        """Yield the facts of a split, whose texts have `whole` symbols."""
        symbols = self._symbols[split]
        if len(symbols) < whole:
            yield Fact(f"{self.unit} left out", whole - len(symbols), Kind.COUNT)
        if self.unit == "characters":
            share = float((symbols == _UNKNOWN).mean())
            remedy = "give a training text that has them, or set a larger vocabulary"
            yield Fact("unknown characters", share, Kind.SHARE, MOST_UNKNOWN, remedy)
        if split is not Split.TRAIN:
            others = [self._symbols[other] for other in Split if other is not split]
            share = float(in_shared_runs(symbols, others, RUN).mean())
            name = f"{self.unit} in runs of {RUN} that another split has"
            yield Fact(name, share, Kind.SHARE, MOST_SHARED, "leave them out of one of the two")
            if self.metric is CROSS_ENTROPY:
                yield Fact(f"constant baseline, {BITS.unit}", BITS.of(self.constant_baseline(split)), Kind.METRIC)

    @cached_property
    def _parts(self) -> TextParts:
        return text_parts(Path(self.data), as_bytes=self.unit == "bytes", validation=self.validation, test=self.test)

    @cached_property
    def _characters(self) -> npt.NDArray[np.uint32]:
        """Codes of the vocabulary's characters, by decreasing frequency; none of bytes."""
        if self.unit == "bytes":
            return np.empty(0, np.uint32)
        codes = _codes(b"\n".join(self._parts.texts[Split.TRAIN]), self.unit)[: self.max_symbols]
        counts = np.bincount(codes, minlength=_CODES)
        known = np.flatnonzero(counts)
        return known[np.argsort(-counts[known], kind="stable")][: self.vocabulary].astype(np.uint32)

    @cached_property
    def _symbols(self) -> Mapping[Split, Symbols]:
        numbers = np.full(_CODES, _UNKNOWN, np.min_scalar_type(self.output_size))
        numbers[self._characters] = np.arange(1, len(self._characters) + 1)
        found: dict[Split, Symbols] = {}
        for split, texts in self._parts.texts.items():
            most = self.max_symbols if split is Split.TRAIN else self.max_evaluation_symbols
            codes = _codes(b"\n".join(texts), self.unit)[:most]
            found[split] = codes if self.unit == "bytes" else numbers[codes]
        return found


def _codes(text: bytes, unit: str) -> npt.NDArray[Any]:
    """Return the bytes of a text, or the codes of its characters."""
    return np.frombuffer(text, np.uint8) if unit == "bytes" else codes_of(text.decode())


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()

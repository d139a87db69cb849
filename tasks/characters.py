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
from tasks.metrics import BITS_PER_SYMBOL, METRICS, metrics_of
from tasks.parameters import check_integer, check_number
from tasks.splits import codes_of, in_shared_runs
from tasks.streams import columns, windows
from tasks.task import Batch, Output, Split, Task
from tasks.text_parts import text_parts

LARGEST_VOCABULARY = 100_000
_BYTES = 256
_CODES = 0x110000  # of Unicode
_PIECE = 4_000_000  # symbols
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
        ranked_by: metric that ranks: bits_per_symbol, cross_entropy or accuracy.

    Raises:
        TaskError: a parameter is out of range, or files are unusable.
    """

    name = "text"
    metric = BITS_PER_SYMBOL
    output = Output.SYMBOLS
    summary = "characters or bytes of text files; bits for each of them"

    data: str
    unit: str = "characters"
    vocabulary: int = 10_000
    validation: float = 0.05
    test: float = 0.05
    max_symbols: int | None = None
    max_evaluation_symbols: int | None = None
    ranked_by: str = BITS_PER_SYMBOL.name

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
        fitting = [one.name for one in metrics_of(self.output) if one.usual or one is BITS_PER_SYMBOL]
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
        """Describe the texts of each split."""
        texts = self._read.texts
        found = {}
        for split in Split:
            steps = len(self._symbols[split]) - 1
            elsewhere = {text.digest for other in Split if other is not split for text in texts[other]}
            again = [text.length for text in texts[split] if text.digest in elsewhere]
            whole = sum(text.length for text in texts[split]) + len(texts[split]) - 1  # with the line ends between them
            found[split] = Description(
                source=str(self.data),
                sequences=len(texts[split]),
                unit="texts",
                steps=steps,
                counted=steps,
                seen=int(np.count_nonzero(_counts(self._symbols[split][1:], self.output_size))),
                repeated=len(again),
                repeated_steps=min(sum(again), steps),
                facts=(*self._facts(split, whole), *self._read.facts),
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

    @property
    def _symbols(self) -> Mapping[Split, Symbols]:
        return self._read.symbols

    @property
    def _characters(self) -> npt.NDArray[np.uint32]:
        return self._read.characters

    @cached_property
    def _read(self) -> _Read:
        as_bytes = self.unit == "bytes"
        parts = text_parts(Path(self.data), as_bytes=as_bytes, validation=self.validation, test=self.test)
        whole = {split: b"\n".join(texts) for split, texts in parts.texts.items()}
        strings = {split: text if as_bytes else text.decode() for split, text in whole.items()}
        texts = {
            split: [_Text(_digest(each), len(each) if as_bytes else len(each.decode())) for each in own]
            for split, own in parts.texts.items()
        }
        most = {split: self.max_symbols if split is Split.TRAIN else self.max_evaluation_symbols for split in Split}
        strings = {split: text[: most[split]] for split, text in strings.items()}
        known = np.empty(0, np.uint32)
        if not as_bytes:
            counts = sum(
                (_counts(codes, _CODES) for codes in _pieces(strings[Split.TRAIN])), np.zeros(_CODES, np.int64)
            )
            occurring = np.flatnonzero(counts)
            known = occurring[np.argsort(-counts[occurring], kind="stable")][: self.vocabulary].astype(np.uint32)
        numbers = np.full(_CODES, _UNKNOWN, np.min_scalar_type(len(known)))
        numbers[known] = np.arange(1, len(known) + 1)
        if as_bytes:
            numbers = np.arange(_BYTES, dtype=np.uint8)
        symbols = {split: _numbered(text, numbers) for split, text in strings.items()}
        return _Read(symbols, known, texts, parts.facts)


@dataclass(frozen=True)
class _Text:
    """Checksum and number of symbols of a text."""

    digest: bytes
    length: int


@dataclass(frozen=True, eq=False)
class _Read:
    """Texts as read: symbols by split, codes of the vocabulary's characters by frequency, texts, files not read."""

    symbols: Mapping[Split, Symbols]
    characters: npt.NDArray[np.uint32]
    texts: Mapping[Split, list[_Text]]
    facts: tuple[Fact, ...]


def _pieces(text: str | bytes) -> Iterator[npt.NDArray[Any]]:
    """Yield the codes of the characters of a text, or its bytes, in pieces: whole, codes take four times its memory."""
    for begin in range(0, len(text), _PIECE):
        piece = text[begin : begin + _PIECE]
        yield np.frombuffer(piece, np.uint8) if isinstance(piece, bytes) else codes_of(piece)


def _numbered(text: str | bytes, numbers: npt.NDArray[Any]) -> Symbols:
    """Return the numbers of the characters or bytes of a text."""
    found = np.empty(len(text), numbers.dtype)
    begin = 0
    for piece in _pieces(text):
        found[begin : begin + len(piece)] = numbers[piece]
        begin += len(piece)
    return found


def _counts(symbols: npt.NDArray[Any], size: int) -> npt.NDArray[np.int64]:
    """Return how often each symbol occurs, (size,)."""
    found = np.zeros(size, np.int64)
    for begin in range(0, len(symbols), _PIECE):  # `bincount` takes eight bytes a symbol
        found += np.bincount(symbols[begin : begin + _PIECE], minlength=size)
    return found


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()

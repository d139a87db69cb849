"""CSV files: text in UTF-8 or UTF-16, perhaps compressed; the separator is a comma, semicolon, tab or `|`.

Cells are converted one by one, so that a message names the line and the column of a cell that is no number.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from array import array
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tasks.errors import TaskError
from tasks.tables import SHOWN, Skipped, Table, check_names, number_of, refuse, shown

LARGEST_TEXT = 2_000_000_000
"""Largest size of a file in bytes, after decompression."""

MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "?", "-", "."})
"""Cells, in lower case, whose value is missing."""

_TRUTH = {"true": 1.0, "false": 0.0}
_NO_MARKS = str.maketrans("", "", ", _'\xa0\u202f")  # of thousands
_SEPARATORS = ",;\t|"


def read_csv(path: Path, texts: Collection[str], ignore: Collection[str], *, decimal: str, header: bool) -> Table:
    """Read a CSV file. Arguments and errors are those of `tasks.table_files.read_table`."""
    where = f"data = {str(path)!r}"
    with _opened(path) as file:
        return _table(where, file, texts, ignore, decimal, header)


def first_of_csv(path: Path, most: int, *, decimal: str, header: bool) -> tuple[str, list[str]]:
    """Return the name of the first column, and its first cells, at most `most`."""
    where = f"data = {str(path)!r}"
    with _opened(path) as file:
        lines = _Lines(where, file)
        rows = [row for _, row in islice(_rows(where, lines, _separator(lines.first, decimal)), most + header)]
    name = rows[0][0].strip() if rows and header else "1"
    return name, [row[0].strip() for row in rows[int(header) :] if row]


class _Bounded(io.RawIOBase):
    """Bytes of a file up to `LARGEST_TEXT`: a small compressed file may become a very large one."""

    def __init__(self, where: str, source: BinaryIO | gzip.GzipFile) -> None:
        self.where, self.source, self.left = where, source, LARGEST_TEXT

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        data = self.source.read(len(buffer))
        self.left -= len(data)
        if self.left < 0:
            raise TaskError(f"{self.where} has more than {LARGEST_TEXT:,} bytes; cut it, or save it as Parquet")
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def _opened(path: Path) -> Iterator[io.TextIOWrapper]:
    """Open a file as text; a mark at its begin decides between UTF-8 and UTF-16. Raises `TaskError`."""
    where = f"data = {str(path)!r}"
    try:
        with (
            gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as source,
            io.BufferedReader(_Bounded(where, source), 1 << 16) as buffered,
        ):
            start = buffered.peek(4)[:4]
            wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            with io.TextIOWrapper(buffered, encoding="utf-16" if wide else "utf-8-sig", newline="") as file:
                yield file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise TaskError(f"{where} is no gzip file, or is damaged ({error}); compress it again") from error
    except OSError as error:
        raise TaskError(f"{where} cannot be read: {error.strerror or error}; check the file") from error


def _table(
    where: str, file: io.TextIOWrapper, texts: Collection[str], ignore: Collection[str], decimal: str, header: bool
) -> Table:
    lines = _Lines(where, file)
    separator = _separator(lines.first, decimal)
    rows = _rows(where, lines, separator)
    number, first = next(rows, (1, []))
    if not first:
        raise TaskError(f"{where} is empty; give a file with data")
    first = [cell.strip() for cell in first]
    names = first if header else [str(place) for place in range(1, len(first) + 1)]
    if header and all(_is_number(cell, decimal) for cell in first):
        raise TaskError(
            f"{where}: the first line has numbers ({', '.join(map(shown, first[:SHOWN]))}) where the names of the "
            "columns belong; add a line with names, or set header = false"
        )
    check_names(where, names, [*texts, *ignore])
    columns = _Columns(where, names, texts, ignore, decimal)
    if not header:
        columns.add(number, first)
    pending: list[int] = []  # empty lines, which are missing values of a file with one column unless they end it
    skipped = 0
    for number, row in rows:
        if not row:
            pending.append(number)
            continue
        if len(row) != len(names):
            noun = "cell" if len(row) == 1 else "cells"
            remedy = "quote cells that contain the separator, or correct the line"
            if decimal == "," and separator == ",":
                remedy = "with decimal commas, separate columns by semicolons, or correct the line"
            raise TaskError(
                f"{where}: line {number:,} has {len(row):,} {noun} and the first line {len(names):,} "
                f"(separated by {shown(separator)}); {remedy}"
            )
        if pending:
            if len(names) == 1:
                for empty in pending:
                    columns.add(empty, [""])
            else:
                skipped += len(pending)
            pending.clear()
        columns.add(number, row)
    return replace(columns.table(), skipped=Skipped(empty=skipped))


class _Lines:
    """Lines of a file, with a look at the first one that is not empty."""

    def __init__(self, where: str, file: io.TextIOWrapper) -> None:
        self._where, self._file = where, file
        self._number = 0
        self._read: list[str] = []
        self.first = ""
        for line in self._decoded():
            self._read.append(line)
            if line.strip():
                self.first = line
                break

    def __iter__(self) -> Iterator[str]:
        yield from self._read
        self._read.clear()
        yield from self._decoded()

    def _decoded(self) -> Iterator[str]:
        """Yield lines; raises `TaskError` if one is no text."""
        try:
            for line in self._file:
                self._number += 1
                if "\0" in line:
                    raise TaskError(f"{self._where} has a NUL character in line {self._number:,}; save it as UTF-8")
                yield line
        except UnicodeDecodeError as error:  # of a block of lines
            number = self._number + 1 + error.object[: error.start].count(b"\n")
            byte = error.object[error.start]
            place = f"byte 0x{byte:02x} in line {number:,}"
            raise TaskError(f"{self._where} is not {error.encoding.upper()} ({place}); save it as UTF-8") from error


def _separator(line: str, decimal: str) -> str:
    """Return the separator of columns: the most frequent in the first line outside quotes; a comma if there is none."""
    plain = "".join(line.split('"')[::2])
    counts = {mark: plain.count(mark) for mark in _SEPARATORS}
    if decimal == ",":  # a comma only separates columns if nothing else does
        counts[","] = min(counts[","], 0 if any(counts[mark] for mark in ";\t|") else counts[","])
    return max(_SEPARATORS, key=lambda mark: counts[mark])


def _rows(where: str, lines: _Lines, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a file, each with the number of its last line; empty lines before the first row are skipped."""
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
    try:
        started = False
        for row in reader:
            started = started or bool(row)
            if started:
                yield reader.line_num, row
    except csv.Error as error:
        raise TaskError(
            f"{where}: line {reader.line_num:,} is no row of a CSV file ({error}); correct its quotes"
        ) from error


class _Columns:
    """Columns of a table while its rows are read."""

    def __init__(
        self, where: str, names: Sequence[str], texts: Collection[str], ignore: Collection[str], decimal: str
    ) -> None:
        self.where, self.names, self.decimal = where, names, decimal
        kept = [place for place, name in enumerate(names) if name not in ignore]
        self._numeric = [place for place in kept if names[place] not in texts]
        self._textual = [place for place in kept if names[place] in texts]
        self._numbers = array("d")
        self._texts: list[list[str]] = [[] for _ in self._textual]
        self._places = array("q")
        self._wrong: list[str] = []  # the first cells that are no numbers, and where they are
        self._wrong_cells: list[str] = []
        self._wrong_count = 0

    def add(self, number: int, row: Sequence[str]) -> None:
        """Add the row that ends in line `number`."""
        try:
            if self.decimal == ",":  # a point is then a mark of thousands
                raise ValueError
            cells = [row[place] for place in self._numeric]
            together = "".join(cells)
            if "_" in together or not together.isascii():  # `tasks.tables.number_of`
                raise ValueError
            values = list(map(float, cells))
        except ValueError:
            values = [self._number(number, place, row[place]) for place in self._numeric]
        self._numbers.extend(values)
        for store, place in zip(self._texts, self._textual, strict=True):
            store.append(row[place].strip())
        self._places.append(number)

    def table(self) -> Table:
        """Return the columns. Raises `TaskError` if a cell is no number."""
        if self._wrong_count:
            raise refuse(self.where, self._wrong, "no number", self._remedy(), self._wrong_count)
        numbers = np.frombuffer(self._numbers, np.float64).reshape(len(self._places), len(self._numeric))
        return Table(
            {self.names[place]: numbers[:, k].copy() for k, place in enumerate(self._numeric)},
            {
                self.names[place]: np.array(store, np.str_)
                for store, place in zip(self._texts, self._textual, strict=True)
            },
            np.frombuffer(self._places, np.int64),
            "line",
        )

    def _number(self, line: int, place: int, cell: str) -> float:
        """Return the number of a cell; NaN if its value is missing, or if it is none, which is noted."""
        value = _number(cell, self.decimal)
        if value is not None:
            return value
        self._wrong_count += 1
        if len(self._wrong) < SHOWN:
            self._wrong.append(f"line {line:,}, column {shown(self.names[place])}: {shown(cell)}")
            self._wrong_cells.append(cell)
        return float("nan")

    def _remedy(self) -> str:
        cells = self._wrong_cells
        if self.decimal == "." and all(_number(cell, ",") is not None for cell in cells):
            return "with decimal commas, set decimal = ','; write thousands without marks"
        if any(_number(cell.translate(_NO_MARKS), ".") is not None for cell in cells):
            return "write numbers without marks of thousands and units"
        return "correct them, or name the column in `time`, `group` or `ignore`"


def _number(cell: str, decimal: str) -> float | None:
    """Return the number that a cell writes; NaN if its value is missing; None if it is none."""
    text = cell.strip().lower()
    if text in MISSING:
        return float("nan")
    if text in _TRUTH:
        return _TRUTH[text]
    if decimal == ",":
        if "." in text or text.count(",") > 1:
            return None
        text = text.replace(",", ".")
    return number_of(text)


def _is_number(cell: str, decimal: str) -> bool:
    value = _number(cell, decimal)
    return value is not None and value == value  # not missing

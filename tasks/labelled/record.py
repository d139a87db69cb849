"""Labelled sequences as a file has them, and what all their readers share.

Dimension letters: N sequences, L steps of a sequence, D channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.errors import TaskError
from tasks.tables import NOTHING, Skipped, number_of

Floats = npt.NDArray[np.float64]

_MISSING = frozenset({"?", "nan"})  # how the formats of the archive write a missing value, in any case
_LARGEST = 1e30  # a value beyond this has no square in float32


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labelled sequences of one file.

    Attributes:
        source: the file, for messages.
        sequences: (L, D) values of each sequence; NaN is a missing value.
        labels: the label of each sequence.
        places: where each sequence is in the file, for messages: "line 12".
        channels: names of the channels, (D,).
        classes: the labels that the file declares, in its order; empty if it declares none.
        uneven: whether the time steps of each sequence are uneven; empty if the file has no times.
        apart: whether other sequences stand between the rows of each sequence; empty if the order is known.
        skipped: what of a table is left out.
    """

    source: str
    sequences: Sequence[Floats]
    labels: Sequence[str]
    places: Sequence[str]
    channels: tuple[str, ...]
    classes: tuple[str, ...] = ()
    uneven: Sequence[bool] = ()
    apart: Sequence[bool] = ()
    skipped: Skipped = NOTHING


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file, numbered from 1, without blanks around them; empty ones are left out.

    Lines end with CR, LF or both. The text is UTF-8; bytes that are not are read as Latin-1, as old headers have them.

    Raises:
        TaskError: the file cannot be read, or is not text.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for number, line in enumerate(file, 1):
                if "\0" in line:
                    raise TaskError(f"{path}, line {number}: has a NUL character; save the file as UTF-8 text")
                line = line.strip()
                if line:
                    yield number, line if line.isascii() else _without_surrogates(line)
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror or error}; check the path") from error


def numbers_of(fields: Sequence[str], where: str) -> Floats:
    """Return the values of fields of text; `?` and NaN are missing.

    Args:
        fields: the text of each value.
        where: file, line and channel, for messages.

    Raises:
        TaskError: a field is no number, or is infinite.
    """
    try:
        together = "".join(fields)
        if "_" in together or not together.isascii():  # `tasks.tables.number_of`
            raise ValueError
        values = np.array(fields, np.float64)
    except ValueError:
        values = np.array([_number(field, step, where) for step, field in enumerate(fields, 1)], np.float64)
    return checked(values, where)


def checked(values: Floats, where: str) -> Floats:
    """Return values after a check that none is infinite or too large.

    Raises:
        TaskError: one is.
    """
    wrong = np.abs(values) > _LARGEST  # False for NaN
    if wrong.any():
        step = int(np.flatnonzero(wrong)[0])
        raise TaskError(
            f"{where}, step {step + 1}: has the value {values[step]:g}; values must be within {_LARGEST:g}, "
            "so correct it, or write ? if it is missing"
        )
    return values


def _number(field: str, step: int, where: str) -> float:
    text = field.strip()
    if text.lower() in _MISSING:
        return float("nan")
    number = number_of(text)
    if number is not None:
        return number
    shown = repr(text if len(text) <= 40 else f"{text[:37]}...")
    raise TaskError(f"{where}, step {step}: has {shown} for a value; it must be a number, or ? if it is missing")


def _without_surrogates(line: str) -> str:
    raw = line.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")

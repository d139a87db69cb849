"""Tables: columns of numbers, and of texts where a caller names them; `tasks.table_files` reads them from files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.errors import TaskError

Floats = npt.NDArray[np.float64]

SHOWN = 5
"""Cells that a message names; it counts the rest."""

LARGEST_NUMBER = 1e30
"""Largest magnitude of a number: the square of a larger one is no float32."""


@dataclass(frozen=True)
class Skipped:
    """Parts of a file that are not in its columns, and are told (`tasks.table_facts`).

    Attributes:
        index: columns of pandas' row index that no option names.
        empty: number of empty lines between the rows of a CSV file with several columns.
    """

    index: tuple[str, ...] = ()
    empty: int = 0


NOTHING = Skipped()


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of a file, N rows.

    Attributes:
        numbers: columns of numbers (N,) by name, in the order of the file; NaN where a value is missing.
        texts: columns of texts (N,) by name: those that the caller named.
        places: (N,) number of each row in the file.
        unit: what `places` count: "line" or "row".
        skipped: what is left out.
    """

    numbers: Mapping[str, Floats]
    texts: Mapping[str, npt.NDArray[np.str_]]
    places: npt.NDArray[np.int64]
    unit: str
    skipped: Skipped = NOTHING

    def cell(self, row: int, column: str) -> str:
        """Return the name of a cell for a message."""
        return f"{self.unit} {int(self.places[row]):,}, column {shown(column)}"


def check_names(where: str, names: Sequence[str], wanted: Iterable[str]) -> None:
    """Check the names of a file's columns, and that those that a caller wants are there.

    Raises:
        TaskError: a name is empty or there twice, or a wanted one is not there.
    """
    for number, name in enumerate(names, 1):
        if not name:
            raise TaskError(
                f"{where}: column {number} has no name; name it in the header, and in `ignore` if it numbers the rows"
            )
        if name in names[: number - 1]:
            first = names.index(name) + 1
            raise TaskError(f"{where}: columns {first} and {number} are both named {shown(name)}; rename one")
    for name in wanted:
        if name not in names:
            raise TaskError(
                f"{where} has no column {shown(name)}; it has {_names(names)}: name one of these in the options"
            )


def refuse(where: str, cells: Sequence[str], what: str, remedy: str, count: int | None = None) -> TaskError:
    """Return the error of cells that cannot be used: it names the first ones and counts all.

    Args:
        where: the file.
        cells: descriptions of the first cells, at most `SHOWN`.
        what: what they are, after "1 cell is" and "5 cells are".
        remedy: what to do.
        count: number of all such cells; that of `cells` by default.
    """
    count = len(cells) if count is None else count
    noun = "1 cell is" if count == 1 else f"{count:,} cells are"
    rest = f"; and {count - len(cells):,} more" if count > len(cells) else ""
    return TaskError(f"{where}: {noun} {what} ({'; '.join(cells)}{rest}); {remedy}")


def shown(text: str) -> str:
    """Return a text of a file for a message: quoted, without control characters, and cut at 40 characters."""
    return repr(str(text) if len(text) <= 40 else f"{text[:37]}...")  # of NumPy's texts, too


def _names(names: Sequence[str]) -> str:
    listed = ", ".join(shown(name) for name in names[:20])
    return listed if len(names) <= 20 else f"{listed} and {len(names) - 20:,} more"


def check_numbers(where: str, table: Table) -> None:
    """Raise `TaskError` if a number is infinite or very large."""
    cells: list[str] = []
    count = 0
    for name, values in table.numbers.items():
        with np.errstate(invalid="ignore"):
            wrong = np.flatnonzero(np.abs(values) > LARGEST_NUMBER)  # infinite ones, too
        count += len(wrong)
        cells += [f"{table.cell(row, name)}: {values[row]:g}" for row in wrong[: SHOWN - len(cells)]]
    if count:
        raise refuse(
            where,
            cells,
            f"infinite or beyond {LARGEST_NUMBER:g}",
            "correct them, leave them empty, or give the column in another unit",
            count,
        )


def number_of(text: str) -> float | None:
    """Return the number that a text of a user's file writes; None if it is none.

    It is written in ASCII, with blanks around it at most: Python also reads `1_5` as 15, and digits of other scripts.
    `inf`, `infinity` and `nan` are numbers, in any case, which callers refuse or take for missing.
    """
    try:
        return None if "_" in text or not text.strip().isascii() else float(text)
    except ValueError:
        return None


def as_floats(values: npt.NDArray[Any]) -> Floats | None:
    """Return an array of integers, truth values or floats as float64; None if it is of another type."""
    return values.astype(np.float64) if values.dtype.kind in "biuf" else None

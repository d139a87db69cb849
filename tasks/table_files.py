"""Files with tables: CSV, Parquet and `.npz`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from tasks.columnar import dates_of_npz, dates_of_parquet, read_npz, read_parquet
from tasks.csv_file import first_of_csv, read_csv
from tasks.errors import TaskError
from tasks.tables import Table, check_numbers, number_of
from tasks.times import is_compact_time, is_date

_PARQUET = (".parquet", ".pq")
_PICKLES = (".pkl", ".pickle", ".p")
_SPREADSHEETS = (".xlsx", ".xls", ".ods")
_FIRST = 1000  # rows by which a column of dates of digits is recognised


def read_table(
    path: Path,
    texts: Collection[str] = (),
    ignore: Collection[str] = (),
    *,
    decimal: str = ".",
    header: bool = True,
) -> Table:
    """Read a table.

    A file whose name ends with `.parquet` or `.npz` is one of those, any other is CSV (`tasks.csv_file`), which may be
    compressed (`.gz`). Truth values are 0 and 1.

    Args:
        path: the file.
        texts: names of columns whose cells are texts.
        ignore: names of columns that are not read.
        decimal: decimal mark of a CSV file, a point or a comma.
        header: whether the first line of a CSV file has the names of the columns; they are 1, 2, 3 ... otherwise.

    Raises:
        TaskError: the file cannot be read, a name is missing or there twice, a named column is not there, a cell of
            another column is no number, or a number is infinite or larger than `LARGEST_NUMBER`.
    """
    where = f"data = {str(path)!r}"
    _check_file(path)
    suffix = path.suffix.lower()
    if suffix in _PARQUET:
        table = read_parquet(path, texts, ignore)
    elif suffix == ".npz":
        table = read_npz(path, texts, ignore)
    else:
        table = read_csv(path, texts, ignore, decimal=decimal, header=header)
    if not len(table.places):
        raise TaskError(f"{where} has no rows; give a file with data")
    check_numbers(where, table)
    return table


def date_column(path: Path, group: str | None, ignore: Collection[str], *, decimal: str, header: bool) -> str | None:
    """Return the name of the column of dates, if it is clear.

    It is the only column with a type of dates; else the first column, if its first cell is a date by ISO 8601, or if
    its first cells are dates of digits alone, such as 20261127, in increasing order.

    Args:
        path: the file.
        group: name of the column that tells series apart, in whose rows dates may repeat.
        ignore: names of columns that are not read.
        decimal: as in `read_table`.
        header: as in `read_table`.

    Raises:
        TaskError: the file cannot be read.
    """
    _check_file(path)
    suffix = path.suffix.lower()
    if suffix in _PARQUET:
        dates, name, cells = dates_of_parquet(path, _FIRST)
    elif suffix == ".npz":
        dates, name, cells = dates_of_npz(path, _FIRST)
    else:
        dates = []
        name, cells = first_of_csv(path, _FIRST, decimal=decimal, header=header)
    exclude = {group, *ignore}
    dates = [each for each in dates if each not in exclude]
    if len(dates) == 1:
        return dates[0]
    if dates or name in exclude or not cells:
        return None
    clear = is_date(cells[0]) if number_of(cells[0]) is None else is_compact_time(cells, grouped=group is not None)
    return name if clear else None


def checksum_of(path: Path) -> str:
    """Return the SHA-256 (hex) of a file. Raises `TaskError` if it cannot be read."""
    _check_file(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TaskError(f"data = {str(path)!r} cannot be read: {error.strerror}; check the file") from error


def _check_file(path: Path) -> None:
    """Raise `TaskError` unless a path is that of a file of a kind that is read."""
    where = f"data = {str(path)!r}"
    if path.is_dir():
        raise TaskError(f"{where} is a folder; give one CSV, Parquet or .npz file")
    if not path.is_file():
        raise TaskError(f"{where} does not exist, or is no regular file; give a CSV, Parquet or .npz file")
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise TaskError(f"{where} is a pickle, which can run code when it is loaded; save the table as CSV or Parquet")
    if suffix in _SPREADSHEETS:
        raise TaskError(f"{where} is a spreadsheet; save the sheet as CSV")

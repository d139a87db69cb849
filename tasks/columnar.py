"""Parquet and `.npz` files: columns with types. Nothing in them is executed: pickled objects are refused."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.errors import TaskError
from tasks.tables import Floats, Skipped, Table, as_floats, check_names, shown

Dates = tuple[list[str], str, list[str]]  # columns of dates, the name of the first column, and its first cells

LARGEST_ARRAYS = 4_000_000_000
"""Largest size of the arrays of a file in bytes, after decompression."""

_UNNAMED_INDEX = re.compile(r"__index_level_\d+__")  # how pandas stores a row index without a name

_REMEDY = "convert it to numbers, or name it in `time`, `group` or `ignore`"


def read_npz(path: Path, texts: Collection[str], ignore: Collection[str]) -> Table:
    """Read the arrays of an `.npz` file as columns; errors are those of `tasks.table_files.read_table`.

    An array (N,) is a column. An array (N, C) is C columns, whose names are that of the array with `.1`, `.2` ...; with
    C = 1 it keeps its name.
    """
    where = f"data = {str(path)!r}"
    named = list(_columns(where, _arrays(path)))
    check_names(where, [name for name, _ in named], [*texts, *ignore])
    columns = {name: values for name, values in named if name not in ignore}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        by_name = ", ".join(f"{shown(name)} {len(values):,}" for name, values in list(columns.items())[:20])
        raise TaskError(f"{where} has arrays of unlike lengths ({by_name}); all must have one value a step")
    return _table(where, columns, texts)


def dates_of_npz(path: Path, most: int) -> Dates:
    """Return the columns of dates, and the first column with its first cells if they are texts or whole numbers."""
    columns = dict(_columns(f"data = {str(path)!r}", _arrays(path)))
    name, first = next(iter(columns.items()), ("", np.empty(0)))
    cells = first[:most].astype(np.str_).tolist() if first.dtype.kind in "Uiu" else []
    return [each for each, values in columns.items() if values.dtype.kind == "M"], name, cells


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an `.npz` file. Raises `TaskError` if it is none, or has pickled objects."""
    where = f"data = {str(path)!r}"
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST_ARRAYS:
            raise TaskError(f"{where} has arrays of {size:,} bytes; the limit is {LARGEST_ARRAYS:,}, so cut it")
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except TaskError:
        raise
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        if "pickle" in str(error):
            raise TaskError(
                f"{where} has pickled objects, which can run code when they are loaded; save arrays of numbers or "
                "texts (of mixed columns, one array each)"
            ) from error
        raise TaskError(f"{where} is no .npz file, or is damaged ({error}); save it again with numpy.savez") from error


def _columns(where: str, arrays: dict[str, npt.NDArray[Any]]) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    for name, values in arrays.items():
        if values.ndim == 1:
            yield name, values
        elif values.ndim == 2:
            for place, column in enumerate(values.T, 1):
                yield (name if values.shape[1] == 1 else f"{name}.{place}"), column
        else:
            raise TaskError(
                f"{where}: array {shown(name)} has the shape {values.shape}; it must be (steps,) or (steps, columns)"
            )


def read_parquet(path: Path, texts: Collection[str], ignore: Collection[str]) -> Table:
    """Read the columns of a Parquet file; errors are those of `tasks.table_files.read_table`, or no PyArrow.

    Columns in which pandas stored the row index are no data, and left out unless they are among the texts: numbers of
    rows tell where a row stands, and a model may learn the order of the file.
    """
    where = f"data = {str(path)!r}"
    with _parquet(path) as file:
        names = list(file.schema_arrow.names)
        check_names(where, names, [*texts, *ignore])
        size = sum(file.metadata.row_group(k).total_byte_size for k in range(file.num_row_groups))
        if size > LARGEST_ARRAYS:
            raise TaskError(f"{where} has columns of {size:,} bytes; the limit is {LARGEST_ARRAYS:,}, so cut it")
        index = [name for name in _index_of(file) if name not in texts and name not in ignore]
        read = file.read([name for name in names if name not in ignore and name not in index])
        columns = {name: _values(where, name, read.column(name), name in texts) for name in read.column_names}
    return replace(_table(where, columns, texts), skipped=Skipped(tuple(index)))


def _index_of(file: Any) -> list[str]:
    """Return the names of the columns in which pandas stored the row index; a range of numbers has none."""
    schema = file.schema_arrow
    try:
        stored = (schema.pandas_metadata or {}).get("index_columns", [])
    except (ValueError, AttributeError):  # damaged metadata
        stored = []
    return [name for name in schema.names if name in stored or _UNNAMED_INDEX.fullmatch(name)]


def dates_of_parquet(path: Path, most: int) -> Dates:
    """Return the columns of dates, and the first column with its first cells if they are texts or whole numbers."""
    with _parquet(path) as file:
        from pyarrow import types

        fields = list(file.schema_arrow)
        dates = [field.name for field in fields if types.is_timestamp(field.type) or types.is_date(field.type)]
        name, cells = (fields[0].name, []) if fields else ("", [])
        kinds = types.is_string, types.is_large_string, types.is_integer
        if fields and any(kind(fields[0].type) for kind in kinds):
            batch = next(file.iter_batches(most, columns=[name]), None)
            cells = [] if batch is None else [_text(value) for value in batch.column(0).to_pylist()]
    return dates, name, cells


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    """Open a Parquet file. Raises `TaskError` if it is none, or if it cannot be read."""
    import pyarrow  # slow to import, as its submodules
    from pyarrow import parquet

    where = f"data = {str(path)!r}"
    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except TaskError:
        raise
    except (OSError, pyarrow.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise TaskError(f"{where} is no Parquet file, or is damaged ({reason}); save it again") from error


def _values(where: str, name: str, column: Any, text: bool) -> npt.NDArray[Any]:
    """Return a column of an Arrow table as an array; a missing value is NaN, and empty among texts."""
    import pyarrow
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if text:
        if types.is_timestamp(kind) or types.is_date(kind):
            try:
                stamps = column.cast(pyarrow.timestamp("ns")).to_numpy()
            except pyarrow.ArrowInvalid:  # before 1678 or after 2261
                unit = kind.unit if types.is_timestamp(kind) else "ms"
                stamps = column.cast(pyarrow.timestamp(unit)).to_numpy()
            found = np.datetime_as_string(stamps)
            return np.where(np.isnat(stamps), "", found)
        return np.array([_text(value) for value in column.to_pylist()], np.str_)
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        if types.is_decimal(kind) or types.is_float16(kind):
            column = column.cast(pyarrow.float64(), safe=False)
        elif types.is_boolean(kind):
            column = column.cast(pyarrow.int8())
        return np.asarray(column.to_numpy(), np.float64)  # nulls become NaN
    raise TaskError(f"{where}: column {shown(name)} is of the type {kind}, which is no number; {_REMEDY}")


def _text(value: object) -> str:
    return "" if value is None else f"{value:.17g}" if isinstance(value, float) else str(value)


def _table(where: str, columns: dict[str, npt.NDArray[Any]], texts: Collection[str]) -> Table:
    numbers: dict[str, Floats] = {}
    found: dict[str, npt.NDArray[np.str_]] = {}
    for name, values in columns.items():
        if name in texts:
            found[name] = _texts(where, name, values)
            continue
        as_numbers = as_floats(values)
        if as_numbers is None:
            raise TaskError(
                f"{where}: column {shown(name)} is of the type {values.dtype}, which is no number; {_REMEDY}"
            )
        numbers[name] = as_numbers
    rows = len(next(iter(columns.values()), ()))
    return Table(numbers, found, np.arange(1, rows + 1), "row")


def _texts(where: str, name: str, values: npt.NDArray[Any]) -> npt.NDArray[np.str_]:
    """Return a column of any type as texts; floats with all their digits."""
    if values.dtype.kind == "M":
        return np.where(np.isnat(values), "", np.datetime_as_string(values))
    if values.dtype.kind == "f":
        return np.array(["" if np.isnan(value) else f"{value:.17g}" for value in values], np.str_)
    if values.dtype.kind == "S":
        try:
            return np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise TaskError(f"{where}: column {shown(name)} has bytes that are not UTF-8; save texts") from error
    if values.dtype.kind in "biuU":
        return values.astype(np.str_)
    raise TaskError(f"{where}: column {shown(name)} is of the type {values.dtype}; give texts, numbers or dates")

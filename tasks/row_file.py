"""Rows of numbers in a file of the cache, for data that are larger than memory.

The file has nothing but the rows. What describes them is in an index beside it (`tasks.cache`): a checksum, and any
arrays. A file that is missing or damaged is written again.
"""

from __future__ import annotations

import logging
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.cache import Arrays, folder, load_or_build
from tasks.errors import TaskError

_LOG = logging.getLogger(__name__)
_BLOCK = 1 << 20  # bytes

Rows = npt.NDArray[Any]
Append = Callable[[Rows], None]


@dataclass(frozen=True)
class RowFile:
    """File of rows of `width` numbers; open it to read some of them.

    Attributes:
        path: the file.
        dtype: type of the numbers.
        width: numbers in a row.
        rows: number of rows.
    """

    path: Path
    dtype: str
    width: int
    rows: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return np.dtype(self.dtype).itemsize * self.width

    def open(self) -> RowReader:
        """Open the file. Raises FileNotFoundError if it was deleted."""
        return RowReader(self)

    def is_whole(self, checksum: int) -> bool:
        """Return whether the file exists with all of its rows, and with this checksum."""
        try:
            if self.path.stat().st_size != self.rows * self.row_bytes:
                return False
            found = 0
            with self.path.open("rb", buffering=0) as file:
                while block := file.read(_BLOCK):
                    found = zlib.crc32(block, found)
            return found == checksum
        except OSError:
            return False


class RowReader:
    """Open file of rows, as a context."""

    def __init__(self, rows: RowFile) -> None:
        self._rows = rows
        self._file = rows.path.open("rb", buffering=0)

    def __enter__(self) -> RowReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, begin: int, end: int) -> Rows:
        """Return rows from `begin` up to `end`, (end - begin, width), which must exist."""
        found = np.empty((end - begin, self._rows.width), self._rows.dtype)
        if found.size:
            self._file.seek(begin * self._rows.row_bytes)
            _fill(self._file, found.data.cast("B"), self._rows.path)
        return found


def load_or_write(
    kind: str, key: str, dtype: str, width: int, names: Iterable[str], write: Callable[[Append], Arrays]
) -> tuple[RowFile, Arrays]:
    """Return a file of rows from the cache with its index, or write both.

    Args:
        kind: prefix of the files' names.
        key: checksum from `tasks.cache.key_of`, of everything on which the rows depend.
        dtype: type of the numbers.
        width: numbers in a row.
        names: names of the arrays of the index.
        write: appends all rows by the function that it is given, and returns the arrays of the index.

    Raises:
        TaskError: the rows cannot be written.
    """
    path = folder() / f"{kind}-{key[:40]}.rows"
    own = ("rows", "checksum")

    def build() -> Arrays:
        arrays, rows, checksum = _written(path, dtype, write)
        return arrays | {"rows": np.array(rows), "checksum": np.array(checksum)}

    index = load_or_build(kind, key, (*names, *own), build)
    file = RowFile(path, dtype, width, int(index["rows"]))
    if not file.is_whole(int(index["checksum"])):
        _LOG.warning("the cache file %s is missing or damaged and is written again", path)
        index = build()
        file = RowFile(path, dtype, width, int(index["rows"]))
    return file, {name: array for name, array in index.items() if name not in own}


def _written(path: Path, dtype: str, write: Callable[[Append], Arrays]) -> tuple[Arrays, int, int]:
    """Write the rows to a temporary name and rename; return the index, the number of rows and their checksum."""
    rows = checksum = 0
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:

            def append(block: Rows) -> None:
                nonlocal rows, checksum
                data = np.ascontiguousarray(block, dtype).data
                file.write(data)
                checksum = zlib.crc32(data, checksum)
                rows += len(block)

            arrays = write(append)
        os.replace(temporary, path)
    except OSError as error:
        raise TaskError(
            f"converted data cannot be written to {str(path.parent)!r}: {error.strerror or error}; free some space, or "
            "let GATESEARCH_CACHE name another folder"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return arrays, rows, checksum


def _fill(file: Any, view: memoryview, path: Path) -> None:
    """Read until the view is full. Raises `TaskError` if the file ends first."""
    done = 0
    while done < len(view):
        count = file.readinto(view[done:])
        if not count:
            raise TaskError(
                f"the cache file {str(path)!r} was cut while it was read; restart the command, which writes it again"
            )
        done += count

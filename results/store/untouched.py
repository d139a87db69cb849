"""Reading a run without leaving anything in its folder.

SQLite makes an empty log and the log's index beside a database that it reads, and a reader leaves them there. A
database whose log is empty is complete in its file, so it can be read without them, as long as nobody writes: then it
is read once more.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from results.store.database import FILE
from results.store.errors import StoreError
from results.store.queries import begin_snapshot
from results.store.store import Store

Read = TypeVar("Read")

_TRIES = 3


class Signature(NamedTuple):
    """Size, time of the last change in nanoseconds, and number of a run's file and of its log; zeros if missing."""

    file: tuple[int, int, int]
    log: tuple[int, int, int]

    @property
    def is_logged(self) -> bool:
        """True if the log has content."""
        return self.log[0] > 0


def signature(folder: Path) -> Signature:
    """Return the signature of the store in a folder, which changes whenever something is stored."""
    return Signature(_of(folder / FILE), _of(folder / (FILE + "-wal")))


def read_untouched(folder: Path, read: Callable[[Store], Read]) -> Read:
    """Return what `read` makes of the store in a folder, as it is at one moment. Nothing in the folder is changed.

    A search may write meanwhile, and does not wait. If the log has content, but lacks its index, as in a copy of a
    running run, SQLite makes the index.

    Raises:
        StoreError: the folder has no run, its file is damaged or of another version, or it changes too often.
        Exception: what `read` raises.
    """
    for _ in range(_TRIES):
        before = signature(folder)
        if before.is_logged:
            with Store.open(folder, readonly=True) as store:
                begin_snapshot(store)
                return read(store)
        try:
            with Store.open(folder, readonly=True, unchanging=True) as store:
                found = read(store)
        except Exception:
            if _is_as_before(folder, before):
                raise
        else:
            if _is_as_before(folder, before):
                return found
    raise StoreError(f"{folder / FILE}: it changes while it is read; try again")


def _is_as_before(folder: Path, before: Signature) -> bool:
    now = signature(folder)
    return now.file == before.file and not now.is_logged


def _of(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_size, found.st_mtime_ns, found.st_ino

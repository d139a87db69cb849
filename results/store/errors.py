"""Errors of stores and tables: one line each, with a remedy."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from results.store.locks import missing_locks
from results.store.sanitize import printable


class ResultsError(ValueError):
    """Results cannot be written or read. The message is one line: the value, the rule, the remedy.

    Messages quote paths and names of unknown origin, so characters that would break the line are replaced.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(str(message)))


class StoreError(ResultsError):
    """A run's store is missing, damaged, in use, or cannot be written."""


class AmbiguousCellError(StoreError):
    """Several cells of a run have an id that begins with the given digits."""


# SQLite's primary result codes as (what is wrong, what to do).
_REASONS = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space, then rerun with --resume"),
    sqlite3.SQLITE_IOERR: (
        "the disk refused it",
        "check free space and file size limits, then rerun with --resume",
    ),
    sqlite3.SQLITE_READONLY: ("it is read-only", "change its permissions, or copy the run elsewhere"),
    sqlite3.SQLITE_PERM: ("permission denied", "change its permissions, or copy the run elsewhere"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "check the permissions of its folder, or copy the run elsewhere"),
    sqlite3.SQLITE_BUSY: ("another program is writing to it", "close that program, then rerun with --resume"),
    sqlite3.SQLITE_LOCKED: ("another program is writing to it", "close that program, then rerun with --resume"),
    sqlite3.SQLITE_CORRUPT: ("the file is damaged", "restore a backup, or start a run under a new name"),
    sqlite3.SQLITE_TOOBIG: ("a value in it is too large", "restore a backup, or start a run under a new name"),
    sqlite3.SQLITE_CONSTRAINT: ("a row violates a constraint of the tables", "store the cells that it names first"),
    sqlite3.SQLITE_NOTADB: ("not a run's store", "restore a backup, or start a run under a new name"),
}
_BY_LOCKS = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL)
"""Codes that may mean that the file system has no locks."""

SHARED_MEMORY_CODES = (
    sqlite3.SQLITE_IOERR_SHMMAP,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMLOCK,
)
"""Codes of a file system where a write-ahead log cannot be had."""

_LOCAL = "keep runs on a local disk: set GATESEARCH_RUNS to a folder there, or copy the run there"
_NO_SHARED_MEMORY = ("its file system has no shared memory, which a write-ahead log needs", _LOCAL)
_ERRNO_REASONS = {errno.ENOSPC: _REASONS[sqlite3.SQLITE_FULL], errno.EROFS: _REASONS[sqlite3.SQLITE_READONLY]}


@contextmanager
def one_line(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and the operating system into a `StoreError` with `path`, reason and remedy."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte of an extended code is the primary one; errors of the binding itself have no code.
        code = getattr(error, "sqlite_errorcode", None) or 0
        if code & 0xFF in _BY_LOCKS:
            check_locks(path.parent)
        reason = _REASONS.get(code & 0xFF, ("SQLite refused it", "restore a backup, or report this as a bug"))
        if code in SHARED_MEMORY_CODES:
            reason = _NO_SHARED_MEMORY
        raise StoreError(_message(path, reason, error)) from error
    except OSError as error:
        reason = _ERRNO_REASONS.get(
            error.errno or 0, ("the system refused it", "check the path and its permissions, or choose another folder")
        )
        raise StoreError(_message(path, reason, error.strerror or error)) from error
    except UnicodeDecodeError as error:  # SQLite quotes bytes of a damaged file
        raise StoreError(damaged(path, f"its text is not UTF-8 ({error.reason})")) from error
    except UnicodeEncodeError as error:
        reason = (f"{error.object!r} is not valid Unicode", "rename the file that it comes from")
        raise StoreError(_message(path, reason, error.reason)) from error


def check_locks(folder: Path) -> None:
    """Raise `StoreError` if the file system of a folder has no locks, by which programs wait for each other."""
    reason = missing_locks(folder)
    if reason is not None:
        what = "its file system has no file locks, by which one program waits for another"
        raise StoreError(_message(folder, (what, _LOCAL), reason))


def damaged(path: Path, what: str) -> str:
    """Return the message for a store that can be read, but holds a value that no run writes."""
    return _message(path, _REASONS[sqlite3.SQLITE_CORRUPT], what)


def _message(path: Path, reason: tuple[str, str], detail: object) -> str:
    what, remedy = reason
    return " ".join(f"{path}: {what} ({detail}); {remedy}".split())

"""What can go wrong with a store or a table, in one line that a person can act on."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from results.store.sanitize import printable


class ResultsError(ValueError):
    """Results cannot be written or read: the message is one line: the value, the rule, the remedy.

    Messages have paths and names of others in them; whatever would not stay on the line is made harmless.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(str(message)))


class StoreError(ResultsError):
    """A run's store is missing, damaged, in use, or cannot be written."""


# What SQLite's primary result codes mean to the person whose file it is: (what is wrong, what to do).
_REASONS = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space and go on with --resume"),
    sqlite3.SQLITE_IOERR: ("the disk refused it", "check its free space and file size limits, then --resume"),
    sqlite3.SQLITE_READONLY: ("it may only be read here", "change its permissions, or copy the run elsewhere"),
    sqlite3.SQLITE_PERM: ("it may not be read here", "change its permissions, or copy the run elsewhere"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "check the permissions of its folder, or copy the run elsewhere"),
    sqlite3.SQLITE_BUSY: ("another program is writing to it", "close that program and go on with --resume"),
    sqlite3.SQLITE_LOCKED: ("another program is writing to it", "close that program and go on with --resume"),
    sqlite3.SQLITE_CORRUPT: ("the file is damaged", "restore it from a copy, or start afresh under a new name"),
    sqlite3.SQLITE_TOOBIG: ("a value in it is too large", "restore it from a copy, or start afresh under a new name"),
    sqlite3.SQLITE_CONSTRAINT: ("a row breaks a rule of the tables", "add the cells that it names before the row"),
    sqlite3.SQLITE_NOTADB: ("it is not a run's store", "restore it from a copy, or start afresh under a new name"),
}
_ERRNO_REASONS = {errno.ENOSPC: _REASONS[sqlite3.SQLITE_FULL], errno.EROFS: _REASONS[sqlite3.SQLITE_READONLY]}


@contextmanager
def one_line(path: Path) -> Iterator[None]:
    """What SQLite and the operating system raise inside becomes a `StoreError` that names `path`, reason and remedy."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte of an extended code is the primary one; errors of the binding itself have no code.
        code = getattr(error, "sqlite_errorcode", None) or 0
        reason = _REASONS.get(code & 0xFF, ("SQLite refused it", "restore it from a copy, or report this as a bug"))
        raise StoreError(_message(path, reason, error)) from error
    except OSError as error:
        reason = _ERRNO_REASONS.get(
            error.errno or 0, ("the system refused it", "check the path and its permissions, or choose another folder")
        )
        raise StoreError(_message(path, reason, error.strerror or error)) from error
    except UnicodeDecodeError as error:  # SQLite quotes what it found in a damaged file
        raise StoreError(damaged(path, f"its text is not UTF-8 ({error.reason})")) from error
    except UnicodeEncodeError as error:
        reason = (f"{error.object!r} is not valid Unicode", "rename the file that it comes from")
        raise StoreError(_message(path, reason, error.reason)) from error


def damaged(path: Path, what: str) -> str:
    """The line for a store that can be read, but says what no run says."""
    return _message(path, _REASONS[sqlite3.SQLITE_CORRUPT], what)


def _message(path: Path, reason: tuple[str, str], detail: object) -> str:
    what, remedy = reason
    return " ".join(f"{path}: {what} ({detail}); {remedy}".split())

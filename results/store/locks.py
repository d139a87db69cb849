"""Locks of a file system: whether a folder has those that SQLite and the lock of a run need."""

import errno
import fcntl
import os
import tempfile
from pathlib import Path

_HELD = (errno.EWOULDBLOCK, errno.EACCES)
"""Errors by which a lock says that another holds it: there are locks."""


def missing_locks(folder: Path) -> str | None:
    """Return why a folder's file system has no locks, or None if it has, or if nothing can be written there to see.

    A file of its own is locked: closing the database's file would give up SQLite's locks.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for lock in (fcntl.lockf, fcntl.flock):
                try:
                    lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as error:
                    if error.errno not in _HELD:
                        return str(error.strerror)
    except OSError:
        return None
    return None


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock of a file. The lock is taken for some microseconds to see."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks, where nobody holds one
        return False
    finally:
        os.close(file)
    return False

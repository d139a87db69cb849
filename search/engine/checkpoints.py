"""Checkpoints of paused trials, in a folder of the run: a cache of bounded size.

    checkpoints = Checkpoints(store.folder / FOLDER)
    checkpoints.put(cell, task, setting.key, 0, result.checkpoint)

A trial whose checkpoint is missing is trained again from its first step, to the same result. So nothing here may end a
search: what cannot be written is not kept, and what cannot be read is not there.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

from results.store.errors import StoreError
from results.store.files import write_atomically

FOLDER = "checkpoints"
"""Name of the folder within that of the run."""

LIMIT = 512 * 2**20
"""Largest size of all checkpoints of a run in bytes: some thousand of the longer profiles' trials."""

_SUFFIX = ".npz"


class Checkpoints:
    """Checkpoints by trial: cell (id), task, setting (key) and repeat.

    They take at most `limit` bytes: the oldest are dropped first. Those of an interrupted run are found again. One
    process uses the folder at a time, the driver that holds the run's lock.
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        self._sizes = _sizes(folder)  # the oldest first
        self._total = sum(self._sizes.values())
        self._make_room(0)

    def put(self, cell: str, task: str, setting: str, repeat: int, data: bytes) -> None:
        """Keep the checkpoint of a trial instead of an earlier one. If it cannot be written, the earlier one stays."""
        path = self._path(cell, task, setting, repeat)
        if len(data) > self.limit:
            return
        # The earlier one does not make room for its successor: it is kept if that cannot be written.
        earlier = self._forget(path)
        self._make_room(earlier + len(data))
        if earlier:
            self._note(path, earlier)
        with suppress(OSError, StoreError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
            self._forget(path)
            self._note(path, len(data))

    def get(self, cell: str, task: str, setting: str, repeat: int) -> bytes | None:
        """Return the checkpoint of a trial, or None."""
        path = self._path(cell, task, setting, repeat)
        if path not in self._sizes:
            return None
        try:
            return path.read_bytes()
        except OSError:
            self._forget(path)
            return None

    def drop(self, cell: str, task: str, setting: str, repeat: int) -> None:
        """Remove the checkpoint of a trial that will not go on, if there is one."""
        path = self._path(cell, task, setting, repeat)
        if self._forget(path):
            _remove(path)

    def clear(self) -> None:
        """Remove all checkpoints, and the folder unless it holds something else."""
        for path in [*self._sizes, *_leftovers(self.folder)]:
            _remove(path)
        self._sizes.clear()
        self._total = 0
        with suppress(OSError):
            self.folder.rmdir()

    def _make_room(self, size: int) -> None:
        while self._sizes and self._total + size > self.limit:
            oldest = next(iter(self._sizes))
            self._forget(oldest)
            _remove(oldest)

    def _note(self, path: Path, size: int) -> None:
        self._sizes[path] = size
        self._total += size

    def _forget(self, path: Path) -> int:
        size = self._sizes.pop(path, 0)
        self._total -= size
        return size

    def _path(self, cell: str, task: str, setting: str, repeat: int) -> Path:
        key = "\x1f".join((cell, task, setting, str(repeat)))
        return self.folder / (hashlib.sha256(key.encode()).hexdigest() + _SUFFIX)


def _sizes(folder: Path) -> dict[Path, int]:
    """Return the checkpoints in a folder and their sizes, the oldest first; remove what a killed process left."""
    for path in _leftovers(folder):
        _remove(path)
    found: list[tuple[int, Path, int]] = []
    with suppress(OSError):
        for path in sorted(folder.glob("*" + _SUFFIX)):
            status = path.stat()
            found.append((status.st_mtime_ns, path, status.st_size))
    return {path: size for _, path, size in sorted(found)}


def _leftovers(folder: Path) -> list[Path]:
    """Return the temporary files of writes that did not end."""
    with suppress(OSError):
        return sorted(folder.glob(".*.tmp"))
    return []


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)

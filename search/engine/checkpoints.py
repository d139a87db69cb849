"""Checkpoints of paused trials, kept in memory."""

from pathlib import Path


class Checkpoints:
    """Checkpoints of the paused trials of the run in a folder, by cell, task, setting key and repeat."""

    def __init__(self, folder: Path) -> None:
        self._kept: dict[tuple[str, str, str, int], bytes] = {}

    def put(self, cell: str, task: str, setting: str, repeat: int, data: bytes) -> None:
        """Keep the checkpoint of a trial."""
        self._kept[cell, task, setting, repeat] = data

    def get(self, cell: str, task: str, setting: str, repeat: int) -> bytes | None:
        """Return the checkpoint of a trial, or None if there is none."""
        return self._kept.get((cell, task, setting, repeat))

    def drop(self, cell: str, task: str, setting: str, repeat: int) -> None:
        """Forget the checkpoint of a trial."""
        self._kept.pop((cell, task, setting, repeat), None)

    def clear(self) -> None:
        """Forget all checkpoints."""
        self._kept.clear()

"""Observer of a run: receives its events, for display."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from results.store.store import Store
from results.tables.file_names import TABLE_FILE
from search.engine.progress import Progress
from search.profiles.sections import Profile
from search.strategies.proposal import Outcome
from tasks.task import Task

if TYPE_CHECKING:  # commands are observers, and PyTorch is slow to import
    from search.workers.executor import Executor


@dataclass(frozen=True)
class OpenRun:
    """Run that has been opened for writing, with what trains it."""

    store: Store
    profile: Profile
    tasks: Mapping[str, Task]
    executor: Executor

    @property
    def table(self) -> Path:
        """Path of the leaderboard."""
        return self.store.folder / TABLE_FILE


class RunObserver:
    """Observer of a run. Its methods do nothing; a subclass overrides those that it needs."""

    def on_difference(self, line: str) -> None:
        """Receive a difference between the environments of the run's start and its resumption."""

    def on_warning(self, line: str) -> None:
        """Receive what else the user should know before the run continues."""

    def on_start(self, run: OpenRun) -> None:
        """Receive the run before its first trial."""

    def on_change(self, progress: Progress) -> None:
        """Receive the counts, after every trial and every proposal."""

    def on_outcome(self, outcome: Outcome) -> None:
        """Receive the outcome of a proposal that ended since the run was started or resumed."""

    def on_interrupt(self, run: OpenRun, progress: Progress) -> None:
        """Receive the run after KeyboardInterrupt, before the leaderboard is written and the workers are stopped."""

    def on_finish(self, run: OpenRun, progress: Progress) -> None:
        """Receive the finished run while its store is open."""


class ProgressObserver(RunObserver):
    """Observer that hands the counts to a function."""

    def __init__(self, on_progress: Callable[[Progress], None] | None) -> None:
        self._on_progress = on_progress

    def on_change(self, progress: Progress) -> None:
        """Hand over the counts."""
        if self._on_progress is not None:
            self._on_progress(progress)

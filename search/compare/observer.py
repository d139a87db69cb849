"""Observer of a comparison: receives its events, for display."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from search.engine.progress import Progress
from tasks.task import Task

if TYPE_CHECKING:  # the command is an observer, and PyTorch is slow to import
    from search.compare.plan import Plan
    from search.compare.runs import SearchRun


class CompareObserver:
    """Observer of a comparison. Its methods do nothing; a subclass overrides those that it needs."""

    def on_start(self, plan: Plan, compute: float, training: float, tasks: Mapping[str, Task]) -> None:
        """Receive the plan, the budget of each search and the cost of one training of the GRU, in multiply-adds."""

    def on_search(self, run: SearchRun, progress: Progress | None, done: int, total: int) -> None:
        """Receive a search that has ended, or had ended before (no progress), from any thread, one at a time."""

    def on_confirmation(self, done: int, total: int) -> None:
        """Receive the number of finished trials on fresh seeds."""

"""Executors that train every job for real, and count, shuffle, interrupt or replace results."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from search.training.trial import TrialResult
from search.workers.executor import LocalExecutor
from search.workers.job import run_job
from tasks.task import Task

Result = TypeVar("Result")


class Counting(LocalExecutor):
    """Counts how often each trial is trained: (cell, task, setting)."""

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        super().__init__(tasks)
        self.trained: Counter[tuple[str, str, str]] = Counter()

    def next(self) -> tuple[int, TrialResult]:
        job = self._queue[0].job
        self.trained[job.graph.id, job.task, job.setting.key] += 1
        return super().next()


class Shuffled(Counting):
    """Finishes the queued jobs in a random order."""

    def __init__(self, tasks: Mapping[str, Task], seed: int) -> None:
        super().__init__(tasks)
        self._rng = np.random.default_rng(seed)

    def next(self) -> tuple[int, TrialResult]:
        waiting = self._queue.pop(int(self._rng.integers(len(self._queue))))
        job = waiting.job
        self.trained[job.graph.id, job.task, job.setting.key] += 1
        return waiting.number, run_job(job, self._tasks[job.task])


class KilledError(Exception):
    """Interruption of a search from outside."""


class Killing(Shuffled):
    """Interrupts the search after some jobs."""

    def __init__(self, tasks: Mapping[str, Task], seed: int, jobs: int) -> None:
        super().__init__(tasks, seed)
        self._left = jobs

    def next(self) -> tuple[int, TrialResult]:
        if self._left == 0:
            raise KilledError
        self._left -= 1
        return super().next()


def through_kills(
    tasks: Mapping[str, Task], jobs: int, work: Callable[[Killing], Result]
) -> tuple[Result, Counter[tuple[str, str, str]], int]:
    """Repeat interrupted work, each time for at most `jobs` jobs, until it is done.

    Return its result, how often each job was trained, and the number of interruptions.
    """
    trained, kills = Counter[tuple[str, str, str]](), 0
    while True:
        executor = Killing(tasks, kills, jobs)
        try:
            return work(executor), trained + executor.trained, kills
        except KilledError:
            kills += 1
            trained += executor.trained


class Sabotaged(Counting):
    """Replaces the results of one cell, on one task or on all, by a given result."""

    def __init__(self, tasks: Mapping[str, Task], cell: str, result: TrialResult, task: str | None = None) -> None:
        super().__init__(tasks)
        self._cell, self._result, self._task = cell, result, task

    def next(self) -> tuple[int, TrialResult]:
        job = self._queue[0].job
        ticket, result = super().next()
        hit = job.graph.id == self._cell and self._task in (None, job.task)
        return ticket, self._result if hit else result

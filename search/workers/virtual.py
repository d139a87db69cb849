"""Cluster in virtual time: measures how busy a search would keep a number of processors, without these processors.

Simulated trials take their seconds on the cluster's own clock, which jumps from the end of one trial to the next.
Strategy, engine, store and the order of the queue are the real ones. The result shows how much work the window and the
stages of proposals leave to do at any time.
"""

import heapq
from collections.abc import Mapping

from search.training.trial import TrialResult
from search.workers.executor import Executor
from search.workers.job import run_job, seconds_before
from tasks.task import Task


class VirtualCluster(Executor):
    """Executor with processors that train one job each, for its simulated seconds. `now` is the clock in seconds."""

    def __init__(self, tasks: Mapping[str, Task], processors: int) -> None:
        super().__init__()
        self._processors = processors
        self.now = 0.0
        self._tasks = tasks
        self._worked = 0.0
        self._running: list[tuple[float, int, TrialResult]] = []  # heap of (end, ticket, result)

    def next(self) -> tuple[int, TrialResult]:
        while self._queue and len(self._running) < self._processors:
            waiting = heapq.heappop(self._queue)
            result = run_job(waiting.job, self._tasks[waiting.job.task])
            seconds = result.seconds - seconds_before(waiting.job)
            self._worked += seconds
            heapq.heappush(self._running, (self.now + seconds, waiting.number, result))
        self.now, number, result = heapq.heappop(self._running)
        return number, result

    def processors(self) -> int:
        return self._processors

    @property
    def busy(self) -> float:
        """Share of the processors' time until now that jobs took; jobs that still run count in full."""
        return self._worked / (self._processors * self.now) if self.now else 0.0

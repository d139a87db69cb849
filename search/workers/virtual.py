"""A cluster in virtual time: how well a search keeps so many processors busy, without having them.

Simulated trials take their seconds on the cluster's own clock, which jumps from one end of a trial to the next.
Strategy, engine and store are the real ones, and so is the order in which jobs are handed on: what is measured is what
the window and the stages of proposals leave to do at any time.
"""

import heapq
from collections.abc import Mapping

from search.training.trial import TrialResult
from search.workers.executor import Executor
from search.workers.job import run_job
from tasks.task import Task


class VirtualCluster(Executor):
    """Processors that train one job each, for the seconds that its result says. `now` is the clock, in seconds."""

    def __init__(self, tasks: Mapping[str, Task], processors: int) -> None:
        super().__init__()
        self._processors = processors
        self.now = 0.0
        self._tasks = tasks
        self._worked = 0.0
        self._running: list[tuple[float, int, TrialResult]] = []  # (end, ticket, result), the first to end first

    def next(self) -> tuple[int, TrialResult]:
        while self._queue and len(self._running) < self._processors:
            waiting = heapq.heappop(self._queue)
            result = run_job(waiting.job, self._tasks[waiting.job.task])
            self._worked += result.seconds
            heapq.heappush(self._running, (self.now + result.seconds, waiting.number, result))
        self.now, number, result = heapq.heappop(self._running)
        return number, result

    def processors(self) -> int:
        return self._processors

    @property
    def busy(self) -> float:
        """The share of the processors' time, from the start until now, that jobs took; those that still run in full."""
        return self._worked / (self._processors * self.now) if self.now else 0.0

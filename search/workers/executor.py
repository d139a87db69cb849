"""Where trials are trained: in this process, or by Ray workers, one thread each.

An executor takes jobs and gives back their results, in any order; what is decided on them does not depend on it. Jobs
wait here, those of the earliest proposals first, and only as many as there are workers (and a few more, so that none
waits for the driver) are handed on.
"""

import heapq
import pickle
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from results.store.words import TrialState
from search.core.errors import SearchError
from search.core.limits import DEFAULT_LIMITS, Limits
from search.training.trial import TrialResult
from search.workers.isolation import MAX_TRIES, Stopped, train_in_sandbox
from search.workers.job import Job, one_line, run_job
from search.workers.ray_cluster import CAPACITY_SECONDS, Cluster
from tasks.task import Task


@dataclass(order=True)
class _Waiting:
    priority: int
    number: int
    job: Job = field(compare=False)


class Executor(ABC):
    """Trains jobs. `submit` returns a ticket at once; `next` waits for a job to finish: its ticket and its result."""

    def __init__(self) -> None:
        self._queue: list[_Waiting] = []
        self._number = 0

    def submit(self, job: Job, priority: int) -> int:
        """Queue a job, smaller priorities first; returns its ticket."""
        self._number += 1
        heapq.heappush(self._queue, _Waiting(priority, self._number, job))
        return self._number

    @abstractmethod
    def next(self) -> tuple[int, TrialResult]:
        """The ticket and the result of the next job that finishes. There must be one queued or running."""

    def processors(self) -> int:
        """How many jobs it trains at a time now."""
        return 1

    def close(self) -> None:
        """Let go of workers and what they hold; queued jobs are dropped."""
        self._queue.clear()


class LocalExecutor(Executor):
    """Trains in this process, one job at a time, and so without a sandbox: a trial that ends its process ends it all.

    The search can then be resumed, and will come to that trial again; with workers it gets past it.
    """

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        super().__init__()
        self._tasks = tasks
        # One thread, as a Ray worker has: sums come out in the same order, and results are the same bit for bit.
        torch.set_num_threads(1)

    def next(self) -> tuple[int, TrialResult]:
        waiting = heapq.heappop(self._queue)
        return waiting.number, run_job(waiting.job, self._tasks[waiting.job.task])


class RayExecutor(Executor):
    """Trains on a Ray cluster: one of its own with `workers` processes, or the one at `address`.

    The tasks' data is put into Ray's object store once. A trial is trained in a sandbox (`search.workers.isolation`) of
    its worker, so a cell that ends its process does not end a worker. A worker that is ended from outside counts as a
    try of its trial; a node that leaves the cluster does not, since nothing of that is the trial's doing.

    Raises `SearchError` where Ray cannot be started or reached, here and in `next`.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        limits: Limits = DEFAULT_LIMITS,
        workers: int | None = None,
        address: str | None = None,
    ) -> None:
        super().__init__()
        self._cluster = Cluster(workers, address)
        self._ray = self._cluster.ray
        # Every name in its own object: a worker reads only the task that it trains.
        self._tasks = {name: self._ray.put(pickle.dumps(task)) for name, task in tasks.items()}
        self._limits = limits
        # Tries are counted here, where it is known what was the matter.
        self._remote = self._ray.remote(num_cpus=1, max_retries=0)(train_in_sandbox)
        self._running: dict[Any, _Waiting] = {}
        self._deaths: Counter[int] = Counter()  # of workers, by ticket

    def next(self) -> tuple[int, TrialResult]:
        while True:
            self._hand_on()
            done, _ = self._ray.wait(list(self._running), num_returns=1, timeout=CAPACITY_SECONDS)
            if done:
                waiting = self._running.pop(done[0])
                result = self._result(done[0], waiting)
                if result is not None:
                    self._deaths.pop(waiting.number, None)
                    return waiting.number, result
                heapq.heappush(self._queue, waiting)

    def processors(self) -> int:
        return self._cluster.cores()

    def _hand_on(self) -> None:
        """Give the cluster as many jobs as it has room for, and two more."""
        room = self._cluster.cores() + 2 - len(self._running)
        while self._queue and room > 0:
            waiting = heapq.heappop(self._queue)
            task = self._tasks[waiting.job.task]
            # In a list, the reference itself arrives: a worker fetches a task once, not once a trial.
            job = pickle.dumps(waiting.job)
            self._running[self._remote.remote(job, task.hex(), [task], self._limits)] = waiting
            room -= 1

    def _result(self, reference: Any, waiting: _Waiting) -> TrialResult | None:
        """What a finished job came to, or None where it has to be done again."""
        exceptions = self._ray.exceptions
        try:
            found: bytes | Stopped = self._ray.get(reference)
        except (exceptions.WorkerCrashedError, exceptions.OutOfMemoryError, exceptions.RayTaskError) as error:
            self._deaths[waiting.number] += 1
            if self._deaths[waiting.number] < MAX_TRIES:
                return None
            if isinstance(error, exceptions.RayTaskError):  # not the trial, which is far away in its sandbox
                what = f"{type(error.cause).__name__}: {error.cause}"
                raise SearchError(f"the workers cannot train: {one_line(what)}; mend that, then --resume") from error
            return TrialResult(TrialState.FAILED, f"its worker died {MAX_TRIES} times: {one_line(error)}")
        except (exceptions.NodeDiedError, exceptions.ObjectLostError):
            return None
        except exceptions.RayError as error:
            raise SearchError(f"{self._cluster.name} does not go on: {one_line(error)}; go on with --resume") from error
        if isinstance(found, Stopped):
            return TrialResult(TrialState.FAILED, found.reason)
        result: TrialResult = pickle.loads(found)  # noqa: S301 - a trainer of ours pickled it
        return result

    def close(self) -> None:
        super().close()
        self._running.clear()
        self._cluster.close()


def make_executor(
    tasks: Mapping[str, Task], workers: int, address: str | None, limits: Limits = DEFAULT_LIMITS
) -> Executor:
    """The executor that a command line asks for: `address` wins; 0 workers train in this process."""
    if address is not None:
        return RayExecutor(tasks, limits, address=address)
    return RayExecutor(tasks, limits, workers=workers) if workers else LocalExecutor(tasks)

"""Executors of trials: in this process, or on Ray workers, one thread each.

An executor takes jobs and returns their results in any order; no decision of a search depends on that order. Jobs wait
in the driver's queue, those of the earliest proposals first. Ray is handed as many as there are workers, and two more,
so that no worker waits for the driver.
"""

import heapq
import pickle
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field
from typing import Any

import torch

from results.store.words import TrialState
from search.core.errors import SearchError
from search.core.import_path import ROOT
from search.core.limits import DEFAULT_LIMITS, Limits
from search.training.trial import TrialResult
from search.workers.isolation import MAX_TRIES, StartError, Stopped
from search.workers.job import Job, one_line, run_job
from search.workers.packing import pack_task
from search.workers.ray_cluster import CAPACITY_SECONDS, Cluster
from tasks.task import Task


@dataclass(order=True)
class _Waiting:
    priority: int
    number: int
    job: Job = field(compare=False)


class Executor(ABC):
    """Queue of jobs, and what trains them. `submit` returns a ticket at once; `next` waits for a job to finish."""

    def __init__(self) -> None:
        self._queue: list[_Waiting] = []
        self._number = 0
        # Called while `next` waits: submits the jobs that have come in meanwhile (`search.workers.shared`).
        self.intake: Callable[[], None] = lambda: None

    def submit(self, job: Job, priority: int) -> int:
        """Queue a job and return its ticket; jobs of smaller priority are trained first."""
        self._number += 1
        heapq.heappush(self._queue, _Waiting(priority, self._number, job))
        return self._number

    @abstractmethod
    def next(self) -> tuple[int, TrialResult]:
        """Wait for the next job that finishes; return its ticket and its result.

        At least one job must be queued or running.
        """

    def processors(self) -> int:
        """Return the number of jobs that are trained at a time now."""
        return 1

    def close(self) -> None:
        """Release the workers and their resources; queued jobs are dropped."""
        self._queue.clear()


class LocalExecutor(Executor):
    """Executor that trains in this process, one job at a time, without process isolation.

    A trial that crashes its process ends the search. A search resumed without workers meets that trial again; one
    resumed with workers stores it as failed.
    """

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        super().__init__()
        self._tasks = tasks
        # One thread, as in a worker process: sums are taken in the same order, so results are the same bit for bit.
        torch.set_num_threads(1)

    def next(self) -> tuple[int, TrialResult]:
        waiting = heapq.heappop(self._queue)
        return waiting.number, run_job(waiting.job, self._tasks[waiting.job.task])


class RayExecutor(Executor):
    """Executor on a Ray cluster: its own with `workers` processes, or the one at `address`.

    The tasks' data is put into Ray's object store once. Each Ray worker trains in a process of its own
    (`search.workers.isolation`), so a trial that crashes does not end the Ray worker. A Ray worker that is killed
    counts as one try of its trial; a node that leaves the cluster does not, since no trial causes that.

    Raises `SearchError` if Ray cannot be started or reached, here and in `next`, and `TaskError` if a task cannot be
    sent to worker processes.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        limits: Limits = DEFAULT_LIMITS,
        workers: int | None = None,
        address: str | None = None,
    ) -> None:
        super().__init__()
        packed = {name: pack_task(task) for name, task in tasks.items()}  # before Ray starts, which takes seconds
        self._cluster = Cluster(workers, address)
        self._ray = self._cluster.ray
        # One object for each task: a worker reads only the task that it trains.
        self._tasks = {name: self._ray.put(data) for name, data in packed.items()}
        self._limits = astuple(limits)
        # Tries are counted here, where the cause of a failure is known.
        self._remote = self._ray.remote(num_cpus=1, max_retries=0)(_ray_function(ROOT, first=address is None))
        self._running: dict[Any, _Waiting] = {}
        self._deaths: Counter[int] = Counter()  # of workers, by ticket

    def next(self) -> tuple[int, TrialResult]:
        while True:
            self.intake()
            self._submit_to_ray()
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

    def _submit_to_ray(self) -> None:
        """Submit as many jobs to Ray as the cluster has cores, and two more."""
        room = self._cluster.cores() + 2 - len(self._running)
        while self._queue and room > 0:
            waiting = heapq.heappop(self._queue)
            task = self._tasks[waiting.job.task]
            # Ray passes a reference inside a list as it is: a worker fetches a task once, and not for every trial.
            job = pickle.dumps(waiting.job)
            self._running[self._remote.remote(job, task.hex(), [task], self._limits)] = waiting
            room -= 1

    def _result(self, reference: Any, waiting: _Waiting) -> TrialResult | None:
        """Return the result of a finished job, or None if the job has to be tried again."""
        exceptions = self._ray.exceptions
        try:
            found: bytes | Stopped = self._ray.get(reference)
        except (exceptions.WorkerCrashedError, exceptions.OutOfMemoryError, exceptions.RayTaskError) as error:
            cause = error.cause if isinstance(error, exceptions.RayTaskError) else None
            if isinstance(cause, StartError):  # another try would end alike, and no trial is to blame
                raise _workers_failed(str(cause)) from error
            self._deaths[waiting.number] += 1
            if self._deaths[waiting.number] < MAX_TRIES:
                return None
            if cause is not None:  # not the trial's, which runs in another process
                raise _workers_failed(f"{type(cause).__name__}: {cause}") from error
            return TrialResult(TrialState.FAILED, f"its worker died {MAX_TRIES} times: {one_line(error)}")
        except (exceptions.NodeDiedError, exceptions.ObjectLostError):
            return None
        except exceptions.RayError as error:
            raise SearchError(
                f"lost connection to {self._cluster.name}: {one_line(error)}; rerun with --resume"
            ) from error
        if isinstance(found, Stopped):
            return TrialResult(TrialState.FAILED, found.reason)
        result: TrialResult = pickle.loads(found)  # noqa: S301 - a worker process pickled it
        return result

    def close(self) -> None:
        super().close()
        self._running.clear()
        self._cluster.close()


def _workers_failed(what: str) -> SearchError:
    return SearchError(f"workers failed: {one_line(what)}; fix the cause, then rerun with --resume")


def make_executor(
    tasks: Mapping[str, Task], workers: int, address: str | None, limits: Limits = DEFAULT_LIMITS
) -> Executor:
    """Return the executor for a command line: `address` takes precedence; 0 workers train in this process."""
    if address is not None:
        return RayExecutor(tasks, limits, address=address)
    return RayExecutor(tasks, limits, workers=workers) if workers else LocalExecutor(tasks)


def _ray_function(root: str, *, first: bool) -> Callable[..., Any]:
    """Return the function that Ray's workers run.

    Ray pickles a nested function by value, so a worker needs no module of the project to read it. The function then
    imports the package from `root`: on a cluster of its own (`first`) always, on a joined cluster only where the node
    has none installed.
    """

    # Arguments and annotations are of built-in types: Ray reads them before the package is imported.
    def train(job: bytes, key: str, reference: list[Any], limits: tuple[float, int]) -> Any:
        import sys

        if "search" not in sys.modules:
            position = 0 if first else len(sys.path)
            sys.path.insert(position, root)
            __import__("search")  # its `__init__` module imports nothing; submodules are then found beside it
            del sys.path[position]
        from search.core.limits import Limits
        from search.workers.isolation import train_isolated

        return train_isolated(job, key, reference, Limits(*limits))

    return train

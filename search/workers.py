"""Where trials are trained: in this process, or by Ray workers, one thread each.

An executor takes jobs and gives back their results, in any order; what is decided on them does not depend on it. Jobs
wait here, those of the earliest proposals first, and only as many as there are workers (and a few more, so that none
waits for the driver) are handed on.
"""

import heapq
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from search.cells.graph import GateGraph
from search.environment import own_environment
from search.errors import SearchError
from search.settings import Setting
from search.simulation import Simulation
from search.training import Budget, TrialResult, TrialState, train_trial
from tasks.task import Task

MAX_TRIES = 3
"""A trial whose worker dies is started again until it was tried this many times."""

CONNECT_SECONDS = 5.0
"""A cluster that does not answer for so long counts as not there; Ray itself would try for a quarter of an hour."""


@dataclass(frozen=True)
class Job:
    """One trial to be trained: a setting of a cell on a task (by name), with its budget and seed.

    With a `simulation` nothing is trained, its outcome is drawn.
    """

    graph: GateGraph
    task: str
    setting: Setting
    budget: Budget
    seed: int
    chance: float
    simulation: Simulation | None = None


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

    def close(self) -> None:
        """Let go of workers and what they hold; queued jobs are dropped."""
        self._queue.clear()


def run_job(job: Job, task: Task) -> TrialResult:
    """Train a job; whatever goes wrong in it becomes a failed trial with its reason, so that a search goes on."""
    try:
        if job.simulation is not None:
            result = job.simulation.trial(job.graph, job.task, task, job.setting, job.budget, job.seed, job.chance)
        else:
            result = train_trial(job.graph, task, job.setting, job.budget, job.seed, chance=job.chance)
    except Exception as error:
        result = TrialResult(TrialState.FAILED, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    return replace(result, environment=own_environment())


class LocalExecutor(Executor):
    """Trains in this process, one job at a time."""

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

    The tasks' data is put into Ray's object store once. Raises `SearchError` where Ray cannot be started or reached.
    """

    def __init__(self, tasks: Mapping[str, Task], workers: int | None = None, address: str | None = None) -> None:
        super().__init__()
        self._ray = _start_ray(workers, address)
        # Every name in its own object: a worker reads only the task that it trains.
        self._tasks = {name: self._ray.put(task) for name, task in tasks.items()}
        self._remote = self._ray.remote(num_cpus=1, max_retries=MAX_TRIES - 1)(_train_remotely)
        self._running: dict[Any, int] = {}

    def next(self) -> tuple[int, TrialResult]:
        # Looked up each time: nodes may join and leave a cluster while a search runs.
        capacity = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        while self._queue and len(self._running) < capacity + 2:
            waiting = heapq.heappop(self._queue)
            # In a list, the reference itself arrives: the worker fetches a task once, not once a trial.
            reference = self._remote.remote(waiting.job, [self._tasks[waiting.job.task]])
            self._running[reference] = waiting.number
        (done,), _ = self._ray.wait(list(self._running), num_returns=1)
        number = self._running.pop(done)
        try:
            result: TrialResult = self._ray.get(done)
        except self._ray.exceptions.RayTaskError as error:
            what = f"{type(error.cause).__name__}: {error.cause}"
            result = TrialResult(TrialState.FAILED, f"a worker cannot read the trial: {' '.join(what.split())[:300]}")
        except self._ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[:300]
            result = TrialResult(TrialState.FAILED, f"the worker died {MAX_TRIES} times: {reason}")
        return number, result

    def close(self) -> None:
        super().close()
        self._running.clear()
        self._ray.shutdown()


_FETCHED: dict[str, Task] = {}
"""The tasks that this worker process has fetched from Ray's object store, by the object's name."""


def _train_remotely(job: Job, reference: list[Any]) -> TrialResult:
    """What a Ray worker runs."""
    import ray

    torch.set_num_threads(1)
    (task,) = reference
    if task.hex() not in _FETCHED:
        _FETCHED[task.hex()] = ray.get(task)
    return run_job(job, _FETCHED[task.hex()])


def _start_ray(workers: int | None, address: str | None) -> Any:
    # Read when Ray is imported: no usage reports, no chatter about GPUs it does not find.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address is not None:
        check_address(address)
        # What goes wrong is said in one line below, not in Ray's log of twenty tries.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        _use_token()
    import logging

    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is not None:
            ray.init(address=address, **options)
        else:
            # "local": without it, Ray would join any cluster that happens to run on this machine.
            ray.init(address="local", num_cpus=workers, include_dashboard=False, **options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"the Ray cluster at {address!r}" if address is not None else "Ray on this machine"
        raise SearchError(f"{where} cannot be reached: {' '.join(str(error).split())[:200]}") from error
    return ray


def _use_token() -> None:
    """Show the user's token to the cluster where there is one, unless RAY_AUTH_MODE says otherwise.

    A cluster that `ray start` begins asks for the token as soon as the user has one, and Ray leaves one in the home
    folder when it first runs; but a driver that joins by address would not show it by itself (seen with Ray 2.60).
    A cluster that asks for none takes no offence.
    """
    named = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    if named or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def check_address(address: str) -> None:
    """That the address is `auto` or HOST:PORT, and that somebody answers there.

    Raises:
        SearchError: it has another form, or nobody does within `CONNECT_SECONDS`.
    """
    if address == "auto":
        return
    if address.startswith("ray://"):
        # Ray's client keeps data and decisions on different machines, and is an extra package; joining does neither.
        raise SearchError(
            f"address {address!r} is one of Ray's client, which is not used here; join the cluster on this machine "
            "(ray start --address=HEAD:PORT) and give auto, or HOST:PORT of its head"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise SearchError(f"address {address!r} is neither auto nor HOST:PORT; correct it")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS) as connection:
            if not os.environ.get("RAY_USE_TLS"):
                _greet(connection)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SearchError(
            f"the Ray cluster at {address!r} cannot be reached ({reason}); start it, or correct the address"
        ) from error


def _greet(connection: socket.socket) -> None:
    """That gRPC is spoken at the other end: a server's first frame is its settings (RFC 9113, section 3.4)."""
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
    frame = connection.recv(9)
    if len(frame) < 4 or frame[3] != 4:
        raise OSError("what answers there is not Ray")


def make_executor(tasks: Mapping[str, Task], workers: int, address: str | None) -> Executor:
    """The executor that a command line asks for: `address` wins; 0 workers train in this process."""
    if address is not None:
        return RayExecutor(tasks, address=address)
    return RayExecutor(tasks, workers=workers) if workers else LocalExecutor(tasks)

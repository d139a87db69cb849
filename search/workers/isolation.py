"""Process isolation of trials: a trial may crash, hang, or allocate without end, and only its own process ends.

A Ray worker trains nothing itself. It keeps one worker process (`search.workers.worker_main`), hands it job after job,
and watches it from outside, so that a segmentation fault, an endless loop in C code, or the kernel's out-of-memory
killer leaves the Ray worker alone. The Ray worker imports neither PyTorch nor the user's task: jobs, tasks and results
pass through it as bytes. This is no security boundary.

The outcome of a trial must not depend on seconds or on the machine. The limits are therefore far beyond the needs of a
trial, and a job is tried `MAX_TRIES` times before its cell is blamed. The trial is then stored as failed, with the
reason, and stays so when the search is resumed, because later proposals depend on it. A trial that failed before the
baselines were finished is trained again.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import IO, Any

import psutil

from search.core.limits import Limits
from search.workers import worker_main
from search.workers.waiting import RunningClock

MAX_TRIES = 3
"""Number of times that a trial is started when its process ends or has to be stopped."""

START_SECONDS = 300.0
"""Seconds in which a worker process has to be ready. Importing PyTorch takes seconds, on a busy disk a minute."""

_POLL_SECONDS = 0.2
"""Seconds between two checks of a process's memory, in which it can allocate some hundred megabytes."""


@dataclass(frozen=True)
class Stopped:
    """Trial without a result, and the reason why each of its processes ended or was stopped."""

    reason: str


class StartError(Exception):
    """A worker process ended, or was stopped, before it was ready. No trial caused that."""


class WorkerProcess:
    """A worker process, started when a job needs it, and again for the next job if it has ended; `close` ends it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._known: set[str] = set()  # keys of the tasks that the worker process has

    def run(self, job: bytes, key: str, task: Callable[[], bytes]) -> bytes | Stopped:
        """Train a job.

        Args:
            job: the pickled `Job`.
            key: name of the task's data, unique for this object.
            task: returns the packed task; called only if the worker process lacks the task.

        Returns:
            The pickled `TrialResult`, or why there is none after `MAX_TRIES`.

        Raises:
            StartError: the worker process does not start.
        """
        reasons: dict[str, None] = {}  # a set that keeps its order
        for _ in range(MAX_TRIES):
            connection = self._start()
            try:
                return self._try(connection, job, key, task)
            except _EndedError as error:
                reasons[str(error)] = None
        return Stopped(f"given up after {MAX_TRIES} tries: {'; '.join(reasons)}")

    def close(self) -> None:
        """End the worker process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None
        self._known.clear()

    def _try(self, connection: Connection, job: bytes, key: str, task: Callable[[], bytes]) -> bytes:
        try:
            parts = (key.encode(), b"" if key in self._known else task(), job)
            for part in parts:
                connection.send_bytes(part)
            self._known.add(key)
            while (message := self._receive(self.limits.stalled_seconds, "no step of training")) == worker_main.BEAT:
                pass
        except (EOFError, ConnectionError):
            raise self._ended() from None
        except _EndedError:
            self.close()
            raise
        return message

    def _start(self) -> Connection:
        """Return the connection to a worker process that is ready. Raises `StartError`."""
        if self._connection is None:
            # Errors go to a file until the process is ready, so that its last line can be reported.
            with _memory_file() as errors:
                try:
                    self._launch(errors)
                    self._receive(START_SECONDS, "no heartbeat")
                except (EOFError, ConnectionError):
                    ended = self._ended()
                    raise StartError(f"a worker process does not start: {_last_line(errors) or ended}") from None
                except _EndedError as error:
                    self.close()
                    raise StartError(f"a worker process does not start: {error}") from None
        assert self._connection is not None
        return self._connection

    def _launch(self, errors: IO[bytes]) -> None:
        connection, theirs = Pipe()
        stderr = os.dup(2)
        try:
            with theirs:
                self._process = subprocess.Popen(
                    worker_main.command(theirs.fileno(), stderr),
                    pass_fds=[theirs.fileno(), stderr],
                    stdin=subprocess.DEVNULL,
                    stderr=errors,
                    env=worker_main.environment(),
                )
        except OSError:
            connection.close()
            raise
        finally:
            os.close(stderr)
        self._connection = connection

    def _receive(self, seconds: float, what: str) -> bytes:
        """Return the process's next message.

        The time in which this process, the worker process or the machine is suspended does not count.

        Raises:
            _EndedError: it takes too long or too much memory.
        """
        assert self._process is not None
        assert self._connection is not None
        clock = RunningClock(_POLL_SECONDS)
        process = psutil.Process(self._process.pid)
        while not self._connection.poll(_POLL_SECONDS):
            try:
                if process.status() == psutil.STATUS_STOPPED:  # by a signal, which is no fault of the trial's
                    clock.restart()
                used = process.memory_info().rss
            except psutil.Error:
                continue  # the process has just ended, and the next poll reports it
            if used > self.limits.memory_bytes:
                allowed = self.limits.memory_bytes / 2**30
                raise _EndedError(f"stopped since it took more than {allowed:g} GiB of memory")
            if clock.passed() > seconds:
                raise _EndedError(f"stopped since there was {what} in {seconds:g} seconds")
        return self._connection.recv_bytes()

    def _ended(self) -> "_EndedError":
        """Return how the process ended by itself, and clean up after it."""
        assert self._process is not None
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:  # still running after closing its end of the connection
            self._process.kill()
            status = self._process.wait()
        self.close()
        if status >= 0:
            return _EndedError(f"its process ended with exit status {status}")
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return _EndedError(f"its process was ended by {name}")


_OWN: list[WorkerProcess] = []
"""Worker process of this Ray worker; empty before its first job."""


def train_isolated(job: bytes, key: str, reference: list[Any], limits: Limits) -> bytes | Stopped:
    """Train a job in the worker process of this Ray worker, as `WorkerProcess.run` does.

    `reference` holds the reference of the packed task in Ray's object store. Raises `StartError`.
    """
    import ray

    if not _OWN or _OWN[0].limits != limits:  # workers of a cluster may outlive a driver, and serve the next one
        for worker in _OWN:
            worker.close()
        _OWN[:] = [WorkerProcess(limits)]
    return _OWN[0].run(job, key, lambda: bytes(ray.get(reference[0])))


def _memory_file() -> IO[bytes]:
    """Return a file without a name that needs no folder, where the system has such files."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("gatesearch-errors"), "w+b")
    return tempfile.TemporaryFile()  # pragma: no cover - macOS


def _last_line(file: IO[bytes]) -> str:
    """Return the last line of a file that is not blank, or an empty text."""
    file.seek(0)
    lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


class _EndedError(Exception):
    """The worker process ended or was stopped; the message says how."""

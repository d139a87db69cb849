"""A process of its own for trials that may do anything: crash, hang, or allocate without end.

A Ray worker trains nothing itself. It keeps one `search.workers.worker_main` process, hands it job after job, and
watches it from outside, so that what it watches for cannot take the watcher along: code that never comes back from C, a
segmentation fault, the system's killer of processes that take too much memory. The worker itself imports neither
PyTorch nor the user's task: jobs, tasks and results go through it as bytes.

How a trial comes out must not depend on seconds or on the machine. The limits are therefore for what would never end:
far beyond what a trial needs, and tried `MAX_TRIES` times before the cell is blamed. The trial is then stored as
failed, with the reason, and stays so when the search is resumed: what came after was decided on it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import psutil

from search.core.limits import Limits

MAX_TRIES = 3
"""A trial that ends its process, or has to be stopped, is started again until it was tried this many times."""

BEAT = b""
"""What a trainer sends to show that it gets on: when it is ready, and then at most once in `BEAT_SECONDS`."""

BEAT_SECONDS = 0.2

START_SECONDS = 300.0
"""A trainer that is not ready after so long will never be. Importing PyTorch takes seconds, on a busy disk a minute."""

_LOOK_SECONDS = 0.2
"""How often memory is looked at. A process can fill some hundred megabytes between two looks."""


@dataclass(frozen=True)
class Stopped:
    """A trial without a result: why its process ended, or was stopped, each time it was tried."""

    reason: str


class Sandbox:
    """One trainer process, started when it is needed and again after it ended; `close` ends it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._known: set[str] = set()  # keys of the tasks that the trainer has

    def run(self, job: bytes, key: str, task: Callable[[], bytes]) -> bytes | Stopped:
        """Train a pickled job on the task called `key`, whose pickle `task` fetches where the trainer lacks it.

        Returns the pickled result, or why there is none after `MAX_TRIES`.
        """
        reasons: dict[str, None] = {}  # a set that keeps its order
        for _ in range(MAX_TRIES):
            try:
                return self._try(job, key, task)
            except _EndedError as error:
                reasons[str(error)] = None
        return Stopped(f"given up after {MAX_TRIES} tries: {'; '.join(reasons)}")

    def close(self) -> None:
        """End the trainer."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None
        self._known.clear()

    def _try(self, job: bytes, key: str, task: Callable[[], bytes]) -> bytes:
        try:
            connection = self._start()
            parts = (key.encode(), b"" if key in self._known else task(), job)
            for part in parts:
                connection.send_bytes(part)
            self._known.add(key)
            while (message := self._receive(self.limits.stalled_seconds, "no step of training")) == BEAT:
                pass
        except (EOFError, ConnectionError):
            raise self._ended() from None
        except _EndedError:
            self.close()
            raise
        return message

    def _start(self) -> Connection:
        """A connection to a trainer that is ready."""
        if self._connection is None:
            self._connection, theirs = Pipe()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "search.workers.worker_main", str(theirs.fileno()), str(os.getpid())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    # What a worker can import, the trainer can: on some nodes that is more than the environment says.
                    env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
                )
            self._receive(START_SECONDS, "no sign of life")
        return self._connection

    def _receive(self, seconds: float, what: str) -> bytes:
        """The trainer's next message, which has to come within some seconds and some memory."""
        assert self._process is not None
        assert self._connection is not None
        until = time.monotonic() + seconds
        process = psutil.Process(self._process.pid)
        while not self._connection.poll(_LOOK_SECONDS):
            if time.monotonic() > until:
                raise _EndedError(f"stopped since there was {what} in {seconds:g} seconds")
            try:
                used = process.memory_info().rss
            except psutil.Error:
                continue  # it has just ended, which the connection will say
            if used > self.limits.memory_bytes:
                allowed = self.limits.memory_bytes / 2**30
                raise _EndedError(f"stopped since it took more than {allowed:g} GiB of memory")
        return self._connection.recv_bytes()

    def _ended(self) -> "_EndedError":
        """How the trainer ended by itself."""
        assert self._process is not None
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:  # it has closed its end of the connection, and does I know not what
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


_OWN: list[Sandbox] = []
"""The sandbox of this process, once a job has asked for it."""


def train_in_sandbox(job: bytes, key: str, reference: list[Any], limits: Limits) -> bytes | Stopped:
    """What a Ray worker runs: `Sandbox.run` in the worker's own sandbox, the task taken from Ray's object store."""
    import ray

    if not _OWN or _OWN[0].limits != limits:  # workers of a cluster may outlive a driver, and serve the next one
        for sandbox in _OWN:
            sandbox.close()
        _OWN[:] = [Sandbox(limits)]
    return _OWN[0].run(job, key, lambda: bytes(ray.get(reference[0])))


class _EndedError(Exception):
    """The trainer ended or was stopped; the message says how."""

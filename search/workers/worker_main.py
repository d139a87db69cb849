"""The process in a sandbox: reads jobs from its worker, trains them, and sends back what came of them.

    python -m search.workers.worker_main FILE_DESCRIPTOR PARENT

Started by `search.workers.isolation`, which says what goes over the connection. It ends when the worker does.
"""

import ctypes
import os
import pickle
import signal
import sys
import time
from multiprocessing.connection import Connection

import torch

from results.store.words import TrialState
from search.training.trial import TrialResult
from search.workers.isolation import BEAT, BEAT_SECONDS
from search.workers.job import Job, run_job
from tasks.task import Task

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


class _Pulse:
    """Tells the worker that the trial gets on, but not more often than it needs to know."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = time.monotonic()

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._last >= BEAT_SECONDS:
            self._connection.send_bytes(BEAT)
            self._last = now


def serve(connection: Connection) -> None:
    """Train jobs until the other end is closed."""
    torch.set_num_threads(1)
    tasks: dict[str, Task] = {}
    pulse = _Pulse(connection)
    connection.send_bytes(BEAT)
    while True:
        try:
            key, task, job = (connection.recv_bytes() for _ in range(3))
        except EOFError:
            return
        connection.send_bytes(pickle.dumps(_result(tasks, key.decode(), task, job, pulse)))


def _result(tasks: dict[str, Task], key: str, task: bytes, job: bytes, pulse: _Pulse) -> TrialResult:
    try:
        if task:
            tasks[key] = pickle.loads(task)  # noqa: S301 - the driver pickled it
        read: Job = pickle.loads(job)  # noqa: S301 - the driver pickled it
    except Exception as error:  # a task of the user's may fail in any way
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return TrialResult(TrialState.FAILED, f"a worker cannot read the trial: {what}")
    return run_job(read, tasks[key], on_batch=pulse)


def _end_with_parent(parent: int) -> None:
    """Let the system end this process when the worker ends, however that ends, and whatever is going on here."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit()  # it ended before it could be asked for


def main() -> None:
    """Serve the connection that the command line names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal: the driver decides
    _end_with_parent(int(sys.argv[2]))
    serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    main()

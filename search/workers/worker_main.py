"""Worker process: reads jobs from the Ray worker that started it, trains them, and sends back their results.

`command` is its command line. It starts with Python's own import path, without PYTHONPATH and the working directory
(`search.core.import_path`). It is stopped from outside when it stalls (`search.workers.isolation`), and ends when the
Ray worker does.

Over the connection go, for each job, three messages: the task's key, the packed task (empty if it was sent before), and
the pickled job. Back come any number of `BEAT`, then the pickled result.

The Ray worker imports this module as well. It needs no PyTorch, so `main` and `serve` import the modules that train.
"""

import ctypes
import os
import pickle
import signal
import sys
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from search.core.import_path import ROOT, use_own_packages

if TYPE_CHECKING:
    from search.training.trial import TrialResult
    from tasks.task import Task

BEAT = b""
"""Heartbeat: sent once when the process is ready, and then at most once in `BEAT_SECONDS`, at a batch of data."""

BEAT_SECONDS = 0.2

_START = """
import sys
sys.path.insert(0, sys.argv[2])
import search
del sys.path[0]
from search.workers.worker_main import main
main()
"""
"""Program of the process. `python -m` would need the package on the path, and a zip archive has no file to run."""

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def command(connection: int, stderr: int) -> list[str]:
    """Return the command line of a worker process of this process.

    Args:
        connection: file descriptor of the process's end of the connection.
        stderr: file descriptor to which the process writes errors once it is ready.
    """
    flags = ["-P", *(["-s"] if sys.flags.no_user_site else [])]
    return [sys.executable, *flags, "-c", _START, __name__, ROOT, str(connection), str(stderr), str(os.getpid())]


def environment() -> dict[str, str]:
    """Return the environment variables of a worker process: this process's, without PYTHONPATH."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


class _Heartbeat:
    """Heartbeat: each call sends `BEAT` to the Ray worker, at most once in `BEAT_SECONDS`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = time.monotonic()

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._last >= BEAT_SECONDS:
            self._connection.send_bytes(BEAT)
            self._last = now


def serve(connection: Connection, stderr: int) -> None:
    """Train jobs until the other end of the connection is closed."""
    import torch

    import search.workers.job  # noqa: F401 - fails here, before the process is ready, rather than in a trial

    torch.set_num_threads(1)
    os.dup2(stderr, 2)
    os.close(stderr)
    tasks: dict[str, Task] = {}
    heartbeat = _Heartbeat(connection)
    connection.send_bytes(BEAT)
    while True:
        try:
            key, task, job = (connection.recv_bytes() for _ in range(3))
        except EOFError:
            return
        connection.send_bytes(pickle.dumps(_result(tasks, key.decode(), task, job, heartbeat)))


def _result(tasks: dict[str, "Task"], key: str, task: bytes, job: bytes, heartbeat: _Heartbeat) -> "TrialResult":
    from results.store.words import TrialState
    from search.training.trial import TrialResult
    from search.workers.job import TASK_FAILED, Job, one_line, run_job
    from search.workers.packing import unpack_task

    try:
        if task:
            tasks[key] = unpack_task(task)
        read: Job = pickle.loads(job)  # noqa: S301 - the driver pickled it
    except Exception as error:  # a user's task may fail in any way
        what = one_line(f"{type(error).__name__}: {error}")
        return TrialResult(TrialState.FAILED, f"{TASK_FAILED}a worker cannot read it: {what}")
    return run_job(read, tasks[key], on_batch=heartbeat)


def _end_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when the Ray worker ends, for whatever reason."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit()  # the parent ended before the request above


def main() -> None:
    """Serve the connection that the command line names."""
    connection, stderr, parent = map(int, sys.argv[3:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal: the driver decides
    _end_with_parent(parent)
    use_own_packages()
    serve(Connection(connection), stderr)

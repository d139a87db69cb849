"""Ray cluster of a search: its own on this machine, which ends with the search, or one joined by its address."""

import logging
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from search.core.errors import SearchError
from search.core.import_path import without_working_directory
from search.workers.job import one_line
from search.workers.ray_environment import SessionFolder, check_machine, low_limits, set_variables
from search.workers.waiting import RunningClock, within
from search.workers.watchdog import watchdog

CONNECT_SECONDS = 5.0
"""Seconds in which a cluster has to answer; Ray itself would try for a quarter of an hour."""

CAPACITY_SECONDS = 1.0
"""Seconds after which a cluster's cores are counted again: nodes may join and leave while a search runs."""

START_SECONDS = 120.0
"""Seconds in which Ray has to start, and its first worker to answer. It takes two, on a busy machine twenty."""

STUCK_SECONDS = 130
"""Seconds after which this process is ended, if Ray's code holds it so that the time above cannot be noticed."""

_REMEDY = "remove the cause, or train without it: --workers 0"

GONE_SECONDS = 30.0
"""Seconds without an answer after which the head counts as dead. After 60, Ray ends this process without a reason."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Cluster:
    """Running Ray, as the attribute `ray`: with `workers` processes of its own, or the cluster at `address`.

    Raises `SearchError` if Ray cannot be started or reached.
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        self.name = "Ray on this machine" if address is None else f"the Ray cluster at {address!r}"
        self._own = address is None
        self._cores, self._looked = 1, -math.inf
        self._head, self._node, self._left = "", "", threading.Event()
        self._folder: SessionFolder | None = None
        if address is not None:
            check_address(address)
        else:
            check_machine(workers or 1)
            self._folder = SessionFolder()
        before = _descendants()
        try:
            set_variables(joins=address is not None)
            stuck = f"gatesearch: {self.name} neither starts nor fails; {_REMEDY}"
            with _own_handlers(), _clean_python_path(), watchdog(STUCK_SECONDS, stuck):
                start = within(START_SECONDS, lambda: self._start(workers, address), self._left)
        except BaseException as error:
            # A Ray that has not started in time is still at it, in its thread: it is not spoken to any more.
            self._leave([p for p in _descendants() if p not in before], speak=not isinstance(error, TimeoutError))
            if isinstance(error, (SearchError, ImportError)) or not isinstance(error, Exception):
                raise  # a Ray that cannot be imported is named, with its remedy, as any other package
            verb = "does not start" if self._own else "cannot be reached"
            limits = low_limits() if self._own else ""
            possible = f" (it may lack more than {limits})" if limits else ""
            remedy = f"{possible}; {_REMEDY}" if self._own else ""
            raise SearchError(f"{self.name} {verb}: {one_line(error) or type(error).__name__}{remedy}") from error
        self._head, self._node = start
        self._silent = RunningClock(CAPACITY_SECONDS)

    def _start(self, workers: int | None, address: str | None) -> tuple[str, str]:
        """Start or join Ray, and return the addresses of the cluster's head and of this machine's node."""
        import ray

        self.ray = ray
        if ray.is_initialized():
            raise SearchError(f"{self.name} cannot be reached: this process is connected to a cluster; leave it first")
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        if address is None:
            # "local": without it, Ray would join any cluster that happens to run on this machine.
            options |= {"address": "local", "num_cpus": workers, "include_dashboard": False}
            if self._folder is not None and self._folder.path is not None:
                options |= {"_temp_dir": self._folder.path}
        else:
            options |= {"address": address}
        ray.init(**options, job_config=_job_config())
        if address is None:  # or a search would wait without end for workers that cannot start
            ray.get(ray.remote(num_cpus=1)(_answering()).remote())
        here = ray.get_runtime_context()
        (node,) = (node for node in ray.nodes() if node["NodeID"] == here.get_node_id())
        return here.gcs_address, f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"

    def cores(self) -> int:
        """Return the number of jobs that fit on the cluster's nodes, at least 1.

        While the head does not answer, the last known number is returned.

        Raises:
            SearchError: the head has not answered for `GONE_SECONDS`, or the node that this process is part of ended.
        """
        now = time.monotonic()
        if now - self._looked >= CAPACITY_SECONDS:
            self._looked = now
            if isinstance(_silence(self._node), ConnectionRefusedError):  # Ray would end this process soon
                raise SearchError(f"{self.name} is gone: its node on this machine has ended; rerun with --resume")
            silence = _silence(self._head)
            if self._own and isinstance(silence, ConnectionRefusedError):  # nobody starts it again
                raise SearchError(f"{self.name} is gone: its head has ended; rerun with --resume")
            if silence is None:  # Ray would wait for a silent head, without a limit that we can set
                self._silent.restart()
                self._cores = max(1, int(self.ray.cluster_resources().get("CPU", 1)))
            elif self._silent.passed() >= GONE_SECONDS:
                raise SearchError(
                    f"{self.name} is gone: its head has not answered for {GONE_SECONDS:g} seconds; "
                    f"{'' if self._own else 'start a cluster, then '}rerun with --resume"
                )
        return self._cores

    def close(self) -> None:
        """Leave a joined cluster, or end one's own with all its processes. Ctrl-C is ignored meanwhile."""
        self._leave(_descendants() if self._own else [])

    def _leave(self, started: list[psutil.Process], speak: bool = True) -> None:
        """End the processes that this one started; `speak` to Ray before, unless it would wait for what is gone."""
        with _uninterrupted():
            if speak and self._node and not (_silence(self._node) or _silence(self._head)):
                self.ray.shutdown()
            _end(started)
            self._left.set()
            if self._folder is not None:
                self._folder.remove()


def _silence(address: str) -> OSError | None:
    """Return the error of a connection to an address, or None if it is accepted."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=1.0).close()
    except OSError as error:
        return error
    return None


def _descendants() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _end(processes: list[psutil.Process]) -> None:
    """Kill the processes that still run. Ray ends its processes as well, but some only notice after a minute."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=2)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore signals that would end this process and leave behind the processes that it has started."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _own_handlers() -> Iterator[None]:
    """Restore this process's signal handlers: those that `ray.init` sets end the process without a message.

    A signal that arrives while Ray's handlers are set raises `SystemExit`, which becomes `KeyboardInterrupt`.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _FixedPath(list[str]):
    """Path entries that Ray adds to the import path of its workers: none, whatever Ray appends."""

    def extend(self, entries: Iterable[str]) -> None:
        """Leave out the folder of the driver's script and its working directory, which Ray puts first on the path."""


def _job_config() -> Any:
    from ray.job_config import JobConfig

    config = JobConfig()
    config._py_driver_sys_path = _FixedPath()
    return config


@contextmanager
def _clean_python_path() -> Iterator[None]:
    """Take the working directory out of PYTHONPATH, which Ray's processes inherit when they start."""
    before = os.environ.get("PYTHONPATH")
    if before is not None:
        os.environ["PYTHONPATH"] = without_working_directory(before)
        if not os.environ["PYTHONPATH"]:  # an empty text would mean the working directory
            del os.environ["PYTHONPATH"]
    try:
        yield
    finally:
        if before is not None:
            os.environ["PYTHONPATH"] = before


def _answering() -> Callable[[], None]:
    """Return a function that a worker can read without the project's packages: Ray pickles a nested one by value."""

    def answer() -> None:
        return None

    return answer


def check_address(address: str) -> None:
    """Check that an address is `auto` or HOST:PORT, and that Ray answers there.

    Raises:
        SearchError: the address has another form, or nothing answers within `CONNECT_SECONDS`.
    """
    if address == "auto":
        return
    if address.startswith("ray://"):
        raise SearchError(
            f"address {address!r}: ray:// (Ray Client) addresses are not supported; join the cluster on this machine "
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
    """Raise OSError unless the peer speaks gRPC: its first frame holds its settings (RFC 9113, section 3.4)."""
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
    frame = connection.recv(9)
    if len(frame) < 4 or frame[3] != 4:
        raise OSError("what answers there is not Ray")

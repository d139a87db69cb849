"""The Ray cluster that a search runs on: its own on this machine, which ends with it, or one joined by its address."""

import logging
import math
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from search.core.errors import SearchError

CONNECT_SECONDS = 5.0
"""A cluster that does not answer for so long counts as not there; Ray itself would try for a quarter of an hour."""

CAPACITY_SECONDS = 1.0
"""How long the number of a cluster's cores is believed: nodes may join and leave while a search runs."""

GONE_SECONDS = 30.0
"""A head that does not answer for so long is not restarted, it is gone. After 60 Ray would end this process, and not
say why."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Cluster:
    """A running Ray, as `ray`: with `workers` processes of its own, or the one at `address`.

    Raises `SearchError` where Ray cannot be started or reached.
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        self.name = "Ray on this machine" if address is None else f"the Ray cluster at {address!r}"
        self._own = address is None
        self._cores, self._looked = 1, -math.inf
        if address is not None:
            check_address(address)
        ray = _import_ray(address is not None)
        if ray.is_initialized():
            raise SearchError(f"{self.name} cannot be reached: this process is on a cluster already; leave that first")
        before = _descendants()
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if address is None:
            # "local": without it, Ray would join any cluster that happens to run on this machine.
            options |= {"address": "local", "num_cpus": workers, "include_dashboard": False}
        else:
            options |= {"address": address}
        self.ray, self._head, self._node = ray, "", ""
        try:
            with _own_handlers():
                ray.init(**options)
        except BaseException as error:
            self._leave([process for process in _descendants() if process not in before])
            if isinstance(error, (ConnectionError, RuntimeError, ValueError, OSError)):
                reason = " ".join(str(error).split())[:200]
                raise SearchError(f"{self.name} cannot be reached: {reason}") from error
            raise
        here = ray.get_runtime_context()
        (node,) = (node for node in ray.nodes() if node["NodeID"] == here.get_node_id())
        self._head, self._node = here.gcs_address, f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"
        self._answered = time.monotonic()

    def cores(self) -> int:
        """How many jobs fit on the nodes that the cluster has now, or had when its head last answered; at least 1.

        Raises:
            SearchError: the head has not answered for `GONE_SECONDS`, or the node that this process is part of ended.
        """
        now = time.monotonic()
        if now - self._looked >= CAPACITY_SECONDS:
            self._looked = now
            if isinstance(_silence(self._node), ConnectionRefusedError):  # Ray would end this process soon
                raise SearchError(f"{self.name} is gone: its node on this machine has ended; go on with --resume")
            if (
                _silence(self._head) is None
            ):  # a head that does not would be waited for, with no end to it that we could choose
                self._answered = now
                self._cores = max(1, int(self.ray.cluster_resources().get("CPU", 1)))
            elif now - self._answered >= GONE_SECONDS:
                raise SearchError(
                    f"{self.name} is gone: its head has not answered for {GONE_SECONDS:g} seconds; "
                    "start a cluster, and go on with --resume"
                )
        return self._cores

    def close(self) -> None:
        """Leave the cluster, or end the own one with all its processes. A second Ctrl-C meanwhile changes nothing."""
        self._leave(_descendants() if self._own else [])

    def _leave(self, started: list[psutil.Process]) -> None:
        with _uninterrupted():
            if not self._node or not (_silence(self._node) or _silence(self._head)):  # or Ray would wait for them
                self.ray.shutdown()
            _end(started)


def _silence(address: str) -> OSError | None:
    """Why nobody answers there, or None if somebody does."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=1.0).close()
    except OSError as error:
        return error
    return None


def _descendants() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _end(processes: list[psutil.Process]) -> None:
    """Kill what still runs of these. Ray ends its processes too, but some only notice after a minute."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=2)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off what would end this process: processes that it has started would be left behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _own_handlers() -> Iterator[None]:
    """Keep this process's signal handlers: `ray.init` sets some that end it without a word.

    What arrives while Ray's are in place raises `SystemExit`, which becomes what Ctrl-C raises.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _import_ray(joins: bool) -> Any:
    # Read when Ray is imported: no usage reports, no chatter about GPUs it does not find.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if joins:
        _use_token()
    import ray

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

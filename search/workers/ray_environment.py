"""Requirements of Ray: environment variables that are set, and limits of the machine that are checked before its start.

A Ray that lacks threads or the loopback interface waits for minutes inside its own code, or ends this process. So both
are tried beforehand. Its sockets lie in a folder whose path must be short, and it writes a token to the home folder
unless it is given one.
"""

import importlib
import os
import resource
import secrets
import shutil
import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from search.core.errors import SearchError

SOCKET_PATH_BYTES = 103
"""Longest path of a socket: 107 bytes on Linux, 103 on macOS."""

_SOCKET = "/ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
"""The longest path of Ray below its folder, which for Ray itself is /tmp, TMPDIR or RAY_TMPDIR."""

FOLDER_BYTES = SOCKET_PATH_BYTES - len(_SOCKET)
"""Longest path of the folder."""

_THREADS = 180
_THREADS_OF_A_WORKER = 30
_MAX_THREADS = 1000
"""Threads that are tried: Ray 2.60 has 160 without a worker, and 25 for each worker."""

_LIMITS = (
    (resource.RLIMIT_NOFILE, "n", "open files", 256),
    (resource.RLIMIT_FSIZE, "f", "bytes in a file", 2**28),
    (resource.RLIMIT_AS, "v", "address space", 2**35),
    (resource.RLIMIT_DATA, "d", "data", 2**33),
)
"""Limits: number, option of `ulimit`, what is limited, and how much is enough for Ray on any machine."""

_LOOPBACK_SECONDS = 2.0

_LOCAL = "or train without Ray: --workers 0"
"""Remedy of whatever Ray lacks."""

_token = ""
"""Token of the clusters of this process; empty before the first."""


def set_variables(joins: bool) -> None:
    """Set the environment variables that Ray reads when it is imported, unless the user has set them.

    Args:
        joins: whether a cluster is joined, rather than started.
    """
    for name, value in {
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run`: no upload of the working directory, no workers by uv
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # no warnings about missing GPUs
        "GRPC_VERBOSITY": "NONE",
    }.items():
        os.environ.setdefault(name, value)
    if joins:
        _join_with_token()
    else:
        _start_with_token()


def _start_with_token() -> None:
    """Give Ray a token of this process, unless the user names one.

    Ray would write one to the home folder, which may be missing or read-only.
    """
    global _token
    if not (os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")):
        _token = _token or secrets.token_hex(32)
        os.environ["RAY_AUTH_TOKEN"] = _token


def _join_with_token() -> None:
    """Authenticate with the user's token if there is one, unless RAY_AUTH_MODE says otherwise.

    A cluster made by `ray start` asks for the token as soon as the user has one, and Ray writes one to the home folder
    when it first runs. A driver that joins by address does not send it by itself (seen with Ray 2.60). A cluster that
    asks for no token ignores it.
    """
    if _token and os.environ.get("RAY_AUTH_TOKEN") == _token:  # of an earlier cluster of this process
        del os.environ["RAY_AUTH_TOKEN"]
        _forget_token()
    named = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    if named or _users_token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _users_token() -> bool:
    try:
        return (Path.home() / ".ray" / "auth_token").is_file()
    except (OSError, RuntimeError):  # no home folder, or one that cannot be read
        return False


def _forget_token() -> None:
    """Clear the token that Ray has read and keeps, so that it reads it again."""
    with suppress(ImportError, AttributeError):
        importlib.import_module("ray._raylet").AuthenticationTokenLoader.instance().reset_cache()


def check_machine(workers: int) -> None:
    """Check that Ray can start on this machine.

    Raises:
        SearchError: the loopback interface does not answer, or too few threads can be started.
    """
    _check_loopback()
    _check_threads(min(_MAX_THREADS, _THREADS + _THREADS_OF_A_WORKER * workers))


def _check_loopback() -> None:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=_LOOPBACK_SECONDS).close()
    except OSError as error:
        raise SearchError(
            f"Ray cannot start: 127.0.0.1 does not answer ({error.strerror or error}); "
            f"bring up the loopback interface (ip link set lo up), {_LOCAL}"
        ) from error


def _check_threads(wanted: int) -> None:
    """Start threads that wait for each other, since limits count threads: of a user, and of a container."""
    go, threads = threading.Event(), list[threading.Thread]()
    before = threading.stack_size(128 * 1024)
    try:
        for _ in range(wanted):
            thread = threading.Thread(target=go.wait, daemon=True)
            thread.start()
            threads.append(thread)
    except (RuntimeError, MemoryError) as error:
        raise SearchError(
            f"Ray cannot start: it needs about {wanted} processes and threads, and {len(threads)} can be started; "
            f"raise the limit (ulimit -u, or that of the container), use fewer --workers, {_LOCAL}"
        ) from error
    finally:
        threading.stack_size(before)
        go.set()
        for thread in threads:
            thread.join()


def low_limits() -> str:
    """Return the limits of this process that a Ray which does not start may lack, in words; empty if there is none.

    Ray's programs do not say which one they met. What they need depends on the machine, so a low limit is named as a
    possible cause only when Ray has failed.
    """
    return ", ".join(
        f"{_in_words(limit)} {what} (ulimit -{option})"
        for number, option, what, enough in _LIMITS
        if (limit := resource.getrlimit(number)[0]) != resource.RLIM_INFINITY and limit < enough
    )


def _in_words(limit: int) -> str:
    return f"{limit / 2**30:.3g} GiB of" if limit >= 2**20 else f"{limit}"


class SessionFolder:
    """Folder of a cluster's sockets and logs: `path` is None for Ray's own choice, or a short one made for it.

    Raises:
        SearchError: no folder serves.
    """

    def __init__(self) -> None:
        variable, chosen = _rays_folder()
        self.path: str | None = None
        if _is_short(chosen) and _is_writable(chosen) and _is_writable(os.path.join(chosen, "ray"), missing=True):
            return
        for parent in (os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp", "/var/tmp", "/dev/shm"):
            if parent and _is_short(parent) and _is_writable(parent):
                with suppress(OSError):
                    self.path = tempfile.mkdtemp(prefix="gs-", dir=parent)
                    return
        why = "cannot be written to" if _is_short(chosen) else f"has more than {FOLDER_BYTES} bytes"
        raise SearchError(
            f"Ray cannot start: the path of the folder for its sockets, {chosen!r} ({variable}), {why}; "
            f"set RAY_TMPDIR to a writable folder of at most {FOLDER_BYTES} bytes, {_LOCAL}"
        )

    def remove(self) -> None:
        """Remove the folder if it was made for the cluster."""
        if self.path is not None:
            shutil.rmtree(self.path, ignore_errors=True)


def _rays_folder() -> tuple[str, str]:
    """Return the folder that Ray would take, after the name of the variable that it is from."""
    for variable in ("RAY_TMPDIR", *(["TMPDIR"] if os.path.isdir("/proc") else [])):
        if variable in os.environ:
            return variable, os.environ[variable]
    return "the default", "/tmp"


def _is_short(folder: str) -> bool:
    return len(os.fsencode(folder)) <= FOLDER_BYTES


def _is_writable(folder: str, missing: bool = False) -> bool:
    """Return whether files can be made in a folder; `missing` is the answer if there is none."""
    if not os.path.lexists(folder):
        return missing
    return os.path.isabs(folder) and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)

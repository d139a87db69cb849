"""Watchdog: ends this process, with a line on the error stream, if it stays in foreign code that never returns.

Such code may hold Python's lock, so that no thread of this process can do anything. The watchdog is a process of its
own.
"""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_SCRIPT = """
i=0
while [ $i -lt {seconds} ]; do sleep 1; kill -0 {parent} 2>/dev/null || exit; i=$((i + 1)); done
echo {line} >&2
kill -KILL {parent}
"""
"""Seconds are counted one by one: while the processes are suspended, none is."""


@contextmanager
def watchdog(seconds: int, line: str) -> Iterator[None]:
    """Kill this process if the context has not been left within `seconds`, and say the line before."""
    script = _SCRIPT.format(seconds=seconds, parent=os.getpid(), line=shlex.quote(line))
    process = None
    with suppress(OSError):  # a machine that cannot start it cannot start Ray, and says so sooner
        process = subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()

"""Ctrl-Z: the worker processes pause with this one, and go on with it.

A terminal stops only the processes of its foreground group, and Ray's workers have groups of their own. They would
train on, while Ray's other processes are silent.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def pausing() -> Iterator[None]:
    """Inside this context, stop and continue all processes that this one started when SIGTSTP stops it.

    Python handles signals in the main thread only; in another thread this does nothing. A process that ignores SIGTSTP,
    or handles it in its own way, is left so.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTSTP) != signal.SIG_DFL:
        yield
        return

    def pause(number: int, frame: object) -> None:
        stopped = _signal(psutil.Process().children(recursive=True), signal.SIGSTOP)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # returns when the process is continued
        signal.signal(signal.SIGTSTP, pause)
        _signal(stopped, signal.SIGCONT)

    signal.signal(signal.SIGTSTP, pause)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)


def _signal(processes: list[psutil.Process], number: signal.Signals) -> list[psutil.Process]:
    """Send a signal to processes, and return them."""
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)
    return processes

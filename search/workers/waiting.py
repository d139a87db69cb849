"""Waiting that ends: calls that may hang in foreign code, and time that passes only while this process runs."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

_STEP = 0.1
"""Seconds between two looks of a thread that waits, so that a signal is handled."""


def within(seconds: float, call: Callable[[], Value], stay: threading.Event | None = None) -> Value:
    """Return what a call returns, or raise what it raises.

    The call runs in a thread of its own, which is left behind if it takes too long or this one is interrupted.

    Args:
        seconds: limit, of this process's running time.
        call: the call.
        stay: keeps the thread alive until it is set. Linux ends a process with the thread that started it, if the
            process asks for that, as those of Ray do.

    Raises:
        TimeoutError: the call has not ended within `seconds`.
    """
    values, errors, done = list[Value](), list[BaseException](), threading.Event()

    def work() -> None:
        try:
            values.append(call())
        except BaseException as error:  # raised again below
            errors.append(error)
        done.set()
        if stay is not None and not errors:
            stay.wait()

    threading.Thread(target=work, daemon=True).start()
    clock = RunningClock(_STEP)
    while not done.wait(_STEP):
        if clock.passed() > seconds:
            raise TimeoutError(f"no answer within {seconds:g} seconds")
    if errors:
        raise errors[0]
    return values[0]


class RunningClock:
    """Clock that stands still while this process is stopped (Ctrl-Z) or the machine sleeps.

    It is read at least every `step` seconds. Between two readings at most a few steps are counted, so a long silence
    in between adds next to nothing.

    Args:
        step: seconds between two readings.
        now: clock that is read; it may or may not go on while the process is stopped.
    """

    def __init__(self, step: float, now: Callable[[], float] = time.monotonic) -> None:
        self._longest, self._now = 10 * step, now
        self.restart()

    def restart(self) -> None:
        """Set the passed time to zero."""
        self._seconds, self._last = 0.0, self._now()

    def passed(self) -> float:
        """Read the clock: return the seconds that have passed since its start."""
        now = self._now()
        self._seconds += min(now - self._last, self._longest)
        self._last = now
        return self._seconds

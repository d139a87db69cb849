"""Clock of a trial, which stands still while its process is stopped.

`search.workers.waiting` has that of a thread that waits: it looks often, and uses no processor time.
"""

import time
from collections.abc import Callable

_LONG, _IDLE = 1.0, 0.1
"""Least seconds between two readings, and the most of them on the processor, of a process that was stopped."""


class TrialClock:
    """Wall-clock time of training, without that in which the process was stopped (Ctrl-Z).

    A trial reads it before each batch. A process that used next to no processor time in more than a second was stopped,
    or waited for a disk: only the processor time of such a pause counts.

    Args:
        wall: clock that may go on while the process is stopped.
        processor: clock of the processor time of this process.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.perf_counter,
        processor: Callable[[], float] = time.process_time,
    ) -> None:
        self._seconds, self._wall, self._processor = 0.0, wall, processor
        self._last = wall(), processor()

    def read(self) -> float:
        """Return the seconds that have passed."""
        now = self._wall(), self._processor()
        passed, used = now[0] - self._last[0], now[1] - self._last[1]
        self._seconds += passed if passed <= _LONG or used > _IDLE * passed else used
        self._last = now
        return self._seconds

    def add(self, seconds: float) -> None:
        """Count seconds of training that another clock has measured."""
        self._seconds += seconds

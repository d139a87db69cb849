"""Command buffer: many calls of machine code recorded once and run by one call.

A call from Python costs about as much as a small matrix product. A training step is some forty calls whose arguments
stay the same, except for the addresses of a batch. They are recorded once and run by a single call.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from search.kernels.codegen.commands import RUN_SEGMENT
from search.kernels.runtime.library import KernelLibrary


class Watch:
    """Profile of command buffers: seconds of this thread's CPU time by region."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        readings = [time.thread_time() for _ in range(100)]
        self._cost = min(after - before for before, after in pairwise(readings))

    def add(self, region: str, started: float) -> None:
        """Add the time since `time.thread_time()` returned `started`, less the cost of reading the clock."""
        self.seconds[region] = self.seconds.get(region, 0.0) + time.thread_time() - started - self._cost


_watch: Watch | None = None


@contextmanager
def watched() -> Iterator[Watch]:
    """Time each region of a command buffer separately inside this context."""
    global _watch
    before, _watch = _watch, Watch()
    try:
        yield _watch
    finally:
        _watch = before


class Offset(NamedTuple):
    """Argument that is set by its name, and what is added to the value."""

    name: str
    added: int


class CommandBuffer:
    """Calls of machine code: recorded, then frozen, then run any number of times.

    An argument given as a name stays open: `bind` sets its value before a run.
    """

    def __init__(self, library: KernelLibrary) -> None:
        self._library = library
        self._records: list[int] = []
        self._open: dict[str, list[tuple[int, int]]] = {}  # name of an argument -> its words, and what is added
        self._regions: list[tuple[str, int]] = []  # name, first word
        self._tables: list[object] = []  # kept alive
        self._words = np.empty(0, np.int64)
        self._first = self._end = 0

    def call(self, function: str, *arguments: int | str | Offset) -> None:
        """Record a call of a library function; an argument given by a name is set by `bind`."""
        start = len(self._records) + 2
        for n, argument in enumerate(arguments):
            if not isinstance(argument, int):
                name, offset = (argument, 0) if isinstance(argument, str) else argument
                self._open.setdefault(name, []).append((start + n, offset))
        numbers = (argument if isinstance(argument, int) else 0 for argument in arguments)
        self._records += [self._library.addresses[function], 2 + len(arguments), *numbers]

    def call_segment(self, function: int, table: list[int], steps: int, batch: int, units: int) -> None:
        """Record a call of a cell's segment at the address `function`; `table` holds the addresses of its arrays."""
        kept = np.array(table, np.int64)
        self._tables.append(kept)
        self.call(RUN_SEGMENT, function, kept.ctypes.data, steps, batch, units)

    def region(self, name: str) -> None:
        """Start a named profiling region, which ends where the next one starts."""
        self._regions.append((name, len(self._records)))

    def freeze(self) -> None:
        """Freeze the buffer: no call can be recorded after this."""
        self._words = np.array(self._records, np.int64)
        self._first = self._words.ctypes.data
        self._end = self._first + self._words.nbytes

    def bind(self, name: str, value: int) -> None:
        """Set the argument `name` in all calls that have it."""
        for word, offset in self._open.get(name, ()):
            self._words[word] = value + offset

    def run(self) -> int:
        """Run the calls in order until one returns a nonzero code, and return the code of the last call."""
        return self._library.run(self._first, self._end) if _watch is None else self._run_timed(_watch)

    def _run_timed(self, watch: Watch) -> int:
        result = 0
        starts = [start for _, start in self._regions]
        for (name, start), end in zip(self._regions, [*starts[1:], len(self._words)], strict=True):
            if start < end and result == 0:
                started = time.thread_time()
                result = self._library.run(self._first + 8 * start, self._first + 8 * end)
                watch.add(name, started)
        return result

"""Many calls of machine code as one: a list of functions and arguments that is played from end to end.

A call from Python costs about as much as a small matrix product. A training step is some forty calls whose arguments
are the same every time but for where a batch lies, so they are written down once and played in one call.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np

PLAY = "gatesearch_play"
"""play(record, end): call each record's function with the address of its arguments, until one does not return 0.

A record is the function's address, its length in words of eight bytes, and the arguments. Returns the last result.
"""

RUN_SECTION = "gatesearch_run_section"
"""run_section(function, table, T, B, H, P): one of a cell's sections."""

TAPE_TEXT = f"""\
define i64 @{PLAY}(ptr %first, ptr %end) #0 {{
entry:
  br label %record
record:
  %at = phi ptr [%first, %entry], [%next, %record]
  %length.at = getelementptr i64, ptr %at, i64 1
  %arguments = getelementptr i64, ptr %at, i64 2
  %function = load ptr, ptr %at, align 8
  %length = load i64, ptr %length.at, align 8
  %next = getelementptr i64, ptr %at, i64 %length
  %result = call i64 %function(ptr %arguments)
  %good = icmp eq i64 %result, 0
  %left = icmp ult ptr %next, %end
  %more = and i1 %good, %left
  br i1 %more, label %record, label %stop
stop:
  ret i64 %result
}}
define i64 @{RUN_SECTION}(ptr %arguments) #0 {{
  %table.at = getelementptr i64, ptr %arguments, i64 1
  %T.at = getelementptr i64, ptr %arguments, i64 2
  %B.at = getelementptr i64, ptr %arguments, i64 3
  %H.at = getelementptr i64, ptr %arguments, i64 4
  %P.at = getelementptr i64, ptr %arguments, i64 5
  %function = load ptr, ptr %arguments, align 8
  %table = load ptr, ptr %table.at, align 8
  %T = load i64, ptr %T.at, align 8
  %B = load i64, ptr %B.at, align 8
  %H = load i64, ptr %H.at, align 8
  %P = load i64, ptr %P.at, align 8
  call void %function(ptr %table, i64 %T, i64 %B, i64 %H, i64 %P)
  ret i64 0
}}"""


class Watch:
    """Seconds of this thread's CPU time that tapes, and what else is timed with it, spend in each of their parts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        readings = [time.thread_time() for _ in range(100)]
        self._cost = min(after - before for before, after in pairwise(readings))

    def add(self, part: str, started: float) -> None:
        """What a part took since `time.thread_time()` was `started`, less what reading the clock costs."""
        self.seconds[part] = self.seconds.get(part, 0.0) + time.thread_time() - started - self._cost


_watch: Watch | None = None


@contextmanager
def watched() -> Iterator[Watch]:
    """Within it, the parts of tapes are played and timed one by one."""
    global _watch
    before, _watch = _watch, Watch()
    try:
        yield _watch
    finally:
        _watch = before


class Tape:
    """Calls under construction, then played. `mark` names arguments that `point` may change between two plays."""

    def __init__(self, play: Callable[[int, int], int], addresses: dict[str, int]) -> None:
        self._play, self._addresses = play, addresses
        self._records: list[int] = []
        self._marks: dict[str, list[int]] = {}
        self._parts: list[tuple[str, int]] = []
        self._kept: list[object] = []
        self._words = np.empty(0, np.int64)
        self._first = 0

    def call(self, function: str, *arguments: int | str) -> None:
        """Add a call of a shared function; an argument that is a name can be pointed to something."""
        start = len(self._records) + 2
        for n, argument in enumerate(arguments):
            if isinstance(argument, str):
                self._marks.setdefault(argument, []).append(start + n)
        numbers = (0 if isinstance(argument, str) else argument for argument in arguments)
        self._records += [self._addresses[function], 2 + len(arguments), *numbers]

    def part(self, name: str) -> None:
        """What is added from here on belongs to a part of this name, for who measures."""
        self._parts.append((name, len(self._records)))

    def section(self, function: int, table: list[int], steps: int, batch: int, units: int) -> None:
        """Add a call of a cell's section, whose arrays are at the addresses of `table`."""
        kept = np.array(table, np.int64)
        self._kept.append(kept)
        self.call(RUN_SECTION, function, kept.ctypes.data, steps, batch, units, units)

    def end(self) -> Tape:
        """Nothing is added any more."""
        self._words = np.array(self._records, np.int64)
        self._first = self._words.ctypes.data
        self._last = self._first + self._words.nbytes
        return self

    def point(self, name: str, address: int) -> None:
        """Let the argument `name` be this address, wherever it occurs."""
        for place in self._marks.get(name, ()):
            self._words[place] = address

    def play(self) -> int:
        """Make all calls; the result of the last one that was made, 0 where all went well."""
        return self._play(self._first, self._last) if _watch is None else self._watched(_watch)

    def _watched(self, watch: Watch) -> int:
        result = 0
        begins = [begin for _, begin in self._parts]
        for (name, begin), end in zip(self._parts, [*begins[1:], len(self._words)], strict=True):
            if begin < end and result == 0:
                started = time.thread_time()
                result = self._play(self._first + 8 * begin, self._first + 8 * end)
                watch.add(name, started)
        return result


PLAY_TYPE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)

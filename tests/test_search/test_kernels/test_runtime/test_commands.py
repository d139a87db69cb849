"""Command buffers of real library functions: recorded, bound, run, stopped and timed."""

from __future__ import annotations

import numpy as np

from search.kernels.codegen.memory import CHECK, CLEAR, COPY, SELECT
from search.kernels.runtime.commands import CommandBuffer, Offset, Watch, watched
from search.kernels.runtime.library import kernel_library
from tests.test_search.test_kernels.hosts import require_host


def commands() -> CommandBuffer:
    return CommandBuffer(kernel_library(require_host()))


def test_calls_run_in_order_any_number_of_times() -> None:
    memory, source = np.ones(4, np.int64), np.arange(4)
    buffer = commands()
    buffer.call(CLEAR, 32, memory.ctypes.data)
    buffer.call(COPY, 16, source[2:].ctypes.data, memory.ctypes.data)
    buffer.freeze()
    for _ in range(2):
        assert buffer.run() == 0
        assert memory.tolist() == [2, 3, 0, 0]
        memory[:] = 9


def test_a_named_argument_is_bound_wherever_it_occurs() -> None:
    a, b, c = (np.full(2, n) for n in (1, 2, 3))
    buffer = commands()
    buffer.call(COPY, 16, "from", b.ctypes.data)
    buffer.call(COPY, "bytes", "from", c.ctypes.data)
    buffer.freeze()
    for value in (a, np.array([7, 8])):
        buffer.bind("from", value.ctypes.data)
        buffer.bind("bytes", 8)
        buffer.bind("nothing", 1)
        assert buffer.run() == 0
        assert b.tolist() == value.tolist()
        assert c.tolist() == [value[0], 3]


def test_an_offset_is_added_to_what_is_bound() -> None:
    source, found = np.arange(6), np.zeros(2, np.int64)
    buffer = commands()
    buffer.call(COPY, 16, Offset("from", 24), found.ctypes.data)
    buffer.freeze()
    for shift in (0, 1):
        buffer.bind("from", source[shift:].ctypes.data)
        assert buffer.run() == 0
        assert found.tolist() == [3 + shift, 4 + shift]


def test_a_call_that_fails_ends_the_run_with_its_code() -> None:
    memory, mask = np.ones(2, np.int64), np.ones(2, np.float32)
    buffer = commands()
    buffer.region("check")
    buffer.call(CHECK, memory.ctypes.data, mask.ctypes.data, 2, 1)
    buffer.region("clear")
    buffer.call(CLEAR, 16, memory.ctypes.data)
    buffer.freeze()
    assert buffer.run() == 1
    assert memory.tolist() == [1, 1]
    with watched() as watch:
        assert buffer.run() == 1
    assert memory.tolist() == [1, 1]
    assert set(watch.seconds) == {"check"}


def test_a_watched_run_computes_the_same_and_times_each_region_by_name() -> None:
    mask, index, count, results = np.ones(5, np.float32), np.zeros(5, np.int64), np.zeros(1, np.int64), np.zeros(5)
    memory = np.ones(2, np.int64)
    buffer = commands()
    buffer.region("one")
    buffer.call(SELECT, mask.ctypes.data, 5, index.ctypes.data, count.ctypes.data, results.ctypes.data)
    buffer.region("empty")
    buffer.region("two")
    buffer.call(CLEAR, 8, memory.ctypes.data)
    buffer.region("one")
    buffer.call(CLEAR, 16, memory.ctypes.data)
    buffer.freeze()
    with watched() as outer:
        assert buffer.run() == 0
        with watched() as inner:
            assert buffer.run() == 0
        inner_seconds = dict(inner.seconds)
        assert buffer.run() == 0
    assert buffer.run() == 0
    assert (count[0], memory.tolist()) == (5, [0, 0])
    assert set(outer.seconds) == set(inner.seconds) == {"one", "two"}
    assert inner.seconds == inner_seconds


def test_a_watch_adds_up_the_time_of_a_name() -> None:
    watch = Watch()
    watch.add("part", -1.0)  # started one second of CPU time before this thread did
    first = watch.seconds["part"]
    watch.add("part", -1.0)
    assert watch.seconds["part"] >= 2 * first >= 2.0

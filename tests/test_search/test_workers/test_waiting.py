"""Waiting that ends, and a clock that stands still while the process is stopped."""

import threading
import time

import pytest

from search.workers.waiting import RunningClock, within


def test_a_call_that_ends_gives_what_it_returns_or_raises() -> None:
    assert within(60, lambda: 7) == 7
    with pytest.raises(ValueError, match="no number"):
        within(60, lambda: int("no number"))


def test_a_call_that_hangs_is_left_behind() -> None:
    go = threading.Event()
    with pytest.raises(TimeoutError, match=r"^no answer within 0\.2 seconds$"):
        within(0.2, go.wait)
    go.set()


def test_the_thread_of_a_call_stays_as_long_as_it_is_told() -> None:
    stay = threading.Event()
    thread = within(60, threading.current_thread, stay)
    time.sleep(0.3)
    assert thread.is_alive()
    stay.set()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_a_long_silence_between_two_readings_hardly_counts() -> None:
    times = iter([0.0, 0.2, 0.5, 3600.0, 3600.2])
    clock = RunningClock(0.2, lambda: next(times))
    assert [round(clock.passed(), 3) for _ in range(4)] == [0.2, 0.5, 2.5, 2.7]


def test_a_slow_reader_counts_in_full() -> None:
    times = iter([0.0, 1.9, 3.8])
    clock = RunningClock(0.2, lambda: next(times))
    assert [round(clock.passed(), 3) for _ in range(2)] == [1.9, 3.8]

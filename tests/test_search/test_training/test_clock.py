"""The time of a trial leaves out that in which its process was stopped."""

import time

from search.training.clock import TrialClock
from search.training.trial import train_trial
from tests.test_search.test_training.test_trial import SETTING, SHORT, TANH, XML


def test_only_the_processor_time_of_a_long_gap_counts() -> None:
    now = {"wall": 100.0, "processor": 5.0}

    def read(wall: float, processor: float) -> float:
        now["wall"] += wall
        now["processor"] += processor
        return clock.read()

    clock = TrialClock(lambda: now["wall"], lambda: now["processor"])
    assert read(0.5, 0.1) == 0.5  # another process had the processor, or a file was read
    assert read(100.0, 0.25) == 0.75  # stopped
    assert read(3.0, 1.0) == 3.75  # a long step beside other processes
    assert read(3.0, 12.0) == 6.75  # a long step of four threads
    clock.add(10.0)
    assert read(0.0, 0.0) == 16.75


def test_a_trial_does_not_count_a_pause() -> None:
    batches = 0

    def pause() -> None:
        nonlocal batches
        batches += 1
        if batches == 2:
            time.sleep(1.5)  # uses no processor time, like a process that is stopped

    started = time.perf_counter()
    result = train_trial(TANH, XML, SETTING, SHORT, seed=1, on_batch=pause)
    passed = time.perf_counter() - started
    assert batches > 4
    assert 0 < result.seconds < passed - 1.3

"""Memory does not grow with the recordings: a file of 40 MB is converted and read in less than 15 MB."""

from __future__ import annotations

import tracemalloc
import wave
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tasks.audio.task import Audio
from tasks.task import Split

MEGABYTE = 1_000_000


def write_long(path: Path, megabytes: int, rate: int) -> Path:
    rng = np.random.default_rng(0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        for _ in range(megabytes):
            file.writeframes(rng.integers(-8000, 8000, MEGABYTE // 2).astype("<i2").tobytes())
    return path


@pytest.mark.parametrize("rate", [8000, 44_100])
def test_a_large_file_is_streamed(tmp_path: Path, rate: int) -> None:
    path = write_long(tmp_path / "long.wav", 40, rate)
    tracemalloc.start()
    try:
        task = Audio(data=str(path))
        for window in islice(task.training(20, 50, np.random.default_rng(0)), 300):
            assert window.inputs.shape == (50, 20)
        windows = sum(1 for _ in task.evaluation(Split.VALIDATION, 50, 50))
        described = task.description(Split.TRAIN)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert windows == 64  # 20 seconds of 8,000 samples, in 50 columns of 3,200
    assert described.steps == pytest.approx(10_000_000 * 8000 / rate * 6 / 8, abs=2)
    assert peak < 15 * MEGABYTE

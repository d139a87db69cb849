"""Copies of a task as worker processes have them: their arrays are in memory that cannot be written."""

import pickle
from itertools import islice
from pathlib import Path

import numpy as np

from tasks.task import Task


def assert_a_copy_trains_alike(task: Task, file: Path) -> Task:
    """Assert that a copy without the file yields the same windows, which may be written to; return the copy."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(task, protocol=5, buffer_callback=buffers.append)
    file.unlink()
    copy: Task = pickle.loads(data, buffers=[bytes(buffer.raw()) for buffer in buffers])  # noqa: S301
    assert copy.checksum == task.checksum
    for ours, theirs in zip(
        islice(task.training(6, 35, np.random.default_rng(3)), 40),
        islice(copy.training(6, 35, np.random.default_rng(3)), 40),
        strict=True,
    ):
        np.testing.assert_array_equal(ours.inputs, theirs.inputs)
        np.testing.assert_array_equal(ours.targets, theirs.targets)
        ours.inputs[...] = ours.targets[...] = 0  # of a window, which is no part of the task's own arrays
    return copy

"""Full check of a task: its attributes, its sets, and the start of its training stream.

`tasks.watch` checks each batch on its own, whenever one is read. What needs more than one batch is checked here, when
a task is loaded: that sets are not empty, that they are the same when they are read again, that a batch keeps its
content after the next one was yielded, and that the splits differ.
"""

from __future__ import annotations

import hashlib
import pickle
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from tasks.batch import Batch, Split
from tasks.errors import TaskError
from tasks.interface import Input, Output
from tasks.metrics import METRICS, Metric, metrics_of
from tasks.task import Task
from tasks.watch import TRAINING, BatchRules, OwnCode, one_line

COLUMNS, STEPS = 8, 64
"""Shape of the batches that are asked for; the two differ, so that a swapped shape is found."""

WINDOWS, THOROUGH_WINDOWS = 64, 300
"""Training windows that are read when a task is loaded, and in a thorough check."""

SECONDS = 10.0
"""Seconds after which no more training windows are read; a slow task is checked on fewer of them."""

AGAIN = 8
"""Training windows that are read twice."""

KEPT = 8
"""Windows that are kept to see whether their memory is used again."""

MOST_WINDOWS = 500_000
"""Windows of an evaluation set, above which it is taken for endless."""

MOST_OUTPUTS = 10_000_000
"""Largest output size, which is also the largest parameter budget of a profile: a model has several for each output."""

SHAPES = ((50, 50), (1, 7))
"""Other shapes, columns and steps, that a thorough check asks for. The first is that of the evaluations of a trial."""


@dataclass(frozen=True)
class SetCheck:
    """Part of a task's data that was read and kept every rule.

    Attributes:
        name: "training", or the name of the split.
        windows: number of windows.
        steps: number of steps of all columns.
        counted: number of those in the loss mask.
    """

    name: str
    windows: int
    steps: int
    counted: int


@dataclass(frozen=True)
class TaskCheck:
    """Result of a check without a breach.

    Attributes:
        task: name of the task.
        sets: what was read of training, validation and test.
        unpicklable: why the task cannot be sent to worker processes; None if it can, or if this was not checked.
    """

    task: str
    sets: tuple[SetCheck, ...]
    unpicklable: str | None = None

    def lines(self) -> list[str]:
        """Return what was checked as text."""
        each = [
            f"{found.name}: {found.windows:,} windows, {found.steps:,} steps, {found.counted / found.steps:.1%} of "
            f"them in the loss mask; {'endless so far' if found.name == TRAINING else 'the same when read again'}"
            for found in self.sets
        ]
        sent = "can be sent to worker processes"
        if self.unpicklable is not None:
            sent = f"cannot be sent to worker processes ({self.unpicklable}), so use --workers 0"
        return [
            "name, metric, output and output size: they fit",
            *each,
            "every window: shape, types, range of symbols or 0 and 1, loss mask, start",
            "training, validation and test: not the same data, and no window is changed after it was yielded",
            sent,
        ]


def check_task(task: Task, *, thorough: bool = False) -> TaskCheck:
    """Check a task once, before anything is trained on it.

    Args:
        task: the task.
        thorough: reads more windows, in more shapes, and checks whether the task can be sent to worker processes.

    Raises:
        TaskError: a rule is broken; the message names task, split, window, value, rule and remedy.
    """
    check_attributes(task)
    validation, test = (_checked_set(task, split) for split in (Split.VALIDATION, Split.TEST))
    training = _checked_training(task, THOROUGH_WINDOWS if thorough else WINDOWS)
    _check_disjoint(task, training, validation, test)
    with OwnCode(task, "content"):
        _ = task.checksum
    if thorough:
        for columns, steps in SHAPES:
            for split in Split:
                _count(task.evaluation(split, columns, steps), MOST_WINDOWS if split is not Split.TRAIN else WINDOWS)
            _count(task.training(columns, steps, np.random.default_rng(1)), WINDOWS)
        with OwnCode(task, "render"):
            task.render(next(task.evaluation(Split.VALIDATION, COLUMNS, STEPS)))
    sets = tuple(found.check for found in (training, validation, test))
    return TaskCheck(task.name, sets, unpicklable(task) if thorough else None)


def check_attributes(task: Task) -> None:
    """Check the attributes that a task's class sets.

    Raises:
        TaskError: an attribute is of the wrong type, the metric is not in the registry, or it does not fit the output.
    """
    name: object = task.name
    if not isinstance(name, str) or not name:
        raise TaskError(f"task {type(task).__name__} has the name {name!r}; it must be a text")
    output: object = task.output
    metric: object = task.metric
    if not isinstance(output, Output):
        known = " or ".join(f"Output.{kind.name}" for kind in Output)
        raise TaskError(f"task {name!r}: output = {output!r}; it must be {known}")
    kind: object = task.input
    if kind is not None and not isinstance(kind, Input):
        known = " or ".join(f"Input.{each.name}" for each in Input)
        raise TaskError(f"task {name!r}: input = {kind!r}; it must be {known}, or None")
    fitting = metrics_of(output)
    if not isinstance(metric, Metric) or METRICS.get(metric.name) is not metric:
        shown = repr(metric.name) if isinstance(metric, Metric) else repr(metric)
        raise TaskError(
            f"task {name!r}: metric {shown} is none of gatesearch's; import {_either(fitting)} from gatesearch"
        )
    if metric not in fitting:
        alike = sorted(fitting, key=lambda other: other.higher_is_better != metric.higher_is_better)
        raise TaskError(
            f"task {name!r}: metric {metric.name} does not fit Output.{output.name}, whose predictions it cannot "
            f"measure; use {_either(alike)}"
        )
    also: tuple[object, ...] = task.also
    unfit = [one for one in also if one not in fitting]
    if unfit:
        shown = unfit[0].name if isinstance(unfit[0], Metric) else repr(unfit[0])
        raise TaskError(f"task {name!r}: also lists {shown}; Output.{output.name} is measured by {_either(fitting)}")
    with OwnCode(task, "output_size"):
        _check_size(name, "output_size", task.output_size)
    with OwnCode(task, "input_size"):
        _check_size(name, "input_size", task.input_size)
    if type(task.version) is not int:
        raise TaskError(f"task {name!r}: version = {task.version!r}; it must be a whole number")
    summary: object = task.summary
    if not isinstance(summary, str):
        raise TaskError(f"task {name!r}: summary = {summary!r}; it must be a text")
    if type(task.alone) is not bool:
        raise TaskError(f"task {name!r}: alone = {task.alone!r}; it must be True or False")


def _check_size(task: str, name: str, size: object) -> None:
    if isinstance(size, np.integer):
        raise TaskError(f"task {task!r}: {name} has the type {type(size).__name__}; it must be int, so use int()")
    if type(size) is not int or size < 1:
        raise TaskError(f"task {task!r}: {name} = {size!r}; it must be a whole number of at least 1")
    if size > MOST_OUTPUTS:
        raise TaskError(
            f"task {task!r}: {name} = {size}; it must be at most {MOST_OUTPUTS:,}, since no model has more "
            "parameters than that; use fewer symbols"
        )


def _either(metrics: Iterable[Metric]) -> str:
    names = [metric.name.upper() for metric in metrics]
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


@dataclass(frozen=True)
class _Read:
    """Windows that were read: their counts, and the digest of each."""

    check: SetCheck
    digests: tuple[bytes, ...]


def _checked_set(task: Task, split: Split) -> _Read:
    """Read an evaluation set twice, and compare.

    Raises:
        TaskError: it is empty, endless, other data the second time, or its memory is used again.
    """
    found = _read(task, split.value, task.evaluation(split, COLUMNS, STEPS))
    where = f"task {task.name!r}, {split}"
    if not found.check.windows:
        raise TaskError(f"{where}: evaluation yields no window; it must yield the whole set")
    if not found.check.counted:
        raise TaskError(
            f"{where}: no step of {found.check.windows:,} windows is in loss_mask; mark those to be predicted with 1"
        )
    again = (_digest(window) for window in task.evaluation(split, COLUMNS, STEPS))
    _compare(f"{where}", found.digests, again, "seed its random numbers by the split alone")
    return found


def _checked_training(task: Task, windows: int) -> _Read:
    """Read the start of a training stream, and a part of it again from an equal generator.

    Raises:
        TaskError: no step counts, the windows do not depend on the generator alone, or memory is used again.
    """
    stream = task.training(COLUMNS, STEPS, np.random.default_rng(0))
    found = _read(task, TRAINING, _within_seconds(islice(stream, windows), SECONDS))
    where = f"task {task.name!r}, {TRAINING}"
    if not found.check.counted:
        raise TaskError(
            f"{where}: no step of the first {found.check.windows} windows is in loss_mask, so nothing could be learnt; "
            "mark the steps to be predicted with 1"
        )
    again = task.training(COLUMNS, STEPS, np.random.default_rng(0))
    digests = found.digests[:AGAIN]
    _compare(where, digests, map(_digest, islice(again, len(digests))), "draw random numbers from `rng` alone")
    return found


def _compare(where: str, digests: tuple[bytes, ...], again: Iterator[bytes], remedy: str) -> None:
    count = 0
    for count, digest in enumerate(again, 1):
        if count > len(digests) or digest != digests[count - 1]:
            raise TaskError(f"{where}, window {count}: is not the same when it is read again; {remedy}")
    if count < len(digests):
        raise TaskError(f"{where}: has {len(digests)} windows, and {count} when it is read again; {remedy}")


def _check_disjoint(task: Task, training: _Read, validation: _Read, test: _Read) -> None:
    """Raise `TaskError` unless the three splits are different data."""
    if set(validation.digests) == set(test.digests):
        raise TaskError(
            f"task {task.name!r}: validation and test are the same data; give each split its own, which a text "
            "that only repeats itself has not"
        )
    for split, found in (Split.VALIDATION, validation), (Split.TEST, test):
        if set(found.digests) <= set(training.digests):
            raise TaskError(
                f"task {task.name!r}: all of {split} is among the first {training.check.windows} windows of training; "
                "keep its data out of training"
            )


def _read(task: Task, name: str, windows: Iterator[Batch]) -> _Read:
    """Read windows, and check each value, and that each keeps its content while the next ones are read.

    Raises:
        TaskError: a value is neither 0 nor 1, a window was changed after it was yielded, or there is no end.
    """
    kept: deque[tuple[int, bytes, Batch]] = deque()
    digests: list[bytes] = []
    steps = counted = 0

    def check_oldest() -> None:
        number, digest, window = kept.popleft()
        if _digest(window) != digest:
            raise TaskError(
                f"task {task.name!r}, {name}, window {number}: its arrays were changed after it was yielded; "
                "yield new arrays each time, or copies"
            )

    rules = BatchRules(task, COLUMNS, STEPS, exact=True)
    for window in windows:
        breach = rules.breach(window, first=not digests)
        if breach is not None:
            raise TaskError(f"task {task.name!r}, {name}, window {len(digests) + 1}: {breach}")
        if len(digests) == MOST_WINDOWS:
            raise TaskError(f"task {task.name!r}, {name}: has more than {MOST_WINDOWS:,} windows; it must end")
        digests.append(_digest(window))
        steps += window.loss_mask.size
        counted += int(np.count_nonzero(window.loss_mask))
        kept.append((len(digests), digests[-1], window))
        if len(kept) > KEPT:
            check_oldest()
    while kept:
        check_oldest()
    return _Read(SetCheck(name, len(digests), steps, counted), tuple(digests))


def _digest(window: Batch) -> bytes:
    digest = hashlib.sha256(b"starts" if window.starts else b"continues")
    for array in (window.inputs, window.targets, window.loss_mask):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    if window.lengths is not None:
        digest.update(np.ascontiguousarray(window.lengths).data)
    return digest.digest()


def _within_seconds(windows: Iterator[Batch], seconds: float) -> Iterator[Batch]:
    """Yield windows, at least one, until the seconds have passed."""
    until = time.monotonic() + seconds
    for window in windows:
        yield window
        if time.monotonic() > until:
            return


def _count(windows: Iterator[Batch], most: int) -> int:
    return sum(1 for _ in islice(windows, most))


def unpicklable(task: Task) -> str | None:
    """Return why a task cannot be pickled, as it must be for worker processes; None if it can."""
    try:
        pickle.dumps(task)
    except Exception as error:  # a user's attribute may fail in any way
        return f"{type(error).__name__}: {one_line(error)}"
    return None

"""Watch over a task's own code: every batch is checked, every error names the task and the line in its file.

`Task` puts the methods of each derived class that yield batches or return levels under this watch, so no caller can
read a batch or a level that was not checked. The checks of a batch take microseconds; `tasks.checking` checks whole
sets once.

What a task prints goes to the error stream: standard output may be JSON.
"""

from __future__ import annotations

import math
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import partial, wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tasks.batch import Batch, Split, lengths_breach
from tasks.errors import TaskCodeError, TaskError
from tasks.interface import OUTPUTS, Input, Interface

TRAINING = "training"
"""Name of the training stream in messages; the evaluation sets have the names of their splits."""

_END = object()  # of a stream

Training = Callable[[Any, int, int, np.random.Generator], Iterator[Batch]]
Level = Callable[..., float]
Evaluation = Callable[[Any, Split, int, int], Iterator[Batch]]


class Watched(Protocol):
    """The part of a task that is needed to check its batches."""

    @property
    def name(self) -> str: ...
    @property
    def alone(self) -> bool: ...
    @property
    def input(self) -> Input | None: ...
    @property
    def interface(self) -> Interface: ...


def watch(task_class: type) -> None:
    """Put the methods of a task class that yield batches or return levels, its own or inherited, under watch.

    Raises:
        TaskError: one of these names is no method.
    """
    for name, watched in _WATCHED.items():
        method = getattr(task_class, name)
        if not callable(method):
            own = getattr(task_class, "name", task_class.__name__)
            kind = type(method).__name__
            raise TaskError(f"task {own!r}: {name} is a {kind}; it is the name of a method of tasks, so choose another")
        if not getattr(method, "__isabstractmethod__", False) and not hasattr(method, "is_watched"):
            setattr(task_class, name, watched(method))


def _watched_training(method: Training) -> Training:
    @wraps(method)
    def training(self: Any, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        if type(self).training is not training:  # called by a derived class, whose batches are checked
            return method(self, batch, steps, rng)
        return _checked(self, TRAINING, batch, steps, lambda: method(self, batch, steps, rng))

    training.is_watched = True  # type: ignore[attr-defined]
    return training


def _watched_evaluation(method: Evaluation) -> Evaluation:
    @wraps(method)
    def evaluation(self: Any, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        if type(self).evaluation is not evaluation:
            return method(self, split, batch, steps)
        return _checked(self, split.value, batch, steps, lambda: method(self, split, batch, steps))

    evaluation.is_watched = True  # type: ignore[attr-defined]
    return evaluation


def _watched_level(name: str, method: Level) -> Level:
    @wraps(method)
    def level(self: Any, *arguments: Any, **options: Any) -> float:
        if getattr(type(self), name) is not level:
            return method(self, *arguments, **options)
        with OwnCode(self, name):
            found = method(self, *arguments, **options)
        if not isinstance(found, int | float | np.integer | np.floating) or not math.isfinite(found):
            raise TaskError(f"task {self.name!r}, {name}: returned {found!r}; it must be a finite number")
        return float(found)

    level.is_watched = True  # type: ignore[attr-defined]
    return level


_WATCHED: dict[str, Callable[[Any], Any]] = {
    "training": _watched_training,
    "evaluation": _watched_evaluation,
    "constant_baseline": partial(_watched_level, "constant_baseline"),
    "chance_level": partial(_watched_level, "chance_level"),
}
"""Wrappers that put a method under watch, by its name."""


def _checked(task: Watched, where: str, batch: int, steps: int, produce: Callable[[], object]) -> Iterator[Batch]:
    """Yield the batches of a stream, each of them checked.

    Raises:
        TaskError: a batch breaks a rule, the task raises an exception, or a training stream ends.
    """
    own = OwnCode(task, where)
    with own:
        found = produce()
        if not isinstance(found, Iterable):
            raise TaskError(
                f"task {task.name!r}, {where}: returned {type(found).__name__}; it must yield gatesearch.Batch objects"
            )
        source: Iterator[object] = iter(found)
    rules = BatchRules(task, batch, steps)
    number = 0
    while True:
        with own:
            window = next(source, _END)
        if window is _END:
            break
        number += 1
        breach = rules.breach(window, first=number == 1)
        if breach is not None or not isinstance(window, Batch):
            raise TaskError(f"task {task.name!r}, {where}, window {number}: {breach}")
        yield window
    if where == TRAINING:
        raise TaskError(
            f"task {task.name!r}, training: ended after {number:,} windows; it must be endless, "
            "so loop over the data and draw from `rng`"
        )


class BatchRules:
    """Rules of every batch of a stream for which a task was asked.

    Args:
        task: the task.
        batch: columns that were asked for.
        steps: largest number of steps that was asked for; tasks of whole samples ignore it.
        exact: compares every value with 0 and 1. Otherwise 1/2, 1/4, ... beside a 1 are not found, which is quicker.
    """

    def __init__(self, task: Watched, batch: int, steps: int, *, exact: bool = False) -> None:
        self.batch, self.steps, self.exact = batch, steps, exact
        self.interface = task.interface
        self.kind = OUTPUTS[self.interface.output]
        # Inputs of which nothing else is said are notes where the outputs are.
        self.notes = {"targets": self.kind.binary, "inputs": self.kind.binary and task.input is None}
        self.alone = task.alone
        self._ended = False  # whether the sequences of the window before have ended

    def breach(self, window: object, first: bool) -> str | None:
        """Return what is wrong with a window: the value, the rule and the remedy; None if it keeps every rule.

        Args:
            window: what the task yielded.
            first: whether it is the first one of its stream.
        """
        if not isinstance(window, Batch):
            return f"is a {type(window).__name__}; yield gatesearch.Batch(inputs, targets, loss_mask, starts)"
        mask = window.loss_mask
        for name in ("inputs", "targets", "loss_mask"):
            array = getattr(window, name)
            if not isinstance(array, np.ndarray):
                return f"{name} is a {type(array).__name__}; it must be a NumPy array"
        shape = mask.shape
        if len(shape) != 2 or shape[1] != self.batch or shape[0] < 1 or (shape[0] > self.steps and not self.alone):
            return f"loss_mask has the shape {shape}; {self._asked()}"
        both = self.interface
        for name, array, symbols, size in (
            ("inputs", window.inputs, both.reads_symbols, both.input_size),
            ("targets", window.targets, self.kind.symbols, both.output_size),
        ):
            expected = shape if symbols else (*shape, size)
            if array.shape != expected:
                return f"{name} has the shape {array.shape}, but loss_mask {shape}; {name} must be {expected}"
            wrong = self._symbols(array, name, size) if symbols else self._values(array, name)
            if wrong is not None:
                return f"{name} has {wrong}"
        wrong = self._not_binary(mask)
        if wrong is not None:
            return f"loss_mask has {wrong}"
        if type(window.starts) not in (bool, np.bool_):
            return f"starts is {window.starts!r}; it must be True or False"
        if window.lengths is not None and (wrong := lengths_breach(window.lengths, mask)):
            return wrong
        ended, self._ended = self._ended and not first, window.lengths is not None
        if first and not window.starts:
            return "starts is False in the first window; it must be True, since no state precedes it"
        if ended and not window.starts:
            return "starts is False after a window with lengths, whose sequences have ended; it must be True"
        return None

    def _asked(self) -> str:
        steps = "steps" if self.alone else f"at most {self.steps} steps"
        return (
            f"(steps, columns) must be {steps} and exactly {self.batch} columns; pad with steps outside the loss mask"
        )

    def _symbols(self, array: npt.NDArray[Any], name: str, size: int) -> str | None:
        if array.dtype.kind not in "iu":
            return f"the dtype {array.dtype}; symbols must be integers, so use .astype(np.int64)"
        # Read as unsigned, a negative number is a large one: one pass finds both.
        if np.maximum.reduce(array.view(_UNSIGNED[array.dtype.itemsize]), axis=None) < size:
            return None
        low, high = array.min(), array.max()
        what = "input_size" if name == "inputs" and size != self.interface.output_size else "output_size"
        return (
            f"the symbol {low if low < 0 else high}; symbols must be 0 to {size - 1} ({what} {size}), "
            "and steps that do not count are marked in loss_mask"
        )

    def _values(self, array: npt.NDArray[Any], name: str) -> str | None:
        """Return what is wrong with an array of notes, float32 of 0 and 1, or of real values, finite float32."""
        if self.notes[name]:
            return self._not_binary(array)
        if array.dtype != np.float32:
            return f"the dtype {array.dtype}; it must be float32, so use .astype(np.float32)"
        if np.isfinite(array).all():
            return None
        others = array[~np.isfinite(array)]
        return f"the value {others[0]:g}; every value must be finite, so fill in or leave out what is missing"

    def _not_binary(self, array: npt.NDArray[Any]) -> str | None:
        """Return what is wrong with an array that must be float32 of 0 and 1."""
        if array.dtype != np.float32:
            return f"the dtype {array.dtype}; it must be float32, so use .astype(np.float32)"
        if not self.exact and np.bitwise_or.reduce(array.view(np.uint32), axis=None) in _BITS:
            return None
        others = array[(array != 0) & (array != 1)]
        return f"the value {others[0]:g}; every value must be 0 or 1" if others.size else None


_UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}

_BITS = (0, int(np.float32(1).view(np.uint32)))
"""Bits of 0 and 1 as float32. Any other value but the powers of 2 below 1 has bits that these two lack."""


class OwnCode:
    """Context in which code of a task runs.

    An exception of a user's task becomes a `TaskError` with the file and line. What the code prints goes to the error
    stream.

    Args:
        task: the task, or its class while it is built.
        where: what the code does, for messages: "training".
    """

    def __init__(self, task: Any, where: str) -> None:
        self.task, self.where = task, where

    def __enter__(self) -> None:
        STDOUT.divert()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        STDOUT.restore()
        if error is None or isinstance(error, TaskError) or not isinstance(error, Exception | SystemExit):
            return
        task_class = self.task if isinstance(self.task, type) else type(self.task)
        files = own_files(task_class)
        if not files:  # a task of this package: an exception that is no TaskError is a bug of the project
            return
        name = getattr(task_class, "name", task_class.__name__)
        place = place_of(error, files) or place_of(error)
        raise TaskCodeError(
            f"task {name!r} raised {type(error).__name__} in {self.where}{place}: "
            f"{one_line(error) or 'without a message'}; correct it there"
        ) from error


def one_line(error: BaseException) -> str:
    """Return the message of an exception in one line, cut at 500 characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= 500 else f"{text[:497]}..."


def own_files(task_class: type) -> set[str]:
    """Return the files of the classes of a task that are not of this package."""
    modules = [kind.__module__ for kind in task_class.__mro__]
    own = [sys.modules.get(name) for name in modules if name.partition(".")[0] not in ("tasks", "abc", "builtins")]
    return {str(getattr(module, "__file__", None) or getattr(module, "__name__", "")) for module in own}


def place_of(error: BaseException, files: set[str] | None = None) -> str:
    """Return the last line of these files, or of any, that an exception passed, as ", my_tasks.py line 12"; or ""."""
    lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [(file, line) for file, line in lines if (file != __file__ if files is None else file in files)]
    return f", {Path(own[-1][0]).name} line {own[-1][1]}" if own else ""


class Diversion:
    """Diversion of standard output to the error stream while any thread runs a task's code."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._before: Any = None

    def divert(self) -> None:
        """Send standard output to the error stream until `restore` has been called as often as this."""
        with self._lock:
            if self._depth == 0:
                self._before, sys.stdout = sys.stdout, sys.stderr
            self._depth += 1

    def restore(self) -> None:
        """End one call of `divert`."""
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                sys.stdout, self._before = self._before, None


STDOUT = Diversion()
"""The diversion of this process."""

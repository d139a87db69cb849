"""Checks of task parameters."""

from __future__ import annotations

from tasks.errors import TaskError
from tasks.splits import FOLDS


def check_integer(task: str, name: str, value: object, low: int, high: int) -> None:
    """Raise `TaskError` unless `value` is an integer from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise TaskError(f"task {task!r}: {name} = {value!r}, but it must be an integer from {low} to {high}")


def check_number(task: str, name: str, value: object, low: float, high: float) -> None:
    """Raise `TaskError` unless `value` is a number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise TaskError(f"task {task!r}: {name} = {value!r}, but it must be a number from {low} to {high}")


def check_fold(task: str, fold: object, data: object) -> None:
    """Raise `TaskError` unless `fold` is a fold (`tasks.splits.FOLDS`), and 0 where there is data of the user's."""
    check_integer(task, "fold", fold, 0, FOLDS - 1)
    if fold and data is not None:
        raise TaskError(
            f"task {task!r}: fold = {fold!r}, but your data has a division of its own; leave `fold` out, or `data`"
        )

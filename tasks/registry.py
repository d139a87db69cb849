"""Tasks by name, by import path, or from other packages' entry points."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from importlib.metadata import entry_points
from pathlib import Path

from tasks.arithmetic import Arithmetic
from tasks.errors import TaskError
from tasks.language import Language
from tasks.memorization import Memorization
from tasks.music import Music
from tasks.task import Task
from tasks.xml import Xml

TASKS: dict[str, type[Task]] = {
    "memorization": Memorization,
    "arithmetic": Arithmetic,
    "xml": Xml,
    "language": Language,
    "music": Music,
}
GROUP = "gatesearch.tasks"  # of the entry points

Scalar = str | int | float | bool | None


def load_task(name: str, /, **parameters: Scalar) -> Task:
    """Build a task.

    Args:
        name: a key of `TASKS`, an import path `package.module:Class` (the working directory is importable), or
            an entry point of the group `gatesearch.tasks`.
        parameters: keyword parameters of the task.

    Raises:
        TaskError: no such task, no such parameter, a value out of range, or data that cannot be read.
    """
    kind = task_class(name)
    known = list(inspect.signature(kind).parameters)
    for parameter in parameters:
        if parameter not in known:
            hint = _hint(parameter, known)
            raise TaskError(
                f"task {_shown(name)} has no parameter {_shown(parameter)}{hint}; it has {', '.join(known) or 'none'}"
            )
    try:
        return kind(**parameters)
    except TaskError:
        raise
    except (Exception, SystemExit) as error:  # a task of the user's may fail in any way
        what = f"{type(error).__name__}: {_one_line(error)}"
        raise TaskError(f"task {_shown(name)} cannot be built ({what}); check its parameters") from error


def task_class(name: str) -> type[Task]:
    """The class of a task, not built yet; takes what `load_task` takes.

    Raises:
        TaskError: there is no such task, or what the path leads to is not one.
    """
    if name in TASKS:
        return TASKS[name]
    if ":" in name:
        return _imported(name)
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name in points:
        return _imported(f"{points[name].module}:{points[name].attr}")
    known = [*TASKS, *sorted(points)]
    raise TaskError(
        f"no task {_shown(name)}{_hint(name, known)}; there are {', '.join(known)}, or write package.module:Class"
    )


def parameters_of(task: Task) -> dict[str, Scalar]:
    """The parameters a task was built with, for the record: `load_task` makes the same task of them.

    Raises:
        TaskError: a parameter is not kept under its name, or is neither text, number, truth value nor None.
    """
    values: dict[str, Scalar] = {}
    for parameter in inspect.signature(type(task)).parameters:
        if not hasattr(task, parameter):
            raise TaskError(f"task {task.name!r} does not keep its parameter {parameter!r}; store it as an attribute")
        value = getattr(task, parameter)
        if isinstance(value, Path):
            value = str(value)
        if not isinstance(value, str | int | float | bool | None):
            raise TaskError(f"task {task.name!r}: {parameter} = {value!r} is no text or number; use one")
        values[parameter] = value
    return values


def _imported(path: str) -> type[Task]:
    module_name, _, class_name = path.partition(":")
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        found: object = importlib.import_module(module_name)
        for part in class_name.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:  # a module of the user's may fail in any way, or be a script
        what = f"{type(error).__name__}: {_one_line(error)}"
        raise TaskError(f"task {_shown(path)} cannot be imported ({what}); the form is package.module:Class") from error
    finally:
        if added and here in sys.path:
            sys.path.remove(here)
    if not isinstance(found, type) or not issubclass(found, Task):
        raise TaskError(f"{_shown(path)} is no task; it must be a subclass of tasks.task.Task")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    missing += [name for name in found.required if not hasattr(found, name)]
    if missing:
        raise TaskError(f"task {_shown(path)} lacks {', '.join(missing)}; every task defines them")
    if not isinstance(found.name, str):
        raise TaskError(f"task {_shown(path)} has the name {found.name!r}; it must be a text")
    return found


def _shown(name: str) -> str:
    return repr(name if len(name) <= 100 else f"{name[:97]}...")


def _hint(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word[:100], known, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 500 else f"{text[:497]}..."

"""Registry of tasks: by name, by import path, or from other packages' entry points."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import sys
import traceback
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from tasks.arithmetic import Arithmetic
from tasks.audio.task import Audio
from tasks.characters import Text
from tasks.checking import check_task
from tasks.classes import Classes
from tasks.errors import TaskError
from tasks.language import Language
from tasks.memorization import Memorization
from tasks.music import Music
from tasks.series import Series
from tasks.speech import Speech
from tasks.task import Task
from tasks.watch import STDOUT, one_line, own_files, place_of
from tasks.xml import Xml

TASKS: dict[str, type[Task]] = {
    "memorization": Memorization,
    "arithmetic": Arithmetic,
    "xml": Xml,
    "language": Language,
    "music": Music,
    "series": Series,
    "text": Text,
    "classes": Classes,
    "speech": Speech,
    "audio": Audio,
}
GROUP = "gatesearch.tasks"  # of the entry points

Scalar = str | int | float | bool | None


def load_task(name: str, /, **parameters: Scalar) -> Task:
    """Build a task, and check it (`tasks.checking`).

    Args:
        name: a key of `TASKS`, an import path `package.module:Class` (searched in the working directory last), or an
            entry point of the group `gatesearch.tasks`.
        parameters: keyword parameters of the task.

    Raises:
        TaskError: there is no such task or parameter, a value is out of range, data cannot be read, or the task breaks
            a rule of its attributes or batches.
    """
    task = build_task(name, **parameters)
    check_task(task)
    return task


def build_task(name: str, /, **parameters: Scalar) -> Task:
    """Build a task without checking it. Arguments and errors are those of `load_task`."""
    kind = task_class(name)
    known = list(inspect.signature(kind).parameters)
    for parameter in parameters:
        if parameter not in known:
            hint = _hint(parameter, known)
            raise TaskError(
                f"task {_shown(name)} has no parameter {_shown(parameter)}{hint}; it has {', '.join(known) or 'none'}"
            )
    if needs_data(kind) and parameters.get("data") is None:
        raise TaskError(
            f"task {_shown(name)} needs the path of your data; give --data PATH (of a search, --data {name}=PATH), or "
            "options = { data = ... } in the profile"
        )
    STDOUT.divert()
    try:
        return kind(**parameters)
    except TaskError:
        raise
    except (Exception, SystemExit) as error:  # a user's task may fail in any way
        if isinstance(error, ImportError) and kind in TASKS.values():
            raise  # a package that this one depends on: a command names it, with its remedy
        place = place_of(error, own_files(kind))
        what = f"{type(error).__name__}{place}: {one_line(error) or 'without a message'}"
        remedy = "correct it there, or give other parameters" if place else "check its parameters"
        raise TaskError(f"task {_shown(name)} cannot be built ({what}); {remedy}") from error
    finally:
        STDOUT.restore()


def needs_data(kind: type[Task]) -> bool:
    """Return whether a task has no data of its own: its parameter `data` has no default."""
    parameter = inspect.signature(kind).parameters.get("data")
    return parameter is not None and parameter.default is inspect.Parameter.empty


def missing_extra(kind: type[Task]) -> str | None:
    """Return the extra of this project that has a task's data, if it is not installed.

    Such a task has an attribute `extra`: the names of the extra and of its package.
    """
    extra, package = getattr(kind, "extra", (None, ""))
    return extra if package and find_spec(package) is None else None


def task_class(name: str) -> type[Task]:
    """Return the class of a task by its name, as `load_task` finds it.

    Raises:
        TaskError: there is no such task, or the path names something else.
    """
    if name in TASKS:
        return TASKS[name]
    if ":" in name:
        return _imported(name)
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name in points:
        return _imported(f"{points[name].module}:{points[name].attr}", installed=True)
    known = [*TASKS, *sorted(points)]
    raise TaskError(
        f"no task {_shown(name)}{_hint(name, known)}; there are {', '.join(known)}, or write package.module:Class"
    )


def parameters_of(task: Task) -> dict[str, Scalar]:
    """Return the parameters that a task was built with; `load_task` builds the same task from them.

    Raises:
        TaskError: a parameter is not an attribute of the task, or is neither a text, a number, a truth value nor None.
    """
    values: dict[str, Scalar] = {}
    for parameter in inspect.signature(type(task)).parameters:
        if not hasattr(task, parameter):
            raise TaskError(f"task {task.name!r} does not keep its parameter {parameter!r}; store it as an attribute")
        value = getattr(task, parameter)
        if isinstance(value, Path):
            value = str(value)
        if not isinstance(value, str | int | float | bool | None):
            raise TaskError(f"task {task.name!r}: {parameter} = {value!r} is neither text nor number; use one of them")
        values[parameter] = value
    return values


def _imported(path: str, *, installed: bool = False) -> type[Task]:
    """Import a task class; unless it is `installed`, the working directory is searched last."""
    module_name, _, class_name = path.partition(":")
    here = str(Path.cwd())
    added = not installed and here not in sys.path
    if added:
        sys.path.append(here)  # last, so that files beside the user's module shadow no other module
    STDOUT.divert()
    try:
        found: object = importlib.import_module(module_name)
        for part in class_name.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:  # a user's module may fail in any way, or be a script
        place = place_of(error, _file_of_import(error))
        what = f"{type(error).__name__}{place}: {one_line(error) or 'without a message'}"
        remedy = _shadowed(module_name) or ("correct it there" if place else "the form is package.module:Class")
        raise TaskError(f"task {_shown(path)} cannot be imported ({what}); {remedy}") from error
    finally:
        STDOUT.restore()
        if added and here in sys.path:
            sys.path.remove(here)
    if not isinstance(found, type) or not issubclass(found, Task):
        raise TaskError(f"{_shown(path)} is not a task; it must be a subclass of gatesearch.Task")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    missing += [name for name in found.required if not hasattr(found, name)]
    if missing:
        raise TaskError(f"task {_shown(path)} lacks {', '.join(missing)}; every task defines them")
    if not isinstance(found.name, str):
        raise TaskError(f"task {_shown(path)} has the name {found.name!r}; it must be a text")
    return found


def _file_of_import(error: BaseException) -> set[str]:
    """Return the file whose import raised an exception; nothing if it was not found or did not compile."""
    files = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
    loaders = f"{Path(importlib.__file__).parent}{os.sep}"
    own = (file for file in files if file != __file__ and not file.startswith((loaders, "<frozen ")))
    return set(islice(own, 1))


def _shadowed(module: str) -> str | None:
    """Return a remedy if a file of the working directory has the name of another module, which was imported instead."""
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None)
    mine = [path for path in (Path(f"{top}.py"), Path(top, "__init__.py")) if path.is_file()]
    if not mine or file is None or Path(file).resolve() == mine[0].resolve():
        return None
    return f"rename your {mine[0]}, since the module {top} is {file}"


def _shown(name: str) -> str:
    return repr(name if len(name) <= 100 else f"{name[:97]}...")


def _hint(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word[:100], known, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""

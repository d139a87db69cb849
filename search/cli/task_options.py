"""Options of a task on the command line: `--option NAME=VALUE`, and `--data`, the one that most need."""

import tomllib
from collections.abc import Iterable

import click

from search.cells.paths import expanded
from search.core.errors import SearchError
from search.profiles.fields import Scalar

option = click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Option of the task, as in --option horizon=24; may be given several times.",
)


moved_data_option = click.option(
    "--data",
    multiple=True,
    metavar="TASK=PATH",
    help="Where the data of a task are now, if they were moved since the run began.",
)


def task_options(given: Iterable[str], data: str | None) -> dict[str, Scalar]:
    """Return the options of a task by name. A value is read as in a profile, and is a text if it is nothing else there.

    Raises:
        SearchError: an option has no name or no value, or one is given twice.
    """
    found: dict[str, Scalar] = {} if data is None else {"data": expanded(data)}
    for item in given:
        name, separator, text = item.partition("=")
        if not separator or not name.isidentifier():
            raise SearchError(f"--option has {item!r}; use NAME=VALUE, as in --option horizon=24")
        if name in found:
            raise SearchError(f"--option gives {name!r} twice, or beside --data; give one value")
        found[name] = _value(text)
    return found


def data_paths(given: Iterable[str]) -> dict[str, str]:
    """Return the paths of `--data TASK=PATH` by task.

    Raises:
        SearchError: one has no task or no path, or a task has two.
    """
    paths: dict[str, str] = {}
    for item in given:
        task, separator, path = item.partition("=")
        if not separator or not task or not path:
            raise SearchError(f"--data has {item!r}; use TASK=PATH, as in --data language=FOLDER")
        if task in paths:
            raise SearchError(f"--data gives {task!r} two paths, {paths[task]!r} and {path!r}; leave one out")
        paths[task] = path
    return paths


def _value(text: str) -> Scalar:
    try:
        value = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    found = value["value"]
    # A date is a text to a task, and what else follows the value is part of no option.
    return found if len(value) == 1 and isinstance(found, str | int | float | bool) else text

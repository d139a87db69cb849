"""Profile of a new run: a shipped profile or a file, with changes."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w

from results.store.toml import parse_toml
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import format_graph
from search.cells.text import shorten
from search.core.errors import SearchError
from search.profiles.loading import absolute_data, load_profile, parse_profile
from search.profiles.sections import Profile
from tasks.registry import TASKS, task_class


def title_of(profile: str) -> str:
    """Return the name that runs of a profile have by default, before their number."""
    name = Path(profile).name.removesuffix(".toml")
    return re.sub(r"[^A-Za-z0-9._-]+|^[._-]+", "-", name).strip("-")[:80] or "search"


def changed_profile(
    profile: str,
    *,
    strategy: str | None = None,
    proposals: int | None = None,
    tasks: Sequence[str] | None = None,
    own_tasks: Sequence[str] = (),
    data: Mapping[str, str | Path] | None = None,
    seed_cells: Mapping[str, GateGraph] | None = None,
) -> Profile:
    """Return a profile with changes.

    Args:
        profile: name of a shipped profile, or a TOML file.
        strategy: another strategy.
        proposals: another number of proposals.
        tasks: names of the tasks to keep, in the order of the stages; all if None. It may name own tasks, too; those
            that it does not name come last.
        own_tasks: ranked tasks to add, by name or as `package.module:Class`; they have the first task's settings.
        data: files or folders that tasks read, by task.
        seed_cells: cells to add to those that the search starts from, by name; published cells by the library's.

    Raises:
        SearchError: the profile or a change is invalid.
        TaskError: a task of `own_tasks` cannot be imported.
    """
    # Changed as TOML, not as a `Profile`, so that changes are checked in the same way as a file.
    values = tomllib.loads(load_profile(profile).to_toml())
    known = values["tasks"]
    first = next(iter(known.values()))
    own: dict[str, Any] = {}
    for path in own_tasks:
        name = task_class(path).name
        kept = name in known and (tasks is None or name in tasks)
        if name in own or kept:
            raise SearchError(f"task {path!r}: there is a task {name!r} already; give it another name")
        own[name] = first | {"role": "ranked", "task": path, "options": {}}
    chosen = known | own
    if tasks is not None:
        for name in tasks:
            if name not in chosen:
                hint = f"; add it by --task {name}" if name in TASKS else ""
                raise SearchError(f"task {name!r} is not in the profile; its tasks are {', '.join(chosen)}{hint}")
        if not tasks:
            raise SearchError(f"no task is chosen; the profile's tasks are {', '.join(known)}")
        chosen = {name: chosen[name] for name in (*tasks, *(name for name in own if name not in tasks))}
    for name, place in (data or {}).items():
        if name not in chosen:
            raise SearchError(f"data are given for {name!r}; the tasks are {', '.join(chosen)}")
        path = _data_path(name, place)
        options = chosen[name].get("options", {}) | {"data": path}
        chosen = chosen | {name: chosen[name] | {"options": options}}
    for name, graph in (seed_cells or {}).items():
        if name in LIBRARY and LIBRARY[name].graph.id == graph.canonical().id:
            for key in ("baselines", "population"):
                values["search"][key] = list(dict.fromkeys([*values["search"][key], name]))
            continue
        if name in values["cells"]:
            raise SearchError(f"seed cell {name!r}: the profile has a cell of that name already; give it another name")
        values["cells"][name] = format_graph(graph)
    given = {"proposals": proposals, "strategy": strategy}
    values["search"] |= {key: value for key, value in given.items() if value is not None}
    return parse_profile(tomli_w.dumps(values | {"tasks": chosen}), "the changed profile")


def moved_data(profile: Profile, data: Mapping[str, str | Path]) -> Profile:
    """Return the profile of a run whose data were moved.

    Args:
        profile: the profile.
        data: where files or folders are now, by task.

    Raises:
        SearchError: the profile has no such task, or the task reads no files.
    """
    tasks = dict(profile.tasks)
    for name, place in data.items():
        if name not in tasks or "data" not in tasks[name].options:
            known = [each for each, section in tasks.items() if "data" in section.options]
            raise SearchError(
                f"--data has {name!r}, which is no task of this run that reads files of yours; "
                f"{'those are ' + ', '.join(known) if known else 'it has none, so leave --data out'}"
            )
        tasks[name] = replace(tasks[name], options=tasks[name].options | {"data": _data_path(name, place)})
    return replace(profile, tasks=tasks)


def differing_fields(text: str, other: str) -> list[str]:
    """Return how a profile (TOML) differs from that of a run, a text for each field.

    Raises:
        ValueError: a text is not TOML.
    """
    return [
        f"{key} is {shorten(repr(own), 40)}, and {shorten(repr(others), 40)} in the run"
        for key, (own, others) in changed_fields(text, other).items()
    ]


def changed_fields(text: str, other: str) -> dict[str, tuple[Any, Any]]:
    """Return the fields in which two profiles (TOML) differ, such as `search.proposals`, each with both values.

    The value of a field that a profile does not have is None.

    Raises:
        ValueError: a text is not TOML.
    """
    own, others = (_flat(parse_toml(each)) for each in (text, other))
    return {
        key: (own.get(key), others.get(key))
        for key in sorted(own.keys() | others.keys())
        if own.get(key) != others.get(key)
    }


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
    return found


def _data_path(task: str, place: str | Path) -> str:
    path = absolute_data(place)
    if any("\ud800" <= character <= "\udfff" for character in path):  # bytes that are not UTF-8
        raise SearchError(
            f"data {path!r} for {task!r}: the name is not UTF-8, as the profile of a run must be; rename it, or "
            "give a link of another name"
        )
    return path

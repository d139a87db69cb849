"""Profile of a new run: a shipped profile or a file, with changes."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from search.cells.files import cell_of_file
from search.cells.graph import GateGraph
from search.cells.library import library_name
from search.cells.notation.formula import format_graph
from search.core.errors import SearchError
from search.profiles.loading import load_profile, parse_profile
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
        seed_cells: cells to add to those that the search starts from, by name.

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
        path = str(Path(place).absolute())
        if any("\ud800" <= character <= "\udfff" for character in path):  # bytes that are not UTF-8
            raise SearchError(
                f"data {path!r} for {name!r}: the name is not UTF-8, as the profile of a run must be; rename it, or "
                "give a link of another name"
            )
        options = chosen[name].get("options", {}) | {"data": path}
        chosen = chosen | {name: chosen[name] | {"options": options}}
    for name, graph in (seed_cells or {}).items():
        if name in values["cells"]:
            raise SearchError(f"seed cell {name!r}: the profile has a cell of that name already; give it another name")
        values["cells"][name] = format_graph(graph)
    given = {"proposals": proposals, "strategy": strategy}
    values["search"] |= {key: value for key, value in given.items() if value is not None}
    return parse_profile(tomli_w.dumps(values | {"tasks": chosen}), "the changed profile")


def read_seed_cells(files: Sequence[Path]) -> dict[str, GateGraph]:
    """Read cells from files; each is named after its file, and after its index or name in a file with several.

    Raises:
        CellError: a file cannot be read, or holds no cell.
        SearchError: two files have the same name, or there is no such file, but a named cell.
    """
    found: dict[str, GateGraph] = {}
    for file in files:
        if (name := library_name(str(file))) is not None and not file.exists():
            raise SearchError(
                f"seed cell {str(file)!r} is no file but a named cell; add {name!r} to search.baselines of a profile, "
                f"or write it to a file with 'gatesearch export {name} --to formula -o my-{name}.cell'"
            )
        cell = cell_of_file(file)
        if cell.label in found:
            raise SearchError(f"seed cell {str(file)!r}: there is a cell {cell.label!r} already; rename the file")
        found[cell.label] = cell.read()[0]
    return found

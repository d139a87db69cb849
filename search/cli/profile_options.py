"""Profile of a new run: a shipped profile or a file, changed by the options of `gatesearch search`."""

import re
import tomllib
from pathlib import Path

import tomli_w

from search.cells.files import read_cell
from search.cells.notation.formula import format_graph
from search.core.errors import SearchError
from search.profiles.loading import load_profile, parse_profile
from search.profiles.sections import Profile
from tasks.registry import task_class


def profile_from_options(
    profile: str | None,
    strategy: str | None,
    proposals: int | None,
    only: str | None,
    own: tuple[str, ...],
    data: tuple[str, ...],
    seed_cell: tuple[Path, ...],
) -> tuple[Profile, str]:
    """Return the profile with the changes of the options, and the name that runs of it have by default.

    Args:
        profile: value of --profile; the profile `quick` if None.
        strategy: value of --strategy.
        proposals: value of --proposals.
        only: value of --tasks.
        own: values of --task.
        data: values of --data.
        seed_cell: values of --seed-cell.

    Raises:
        SearchError: the profile or an option is invalid.
        CellError: a seed cell's file is invalid.
    """
    chosen = profile or "quick"
    title = re.sub(r"[^A-Za-z0-9._-]+|^[._-]+", "-", Path(chosen).name.removesuffix(".toml")).strip("-")[:80]
    # Changed as TOML, not as a `Profile`, so that the options are checked in the same way as a file.
    values = tomllib.loads(load_profile(chosen).to_toml())
    tasks = values["tasks"]
    if only is not None:
        names = [part.strip() for part in only.split(",") if part.strip()]
        for part in names:
            if part not in tasks:
                raise SearchError(f"--tasks has {part!r}; the profile's tasks are {', '.join(tasks)}")
        if not names:
            raise SearchError(f"--tasks has {only!r}, no task; the profile's tasks are {', '.join(tasks)}")
        tasks = {part: tasks[part] for part in names}
    first = next(iter(values["tasks"].values()))  # the user's tasks are trained with the settings of the first task
    for path in own:
        own_name = task_class(path).name
        if own_name in tasks:
            raise SearchError(f"--task has {path!r}, but there is a task {own_name!r} already; give it another name")
        tasks = tasks | {own_name: first | {"role": "ranked", "task": path, "options": {}}}
    for item in data:
        task, separator, path = item.partition("=")
        if not separator or not path or task not in tasks:
            raise SearchError(f"--data has {item!r}; it takes TASK=PATH with one of {', '.join(tasks)}")
        options = tasks[task].get("options", {}) | {"data": str(Path(path).absolute())}
        tasks = tasks | {task: tasks[task] | {"options": options}}
    for file in seed_cell:
        if file.stem in values["cells"]:
            raise SearchError(
                f"--seed-cell has {str(file)!r}, but there is a cell {file.stem!r} already; rename the file"
            )
        values["cells"][file.stem] = format_graph(read_cell(file))
    changed = {"proposals": proposals, "strategy": strategy}
    values["search"] |= {key: value for key, value in changed.items() if value is not None}
    text = tomli_w.dumps(values | {"tasks": tasks})
    return parse_profile(text, "the profile with the options of the command line"), title or "search"

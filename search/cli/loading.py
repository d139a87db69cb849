"""The tasks of a profile, with their data; and which code that a run names may be imported for them."""

import shlex
from collections.abc import Collection
from contextlib import nullcontext

from rich.console import Console

from results.store.store import Store
from search.core.errors import SearchError
from search.profiles.sections import MEMORIZATION, Profile
from search.profiles.tasks import load_task_of, task_names
from tasks.task import Task


def load_tasks(profile: Profile, console: Console) -> dict[str, Task]:
    """Build memorization and every task of a profile; a terminal shows which one is being read."""
    loaded = {}
    for name in task_names(profile):
        with console.status(f"reading the data of {name}") if console.is_terminal else nullcontext():
            loaded[name] = load_task_of(profile, name)
    return loaded


def imported_paths(profile: Profile) -> dict[str, str]:
    """The tasks of a profile that are code of its author's: their import paths, by name."""
    paths = {name: section.task or name for name, section in profile.tasks.items()}
    return {name: path for name, path in paths.items() if ":" in path}


def check_trusted(store: Store, profile: Profile, trusted: Collection[str]) -> None:
    """Let a run be trained or replayed only where the command line names all code that this imports.

    A store is data that may come from anybody, and importing executes: so no command follows an import path that only
    a store names.

    Raises:
        SearchError: a task of the run is such a path and is not among `trusted`, or one of these is no task of it.
    """
    paths = imported_paths(profile).values()
    for path in paths:
        if path not in trusted:
            raise SearchError(
                f"run {store.name!r} has the task {path!r}, which is code that would be imported; "
                f"add --task {shlex.quote(path)} if you trust it"
            )
    for path in trusted:
        if path not in paths:
            raise SearchError(
                f"--task has {path!r}, which run {store.name!r} does not import; "
                f"{'it imports ' + ', '.join(paths) if paths else 'it imports none, leave it out'}"
            )


def task_of_run(store: Store, profile: Profile, given: str, option: str) -> str:
    """The name of the run's task that an option means: its name, or its import path where it is code to be imported.

    Raises:
        SearchError: the run has no such task, or it is code and `given` is not its path (see `check_trusted`).
    """
    paths = imported_paths(profile)
    for name, path in paths.items():
        if given == path:
            return name
    if given in paths:
        raise SearchError(
            f"{option} {given}: this task of run {store.name!r} is code that would be imported; "
            f"name it by its path, {option} {shlex.quote(paths[given])}, if you trust it"
        )
    if given not in (MEMORIZATION, *profile.tasks):
        raise SearchError(f"{option} has {given!r}; the tasks of this run are {', '.join(profile.tasks)}")
    return given


def trust_options(profile: Profile) -> str:
    """What a command line that goes on with such a run has to end with; empty where nothing is imported."""
    return "".join(f" --task {shlex.quote(path)}" for path in imported_paths(profile).values())

"""Loading the tasks of a profile, with a status line on a terminal."""

import shlex
from contextlib import nullcontext

from rich.console import Console

from search.engine.trust import imported_paths
from search.profiles.sections import Profile
from search.profiles.tasks import load_task_of, task_names
from tasks.task import Task


def load_tasks(profile: Profile, console: Console) -> dict[str, Task]:
    """Build and check memorization and every task of a profile; a terminal shows which one is being read."""
    loaded = {}
    for name in task_names(profile):
        with console.status(f"reading the data of {name}") if console.is_terminal else nullcontext():
            loaded[name] = load_task_of(profile, name)
    return loaded


def trust_options(profile: Profile) -> str:
    """Return the options that a command line needs to resume a run of this profile; empty if it imports no task."""
    return "".join(f" --task {shlex.quote(path)}" for path in imported_paths(profile).values())

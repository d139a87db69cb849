"""Rules for tasks that are code of a profile's author: no command imports them unless the user names their path.

A store may be of unknown origin, and importing a module executes it.
"""

import shlex
from collections.abc import Collection

from results.store.store import Store
from results.store.words import MEMORIZATION
from search.core.errors import SearchError
from search.profiles.sections import Profile


def imported_paths(profile: Profile) -> dict[str, str]:
    """Return the import paths (`module:Class`) of the profile's tasks that are imported, by name of the task."""
    paths = {name: section.task or name for name, section in profile.tasks.items()}
    return {name: path for name, path in paths.items() if ":" in path}


def check_trusted(run: str, profile: Profile, trusted: Collection[str]) -> None:
    """Raise unless the user trusts exactly the import paths that the run has.

    Args:
        run: name of the run.
        profile: profile of the run.
        trusted: import paths that the user named.

    Raises:
        SearchError: the run has an import path that is not trusted, or a trusted one is not the run's.
    """
    paths = imported_paths(profile).values()
    for path in paths:
        if path not in trusted:
            raise SearchError(
                f"run {run!r} has the task {path!r}, which is code that would be imported; "
                f"add --task {shlex.quote(path)} if you trust it"
            )
    for path in trusted:
        if path not in paths:
            raise SearchError(
                f"--task has {path!r}, which run {run!r} does not import; "
                f"{'it imports ' + ', '.join(paths) if paths else 'it imports none, leave it out'}"
            )


def task_of_run(store: Store, profile: Profile, given: str, option: str) -> str:
    """Return the name of the run's task that the user named.

    Args:
        store: store of the run.
        profile: profile of the run.
        given: name of the task, or its import path if the task is imported.
        option: the option that has this value, for messages.

    Raises:
        SearchError: the run has no such task, or the task is imported and `given` is not its path.
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

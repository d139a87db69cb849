"""Provenance of a run: environment, platform, time and data."""

import json
import math
import os
import platform
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from results.publication.consistency import Check
from results.store.graphs import graph_of
from results.store.queries import metric_names, trial_count
from results.store.store import PROFILE_FILE, Store
from results.store.words import Origin
from search.core.errors import SearchError
from search.profiles.changes import differing_fields
from search.profiles.sections import Profile
from search.training.model import units_for
from search.training.settings import Setting
from search.workers.environment import changes, own_environment
from tasks.errors import TaskError
from tasks.task import Split, Task

_SIZES = """
    SELECT cell, task, setting, units FROM trials JOIN cells ON cells.id = cell
    WHERE origin = ? AND repeat = 0 AND units > 0 GROUP BY cell, task ORDER BY cell, task"""
_SIZE_KINDS = {"cell": str, "task": str, "setting": str, "units": int}

EVALUATED = (Split.VALIDATION, Split.TEST)
"""Splits that metrics are measured on."""


def provenance(tasks: Mapping[str, Task]) -> dict[str, Any]:
    """Return this process's environment (versions, processor, commit), the platform, the time and data checksums."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **json.loads(own_environment()),
        "platform": platform.platform(),
        "data": {name: task.checksum for name, task in tasks.items()},
    }


def constants(tasks: Mapping[str, Task]) -> dict[str, dict[str, float]]:
    """Return the metric of the constant baseline of each task on its evaluated splits.

    Gains, and so scores, are measured from it.

    Raises:
        TaskError: the loss mask of an evaluation set is empty.
    """
    return {name: {str(split): task.constant_baseline(split) for split in EVALUATED} for name, task in tasks.items()}


def levels(tasks: Mapping[str, Task], *, simulated: bool) -> dict[str, Any]:
    """Return what the trials of a run are measured by, which it stores when it starts: `constants`, `signed`, `chance`.

    Simulated trials start from the constant baseline, whatever their task, and are given up there.
    """
    signed = {name: task.metric.unit for name, task in tasks.items() if task.output in task.metric.signed}
    found: dict[str, Any] = {"constants": constants(tasks), "signed": signed}
    return found if simulated else found | {"chance": {name: task.chance_level() for name, task in tasks.items()}}


def ceilings(tasks: Mapping[str, Task]) -> dict[str, dict[str, float]]:
    """Return the best metric possible on the evaluated splits, of each task that knows it."""
    found = {name: {split: task.ceiling(split) for split in EVALUATED} for name, task in tasks.items()}
    known = {
        name: {str(split): value for split, value in splits.items() if value is not None}
        for name, splits in found.items()
    }
    return {name: splits for name, splits in known.items() if splits}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a line for each difference between two records that can change numbers."""
    changed = changes(before, now)
    for name, new in now["data"].items():
        old = before.get("data", {}).get(name)
        if old != new:
            changed[f"data of {name}"] = (old, new)
    return [f"the {what} is {new}, and was {old} when the run began" for what, (old, new) in changed.items()]


def mark_resumed(store: Store, tasks: Mapping[str, Task]) -> list[str]:
    """Store the provenance of a resumption, and return its differences from that of the run's start.

    Raises:
        StoreError: the store cannot be read or written.
    """
    now = provenance(tasks)
    information = store.information
    store.mark(resumed=[*information.get("resumed", []), now | {"trials_before": trial_count(store)}])
    return differences(information, now)


def check_metrics(store: Store, tasks: Mapping[str, Task]) -> None:
    """Raise `SearchError` if a task is ranked by another metric than the run's trials: they cannot be compared."""
    for name, metric in metric_names(store).items():
        if name in tasks and tasks[name].metric.name != metric:
            raise SearchError(
                f"run {store.name!r} ranks {name!r} by {metric}, but the task is now ranked by "
                f"{tasks[name].metric.name}; start a new run, or give the task the metric of the run"
            )


def check_moved(store: Store, tasks: Mapping[str, Task], data: Collection[str]) -> None:
    """Raise `SearchError` if data that are said to have been moved are not those of the run.

    Args:
        store: store of the run.
        tasks: its tasks, with the data as they are now.
        data: names of the tasks whose data were moved.
    """
    recorded = store.data_checksums
    for name in data:
        if (old := recorded.get(name)) != (new := tasks[name].checksum):
            raise SearchError(
                f"--data {name}=...: these data have the checksum {new}, and those of run {store.name!r} had {old}; "
                "give the same data at their new place, or start a new run with these"
            )


def load_stored(profile: Profile, load: Callable[[Profile], Mapping[str, Task]]) -> Mapping[str, Task]:
    """Load the tasks of a run's profile; where the data are not there any more, the error says how to name them anew.

    Raises:
        TaskError: the data of a task cannot be loaded.
    """
    try:
        return load(profile)
    except TaskError as error:
        gone = _missing_data(profile)
        if gone is None:
            raise
        raise TaskError(f"{error}; if the data were moved, add --data {gone}=PATH with their new place") from error


def _missing_data(profile: Profile) -> str | None:
    """Return the name of the first task of a profile whose data are not where the profile says, or None."""
    for name, section in profile.tasks.items():
        place = section.options.get("data")
        if isinstance(place, str) and not os.path.exists(place):
            return name
    return None


def edited_profile(store: Store) -> str | None:
    """Return in a line how `profile.toml` in a run's folder differs from the run's profile, or None if it does not."""
    path = store.folder / PROFILE_FILE
    try:
        changed = differing_fields(path.read_text("utf-8"), store.profile)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        changed = [f"it cannot be read: {' '.join(str(error).split())}"]
    if not changed:
        return None
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return (
        f"{path} was changed, which changes nothing, since a run keeps its profile ({'; '.join(changed[:3])}{more}); "
        "--proposals extends a run, for all else start a new one"
    )


def check_sizes(store: Store, tasks: Mapping[str, Task]) -> None:
    """Raise `SearchError` if a trial of a given cell has other units than its setting gives now.

    Earlier versions took multiples of 16. More trials would put models of two sizes under one setting.
    """
    for cell, task, key, units in store.typed(_SIZES, _SIZE_KINDS, (Origin.BASELINE,)):
        if task not in tasks:
            continue
        graph = graph_of(store.cell(cell))
        now = units_for(graph, Setting.from_key(key), tasks[task].interface)
        if now != units:
            raise SearchError(
                f"run {store.name!r} has models of {units} units on {task!r} where this version trains {now}, so their "
                "results cannot be compared; start a new run, or continue it with the version that began it"
            )


def data_check(store: Store, tasks: Mapping[str, Task]) -> Check:
    """Check that the data of the tasks have the checksums, constant baselines and chance that the run recorded."""
    recorded = store.data_checksums
    changed = [name for name, task in tasks.items() if recorded.get(name) != task.checksum]
    if changed:
        return Check("data", False, f"the data of {', '.join(changed)} differ from those that the run trained on")
    stored = store.constants
    for name, splits in constants(tasks).items():
        for split, value in splits.items():
            old = stored.get(name, {}).get(split, value)  # earlier versions stored none
            if not math.isclose(old, value, rel_tol=1e-9, abs_tol=1e-12):  # rounding differs between processors
                detail = (
                    f"the constant baseline of {name} ({split}) is {old:.6g} in the store, but {value:.6g} by its data"
                )
                return Check("data", False, detail)
    for name, old in store.chance.items():
        if name in tasks and not math.isclose(old, value := tasks[name].chance_level(), rel_tol=1e-9, abs_tol=1e-12):
            detail = f"trials on {name} are given up at {old:.6g} in the store, but at {value:.6g} by its data"
            return Check("data", False, detail)
    return Check("data", True, f"the data of {', '.join(tasks)} are those that the run trained on")

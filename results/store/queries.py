"""Named queries over a store, for callers outside `results`: typed rows, no SQL elsewhere.

Every query raises `StoreError` if the store cannot be read or holds a value of another type.
"""

from collections.abc import Mapping
from typing import NamedTuple

from results.store.information import MAX_REPEATS
from results.store.setting_key import read_key
from results.store.store import Store
from results.store.words import TrialState


class PastVisit(NamedTuple):
    """Visit of a proposal to a task: whether the cell passed, and its share of the GRU's result."""

    proposal: int
    task: str
    passed: bool
    share: float | None


class PastTrial(NamedTuple):
    """Trial of the search, by the first proposal that asked for it."""

    proposal: int
    task: str
    setting: str  # key of the setting
    state: str  # one of `results.store.words.TrialState`
    validation: float | None  # validation metric
    steps: int  # training steps done
    curve: tuple[tuple[int, float, float], ...]  # empty if it was not asked for


def trial_count(store: Store) -> int:
    """Return the number of stored trials, those of finalists included."""
    return int(store.typed("SELECT count(*) FROM trials", {"count": int})[0][0])


def named_id(store: Store, name: str) -> str | None:
    """Return the whole id of the cell that has this name in a run, or None if there is none."""
    found = store.typed("SELECT id FROM cells WHERE name = ? ORDER BY id LIMIT 1", {"id": str}, (name,))
    return found[0][0] if found else None


def proposal_count(store: Store) -> int:
    """Return the number of stored proposals, those of the baselines included."""
    return int(store.typed("SELECT count(*) FROM proposals", {"count": int})[0][0])


def past_visits(store: Store) -> list[PastVisit]:
    """Return the visits of all proposals but the baselines, ordered by proposal and stage."""
    sql = "SELECT proposal, task, passed, ratio FROM evaluations WHERE proposal >= 0 ORDER BY proposal, stage"
    found = store.typed(sql, {"proposal": int, "task": str, "passed": bool, "ratio": float | None})
    return [PastVisit(proposal, task, bool(passed), share) for proposal, task, passed, share in found]


def past_trials(store: Store, proposals: int, *, curves: bool = False) -> list[PastTrial]:
    """Return the search's trials that one of the first `proposals` proposals asked for first, with their curves."""
    kinds = {"proposal": int, "task": str, "setting": str, "state": str, "validation": float | None, "steps": int}
    kinds |= {"curve": str} if curves else {}
    sql = f"SELECT {', '.join(kinds)} FROM trials WHERE repeat = 0 AND proposal BETWEEN 0 AND ?"
    found = store.typed(sql, kinds, (proposals - 1,))
    return [PastTrial(*values[:6], *([store.decoded("curve", values[6])] if curves else [()])) for values in found]


def totals(store: Store) -> tuple[int, float]:
    """Return the number of all trials, and the sum of their durations in seconds."""
    ((trials, seconds),) = store.typed(
        "SELECT count(*), coalesce(sum(seconds), 0.0) FROM trials", {"trials": int, "seconds": float}
    )
    return trials, seconds


def check_setting_keys(store: Store) -> None:
    """Check that this version reads the settings of all trials, before anything is added to them.

    Raises:
        LaterKeyError: a key was written by a later version of gatesearch.
        ResultsError: a key is malformed.
    """
    for (key,) in store.typed("SELECT DISTINCT setting FROM trials", {"setting": str}):
        read_key(key)


def retrained_cells(store: Store) -> list[str]:
    """Return the ids of the cells with at least one trial of the finalists' first round, in order."""
    sql = "SELECT DISTINCT cell FROM trials WHERE repeat BETWEEN 1 AND ? ORDER BY cell"
    found = store.typed(sql, {"cell": str}, (MAX_REPEATS,))
    return [cell for (cell,) in found]


def mean_seconds(store: Store) -> Mapping[tuple[str, str], float]:
    """Return the mean duration of the trials that ended in seconds, by cell (id) and task."""
    sql = f"SELECT cell, task, avg(seconds) FROM trials WHERE state <> '{TrialState.PAUSED}' GROUP BY cell, task"
    found = store.typed(sql, {"cell": str, "task": str, "seconds": float})
    return {(cell, task): float(seconds) for cell, task, seconds in found}


def environment_texts(store: Store) -> Mapping[str, str]:
    """Return the description of each environment as the JSON text that was stored, by id."""
    return dict(store.typed("SELECT id, description FROM environments", {"id": str, "description": str}))


def begin_snapshot(store: Store) -> None:
    """Begin a snapshot: later queries of this connection see the store as it is now, whatever a search writes."""
    store.select("BEGIN")


def metric_names(store: Store) -> dict[str, str]:
    """Return the name of the metric of each task that has trials."""
    return dict(store.typed("SELECT DISTINCT task, metric FROM trials", {"task": str, "metric": str}))


def metric_directions(store: Store) -> dict[str, tuple[str, bool | None]]:
    """Return by task with trials the name of its metric, and whether a higher one is better."""
    found = store.typed(
        "SELECT DISTINCT task, metric, higher_is_better FROM trials", {"task": str, "metric": str, "higher": bool}
    )
    return {task: (metric, bool(higher)) for task, metric, higher in found}


def progress_mark(store: Store) -> tuple[int, int, str]:
    """Return the numbers of trials and proposals and the run's information, which change as a search progresses."""
    sql = "SELECT (SELECT count(*) FROM trials), (SELECT count(*) FROM proposals), (SELECT information FROM run)"
    ((trials, proposals, information),) = store.typed(sql, {"trials": int, "proposals": int, "information": str})
    return trials, proposals, information

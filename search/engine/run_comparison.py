"""Comparison of two runs: what they were made of, and what they say of the cells that both have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from results.scores.score import score_kind
from results.scores.verdict import RunVerdict
from results.store.graphs import present_ids
from results.store.overview import Overview, overview
from results.store.queries import metric_directions, totals
from results.store.runs import name_for_commands
from results.store.store import Store
from results.store.words import Evidence, Origin, ScoreKind
from results.tables.frame import has_rank
from results.tables.leaderboard import leaderboard
from results.tables.run_pair import SharedTrials, rank_correlation, shared_cells, shared_trials
from results.tables.run_verdict import verdict_of
from search.cells.ids import short_id
from search.core.errors import SearchError
from search.profiles.changes import changed_fields
from search.profiles.loading import profile_of
from search.profiles.sections import Profile
from search.workers.environment import changes

Changes = dict[str, tuple[Any, Any]]
"""Differences between two runs: a name, and its values in run a and in run b."""


@dataclass(frozen=True)
class BestFound:
    """Best cell that a run found: its whole id, what it is called in a table, its score, its rank in the other run."""

    cell: str
    label: str
    score: float
    retrained: bool  # False: by the search's own trials, which are biased in its favour
    rank_there: int | None  # None if the other run does not have the cell, or gives it no rank


@dataclass(frozen=True)
class RunSide:
    """One of two runs.

    Attributes:
        name: name or path by which a command names it.
        overview: its state and counts.
        seed: its random seed.
        started: time of its start (UTC, ISO 8601); None if it is not known.
        training_seconds: summed wall-clock seconds of its trials.
        environments: number of environments that its trials were trained in.
        verdict: its verdict.
        best: the best cell that it found; None if it found none.
    """

    name: str
    overview: Overview
    seed: int
    started: str | None
    training_seconds: float
    environments: int
    verdict: RunVerdict
    best: BestFound | None


@dataclass(frozen=True)
class RunComparison:
    """Comparison of run a with run b.

    Attributes:
        a: the first run.
        b: the second run.
        profile: fields of the profile that differ, without those of tasks that one of them lacks.
        environment: processor, commit and versions that differ between the environments that started the runs.
        data: tasks of both that are compared and whose data differ: their checksums.
        tasks: tasks that both rank.
        only_a: tasks that only a ranks.
        only_b: tasks that only b ranks.
        kinds: kinds of score that rank a and b.
        task: task that was compared; None if it was the score, of the kind that ranks a.
        metric: name of the metric of that task; empty for the score.
        higher: whether higher values are better.
        cells: the cells of both (`results.tables.run_pair.shared_cells`).
        correlation: Spearman's rank correlation of the values of these cells; None if it is not defined.
        trials: what the trials of both have in common.
    """

    a: RunSide
    b: RunSide
    profile: Changes
    environment: Changes
    data: Changes
    tasks: tuple[str, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    kinds: tuple[ScoreKind, ScoreKind]
    task: str | None
    metric: str
    higher: bool
    cells: pd.DataFrame
    correlation: float | None
    trials: SharedTrials


def compare_stores(first: Store, second: Store, task: str | None = None) -> RunComparison:
    """Return the comparison of two runs, finished or not, by score, or by a task that both rank.

    Raises:
        SearchError: the runs have no ranked task in common, or not this one, or rank it by different metrics.
        ResultsError: a store cannot be read.
    """
    profiles = [profile_of(store) for store in (first, second)]
    ranked = [profile.ranked for profile in profiles]
    tasks = tuple(name for name in ranked[0] if name in ranked[1])
    if not tasks:
        raise SearchError(
            f"{name_for_commands(first)!r} ranks {', '.join(ranked[0])} and {name_for_commands(second)!r} ranks "
            f"{', '.join(ranked[1])}, so that nothing can be compared; give runs with a task in common"
        )
    if task is not None and task not in tasks:
        raise SearchError(f"--task has {task!r}; the tasks that both runs rank are {', '.join(tasks)}")
    metric, higher = ("", True) if task is None else _metric(first, second, task)
    frames = [
        leaderboard(store, own, display=False, loops=False) for store, own in zip((first, second), ranked, strict=True)
    ]
    verdicts = [
        verdict_of(store, own, frame) for store, own, frame in zip((first, second), ranked, frames, strict=True)
    ]
    kinds = (score_kind(first), score_kind(second))
    frames = [
        _present(store, frame) for store, frame in zip((first, second), frames, strict=True)
    ]  # after the verdicts
    cells = shared_cells(frames[0], frames[1], tasks, kinds[0], task, higher=higher)
    return RunComparison(
        a=_side(first, frames[0], frames[1], verdicts[0]),
        b=_side(second, frames[1], frames[0], verdicts[1]),
        profile=_profile(profiles[0], profiles[1]),
        environment=_environment(first.information, second.information),
        data=_data(first.data_checksums, second.data_checksums, tasks if task is None else (task,)),
        tasks=tasks,
        only_a=tuple(name for name in ranked[0] if name not in tasks),
        only_b=tuple(name for name in ranked[1] if name not in tasks),
        kinds=kinds,
        task=task,
        metric=metric,
        higher=higher,
        cells=cells,
        correlation=rank_correlation(cells),
        trials=shared_trials(first, second),
    )


def _metric(first: Store, second: Store, task: str) -> tuple[str, bool]:
    """Return the metric by which two runs rank a task, and whether higher is better."""
    found = [metric_directions(store).get(task, ("no metric so far", None)) for store in (first, second)]
    names = [name for name, _ in found]
    if names[0] != names[1]:
        raise SearchError(
            f"--task {task}: {name_for_commands(first)!r} ranks it by {names[0]} and {name_for_commands(second)!r} by "
            f"{names[1]}, which cannot be compared; leave --task out to compare scores"
        )
    return names[0], found[0][1] is not False


def _present(store: Store, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a leaderboard with the ids that its cells have in the present canonical form; the best of equal ones."""
    ids = present_ids(store)
    if not ids:
        return frame
    renamed = frame.rename(index=ids)
    return renamed.assign(cell=[short_id(str(cell)) for cell in renamed.index])[~renamed.index.duplicated()]


def _side(store: Store, frame: pd.DataFrame, other: pd.DataFrame, verdict: RunVerdict) -> RunSide:
    started = store.information.get("started")
    return RunSide(
        name=name_for_commands(store),
        overview=overview(store.folder),
        seed=store.seed,
        started=None if started is None else str(started),
        training_seconds=totals(store)[1],
        environments=len(store.environments()),
        verdict=verdict,
        best=_best(frame, other),
    )


def _best(frame: pd.DataFrame, other: pd.DataFrame) -> BestFound | None:
    """Return the found cell that stands highest in a leaderboard."""
    found = frame[(frame["origin"] == Origin.FOUND) & has_rank(frame)]
    if found.empty:
        return None
    cell, row = str(found.index[0]), found.iloc[0]
    there = other[has_rank(other)]["rank"]
    retrained = Evidence(row["evidence"]).is_retrained
    rank = int(there[cell]) if cell in there.index else None
    return BestFound(cell, str(row["cell"]), float(row["score"]), retrained, rank)


def _profile(first: Profile, second: Profile) -> Changes:
    """Return the fields that differ, with the defaults of fields that an older version did not know."""
    alone = {f"tasks.{name}." for name in first.tasks.keys() ^ second.tasks.keys()}
    changed = changed_fields(first.to_toml(), second.to_toml())
    return {name: values for name, values in changed.items() if not any(map(name.startswith, alone))}


def _environment(first: Mapping[str, Any], second: Mapping[str, Any]) -> Changes:
    """Return what differs between the environments that two runs began in, versions of one alone included."""
    packages = dict.fromkeys([*first.get("versions", {}), *second.get("versions", {})])
    versions = {name: second.get("versions", {}).get(name) for name in packages}
    return changes(first, {"cpu": second.get("cpu"), "commit": second.get("commit"), "versions": versions})


def _data(first: Mapping[str, str], second: Mapping[str, str], tasks: Sequence[str]) -> Changes:
    return {
        name: (first[name], second[name])
        for name in tasks
        if name in first and name in second and first[name] != second[name]
    }

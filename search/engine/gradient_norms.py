"""Gradient norms of the cells that a report shows: computed once, and cached beside the run's store."""

import json
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd

from results.publication.consistency import MANIFEST_FILE
from results.report.report import shown_cells
from results.scores.estimates import picks
from results.scores.score import chance_of
from results.store.errors import ResultsError
from results.store.files import write_atomically
from results.store.records import TrialRow
from results.store.store import Store
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.engine.budgets import stored_budget
from search.profiles.sections import Profile
from search.profiles.tasks import load_task_of
from search.training.gradients import GradientNorms, Probe, gradient_norms, trained_gradient_norms
from search.training.settings import Setting
from search.training.weights import retrain_trial
from tasks.task import Task

GRADIENTS = "gradients.json"
"""Cache file beside the store: gradient norms by probe and cell."""

OnTraining = Callable[[TrialRow], None]
"""Called with the stored trial before it is retrained."""


def norms_at_initialisation(store: Store, ranked: tuple[str, ...]) -> tuple[str, pd.DataFrame]:
    """Return a caption and the gradient norms of untrained layers of the cells that the report shows.

    Args:
        store: store of the run.
        ranked: names of the run's ranked tasks.

    Returns:
        The caption, and a frame with the columns `cell` (id), `k` (steps back), `hidden` and `states` (norms, see
        `search.training.gradients`).

    Raises:
        StoreError: the store cannot be read.
    """
    probe = Probe()
    note = (
        f"At initialisation: one layer of {probe.units} units, initial scale {probe.scale:g}, random symbols, "
        f"{probe.sequences} sequences, the same for every cell. Training moves these lines."
    )
    cells = _shown_formulas(store, ranked)
    measures = {
        cell: partial(gradient_norms, parse_formula(formula).in_form(store.form), probe)
        for cell, formula in cells.items()
    }
    return note, _norms_of(store, json.dumps(asdict(probe), sort_keys=True), measures)


def norms_after_training(
    store: Store,
    profile: Profile,
    task: str,
    tasks: MutableMapping[str, Task],
    on_training: OnTraining = lambda row: None,
) -> tuple[str, pd.DataFrame]:
    """Return a caption and the gradient norms of trained models of the cells that the report shows.

    Each cell's trial on the task with the first fresh seed, or else the search's own, is retrained.

    Args:
        store: store of the run.
        profile: profile of the run.
        task: name of the task.
        tasks: loaded tasks by name; the task is loaded and added if it is missing.
        on_training: called before a trial is retrained.

    Returns:
        As `norms_at_initialisation`.

    Raises:
        StoreError: the store cannot be read.
        TaskError: the task's data cannot be loaded.
    """
    probe = Probe()
    note = (
        f"After training on {task}: the last layer of each cell's model at its best setting, retrained for this "
        f"chart, on {probe.sequences} sequences of the task's training data."
    )
    best, chance = picks(store), chance_of(store).get(task)
    settings = best[best["task"] == task].set_index("cell")["setting"]
    measures: dict[str, Callable[[], GradientNorms | None]] = {}
    key: dict[str, object] = asdict(probe) | {"task": task}
    for cell, formula in _shown_formulas(store, profile.ranked).items():
        if cell not in settings.index:
            continue
        rows = (store.trial(cell, task, str(settings[cell]), repeat) for repeat in (1, 0))
        row = next((row for row in rows if row is not None and row.validation is not None), None)
        if row is not None:
            key[cell] = [row.setting, row.seed]
            graph = parse_formula(formula).in_form(store.form)
            measures[cell] = partial(_trained_norms, graph, profile, row, chance, tasks, on_training)
    return note, _norms_of(store, json.dumps(key, sort_keys=True), measures)


def _trained_norms(
    graph: GateGraph,
    profile: Profile,
    row: TrialRow,
    chance: float | None,
    tasks: MutableMapping[str, Task],
    on_training: OnTraining,
) -> GradientNorms | None:
    """Retrain the trial, and return the norms of its model; None if training gives no model."""
    task = row.task
    if task not in tasks:
        tasks[task] = load_task_of(profile, task)
    on_training(row)
    setting, budget = Setting.from_key(row.setting), stored_budget(profile, row)
    trained = retrain_trial(graph, tasks[task], setting, budget, row.seed, chance)
    return None if trained.model is None else trained_gradient_norms(trained.model, tasks[task])


def _shown_formulas(store: Store, ranked: tuple[str, ...]) -> dict[str, str]:
    """Return the formulas of the cells that the report shows and of the tanh network, by id."""
    tanh = LIBRARY["tanh"]
    return {cell.id: cell.formula for cell in shown_cells(store, ranked)} | {tanh.graph.id: tanh.formula}


def _norms_of(store: Store, key: str, measures: Mapping[str, Callable[[], GradientNorms | None]]) -> pd.DataFrame:
    """Return the norms of each cell from the cache entry `key`; compute and cache the missing ones."""
    path = store.folder / GRADIENTS
    cache = _read_cache(path)
    known = cache.setdefault(key, {})
    missing = [cell for cell in measures if cell not in known]
    for cell in missing:
        norms = measures[cell]()
        known[cell] = {"hidden": list(norms.hidden), "states": list(norms.states)} if norms else {}
    if missing and not (store.folder / MANIFEST_FILE).exists():  # a published folder stays as it is
        with suppress(ResultsError):  # the folder is read-only: the norms are computed again next time
            write_atomically(path, json.dumps(cache))
    frames = [
        pd.DataFrame({"cell": cell, "k": range(len(known[cell]["hidden"])), **known[cell]})
        for cell in measures
        if known[cell]
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


_Norms = dict[str, list[float]]


def _read_cache(path: Path) -> dict[str, dict[str, _Norms]]:
    """Return the cached norms by key and cell; empty if the file is missing or malformed."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return {key: {cell: _checked(norms) for cell, norms in cells.items()} for key, cells in found.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _checked(norms: dict[str, list[float]]) -> _Norms:
    """Return the norms: two equally long lists of numbers, or nothing. Raise a built-in error if they are malformed."""
    if norms == {}:
        return {}
    hidden, states = ([float(value) for value in norms[name]] for name in ("hidden", "states"))
    if len(hidden) != len(states) or len(hidden) > Probe().steps + 1:
        raise ValueError("norms of different lengths")
    return {"hidden": hidden, "states": states}

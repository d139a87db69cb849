"""Where gradients go in the cells that a report shows: measured once, and kept beside the run's store."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click
import pandas as pd

from results.report.report import shown_cells
from results.scores.estimates import picks
from results.store.errors import ResultsError
from results.store.files import write_atomically
from results.store.records import TrialRow
from results.store.store import Store
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.engine.engine import budgets
from search.profiles.sections import Profile
from search.profiles.tasks import load_task_of
from search.training.gradients import GradientNorms, Probe, gradient_norms, trained_gradient_norms
from search.training.settings import Setting
from search.training.weights import train_again
from tasks.task import Task

GRADIENTS = "gradients.json"
"""Beside the store: what was computed of cells' gradients, by probe and cell, so that it is not computed again."""


def at_initialisation(store: Store, ranked: tuple[str, ...]) -> tuple[str, pd.DataFrame]:
    """How it is measured, and the norms of the cells that the page shows."""
    probe = Probe()
    note = (
        f"At initialisation: one layer of {probe.units} units, initial scale {probe.scale:g}, random symbols, "
        f"{probe.sequences} sequences, the same for every cell. Training moves these lines."
    )
    cells = _wanted(store, ranked)
    measures = {cell: partial(gradient_norms, parse_formula(formula), probe) for cell, formula in cells.items()}
    return note, _measured(store, json.dumps(asdict(probe), sort_keys=True), measures)


def after_training(store: Store, profile: Profile, name: str, tasks: dict[str, Task]) -> tuple[str, pd.DataFrame]:
    """The same of trained models: of each cell's trial with the first fresh seed, or else of the search's."""
    probe = Probe()
    note = (
        f"After training on {name}: the last layer of each cell's model at its picked setting, trained again for this, "
        f"on {probe.sequences} stretches of the task's training data."
    )
    best = picks(store)
    settings = best[best["task"] == name].set_index("cell")["setting"]
    measures: dict[str, Callable[[], GradientNorms | None]] = {}
    key: dict[str, object] = asdict(probe) | {"task": name}
    for cell, formula in _wanted(store, profile.ranked).items():
        if cell not in settings.index:
            continue
        rows = (store.trial(cell, name, str(settings[cell]), repeat) for repeat in (1, 0))
        row = next((row for row in rows if row is not None and row.validation is not None), None)
        if row is not None:
            key[cell] = [row.setting, row.seed]
            measures[cell] = partial(_trained, parse_formula(formula), profile, name, row, tasks)
    return note, _measured(store, json.dumps(key, sort_keys=True), measures)


def _trained(
    graph: GateGraph, profile: Profile, name: str, row: TrialRow, tasks: dict[str, Task]
) -> GradientNorms | None:
    """The norms of a trial that is trained again; None where nothing came of it."""
    if name not in tasks:
        tasks[name] = load_task_of(profile, name)
    click.echo(f"training again: {row.cell[:8]} on {name}, {row.steps:,} steps, {row.seconds:.0f} s then", err=True)
    trained = train_again(graph, tasks[name], Setting.from_key(row.setting), budgets(profile)[name], row.seed)
    return None if trained.model is None else trained_gradient_norms(trained.model, tasks[name])


def _wanted(store: Store, ranked: tuple[str, ...]) -> dict[str, str]:
    """Ids and formulas of the cells that the page shows, and of the tanh network."""
    tanh = LIBRARY["tanh"]
    return {cell.id: cell.formula for cell in shown_cells(store, ranked)} | {tanh.graph.id: tanh.formula}


def _measured(store: Store, key: str, measures: Mapping[str, Callable[[], GradientNorms | None]]) -> pd.DataFrame:
    """The norms of each cell, from the run's cache where it has them under this key, and put there otherwise."""
    path = store.folder / GRADIENTS
    cache = _cached(path)
    known = cache.setdefault(key, {})
    missing = [cell for cell in measures if cell not in known]
    for cell in missing:
        reach = measures[cell]()
        known[cell] = {"hidden": list(reach.hidden), "states": list(reach.states)} if reach else {}
    if missing:
        with suppress(ResultsError):  # a run that may only be read: it is computed again next time
            write_atomically(path, json.dumps(cache))
    frames = [
        pd.DataFrame({"cell": cell, "k": range(len(known[cell]["hidden"])), **known[cell]})
        for cell in measures
        if known[cell]
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


_Norms = dict[str, list[float]]


def _cached(path: Path) -> dict[str, dict[str, _Norms]]:
    """What was computed before, by key and cell; what is no such thing is left out, so that it is computed again."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return {key: {cell: _norms(reach) for cell, reach in cells.items()} for key, cells in found.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _norms(reach: dict[str, list[float]]) -> _Norms:
    """Raises ValueError and the like for what is no pair of equally long lists of numbers, or nothing at all."""
    if reach == {}:
        return {}
    hidden, states = ([float(value) for value in reach[name]] for name in ("hidden", "states"))
    if len(hidden) != len(states) or len(hidden) > Probe().steps + 1:
        raise ValueError("norms of other lengths")
    return {"hidden": hidden, "states": states}

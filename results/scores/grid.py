"""Width of the grid of settings: for how many given cells the best value of a hyperparameter is inside of it.

A cell whose best value is the smallest or the largest that was tried might do better beyond it, so the comparison with
other cells may be unfair to it. A hyperparameter is judged if a cell tried at least `LEAST_VALUES` of its values: with
fewer, half of them or more are edges. Only the given cells are counted, which are trained on the whole grid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from results.scores.estimates import GRU, VALIDATION, picks
from results.scores.ratio import gain
from results.scores.score import constants_of
from results.scores.units import EVEN_MARGIN
from results.store.setting_key import fields_in
from results.store.store import Store
from results.store.words import RANKED_STATES, Origin

LEAST_VALUES = 5
"""Fewest values of a hyperparameter from which on it is judged."""

ENOUGH = 0.9
"""Share of the cells whose best value is inside, from which on a grid is wide enough."""

HYPERPARAMETERS = ("scale", "learning_rate", "max_norm", "layers", "weight_decay", "dropout")

_TRIALS = f"""
    SELECT cell, task, setting, state, validation FROM trials JOIN cells ON cells.id = cell
    WHERE repeat = 0 AND origin = '{Origin.BASELINE}'"""
_KINDS = {"cell": str, "task": str, "setting": str, "state": str, "validation": float | None}


@dataclass(frozen=True)
class GridEdges:
    """Number of given cells by where the best value of a hyperparameter lies on a task.

    Attributes:
        task: name of the task.
        hyperparameter: name of the hyperparameter.
        low: smallest value that a cell tried.
        high: largest one.
        cells: number of cells that tried enough values and have a result.
        lowest: number of those whose best value is the smallest that they tried.
        highest: number of those whose best value is the largest.
        steep: number of cells at an edge that are ahead of their result with the next value by more than a margin,
            `EVEN_MARGIN` of the GRU's gain, or have no result there; None if that gain is not known.
        optimiser: the optimiser of these trials; a cell counts for that of its best setting.
    """

    task: str
    hyperparameter: str
    low: float
    high: float
    cells: int
    lowest: int
    highest: int
    steep: int | None
    optimiser: str = "sgd"

    @property
    def inside(self) -> int:
        """Number of cells whose best value is inside."""
        return self.cells - self.lowest - self.highest

    @property
    def wide_enough(self) -> bool:
        """True if the best value is inside for enough of the cells."""
        return self.inside >= ENOUGH * self.cells


def grid_edges(store: Store, tasks: Sequence[str]) -> list[GridEdges]:
    """Return where the best values lie, for each ranked task, optimiser and hyperparameter with enough values.

    Args:
        store: the run.
        tasks: its ranked tasks.

    Raises:
        ResultsError: a stored setting is malformed.
        StoreError: the store cannot be read.
    """
    trials = pd.DataFrame(store.typed(_TRIALS, _KINDS), columns=list(_KINDS))
    trials["validation"] = trials["validation"].astype("float64").where(trials["state"].isin(RANKED_STATES))
    columns = ["task", "cell", "setting", "validation", "higher_is_better"]
    best = {
        (str(task), str(cell)): _Pick(str(setting), float(value), bool(higher))
        for task, cell, setting, value, higher in picks(store)[columns].itertuples(index=False)
    }
    gains = _gains(best, constants_of(store, VALIDATION))
    found = []
    for task in tasks:
        own = trials[trials["task"] == task]
        fields = own["setting"].map(fields_in)
        optimisers = fields.map(lambda key: str(key["optimiser"]))
        for optimiser in sorted(optimisers.unique()):
            theirs = {key: pick for key, pick in best.items() if str(fields_in(pick.setting)["optimiser"]) == optimiser}
            for name in HYPERPARAMETERS:
                values = fields.map(lambda key, name=name: key.get(name, np.nan)).astype("float64")
                trials_of = own.assign(value=values)[optimisers == optimiser]
                edges = _edges(task, name, trials_of, theirs, gains.get(task))
                found += [] if edges is None else [replace(edges, optimiser=optimiser)]
    return found


class _Pick(NamedTuple):
    """Best setting of a cell on a task, its validation metric, and the direction of the metric."""

    setting: str
    validation: float
    higher: bool


def _gains(best: Mapping[tuple[str, str], _Pick], constants: Mapping[str, float]) -> dict[str, float]:
    """Return the GRU's gain on the tasks where it has one, by its best validation metric."""
    known = {task: best[task, GRU] for task in constants if (task, GRU) in best}
    gains = {task: float(gain(pick.validation, constants[task], pick.higher)) for task, pick in known.items()}
    return {task: value for task, value in gains.items() if value > 0}


def _edges(
    task: str,
    name: str,
    trials: pd.DataFrame,
    best: Mapping[tuple[str, str], _Pick],
    reference: float | None,
) -> GridEdges | None:
    counts = {"cells": 0, "lowest": 0, "highest": 0, "steep": 0}
    tried: set[float] = set()
    for cell, own in trials.groupby("cell"):
        values = sorted(float(value) for value in own["value"].dropna().unique())
        pick = best.get((task, str(cell)))
        if len(values) < LEAST_VALUES or pick is None:
            continue
        tried.update(values)
        place = values.index(float(fields_in(pick.setting)[name]))
        counts["cells"] += 1
        if place not in (0, len(values) - 1):
            continue
        counts["lowest" if place == 0 else "highest"] += 1
        beside = own.loc[own["value"] == values[1 if place == 0 else -2], "validation"]
        second = float(beside.max() if pick.higher else beside.min())
        lead = (pick.validation - second) * (1.0 if pick.higher else -1.0)
        # Without a result beside it, the lead is NaN: that edge is steep.
        counts["steep"] += not lead <= EVEN_MARGIN * (reference or 0.0)
    if not counts["cells"]:
        return None
    steep = None if reference is None else counts["steep"]
    return GridEdges(task, name, min(tried), max(tried), counts["cells"], counts["lowest"], counts["highest"], steep)

"""A run as data frames, for notebooks and scripts: `results.load` reads them from the store, also during a search.

    import results

    run = results.load("quick-1")  # a name, or the path of a run's folder
    run.trials.groupby(["task", "state"]).size()
    finals = run.trials[(run.trials["repeat"] > 0) & (run.trials["task"] == "xml")]
    finals.merge(run.cells, on="cell").groupby("name")["test"].agg(["mean", "sem"])
    run.curves.merge(finals, on="trial").pivot(index="step", columns="trial", values="point")
    run.leaderboard().head()

The columns of each frame are documented by the dicts below.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from results.store.database import FILE
from results.store.errors import ResultsError, StoreError, damaged
from results.store.files import runs_folder
from results.store.records import CellRow, EvaluationRow, ProposalRow, TrialRow, documentation
from results.store.schema import LARGEST_COUNT
from results.store.setting_key import fields_in
from results.store.store import Store
from results.store.toml import parse_toml
from results.tables.leaderboard import leaderboard
from search.cells.paths import expanded


def _columns(kind: type, names: Sequence[str], **keys: str) -> dict[str, str]:
    """Return the documentation of these fields of a row class; `keys` maps a column to the field it is named after."""
    known = documentation(kind)
    return {name: known[keys.get(name, name)] for name in names}


CELLS = _columns(
    CellRow,
    ("cell", "name", "origin", "parent", "mutations", "proposal", "nodes", "states", "products", "formula"),
    cell="id",
)
_TRIAL = {name: meaning for name, meaning in documentation(TrialRow).items() if name != "curve"}
TRIALS = {
    "trial": "number of the trial in the store, which `curves` refers to",
    **{name: _TRIAL.pop(name) for name in ("cell", "task", "setting")},
    "scale": "initial scale: weights start uniform in [-s, s], s = scale / sqrt(units)",
    "learning_rate": "learning rate for a loss averaged over the batch and summed over time",
    "max_norm": "norm that longer gradients are clipped to",
    "layers": "number of stacked cells",
    "budget": "number of parameters that the model comes nearest to; the units follow from it",
    "optimiser": "optimiser: sgd, adam or adamw",
    "weight_decay": "decoupled weight decay of adamw; 0 for others",
    "dropout": "share of the inputs of layers, and of the outputs, that training steps leave out",
    "variational": "true if dropout is the same at every step of a window, and leaves out recurrent units too",
    "tied": "true if the readout has the matrix of the embedding",
    **_TRIAL,
}
CURVES = {
    "trial": "number of the trial in `trials`",
    "step": "training steps so far",
    "loss": "mean training loss since the last point, nats per step that the loss mask keeps",
    "point": "metric on the validation set",
}
PROPOSALS = _columns(
    ProposalRow, ("proposal", "kind", "cell", "parent", "outcome", "score", "rejections"), proposal="index"
)
EVALUATIONS = documentation(EvaluationRow)
_SETTING = {name: name for name in ("scale", "learning_rate", "max_norm", "layers")} | {
    "parameters": "budget",
    "optimiser": "optimiser",
    **{name: name for name in ("weight_decay", "dropout", "variational", "tied")},
}
_REAL = (
    *("score", "best", "ratio", "threshold", "seconds"),
    *("validation", "validation_se", "test", "test_se", "validation_loss", "test_loss"),
)


@dataclass(frozen=True)
class Run:
    """Content of a run, read at one moment. `CELLS`, `TRIALS`, ... above document the columns of its frames.

    `profile` is the resolved profile as nested dicts, `tasks` the ranked tasks in order, `information` says how the run
    was made, `environments` in which versions, processors and commits its trials were trained. Changing a frame changes
    nothing in the store.
    """

    folder: Path
    name: str
    seed: int
    tasks: tuple[str, ...]
    profile: dict[str, Any] = field(repr=False)
    information: dict[str, Any] = field(repr=False)
    environments: dict[str, dict[str, Any]] = field(repr=False)
    cells: pd.DataFrame = field(repr=False)
    trials: pd.DataFrame = field(repr=False)
    proposals: pd.DataFrame = field(repr=False)
    evaluations: pd.DataFrame = field(repr=False)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Learning curves of `trials`, one row a point (`CURVES`). Read at first use, because they may be large."""
        last = int(self.trials["trial"].max()) if len(self.trials) else 0
        with Store.open(self.folder, readonly=True) as store:
            sql = "SELECT rowid, curve FROM trials WHERE rowid <= ? ORDER BY rowid"
            found = store.typed(sql, {"trial": int, "curve": str}, (last,))
            rows = [(trial, *point) for trial, curve in found for point in store.decoded("curve", curve)]
        kinds = {"trial": "int64", "step": "int64", "loss": "float64", "point": "float64"}
        return pd.DataFrame(rows, columns=list(CURVES)).astype(kinds)

    def leaderboard(self) -> pd.DataFrame:
        """Return the ranked table of the store as it is now.

        Its columns are `results.tables.leaderboard.COLUMNS`; its index is the cell's whole id.
        """
        with Store.open(self.folder, readonly=True) as store:
            return leaderboard(store, self.tasks)


def load(run: str | Path) -> Run:
    """Load a run as data frames.

    Args:
        run: path of the run's folder, or its name in the folder of runs (GATESEARCH_RUNS, or results/runs).

    Raises:
        ResultsError: there is no such run.
        StoreError: its store cannot be read.
    """
    folder = next((f for f in (Path(expanded(run)), runs_folder() / run) if os.path.isfile(f / FILE)), None)
    if folder is None:
        raise ResultsError(f"there is no run {str(run)!r} here nor in {runs_folder()}; check its name or folder")
    with Store.open(folder, readonly=True) as store:
        store.select("BEGIN")  # one consistent view, whatever is written meanwhile
        profile = _profile(store)
        proposals = _table(store, PROPOSALS, '"index" AS proposal', "proposals", "proposal")
        proposals["rejections"] = proposals["rejections"].map(json.loads)
        cells = _table(store, CELLS, "id AS cell", "cells", "cells.proposal, id")
        cells["mutations"] = cells["mutations"].map(json.loads)
        return Run(
            folder=folder,
            name=store.name,
            seed=store.seed,
            tasks=ranked_tasks(profile),
            profile=profile,
            information=store.information,
            environments=store.environments(),
            cells=cells,
            trials=_trials(store),
            proposals=proposals,
            evaluations=_table(store, EVALUATIONS, "proposal", "evaluations", "proposal, stage, cell, task"),
        )


def _profile(store: Store) -> dict[str, Any]:
    try:
        profile = parse_toml(store.profile)
        ranked_tasks(profile)
    except (ValueError, LookupError, AttributeError) as error:
        raise StoreError(damaged(store.path, f"invalid profile: {error}")) from error
    return profile


def ranked_tasks(profile: dict[str, Any]) -> tuple[str, ...]:
    """Return the ranked tasks of a resolved profile, in order."""
    return tuple(name for name, section in profile["tasks"].items() if section.get("role", "ranked") == "ranked")


def _table(store: Store, columns: dict[str, str], key: str, table: str, order: str) -> pd.DataFrame:
    """Return the columns of a table, the first of which is `key`, as types of pandas."""
    names = list(columns)
    listed = ", ".join([key, *(f'"{name}"' for name in names[1:])])
    frame = pd.DataFrame(store.select(f"SELECT {listed} FROM {table} ORDER BY {order}"), columns=names)
    if "proposal" in names:
        frame["proposal"] = frame["proposal"].astype("Int64")
    for name in ("higher_is_better", "passed"):
        if name in names:
            frame[name] = frame[name].astype(bool)
    for name in _REAL:
        if name in names:
            frame[name] = frame[name].astype("float64")
    return frame


def _trials(store: Store) -> pd.DataFrame:
    """Return the trials, with the fields of their settings as columns."""
    stored = {name: meaning for name, meaning in TRIALS.items() if name not in _SETTING.values()}
    frame = _table(store, stored, "rowid AS trial", "trials", "trial")
    settings = {key: fields_in(key) for key in frame["setting"].unique()}
    for part, column in _SETTING.items():
        values = frame["setting"].map({key: setting.get(part) for key, setting in settings.items()})
        if part in ("optimiser", "variational", "tied"):
            frame[column] = values.astype(str if part == "optimiser" else bool)
            continue
        values = values.astype("float64")
        if part in ("layers", "parameters"):  # a store of unknown origin may hold more than an integer can
            values = values.where(values.abs() <= LARGEST_COUNT).astype("Int64")
        frame[column] = values
    return frame[list(TRIALS)]

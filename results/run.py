"""A run as tables: what `results.load` gives to notebooks and scripts, from the store alone, also while it is written.

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
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from results.store.errors import ResultsError, StoreError, damaged
from results.store.files import runs_folder
from results.store.schema import LARGEST_COUNT
from results.store.setting_key import fields_in
from results.store.store import FILE, Store
from results.store.toml import parse_toml
from results.tables.leaderboard import leaderboard

CELLS = {
    "cell": "the cell's id, 16 hex digits: the hash of its canonical graph",
    "name": "name of a library cell or of the file it came from; None for a found cell",
    "origin": "baseline (given) or found (by the search)",
    "parent": "id of the cell that it was mutated from; None for a given cell",
    "mutations": "list of the transformations that made it from its parent, in words and in order",
    "proposal": "index of the proposal that made it; missing for a given cell",
    "nodes": "nodes of the canonical graph, leaves included",
    "states": "vectors carried from step to step, h included",
    "products": "matrices that it multiplies by at each step",
    "formula": "the cell as text, one assignment a line",
}
TRIALS = {
    "trial": "number of the trial in the store, which `curves` refers to",
    "cell": "id of the cell",
    "task": "name of the task; memorization is the gate",
    "setting": "the hyperparameters as JSON text: with cell, task and repeat what a trial is known by",
    "scale": "initial scale: weights start in U[-s, s], s = scale / sqrt(units)",
    "learning_rate": "for a loss averaged over the batch and summed over time",
    "max_norm": "longer gradients were scaled down to this length",
    "layers": "cells stacked",
    "budget": "parameters at most; the units follow from it",
    "repeat": "0: the search's trial; 1, 2, ...: a finalist's, with a seed that all cells share",
    "seed": "of the initial weights and the training data",
    "state": "ok, stopped (reached its target), at-chance (given up), diverged, failed",
    "reason": "why it ended so, in words",
    "metric": "what validation and test are: accuracy (share) or nats_per_step",
    "higher_is_better": "direction of the metric",
    "validation": "metric on the validation set at best_step; missing where there is none",
    "validation_se": "its standard error from the finite validation set",
    "test": "metric on the test set with the weights of best_step",
    "test_se": "its standard error from the finite test set",
    "validation_loss": "nats a counted step, at best_step",
    "test_loss": "nats a counted step, at best_step",
    "best_step": "training step whose validation metric was best; 0 if none was measured",
    "steps": "training steps done",
    "seconds": "wall-clock time of the trial; differs between equal runs",
    "parameters": "numbers that were trained: embedding, cells and readout",
    "units": "size of the cell's vectors",
    "environment": "id of what it was trained by, see `Run.environments`; None where a worker died",
    "proposal": "the first proposal that asked for it, negative where only given cells did; missing for finalists'",
}
CURVES = {
    "trial": "number of the trial in `trials`",
    "step": "training steps so far",
    "loss": "mean training loss since the point before, nats a counted step",
    "point": "metric on the validation set there",
}
PROPOSALS = {
    "proposal": "0, 1, ... in the order of the search; negative for the given cells",
    "kind": "propose (a new cell), re-examine (fresh settings for a known one) or baseline",
    "cell": "id of the cell that was evaluated; None if no valid child was found",
    "parent": "id of the cell that was mutated",
    "outcome": "complete, stopped at TASK, failed at TASK, no valid child",
    "score": "the search's score then: smallest ratio to the GRU; missing unless complete",
    "rejections": "dict: draws that were rejected before this one, by reason",
}
EVALUATIONS = {
    "proposal": "index of the proposal that the visit belongs to",
    "cell": "id of the cell",
    "task": "name of the task",
    "stage": "0 = memorization, 1 = the first ranked task, ...",
    "settings": "settings tried in this visit",
    "best": "the cell's best validation metric on the task so far",
    "ratio": "best over the GRU's; above 1 is better whatever the metric's direction",
    "threshold": "what had to be reached: an accuracy in stage 0, a ratio later; missing if nothing had to",
    "passed": "whether the cell went on to the next stage",
}
_SETTING = {"scale": "scale", "learning_rate": "learning_rate", "max_norm": "max_norm", "layers": "layers"} | {
    "parameters": "budget"
}
_REAL = (
    *("score", "best", "ratio", "threshold", "seconds"),
    *("validation", "validation_se", "test", "test_se", "validation_loss", "test_loss"),
)


@dataclass(frozen=True)
class Run:
    """What a run knows, read at one moment. The columns of its frames are documented by `CELLS`, `TRIALS`, ... above.

    `profile` is the resolved profile as nested dicts, `tasks` the ranked tasks in order, `information` says how the run
    was made, `environments` what trials were trained by. The frames are the reader's own to change.
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
        """The learning curves of `trials`, a row a point (`CURVES`). Read when first asked for: they may be many."""
        last = int(self.trials["trial"].max()) if len(self.trials) else 0
        with Store.open(self.folder, readonly=True) as store:
            sql = "SELECT rowid, curve FROM trials WHERE rowid <= ? ORDER BY rowid"
            found = store.typed(sql, {"trial": int, "curve": str}, (last,))
            rows = [(trial, *point) for trial, curve in found for point in store.decoded("curve", curve)]
        kinds = {"trial": "int64", "step": "int64", "loss": "float64", "point": "float64"}
        return pd.DataFrame(rows, columns=list(CURVES)).astype(kinds)

    def leaderboard(self) -> pd.DataFrame:
        """The ranked table with all its columns (`results.tables.leaderboard.COLUMNS`), as the store has it now."""
        with Store.open(self.folder, readonly=True) as store:
            return leaderboard(store, self.tasks)


def load(run: str | Path) -> Run:
    """A run by the path of its folder, or by its name in the folder of runs (GATESEARCH_RUNS, or results/runs).

    Raises:
        ResultsError: there is no such run.
        StoreError: its store cannot be read.
    """
    folder = next((f for f in (Path(run), runs_folder() / run) if (f / FILE).is_file()), None)
    if folder is None:
        raise ResultsError(f"there is no run {str(run)!r} here nor in {runs_folder()}; check its name or folder")
    with Store.open(folder, readonly=True) as store:
        store.select("BEGIN")  # all of it as it is now, whatever is written meanwhile
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
        raise StoreError(damaged(store.path, f"its profile is none: {error}")) from error
    return profile


def ranked_tasks(profile: dict[str, Any]) -> tuple[str, ...]:
    """The ranked tasks of a resolved profile, in order."""
    return tuple(name for name, section in profile["tasks"].items() if section.get("role", "ranked") == "ranked")


def _table(store: Store, columns: dict[str, str], key: str, table: str, order: str) -> pd.DataFrame:
    """The columns of a table, the first of which is `key`, with the types that pandas has for them."""
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
    """The trials, with the parts of their settings as columns of their own."""
    stored = {name: meaning for name, meaning in TRIALS.items() if name not in _SETTING.values()}
    frame = _table(store, stored, "rowid AS trial", "trials", "trial")
    settings = {key: fields_in(key) for key in frame["setting"].unique()}
    for part, column in _SETTING.items():
        values = frame["setting"].map({key: setting.get(part) for key, setting in settings.items()})
        values = values.astype("float64")
        if part in ("layers", "parameters"):  # of somebody else's store, maybe more than a whole number can say
            values = values.where(values.abs() <= LARGEST_COUNT).astype("Int64")
        frame[column] = values
    return frame[list(TRIALS)]

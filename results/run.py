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

from results.store.database import FILE, check_packed
from results.store.errors import StoreError, damaged
from results.store.files import runs_folder
from results.store.records import CellRow, EvaluationRow, ProposalRow, documentation
from results.store.runs import no_run, run_folder
from results.store.store import Store
from results.store.toml import parse_toml
from results.tables.leaderboard import leaderboard
from results.tables.trials import TRIALS as TRIALS
from results.tables.trials import table_frame, trials_frame
from search.cells.crossover import printed_mutations
from search.cells.ids import printed_id
from search.cells.paths import expanded


def _documented(kind: type, names: Sequence[str], **keys: str) -> dict[str, str]:
    """Return the documentation of these fields of a row class; `keys` maps a column to the field it is named after."""
    known = documentation(kind)
    return {name: known[keys.get(name, name)] for name in names}


CELLS = _documented(
    CellRow,
    ("cell", "name", "origin", "parent", "mutations", "proposal", "nodes", "states", "products", "formula"),
    cell="id",
) | {"cell": "whole id: g and 16 hex digits, the hash of the canonical graph"}
CURVES = {
    "trial": "number of the trial in `trials`",
    "step": "training steps so far",
    "loss": "mean training loss since the last point, nats per step that the loss mask keeps",
    "point": "metric on the validation set",
}
PROPOSALS = _documented(
    ProposalRow, ("proposal", "kind", "cell", "parent", "outcome", "score", "rejections"), proposal="index"
)
EVALUATIONS = documentation(EvaluationRow)


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

        Its columns are `results.tables.columns.COLUMNS`; its index is the cell's whole id, as in the other frames.
        """
        with Store.open(self.folder, readonly=True) as store:
            frame = leaderboard(store, self.tasks)
        return frame.set_axis(pd.Index([printed_id(str(cell)) for cell in frame.index], dtype=object, name="id"))


def load(run: str | Path) -> Run:
    """Load a run as data frames.

    Args:
        run: path of the run's folder, or its name in the folder of runs (GATESEARCH_RUNS, or results/runs).

    Raises:
        ResultsError: there is no such run.
        StoreError: its store cannot be read.
    """
    places = Path(expanded(run)), runs_folder() / run
    folder = next((f for f in places if os.path.isfile(f / FILE)), None)
    if folder is None:
        for place in places:
            check_packed(place)
        raise no_run(run_folder(str(run)))
    with Store.open(folder, readonly=True) as store:
        store.select("BEGIN")  # one consistent view, whatever is written meanwhile
        profile = _profile(store)
        proposals = table_frame(store, PROPOSALS, '"index" AS proposal', "proposals", "proposal")
        proposals["rejections"] = proposals["rejections"].map(json.loads)
        cells = table_frame(store, CELLS, "id AS cell", "cells", "cells.proposal, id")
        cells["mutations"] = [list(printed_mutations(tuple(json.loads(text)))) for text in cells["mutations"]]
        return Run(
            folder=folder,
            name=store.name,
            seed=store.seed,
            tasks=ranked_tasks(profile),
            profile=profile,
            information=store.information,
            environments=store.environments(),
            cells=cells,
            trials=trials_frame(store),
            proposals=proposals,
            evaluations=table_frame(store, EVALUATIONS, "proposal", "evaluations", "proposal, stage, cell, task"),
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

"""Tables of a store as data frames with types of pandas: any table, and the trials with their settings as columns."""

from collections.abc import Mapping

import pandas as pd

from results.store.records import TrialRow, documentation
from results.store.schema import LARGEST_COUNT
from results.store.setting_key import fields_in
from results.store.store import Store
from results.tables.columns import LOWER, OF_METRIC, Column, Type
from search.cells.ids import printed_id, short_id

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
"""Columns of the frame of trials with their meaning."""

_INTEGERS = ("trial", "repeat", "seed", "layers", "budget", "best_step", "steps", "parameters", "units", "proposal")
_BOOLEANS = ("higher_is_better", "variational", "tied")
_TEXTS = ("cell", "id", "name", "task", "setting", "optimiser", "state", "reason", "metric", "environment")
_UNITS = {
    **dict.fromkeys(("validation", "validation_se", "test", "test_se"), OF_METRIC),
    **dict.fromkeys(("validation_loss", "test_loss"), "nats per step"),
    **{"best_step": "steps", "steps": "steps", "seconds": "seconds", "parameters": "parameters", "units": "units"},
}
_BETTER = {"validation": OF_METRIC, "test": OF_METRIC, "validation_loss": LOWER, "test_loss": LOWER}


def _column(name: str, meaning: str) -> Column:
    kinds = {Type.INTEGER: _INTEGERS, Type.BOOLEAN: _BOOLEANS, Type.TEXT: _TEXTS}
    found = next((kind for kind, names in kinds.items() if name in names), Type.NUMBER)
    return Column(meaning, found, _UNITS.get(name, ""), _BETTER.get(name, ""))


TIDY: Mapping[str, Column] = {
    name: _column(name, meaning)
    for name, meaning in (
        ("trial", TRIALS["trial"]),
        ("cell", "shortened id of the cell, as in the leaderboard"),
        ("id", "whole id of the cell"),
        ("name", "name of the cell; empty for a found cell"),
        *((name, meaning) for name, meaning in TRIALS.items() if name not in ("trial", "cell")),
    )
}
"""Columns of `trials.parquet`."""


_SETTING = {name: name for name in ("scale", "learning_rate", "max_norm", "layers")} | {
    "parameters": "budget",
    "optimiser": "optimiser",
    **{name: name for name in ("weight_decay", "dropout", "variational", "tied")},
}

_REAL = (
    *("score", "best", "ratio", "threshold", "seconds"),
    *("validation", "validation_se", "test", "test_se", "validation_loss", "test_loss"),
)


def table_frame(store: Store, columns: dict[str, str], key: str, table: str, order: str) -> pd.DataFrame:
    """Return the columns of a table, the first of which is `key`, as types of pandas; ids as people see them."""
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
    for name in ("cell", "parent"):
        if name in names:
            frame[name] = pd.Series(
                [printed_id(cell) if isinstance(cell, str) else None for cell in frame[name]], frame.index, object
            )
    return frame


def trials_frame(store: Store) -> pd.DataFrame:
    """Return the trials, with the fields of their settings as columns."""
    stored = {name: meaning for name, meaning in TRIALS.items() if name not in _SETTING.values()}
    frame = table_frame(store, stored, "rowid AS trial", "trials", "trial")
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


def tidy_trials(store: Store) -> pd.DataFrame:
    """Return the trials with the columns of `TIDY`, as `trials.parquet` has them: one row a trial."""
    frame = trials_frame(store).rename(columns={"cell": "id"})
    rows = {printed_id(row.id): row for row in store.cells()}
    frame["cell"] = pd.Series([short_id(rows[cell].id) for cell in frame["id"]], frame.index, object)
    frame["name"] = pd.Series([rows[cell].name for cell in frame["id"]], frame.index, object)
    return frame[list(TIDY)]

"""Costs of cells for the leaderboard: trials, steps, time of a step, and environments."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from results.scores.estimates import GRU, LSTM, PICKS
from results.scores.ratio import Floats
from results.store.store import Store
from results.store.words import LOST_STATES

_TOTALS = f"""
    SELECT cell, count(*), sum(state IN {LOST_STATES}), sum(steps), sum(seconds) FROM trials GROUP BY cell"""
_TOTAL_KINDS = {"cell": str, "trials": int, "diverged": int, "steps": int, "seconds": float}
_STEP_SECONDS = f"""
    SELECT picked.cell, picked.task, repeat, seconds / steps FROM ({PICKS}) AS picked
    JOIN trials USING (cell, task, setting) WHERE steps > 0 AND seconds > 0"""
_STEP_SECONDS_KINDS = {"cell": str, "task": str, "repeat": int, "seconds": float}
_ENVIRONMENTS = "SELECT DISTINCT cell, environment FROM trials WHERE environment IS NOT NULL"


def totals(store: Store, cells: pd.Index) -> pd.DataFrame:
    """Return the columns trials, steps, seconds and diverged_share over all trials of each cell."""
    rows = pd.DataFrame(store.typed(_TOTALS, _TOTAL_KINDS), columns=list(_TOTAL_KINDS))
    rows = rows.set_index("cell").reindex(cells).fillna(0)
    found = rows[["trials", "steps"]].astype("int64")
    found["seconds"] = rows["seconds"].astype("float64")
    found["diverged_share"] = rows["diverged"].astype("float64") / found["trials"].where(found["trials"] > 0)
    return found


def relative_step_seconds(store: Store, tasks: Sequence[str], cells: pd.Index) -> Floats:
    """Return the time of a training step over the LSTM's: the geometric mean over the tasks that both have.

    The time on a task is the median over the fresh seeds, each trial over the LSTM's of the same repeat; of a cell that
    was not retrained, it is that of its search trial.
    """
    rows = pd.DataFrame(store.typed(_STEP_SECONDS, _STEP_SECONDS_KINDS), columns=list(_STEP_SECONDS_KINDS))
    rows = rows[rows["task"].isin(tasks)]
    reference = rows[rows["cell"] == LSTM].drop(columns="cell")
    if reference.empty:
        return np.full(len(cells), np.nan)
    # A fresh seed of all cells is trained in one go, so that other work of the machine slowed down both trials of a
    # pair alike; the median leaves out the pairs of which it slowed down one. A search takes longer, and stops trials.
    pairs = rows.merge(reference, on=["task", "repeat"], suffixes=("", "_lstm"))
    fresh = pairs["repeat"] > 0
    retrained = fresh.groupby([pairs["cell"], pairs["task"]]).transform("any")
    pairs = pairs[fresh | ~retrained]
    pairs["ratio"] = pairs["seconds"] / pairs["seconds_lstm"]
    times = pairs.groupby(["cell", "task"])["ratio"].median().unstack("task")
    return _geometric_means(times.astype("float64"), LSTM).reindex(cells).to_numpy(np.float64)


def relative_sizes(sizes: pd.DataFrame) -> Floats:
    """Return the sizes of cells over the GRU's: the geometric mean over the tasks that both have.

    `sizes` has a row for each cell (whole id) and a column for each task; NaN if the cell has no model there.
    """
    if GRU not in sizes.index:
        return np.full(len(sizes), np.nan)
    positive = sizes.astype("float64").where(sizes > 0)
    return _geometric_means(positive, GRU).to_numpy(np.float64)


def _geometric_means(values: pd.DataFrame, reference: str) -> pd.Series:
    """Return the geometric mean over the columns of each row's values over those of the reference row."""
    # Python's functions, because NumPy's differ with the width of vectors: the table is the same on any processor.
    logs = values.map(math.log)
    means = (logs - logs.loc[reference]).mean(axis=1)
    return pd.Series([math.exp(mean) for mean in means], means.index, dtype="float64")


def environments(store: Store, cells: pd.Index) -> list[int]:
    """Return the number of environments in which each cell's trials and the GRU's were trained together."""
    found: dict[str, set[str]] = {}
    for cell, environment in store.typed(_ENVIRONMENTS, {"cell": str, "environment": str}):
        found.setdefault(cell, set()).add(environment)
    reference = found.get(GRU, set())
    return [len(found.get(cell, set()) | reference) for cell in cells]

"""What is handed on to other tools: the trials that the table's first rows rest on."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from results.scores.estimates import picks
from results.store.errors import ResultsError
from results.store.records import TrialRow
from results.store.store import Store
from results.tables.leaderboard import SHORT_ID, leaderboard

CELLS = 50
"""Of so many cells, the first of the table, trials are handed on: a big run has tens of thousands in all."""


@dataclass(frozen=True)
class Logged:
    """A trial, and what its cell is called: its name, else the first digits of its id."""

    label: str
    trial: TrialRow


def whole_ids(store: Store, frame: pd.DataFrame) -> list[str]:
    """The whole ids of a leaderboard's rows. Two cells may share their first digits; their formulas tell them apart."""
    sql = "SELECT id, formula FROM cells WHERE substr(id, 1, ?) = ? ORDER BY id"
    found = []
    for short, formula in zip(frame["cell"], frame["formula"], strict=True):
        same = [cell for cell, text in store.select(sql, (SHORT_ID, short)) if "; ".join(text.splitlines()) == formula]
        found.append(str(same[0]))
    return found


def logged_trials(store: Store, tasks: Sequence[str], cells: int = CELLS) -> list[Logged]:
    """Of the table's first `cells` rows, on every task, the trial that the search picked and its repeats, with curves.

    Raises `ResultsError` where the table cannot be made.
    """
    frame = leaderboard(store, tasks).head(cells)
    best = picks(store)
    found = []
    for cell, name, short in zip(whole_ids(store, frame), frame["name"], frame["cell"], strict=True):
        for pick in best[(best["cell"] == cell) & best["task"].isin(list(tasks))].itertuples():
            sql = "SELECT repeat FROM trials WHERE cell = ? AND task = ? AND setting = ? ORDER BY repeat"
            for (repeat,) in store.select(sql, (cell, pick.task, pick.setting)):
                trial = store.trial(cell, str(pick.task), str(pick.setting), repeat)
                assert trial is not None
                found.append(Logged(short if pd.isna(name) else str(name), trial))
    return found


def extra_missing(package: str, extra: str) -> ResultsError:
    """What to say where an optional package is not installed."""
    return ResultsError(f"{package} is not installed; pip install 'gatesearch[{extra}]' brings it")

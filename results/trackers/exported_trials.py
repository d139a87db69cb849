"""Trials for other tools: those behind the first rows of the leaderboard."""

from collections.abc import Sequence
from dataclasses import dataclass

from results.scores.estimates import picks
from results.store.errors import ResultsError
from results.store.records import TrialRow
from results.store.store import Store
from results.store.words import TrialState
from results.tables.leaderboard import leaderboard
from search.cells.library import label_of

CELLS = 50
"""Number of cells whose trials are exported, the first of the table: a large run has tens of thousands of trials."""


@dataclass(frozen=True)
class ExportedTrial:
    """A trial, and the label of its cell."""

    label: str
    trial: TrialRow


def exported_trials(store: Store, tasks: Sequence[str], cells: int = CELLS) -> list[ExportedTrial]:
    """Return the trials behind the table's first `cells` rows, with curves.

    These are, on every task, the trial that the search picked and its repeats.

    Raises:
        ResultsError: as `leaderboard`.
        StoreError: the store cannot be read.
    """
    names = leaderboard(store, tasks, display=False, loops=False).head(cells)["name"]
    best = picks(store)
    found = []
    for cell, name in names.items():
        label = label_of(str(cell), name)
        for pick in best[(best["cell"] == cell) & best["task"].isin(list(tasks))].itertuples():
            repeats = store.repeats(str(cell), str(pick.task), str(pick.setting))
            found += [ExportedTrial(label, trial) for trial in repeats if trial.state != TrialState.PAUSED]
    return found


def extra_missing(package: str, extra: str) -> ResultsError:
    """Return the error for an optional package that is not installed."""
    return ResultsError(f"{package} is not installed; run pip install 'gatesearch[{extra}]'")

"""Test metrics of the finalists: one for each seed, at the best settings that the search found.

These are the trials of the first round, which ranks; `results.scores.confirmation` has those that judge contenders.

Repeat r of a task has the same seed, so the same data in the same order, for all cells: values of different cells with
the same task and repeat are paired. The repeats that count are those that all finalists have, which the store's
information holds (`results.store.information.Retraining`).

A repeat that diverged or failed is not left out, which would bias the mean in favour of the cell: it counts as the
constant baseline of the task.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.scores.estimates import GRU, TEST, picks, stages
from results.scores.ratio import Floats
from results.scores.score import constants_of, score_kind, share
from results.store.store import Store
from results.store.words import COMPLETE, RANKED_STATES, TrialState

_REPEATS = f"""
    SELECT cell, task, setting, repeat, higher_is_better, state, test FROM trials
    WHERE repeat BETWEEN 1 AND ? AND state <> '{TrialState.PAUSED}'"""
_REPEAT_KINDS = {
    **{"cell": str, "task": str, "setting": str, "repeat": int, "higher_is_better": bool},
    **{"state": str, "test": float | None},
}


@dataclass(frozen=True)
class Finalists:
    """Test metrics of the retrained cells. `repeats` is 0 if no cell was retrained.

    `values` has for each task a frame with a row for each cell (whole id) that has every repeat there, and a column for
    each repeat, 1 to R. `diverged` is, for each task, how many of a cell's repeats diverged or failed. `higher` is the
    direction of each task's metric.
    """

    repeats: int
    values: dict[str, pd.DataFrame]
    diverged: dict[str, dict[str, int]]
    higher: dict[str, bool]

    def on(self, task: str, cell: str) -> Floats:
        """Return the R test metrics of a cell that is in `values` of the task."""
        return np.asarray(self.values[task].loc[cell].to_numpy(np.float64), np.float64)

    def cells(self, tasks: Sequence[str]) -> list[str]:
        """Return the cells with every repeat on all of these tasks, by id."""
        if not self.repeats or any(task not in self.values for task in tasks):
            return []
        found = [set(self.values[task].index) for task in tasks]
        return sorted(set.intersection(*found)) if found else []


def first_round_scores(store: Store, tasks: Sequence[str]) -> dict[str, float]:
    """Return the score of each finalist that passed every stage, from the first round alone: it chooses contenders.

    The score is the smallest, over `tasks`, of the mean test metric's share of the GRU's, by the run's kind of score.

    Raises:
        StoreError: the store cannot be read.
    """
    found = finalists_of(store)
    cells = found.cells(tasks)
    if GRU not in cells:
        return {}
    known, kind, constants = stages(store, tasks), score_kind(store), constants_of(store, TEST)
    scores = {
        cell: float(
            np.min(  # NaN if one share is, unlike Python's minimum
                [
                    share(
                        kind,
                        float(found.on(t, cell).mean()),
                        float(found.on(t, GRU).mean()),
                        constants.get(t, np.nan),
                        found.higher[t],
                    )
                    for t in tasks
                ]
            )
        )
        for cell in cells
        if known.get(cell) == COMPLETE
    }
    return {cell: score for cell, score in scores.items() if np.isfinite(score)}


def finalists_of(store: Store, best: pd.DataFrame | None = None) -> Finalists:
    """Return the finalists of a run on all tasks.

    Args:
        store: the run.
        best: the `picks` of the store, for callers that have them.

    Raises:
        StoreError: the store cannot be read.
    """
    marked = store.retraining
    if marked is None:
        return Finalists(0, {}, {}, {})
    rows = pd.DataFrame(store.typed(_REPEATS, _REPEAT_KINDS, (marked.repeats,)), columns=list(_REPEAT_KINDS))
    # Only at the current best setting: if the search finds a better one, the cell has to be retrained there.
    best = picks(store) if best is None else best
    rows = rows.merge(best[["cell", "task", "setting"]], on=["cell", "task", "setting"])
    rows["diverged"] = ~rows["state"].isin(RANKED_STATES) | rows["test"].isna()
    # The values are test metrics. Runs of earlier versions know the constant baseline of the validation set alone.
    guesses = rows["task"].map(marked.constant_guess | constants_of(store, TEST)).astype("float64")
    rows["value"] = rows["test"].astype("float64").where(~rows["diverged"], guesses)
    values, diverged, higher = {}, {}, {}
    for task, own in rows.groupby("task"):
        name = str(task)
        table = own.pivot(index="cell", columns="repeat", values="value").reindex(columns=range(1, marked.repeats + 1))
        values[name] = table.dropna().sort_index()
        diverged[name] = {str(cell): int(count) for cell, count in own.groupby("cell")["diverged"].sum().items()}
        higher[name] = bool(own["higher_is_better"].all())
    return Finalists(marked.repeats, values, diverged, higher)

"""What the finalists came to: their test metrics, one for each seed, at the best settings that the search found.

Repeat r of a task has the same seed, so the same data in the same order, for all cells: values of different cells with
the same task and repeat are paired. The repeats that count are those that `gatesearch finalists`, or a search at its
end, noted in the store's information when all finalists had them.

A repeat that diverged or failed is no reason to leave it out, which would flatter the cell: it counts as the best
constant guess of the task.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.scores.estimates import picks
from results.scores.ratio import Floats
from results.store.store import Store
from results.store.words import RANKED_STATES

_REPEATS = """
    SELECT cell, task, setting, repeat, higher_is_better, state, test FROM trials WHERE repeat BETWEEN 1 AND ?"""
_REPEAT_KINDS = {
    **{"cell": str, "task": str, "setting": str, "repeat": int, "higher_is_better": bool},
    **{"state": str, "test": float | None},
}


@dataclass(frozen=True)
class Retrained:
    """Test metrics of finalists. `repeats` is 0 where nothing was trained again.

    `values` has for each task a frame with a row for each cell (whole id) that has every repeat there, and a column for
    each repeat, 1 to R; `lost` for each task how many of a cell's repeats diverged or failed; `higher` the direction.
    """

    repeats: int
    values: dict[str, pd.DataFrame]
    lost: dict[str, dict[str, int]]
    higher: dict[str, bool]

    def on(self, task: str, cell: str) -> Floats:
        """The R test metrics of a cell that is in `values` of the task."""
        return np.asarray(self.values[task].loc[cell].to_numpy(np.float64), np.float64)

    def cells(self, tasks: Sequence[str]) -> list[str]:
        """The cells with every repeat on all of these tasks, by id."""
        if not self.repeats or any(task not in self.values for task in tasks):
            return []
        found = [set(self.values[task].index) for task in tasks]
        return sorted(set.intersection(*found)) if found else []


def retrained(store: Store, best: pd.DataFrame | None = None) -> Retrained:
    """The finalists of a run, on all tasks. Raises `StoreError` where the store cannot be read.

    `best`: the search's `picks`, from whoever has them already.
    """
    marked = store.information.get("retrained", {})
    repeats = int(marked.get("repeats", 0))
    if not repeats:
        return Retrained(0, {}, {}, {})
    rows = pd.DataFrame(store.typed(_REPEATS, _REPEAT_KINDS, (repeats,)), columns=list(_REPEAT_KINDS))
    # Only at the setting that the search now holds for the best: a later, better one has to be trained again too.
    best = picks(store) if best is None else best
    rows = rows.merge(best[["cell", "task", "setting"]], on=["cell", "task", "setting"])
    rows["lost"] = ~rows["state"].isin(RANKED_STATES) | rows["test"].isna()
    guesses = rows["task"].map(marked["constant_guess"]).astype("float64")
    rows["value"] = rows["test"].astype("float64").where(~rows["lost"], guesses)
    values, lost, higher = {}, {}, {}
    for task, own in rows.groupby("task"):
        name = str(task)
        table = own.pivot(index="cell", columns="repeat", values="value").reindex(columns=range(1, repeats + 1))
        values[name] = table.dropna().sort_index()
        lost[name] = {str(cell): int(count) for cell, count in own.groupby("cell")["lost"].sum().items()}
        higher[name] = bool(own["higher_is_better"].all())
    return Retrained(repeats, values, lost, higher)

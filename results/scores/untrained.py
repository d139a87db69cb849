"""Given cells that could not be trained: no setting of a task gave a result, or none above a constant prediction.

Such a cell has no place among the others on that task, or only a formal one. It is not left out: the table has it, and
the findings say what became of its trials.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from results.scores.finalists import finalists_of
from results.store.store import Store
from results.store.words import LOST_STATES, Origin, TrialState
from search.cells.library import label_of

_TRIALS = f"""
    SELECT cell, name, task, state, reason, steps FROM trials JOIN cells ON cells.id = cell
    WHERE repeat = 0 AND origin = '{Origin.BASELINE}' ORDER BY trials.rowid"""
_KINDS = {"cell": str, "name": str | None, "task": str, "state": str, "reason": str, "steps": int}


@dataclass(frozen=True)
class Untrained:
    """Outcome of a given cell's trials on a task.

    Attributes:
        cell: its label.
        task: the task.
        trials: number of its trials there: settings, or fresh seeds.
        lost: number of those that diverged or failed.
        at_chance: number of those that were given up at the level of a constant prediction.
        reason: how most of the lost ones ended, without the step; empty if none was lost.
        steps: fewest and most steps of the lost ones.
        fresh: whether these are the fresh seeds at the best setting, of which some were lost.
    """

    cell: str
    task: str
    trials: int
    lost: int
    at_chance: int
    reason: str = ""
    steps: tuple[int, int] = (0, 0)
    fresh: bool = False


def untrained(store: Store, tasks: Sequence[str]) -> list[Untrained]:
    """Return the given cells without a result above a constant prediction, and those that lost fresh seeds.

    The order is by label; for each cell, by task.

    Args:
        store: the run.
        tasks: its ranked tasks.

    Raises:
        StoreError: the store cannot be read.
    """
    trials = pd.DataFrame(store.typed(_TRIALS, _KINDS), columns=list(_KINDS))
    trials["label"] = [label_of(cell, name) for cell, name in zip(trials["cell"], trials["name"], strict=True)]
    labels = dict(zip(trials["cell"], trials["label"], strict=True))
    found = []
    for (task, label), own in trials.groupby(["task", "label"]):
        lost = own[own["state"].isin(LOST_STATES)]
        at_chance = int((own["state"] == TrialState.AT_CHANCE).sum())
        if task not in tasks or len(lost) + at_chance < len(own):
            continue
        reasons = lost["reason"].str.replace(r" at step \d+$", "", regex=True)
        why = str(reasons.mode().iloc[0]) if len(lost) else ""
        steps = (int(lost["steps"].min()), int(lost["steps"].max())) if len(lost) else (0, 0)
        found.append(Untrained(str(label), str(task), len(own), len(lost), at_chance, why, steps))
    again = finalists_of(store)
    for task in tasks:
        for cell, count in again.diverged.get(task, {}).items():
            if count and cell in labels:
                found.append(Untrained(labels[cell], task, again.repeats, count, 0, fresh=True))
    return sorted(found, key=lambda one: (one.cell, one.fresh, list(tasks).index(one.task)))

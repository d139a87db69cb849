"""What a search itself found of each cell: its best setting on each task, by validation, and the score from that.

A search estimate flatters: it is the best of several settings, and the best cells are the best of many. Nothing here
looks at the finalists' trials, whose repeat is 1 or more; `results.scores.retrained` does.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from results.scores.ratio import Floats, ratio, ratio_error
from results.store.store import Store
from results.store.words import COMPLETE, RANKED_STATES
from search.cells.library import named_cell

GRU, LSTM = named_cell("gru").graph.id, named_cell("lstm").graph.id

# As SQL, for queries to join. Equal metrics: the smaller model, then the setting's text, so that the pick never depends
# on the order of storing.
PICKS = f"""
    SELECT cell, task, setting, higher_is_better, validation, validation_se, test, test_se, parameters, units FROM (
        SELECT *, row_number() OVER (
            PARTITION BY cell, task
            ORDER BY CASE WHEN higher_is_better THEN -validation ELSE validation END, parameters, setting
        ) AS place
        FROM (
            SELECT cell, task, setting, higher_is_better, validation, validation_se, test, test_se, parameters, units
            FROM trials WHERE repeat = 0 AND validation IS NOT NULL AND state IN {RANKED_STATES}
        )
    ) WHERE place = 1"""
_PICK_KINDS = {
    **{"cell": str, "task": str, "setting": str, "higher_is_better": bool},
    **{"validation": float, "validation_se": float | None, "test": float | None, "test_se": float | None},
    **{"parameters": int, "units": int},
}


def picks(store: Store) -> pd.DataFrame:
    """The search's best trial of each cell (whole id) on each task by validation, lost ones left out."""
    frame = pd.DataFrame(store.typed(PICKS, _PICK_KINDS), columns=list(_PICK_KINDS))
    measured = ["validation", "validation_se", "test", "test_se"]
    frame[measured] = frame[measured].astype("float64")
    return frame


def compared(cells: pd.Index, own: pd.DataFrame) -> tuple[Floats, Floats]:
    """Validation ratios to the GRU and their standard errors, from the picks of one task; NaN where there is none."""
    if GRU not in own.index:
        return np.full(len(cells), np.nan), np.full(len(cells), np.nan)
    value, error = (own[name].reindex(cells).to_numpy(np.float64) for name in ("validation", "validation_se"))
    best, best_error = (own[name].loc[[GRU]].to_numpy(np.float64) for name in ("validation", "validation_se"))
    higher = bool(own["higher_is_better"].loc[[GRU]].all())
    ratios, errors = ratio(value, best, higher), ratio_error(value, best, error, best_error, higher)
    # The GRU is what is compared with, not an independent measurement of it.
    ratios[cells == GRU] = 1.0
    errors[cells == GRU] = 0.0
    return ratios, errors


def stages(store: Store, tasks: Sequence[str]) -> dict[str, str]:
    """Cell id to the stage that the table shows, for cells of which anything is known.

    Complete is complete, whatever a later visit of the same cell came to; else the last proposal's outcome counts.
    """
    found: dict[str, str] = {}
    outcomes = 'SELECT cell, outcome FROM proposals WHERE cell IS NOT NULL ORDER BY "index"'
    for cell, outcome in store.typed(outcomes, {"cell": str, "outcome": str}):
        if found.get(cell) != COMPLETE:
            found[cell] = outcome
    passed: dict[str, set[str]] = {}
    passes = "SELECT DISTINCT cell, task FROM evaluations WHERE passed"
    for cell, task in store.typed(passes, {"cell": str, "task": str}):
        passed.setdefault(cell, set()).add(task)
    return found | {cell: COMPLETE for cell, done in passed.items() if done.issuperset(tasks)}


def best_found(store: Store, tasks: Sequence[str], count: int) -> list[str]:
    """The ids of the best found cells that went through every stage, by their search score over `tasks`, best first.

    Equal scores: fewer parameters first, then the smaller id, as in the leaderboard.
    """
    complete = [cell for cell, stage in stages(store, tasks).items() if stage == COMPLETE]
    found = {cell for (cell,) in store.typed("SELECT id FROM cells WHERE origin = 'found'", {"id": str})}
    index = pd.Index([cell for cell in complete if cell in found], dtype=object)
    best = picks(store)
    ratios, parameters = np.full((len(index), len(tasks)), np.nan), np.full(len(index), np.nan)
    for k, task in enumerate(tasks):
        own = best[best["task"] == task].set_index("cell")
        ratios[:, k], _ = compared(index, own)
        parameters = np.fmax(parameters, own["parameters"].reindex(index).to_numpy(np.float64))
    scores = ratios.min(axis=1)
    order = np.lexsort((index.to_numpy(dtype=str), parameters, -scores))
    return [str(index[k]) for k in order if np.isfinite(scores[k])][:count]

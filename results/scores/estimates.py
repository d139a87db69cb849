"""Search estimates: each cell's best setting on each task by validation, and the score from it.

A search estimate is biased in favour of the cell: it is the best of several settings, and the best cells are the best
of many. The trials of finalists, whose repeat is 1 or more, are not used here; see `results.scores.finalists`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from results.scores.ratio import Floats
from results.scores.score import constants_of, score_kind, scores, share, share_error
from results.store.store import Store
from results.store.words import COMPLETE, RANKED_STATES, Origin, ProposalKind, ScoreKind
from search.cells.library import REFERENCE, named_cell

VALIDATION, TEST = "validation", "test"
"""Splits that metrics are measured on."""

GRU, LSTM = named_cell(REFERENCE).graph.id, named_cell("lstm").graph.id

# SQL, for queries to join. Ties go to the smaller model, then to the setting's text, so that the pick does not depend
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
    """Return the search's best trial of each cell (whole id) on each task by validation.

    Trials that diverged or failed are left out.
    """
    frame = pd.DataFrame(store.typed(PICKS, _PICK_KINDS), columns=list(_PICK_KINDS))
    measured = ["validation", "validation_se", "test", "test_se"]
    frame[measured] = frame[measured].astype("float64")
    return frame


def shares(kind: ScoreKind, cells: pd.Index, own: pd.DataFrame, constant: float) -> tuple[Floats, Floats]:
    """Return shares of the GRU's validation result and their standard errors; NaN if missing.

    Args:
        kind: kind of the shares.
        cells: whole ids of the cells.
        own: the picks of one task, by cell.
        constant: validation metric of the task's constant baseline; NaN if it is not known.
    """
    if GRU not in own.index:
        return np.full(len(cells), np.nan), np.full(len(cells), np.nan)
    value, error = (own[name].reindex(cells).to_numpy(np.float64) for name in ("validation", "validation_se"))
    best, best_error = (own[name].loc[[GRU]].to_numpy(np.float64) for name in ("validation", "validation_se"))
    higher = bool(own["higher_is_better"].loc[[GRU]].all())
    found = share(kind, value, best, constant, higher)
    errors = share_error(kind, value, best, error, best_error, constant, higher)
    if kind is ScoreKind.RATIO or np.isfinite(share(kind, best, best, constant, higher)).all():
        # The GRU is the reference itself, not an independent measurement of it.
        found[cells == GRU] = 1.0
        errors[cells == GRU] = 0.0
    return found, errors


def stages(store: Store, tasks: Sequence[str]) -> dict[str, str]:
    """Return the stage that the table shows by cell id, for cells with a proposal or an evaluation.

    A cell that was complete once is complete; else the outcome of its last proposal counts.
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
    """Return the ids of the best found cells that passed every stage, by search score over `tasks`, best first.

    Cells that were trained on further seeds come first, by their score there. The score is of the run's kind. Equal
    scores: fewer parameters first, summed over the tasks, then the smaller id, as in the leaderboard.
    """
    complete = [cell for cell, stage in stages(store, tasks).items() if stage == COMPLETE]
    found = {cell for (cell,) in store.typed("SELECT id FROM cells WHERE origin = ?", {"id": str}, (Origin.FOUND,))}
    index = pd.Index([cell for cell in complete if cell in found], dtype=object)
    best = picks(store)
    kind, constants = score_kind(store), constants_of(store, VALIDATION)
    found_shares, parameters = np.full((len(index), len(tasks)), np.nan), np.zeros(len(index))
    for k, task in enumerate(tasks):
        own = best[best["task"] == task].set_index("cell")
        found_shares[:, k], _ = shares(kind, index, own, constants.get(task, np.nan))
        parameters += own["parameters"].reindex(index).fillna(0).to_numpy(np.float64)
    values = scores(found_shares)
    further = _further_scores(store)
    trained = np.array([cell in further for cell in index], bool)
    values[trained] = [further[cell] for cell in index[trained]]
    order = np.lexsort((index.to_numpy(dtype=str), parameters, -values, ~trained))
    return [str(index[k]) for k in order if np.isfinite(values[k])][:count]


def _further_scores(store: Store) -> dict[str, float]:
    """Return the scores on further seeds, to which a cell is promoted after its whole training, by cell."""
    sql = 'SELECT cell, score FROM proposals WHERE kind = ? AND outcome = ? AND score IS NOT NULL ORDER BY "index"'
    found: dict[str, list[float]] = {}
    for cell, score in store.typed(sql, {"cell": str, "score": float}, (ProposalKind.PROMOTE, COMPLETE)):
        found.setdefault(cell, []).append(score)
    return {cell: values[1] for cell, values in found.items() if len(values) > 1}

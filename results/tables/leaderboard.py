"""Leaderboard: the ranked table of a run, made from its store.

    frame = leaderboard(store, tasks=["arithmetic", "xml"])
    write_leaderboard(store, ["arithmetic", "xml"], folder / "leaderboard.csv")

The order of the rows:

1. Cells that were retrained on fresh seeds (`evidence` is retrained or confirmed), best score first. Their metrics are
   means over these trials, without the bias of choosing a best trial. Found cells that were chosen by these very
   trials, and not confirmed on others, still look better than they are. The score is the minimum of several noisy
   ratios, so it is biased low: most cells that equal the GRU score below 1.
2. Other cells that passed every stage, by search estimates, which are biased in favour of the cell.
3. Cells that stopped after memorization, without a rank, best first. Cells that stopped at memorization have no row.

The columns depend on the list of tasks alone. The same store gives the same bytes; only `TIME_COLUMNS` differ between
two equal runs.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from results.scores.comparison import compare, ratio_of_means
from results.scores.confirmation import Confirmation, confirmation_of
from results.scores.estimates import GRU, LSTM, compared, picks, stages
from results.scores.finalists import Finalists, finalists_of
from results.scores.finding import Standing
from results.scores.ratio import Floats, error_of_smallest
from results.scores.score import scores
from results.store.errors import ResultsError
from results.store.files import write_atomically
from results.store.sanitize import csv_text
from results.store.schema import LARGEST_COUNT
from results.store.setting_key import fields_in
from results.store.store import Store
from results.store.words import COMPLETE, RUNNING, Evidence, Origin
from results.tables.costs import environments, relative_step_seconds, totals
from search.cells.errors import CellError
from search.cells.library import display_formula, label_of
from search.cells.notation.formula import parse_formula
from search.cells.text import SHORT_ID

TABLE_FILE = "leaderboard.csv"
"""Name of the table in a run's folder."""

FORMAT = 2
"""Format of the table. It increases with every change of a column or of a column's text, and `CHANGED_COLUMNS` says
which. A store and a published run keep the format of their table, so that `gatesearch verify` knows an older one."""

CHANGED_COLUMNS: Mapping[int, tuple[str, ...]] = {2: ("formula",)}
"""Names (as in `COLUMNS`) of the columns that changed, joined or left with each format after the first."""

SIMULATED = "SIMULATED: every number is made up, no cell was trained"
"""Warning wherever results of a simulated run are shown."""

COLUMNS = {
    "rank": "1 = best; retrained cells first; empty for a cell that did not pass every stage or has no score",
    "cell": "first 8 hex digits of the cell's id",
    "name": "name of a library cell or of the file it came from; empty for a found cell",
    "origin": "baseline (given) or found (by the search)",
    "parent": "name, or else first 8 hex digits, of the cell that it was mutated from",
    "stage": "complete, or where it stopped, or running",
    "simulated": "True in every row of a simulated run: its numbers are made up, nothing was trained; else False",
    "evidence": "basis of score, TASK_test and TASK_ratio. confirmed: trials on fresh seeds that chose no cell, of the "
    "contenders, the GRU and the LSTM. retrained: trials of the first round, on fresh seeds that are the same for all "
    "cells; the best found cells of this round are biased in their favour. search: the search's own best trial, biased "
    "in favour of the cell. What the columns below say of retrained holds for confirmed too",
    "score": "smallest TASK_ratio over all ranked tasks; higher is better, the GRU has 1; empty unless every ranked "
    "task has a ratio. The minimum of noisy ratios is biased low: a cell equal to the GRU usually scores below 1",
    "score_se": "standard error of the score. retrained: of a minimum of ratios, given all TASK_ratio_se. search: "
    "TASK_ratio_se of the weakest task",
    "search_score": "score of the search alone, whatever the evidence: smallest ratio of best validation metrics",
    "weakest_task": "task with the smallest ratio so far",
    "TASK_test": "metric on the test set, in the task's unit and direction. retrained: mean over the repeats, where "
    "one that diverged or failed counts as the constant baseline. search: of the trial with the best validation metric",
    "TASK_test_se": "standard error of TASK_test. retrained: of the mean over the repeats. search: from the finite "
    "test set; assumes independent steps; too small where steps are correlated, as in music",
    "TASK_ratio": "ratio to the GRU, above 1 is better. retrained: of the mean test metrics. search: of the best "
    "validation metrics. If lower is better: the GRU's metric over the cell's",
    "TASK_ratio_se": "standard error of the ratio, 0 for the GRU. retrained: over the paired repeats (delta method). "
    "search: from the finite validation sets alone",
    "TASK_vs_gru": "better or worse than the GRU beyond the variation over seeds, even (shown to differ by less than "
    "2 % of the GRU's gain), or undecided. Contenders: by the tests that were declared for the confirmation, corrected "
    "over those and over the looks. Other given cells: paired t-test of the first round, with Holm's correction over "
    "the given cells, tasks and both references; no even. Level 5 % each. Other found cells: empty, because the seeds "
    "that chose them cannot judge them",
    "TASK_vs_gru_p": "corrected p value of that verdict",
    "TASK_vs_lstm": "the same against the LSTM",
    "TASK_vs_lstm_p": "corrected p value of that verdict",
    "TASK_repeats": "number of seeds of TASK_test; 0 if the evidence is the search",
    "TASK_lost": "number of these repeats that diverged or failed",
    "TASK_validation": "best validation metric of the search, over trials that ended ok, stopped or at-chance",
    "TASK_settings": "number of settings tried on the task",
    "diverged_share": "share of all its trials, 0 to 1, that diverged or failed; lower is better",
    "parameters": "trained parameters at the best settings: the largest number over the ranked tasks",
    "multiply_adds": "multiply-adds in the matrix products of the cells for one time step of one sequence at the best "
    "settings: layers x matrices x units^2, the largest over the ranked tasks. Not counted: biases, elementwise "
    "operations, embedding or projection, readout",
    "trials": "number of trials on all tasks, memorization and repeats included",
    "steps": "training steps of all these trials",
    "seconds": "wall-clock time of all these trials; differs between equal runs",
    "relative_step_seconds": "time of a training step at the best settings, evaluation included, over the LSTM's: "
    "geometric mean over the ranked tasks; unreliable if the machine had other work; differs between equal runs",
    "environments": "number of environments (versions, processor, commit) that its trials and the GRU's were trained "
    "in; above 1, as after resuming under other versions, small differences may come from that",
    "formula": "formula of the cell, its lines joined by '; '",
}
"""Columns in order, with meaning, unit and direction; those with TASK are there once for each ranked task."""

TIME_COLUMNS = ("seconds", "relative_step_seconds")
"""Columns that differ between two runs with the same seed, profile and versions."""

TASK_COLUMNS = tuple(column for column in COLUMNS if column.startswith("TASK_"))

_SETTINGS = "SELECT cell, task, count(DISTINCT setting) FROM trials GROUP BY cell, task"
_SETTING_KINDS = {"cell": str, "task": str, "settings": int}
_CELLS = """
    SELECT cells.id, cells.name, cells.origin, cells.formula, cells.products, cells.parent, parents.name
    FROM cells LEFT JOIN cells AS parents ON parents.id = cells.parent ORDER BY cells.id"""
_CELL_KINDS = {
    **{"id": str, "name": str | None, "origin": str, "formula": str},
    **{"products": int, "parent": str | None, "parent_name": str | None},
}


def columns(tasks: Sequence[str]) -> tuple[str, ...]:
    """Return the header of the table for these ranked tasks."""
    names: list[str] = []
    for column in COLUMNS:
        if column == TASK_COLUMNS[0]:
            names.extend(part.replace("TASK", task, 1) for task in tasks for part in TASK_COLUMNS)
        elif column not in TASK_COLUMNS:
            names.append(column)
    return tuple(names)


def leaderboard(store: Store, tasks: Sequence[str], *, display: bool = True) -> pd.DataFrame:
    """Return the table of a run: one row a cell, with the columns of `COLUMNS`.

    The index, named id, is the cell's whole id; it is not part of the CSV. Missing values are NaN or None, empty in the
    CSV. Equal scores: fewer parameters first, then the smaller id.

    Args:
        store: the run.
        tasks: its ranked tasks, without memorization.
        display: whether formulas are in the form for people; otherwise as stored, which saves a millisecond a cell.

    Raises:
        ResultsError: no task is given, or one twice.
        StoreError: the store cannot be read.
    """
    if not tasks or len(set(tasks)) < len(tasks):
        raise ResultsError(f"ranked tasks {list(tasks)}: at least one is needed, each of them once; correct the list")
    known = _known_cells(store)
    settings = pd.DataFrame(store.typed(_SETTINGS, _SETTING_KINDS), columns=list(_SETTING_KINDS))
    visited = settings["cell"][settings["task"].isin(tasks)].unique()
    known["stage"] = pd.Series(stages(store, tasks), dtype=object).reindex(known.index).fillna(RUNNING)
    frame = known[known.index.isin(visited) | (known["stage"] == COMPLETE)].copy()
    best = picks(store)
    columns_of_tasks = _estimates(store, tasks, frame, best)
    for task in tasks:
        counts = settings[settings["task"] == task].set_index("cell")["settings"].reindex(frame.index)
        columns_of_tasks[f"{task}_settings"] = counts.fillna(0).astype("int64")
    frame = pd.concat([frame, pd.DataFrame(columns_of_tasks, index=frame.index)], axis=1)
    frame["search_score"] = scores(frame[[f"{task}_ratio" for task in tasks]].to_numpy(np.float64))
    frame["evidence"] = str(Evidence.SEARCH)
    _put_retrained(frame, finalists_of(store, best), confirmation_of(store), tasks)
    weakest = _put_scores(frame, tasks)
    frame = pd.concat([frame, totals(store, frame.index)], axis=1)
    frame["relative_step_seconds"] = relative_step_seconds(store, tasks, frame.index)
    frame["simulated"] = store.simulated
    frame["environments"] = environments(store, frame.index)
    if display:
        frame["formula"] = ["; ".join(displayed(formula).splitlines()) for formula in frame["formula"]]
    return _ranked(frame, weakest)[list(columns(tasks))]


def write_leaderboard(store: Store, tasks: Sequence[str], path: Path) -> None:
    """Write the table of a run as CSV, UTF-8, with full precision, and note its format in the store.

    A reader sees the old file or the new one, never a part.

    Raises:
        ResultsError: as `leaderboard`.
        StoreError: the store cannot be read or written, or the file cannot be written.
    """
    write_atomically(path, csv_text(leaderboard(store, tasks)))
    if store.information.get("leaderboard_format") != FORMAT:
        store.mark(leaderboard_format=FORMAT)


def sorted_by(frame: pd.DataFrame, task: str) -> pd.DataFrame:
    """Return a leaderboard by one task's ratio, best first; retrained cells before others, no ratio last."""
    ratios = frame[f"{task}_ratio"].fillna(-np.inf).to_numpy(np.float64)
    order = np.lexsort((np.arange(len(frame)), -ratios, (frame["evidence"] == Evidence.SEARCH).to_numpy()))
    return frame.iloc[order]


def _known_cells(store: Store) -> pd.DataFrame:
    """Return all cells by whole id."""
    known = pd.DataFrame(store.typed(_CELLS, _CELL_KINDS), columns=list(_CELL_KINDS), dtype=object).set_index("id")
    labels = [
        None if parent is None else label_of(parent, name)
        for parent, name in zip(known["parent"], known.pop("parent_name"), strict=True)
    ]
    known["parent"] = pd.Series(labels, known.index, dtype=object)
    return known


@lru_cache(maxsize=65_536)
def displayed(formula: str) -> str:
    """Return a stored formula in the form for people; cached, because a search writes its table many times."""
    try:
        return display_formula(parse_formula(formula))
    except CellError:  # of a damaged store; `verify` names it
        return formula


def _put_scores(frame: pd.DataFrame, tasks: Sequence[str]) -> Floats:
    """Add score, its error and the weakest task; return each cell's smallest ratio so far, infinite without any."""
    ratios = frame[[f"{task}_ratio" for task in tasks]].to_numpy(np.float64)
    errors = frame[[f"{task}_ratio_se" for task in tasks]].to_numpy(np.float64)
    finite = np.where(np.isnan(ratios), np.inf, ratios)
    weakest, place = finite.min(axis=1), finite.argmin(axis=1)
    frame["score"] = scores(ratios)
    score_errors = np.where(frame["score"].isna(), np.nan, errors[np.arange(len(frame)), place])
    for k in np.flatnonzero((frame["evidence"] != Evidence.SEARCH) & frame["score"].notna()):
        score_errors[k] = error_of_smallest(ratios[k], errors[k])
    frame["score_se"] = score_errors
    frame["weakest_task"] = pd.Series(
        [tasks[k] if np.isfinite(ratio) else None for k, ratio in zip(place, weakest, strict=True)],
        index=frame.index,
        dtype=object,
    )
    return np.asarray(weakest, np.float64)


def _ranked(frame: pd.DataFrame, weakest: Floats) -> pd.DataFrame:
    """Return the rows in the order of the table, with ranks."""
    ranked = (frame["stage"] == COMPLETE) & frame["score"].notna()
    order = np.lexsort(
        (
            frame.index.to_numpy(dtype=str),
            frame["parameters"].fillna(np.inf).to_numpy(),
            np.where(np.isinf(weakest), np.inf, -weakest),  # a cell without any ratio comes last
            (frame["evidence"] == Evidence.SEARCH).to_numpy(),
            ~ranked.to_numpy(),
        )
    )
    frame = frame.iloc[order].copy()
    places = pd.Series(range(1, len(frame) + 1), index=frame.index, dtype="Int64")
    frame["rank"] = places.where(ranked.iloc[order])
    whole = ["parameters", "multiply_adds"]
    frame[whole] = frame[whole].astype("Int64")
    frame["cell"] = frame.index.str[:SHORT_ID]
    return frame


def _estimates(store: Store, tasks: Sequence[str], frame: pd.DataFrame, best: pd.DataFrame) -> dict[str, Any]:
    """Return the search estimates on each task, and the sizes of the picked trials."""
    found: dict[str, Any] = {}
    nothing = pd.Series(np.nan, index=frame.index)
    parameters, multiply_adds = nothing, nothing
    for task in tasks:
        own = best[best["task"] == task].set_index("cell")
        ratios, errors = compared(frame.index, own)
        picked = own.reindex(frame.index)
        found |= {f"{task}_{name}": picked[name].to_numpy(np.float64) for name in ("test", "test_se", "validation")}
        found |= {f"{task}_ratio": ratios, f"{task}_ratio_se": errors}
        found |= {f"{task}_{name}": pd.Series(None, frame.index, object) for name in ("vs_gru", "vs_lstm")}
        found |= {f"{task}_{name}": np.nan for name in ("vs_gru_p", "vs_lstm_p")}
        found |= {f"{task}_{name}": 0 for name in ("repeats", "lost")}
        layers = own["setting"].map(lambda key: fields_in(key).get("layers", math.nan))
        layers = layers.reindex(frame.index).astype("float64")
        parameters = parameters.combine(picked["parameters"].astype("float64"), np.fmax)
        products = layers * frame["products"].astype("float64") * picked["units"].astype("float64") ** 2
        multiply_adds = multiply_adds.combine(products, np.fmax)
    # No real cell has a count above 2**53, which a float cannot hold.
    return found | {"parameters": parameters, "multiply_adds": multiply_adds.where(multiply_adds < LARGEST_COUNT)}


def _put_retrained(frame: pd.DataFrame, found: Finalists, confirmed: Confirmation | None, tasks: Sequence[str]) -> None:
    """Replace the search's numbers by those on fresh seeds: of the first round, or of the confirmation where it is."""
    cells = [cell for cell in found.cells(tasks) if cell in frame.index and frame.at[cell, "stage"] == COMPLETE]
    # column -> cell -> value
    changes: dict[str, dict[str, Any]] = {}
    if GRU in cells:
        changes["evidence"] = dict.fromkeys(cells, str(Evidence.RETRAINED))
        for task in tasks:
            for cell in cells:
                own, reference, lost = found.on(task, cell), found.on(task, GRU), found.diverged[task][cell]
                _put_numbers(changes, task, cell, own, reference, found.higher[task], lost)
        _put_first_round_verdicts(
            changes, found, [cell for cell in cells if frame.at[cell, "origin"] != Origin.FOUND], tasks
        )
    if confirmed is not None:
        _put_confirmed(changes, frame, confirmed, tasks)
    for column, values in changes.items():  # a column at a time: pandas takes as long for one entry as for all
        frame.loc[list(values), column] = list(values.values())


def _put_numbers(
    changes: dict[str, dict[str, Any]],
    task: str,
    cell: str,
    own: Floats,
    reference: Floats,
    higher: bool,
    lost: int,
) -> None:
    """Enter the numbers of a cell on a task from its metrics and the GRU's on the same seeds."""
    error = np.std(own, ddof=1) / np.sqrt(own.size)
    numbers = (own.mean(), error, *ratio_of_means(own, reference, higher), own.size, lost)
    names = ("test", "test_se", "ratio", "ratio_se", "repeats", "lost")
    for name, number in zip(names, numbers, strict=True):
        changes.setdefault(f"{task}_{name}", {})[cell] = number


def _put_first_round_verdicts(
    changes: dict[str, dict[str, Any]], found: Finalists, named: Sequence[str], tasks: Sequence[str]
) -> None:
    """Enter the verdicts on the named cells: one family, which does not depend on how many cells the search found.

    Found cells have no verdict here: the seeds that chose them cannot judge them.
    """
    others = [name for name in (GRU, LSTM) if name in named]
    pairs = [(task, cell, other) for task in tasks for other in others for cell in named if cell != other]
    # The GRU against the LSTM is the same test as the LSTM against the GRU.
    pairs = [pair for pair in pairs if pair[1:] != (GRU, LSTM)]
    for result in compare(found, pairs):
        column = f"{result.task}_vs_{'gru' if result.other == GRU else 'lstm'}"
        changes.setdefault(column, {})[result.cell] = str(result.verdict)
        changes.setdefault(f"{column}_p", {})[result.cell] = result.adjusted
        if (result.cell, result.other) == (LSTM, GRU):
            changes.setdefault(f"{result.task}_vs_lstm", {})[GRU] = str(result.verdict.reversed)
            changes.setdefault(f"{result.task}_vs_lstm_p", {})[GRU] = result.adjusted


def _put_confirmed(
    changes: dict[str, dict[str, Any]], frame: pd.DataFrame, confirmed: Confirmation, tasks: Sequence[str]
) -> None:
    """Enter the numbers of the contenders, the GRU and the LSTM on the confirmation's seeds, and the declared tests.

    A cell's numbers are replaced once every task has had a look. The GRU's seeds are those of its longest test; another
    cell is paired with as many of them as it has itself.
    """
    measured = confirmed.measured
    for cell in (*confirmed.contenders, LSTM, GRU):
        seeds = {task: _seeds_looked_at(confirmed, task, cell) for task in tasks}
        if cell not in frame.index or min(seeds.values()) == 0:
            continue
        changes.setdefault("evidence", {})[cell] = str(Evidence.CONFIRMED)
        for task, count in seeds.items():
            own, reference = measured.values[task, cell][:count], measured.values[task, GRU]
            # Where only the LSTM was left to be compared with, the GRU has fewer seeds.
            paired = min(count, reference.size)
            lost = sum(measured.diverged[task, cell][:paired])
            _put_numbers(changes, task, cell, own[:paired], reference[:paired], measured.higher[task], lost)
    for test in confirmed.tests:
        if test.cell in frame.index and test.repeats:
            column = f"{test.task}_vs_{'gru' if test.other == GRU else 'lstm'}"
            even = test.standing is Standing.EVEN
            changes.setdefault(column, {})[test.cell] = str(test.standing)
            changes.setdefault(f"{column}_p", {})[test.cell] = test.even_adjusted if even else test.adjusted
            if (test.cell, test.other) == (LSTM, GRU):
                changes.setdefault(f"{test.task}_vs_lstm", {})[GRU] = str(test.standing.reversed)
                changes.setdefault(f"{test.task}_vs_lstm_p", {})[GRU] = changes[f"{column}_p"][LSTM]


def _seeds_looked_at(confirmed: Confirmation, task: str, cell: str) -> int:
    """Return the seeds of the furthest look at a test of a cell on a task, whichever of the two it is."""
    own = (test.repeats for test in confirmed.tests if test.task == task and cell in (test.cell, test.other))
    return max(own, default=0)

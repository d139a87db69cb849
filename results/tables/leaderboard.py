"""The ranked table of a run: what people read, sort and open as CSV. A projection of the store, which is the truth.

    frame = leaderboard(store, tasks=["arithmetic", "xml"])
    write_leaderboard(store, ["arithmetic", "xml"], folder / "leaderboard.csv")

First the cells that were trained again with fresh seeds (`evidence` is retrained), best score first: their metrics are
means over these trials, free of what the choice of a best trial adds. Their score, the smallest of several noisy
ratios, errs downwards instead: of cells that are equal to the GRU most get less than 1. Below them the other cells
that went through every stage, by what the search itself found, which flatters; then, without a rank, those that were
stopped after memorization, best first too. Cells that memorization stopped are not rows. The columns depend on the list
of tasks alone, and the same store gives the same bytes; only `TIME_COLUMNS` differ between two equal runs.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from results.scores.comparison import compare, ratio_of_means
from results.scores.estimates import GRU, LSTM, PICKS, compared, picks, stages
from results.scores.ratio import Floats, error_of_smallest
from results.scores.retrained import Retrained, retrained
from results.store.errors import ResultsError
from results.store.files import write_atomically
from results.store.records import COMPLETE, LOST_STATES
from results.store.sanitize import csv_text
from results.store.schema import LARGEST_COUNT
from results.store.store import Store

SHORT_ID = 8
"""Hex digits of an id that people read and type."""

SIMULATED = "SIMULATED: every number is made up, no cell was trained"
"""What stands wherever people see results of a simulated run."""

RETRAINED, SEARCH = "retrained", "search"
"""What the numbers of a row rest on: `COLUMNS` says more."""

COLUMNS = {
    "rank": "1 = best; retrained cells first; empty for a cell that did not complete every stage or has no score",
    "cell": "first 8 hex digits of the cell's id",
    "name": "name of a library cell or of the file it came from; empty for a found cell",
    "origin": "baseline (given) or found (by the search)",
    "parent": "name, else first 8 hex digits, of the cell that it was mutated from",
    "stage": "complete, or where it stopped, or running",
    "simulated": "True in every row of a simulated run: its numbers are made up, nothing was trained; else False",
    "evidence": "what score, TASK_test and TASK_ratio rest on. retrained: trials with fresh seeds, at the setting that "
    "validation picked, the same seeds for all cells. search: the search's own best trial, which flatters",
    "score": "smallest TASK_ratio over all ranked tasks; higher is better, the GRU has 1; empty unless every ranked "
    "task has a ratio. A smallest of noisy numbers errs downwards: a cell equal to the GRU mostly gets less than 1",
    "score_se": "standard error of the score. retrained: of a smallest ratio, given all TASK_ratio_se. search: "
    "TASK_ratio_se of the weakest task",
    "search_score": "the score by the search alone, whatever the evidence: smallest ratio of best validation metrics",
    "weakest_task": "the task with the smallest ratio so far",
    "TASK_test": "metric on the test set, unit and direction are the task's. retrained: mean over the repeats, where a "
    "lost one counts as the best constant guess. search: of the trial that validation picked",
    "TASK_test_se": "its standard error. retrained: of the mean over the repeats. search: from the finite test set, "
    "its steps taken as independent, which is too small where they hang together, as in a piece of music",
    "TASK_ratio": "ratio to the GRU, above 1 is better. retrained: of the mean test metrics. search: of the best "
    "validation metrics. Where lower is better it is the GRU's over the cell's",
    "TASK_ratio_se": "standard error of the ratio, 0 for the GRU. retrained: over the paired repeats (delta method). "
    "search: from the finite validation sets alone",
    "TASK_vs_gru": "retrained only: better or worse than the GRU beyond the noise of the seeds (paired t test on the "
    "test metrics, Holm's correction over all such tests of the table, 5 %), or undecided",
    "TASK_vs_gru_p": "the corrected p value of that test",
    "TASK_vs_lstm": "the same beside the LSTM",
    "TASK_vs_lstm_p": "the corrected p value of that test",
    "TASK_repeats": "seeds that the cell was trained again with; 0 where the evidence is the search",
    "TASK_lost": "of these, how many diverged or failed",
    "TASK_validation": "best metric on the validation set in the search, over trials that ended ok, stopped or "
    "at-chance",
    "TASK_settings": "settings tried on the task",
    "diverged_share": "share of all its trials, 0 to 1, that diverged or failed; lower is better",
    "parameters": "numbers trained in the picked trials: the largest over the ranked tasks",
    "multiply_adds": "multiplications with an addition that one time step of one sequence takes in the matrix products "
    "of the cells: layers x matrices x units^2 of the picked trials, the largest over the ranked tasks. Not counted: "
    "biases, elementwise operations, embedding or projection, readout",
    "trials": "trials on all tasks, memorization and repeats included",
    "steps": "training steps of all these trials together",
    "seconds": "wall-clock time of all these trials together; differs between equal runs",
    "relative_step_seconds": "time of a training step at the picked settings, evaluation included, over the LSTM's: "
    "geometric mean over the ranked tasks; rough where the machine had other work; differs between equal runs",
    "environments": "in how many environments (versions, processor, commit) its trials and the GRU's were trained; "
    "above 1, as after a resume under other versions, small differences may come from that",
    "formula": "the cell, its lines joined by '; '",
}
"""The columns in order, with meaning, unit and direction; those with TASK are there once for each ranked task."""

TIME_COLUMNS = ("seconds", "relative_step_seconds")
"""The columns that two runs with the same seed, profile and versions do not share."""

TASK_COLUMNS = tuple(column for column in COLUMNS if column.startswith("TASK_"))

_TOTALS = f"""
    SELECT cell, count(*), sum(state IN {LOST_STATES}), sum(steps), sum(seconds) FROM trials GROUP BY cell"""
_STEP_SECONDS = f"""
    SELECT picked.cell, picked.task, sum(seconds) / sum(steps) FROM ({PICKS}) AS picked
    JOIN trials USING (cell, task, setting) GROUP BY picked.cell, picked.task HAVING sum(steps) > 0"""
_STEP_SECONDS_KINDS = {"cell": str, "task": str, "seconds": float}
_TOTAL_KINDS = {"cell": str, "trials": int, "lost": int, "steps": int, "seconds": float}
_ENVIRONMENTS = "SELECT DISTINCT cell, environment FROM trials WHERE environment IS NOT NULL"
_SETTINGS = "SELECT cell, task, count(DISTINCT setting) FROM trials GROUP BY cell, task"
_SETTING_KINDS = {"cell": str, "task": str, "settings": int}
_CELLS = """
    SELECT cells.id, cells.name, cells.origin, cells.formula, cells.products,
    coalesce(parents.name, substr(cells.parent, 1, ?))
    FROM cells LEFT JOIN cells AS parents ON parents.id = cells.parent ORDER BY cells.id"""
_CELL_KINDS = {
    **{"id": str, "name": str | None, "origin": str, "formula": str},
    **{"products": int, "parent": str | None},
}


def columns(tasks: Sequence[str]) -> tuple[str, ...]:
    """The header of the table for these ranked tasks."""
    names: list[str] = []
    for column in COLUMNS:
        if column == TASK_COLUMNS[0]:
            names.extend(part.replace("TASK", task, 1) for task in tasks for part in TASK_COLUMNS)
        elif column not in TASK_COLUMNS:
            names.append(column)
    return tuple(names)


def leaderboard(store: Store, tasks: Sequence[str]) -> pd.DataFrame:
    """The table for the run's ranked tasks (memorization is none of them), one row a cell, as `COLUMNS` says.

    Missing values are NaN or None, empty in a CSV. Equal scores: fewer parameters first, then the smaller id.

    Raises:
        ResultsError: no task is given, or one twice.
        StoreError: the store cannot be read.
    """
    if not tasks or len(set(tasks)) < len(tasks):
        raise ResultsError(f"ranked tasks {list(tasks)}: at least one is needed, each of them once; correct the list")
    known = pd.DataFrame(
        store.typed(_CELLS, _CELL_KINDS, (SHORT_ID,)),
        columns=list(_CELL_KINDS),
        dtype=object,
    ).set_index("id")
    settings = pd.DataFrame(store.typed(_SETTINGS, _SETTING_KINDS), columns=list(_SETTING_KINDS))
    visited = settings["cell"][settings["task"].isin(tasks)].unique()
    known["stage"] = pd.Series(stages(store, tasks), dtype=object).reindex(known.index).fillna("running")
    frame = known[known.index.isin(visited) | (known["stage"] == COMPLETE)].copy()
    best = picks(store)
    columns_of_tasks = _estimates(store, tasks, frame, best)
    for task in tasks:
        counts = settings[settings["task"] == task].set_index("cell")["settings"].reindex(frame.index)
        columns_of_tasks[f"{task}_settings"] = counts.fillna(0).astype("int64")
    frame = pd.concat([frame, pd.DataFrame(columns_of_tasks, index=frame.index)], axis=1)
    frame["search_score"] = frame[[f"{task}_ratio" for task in tasks]].to_numpy(np.float64).min(axis=1)
    frame["evidence"] = SEARCH
    _retrained(frame, retrained(store, best), tasks)

    ratios = frame[[f"{task}_ratio" for task in tasks]].to_numpy(np.float64)
    errors = frame[[f"{task}_ratio_se" for task in tasks]].to_numpy(np.float64)
    finite = np.where(np.isnan(ratios), np.inf, ratios)
    weakest, place = finite.min(axis=1), finite.argmin(axis=1)
    frame["score"] = ratios.min(axis=1)  # NaN wherever a ratio is
    score_errors = np.where(frame["score"].isna(), np.nan, errors[np.arange(len(frame)), place])
    for k in np.flatnonzero((frame["evidence"] == RETRAINED) & frame["score"].notna()):
        score_errors[k] = error_of_smallest(ratios[k], errors[k])
    frame["score_se"] = score_errors
    frame["weakest_task"] = pd.Series(
        [tasks[k] if np.isfinite(ratio) else None for k, ratio in zip(place, weakest, strict=True)],
        index=frame.index,
        dtype=object,
    )

    totals = pd.DataFrame(store.typed(_TOTALS, _TOTAL_KINDS), columns=list(_TOTAL_KINDS))
    totals = totals.set_index("cell").reindex(frame.index).fillna(0)
    frame[["trials", "steps"]] = totals[["trials", "steps"]].astype("int64")
    frame["seconds"] = totals["seconds"].astype("float64")
    frame["relative_step_seconds"] = _relative_step_seconds(store, tasks, frame.index)
    frame["diverged_share"] = totals["lost"].astype("float64") / frame["trials"].where(frame["trials"] > 0)
    frame["simulated"] = store.simulated
    frame["environments"] = _environments(store, frame.index)
    frame["formula"] = ["; ".join(formula.splitlines()) for formula in frame["formula"]]
    return _ranked(frame, weakest)[list(columns(tasks))]


def write_leaderboard(store: Store, tasks: Sequence[str], path: Path) -> None:
    """Write the table as CSV, UTF-8, with full precision; a reader sees the old file or the new one, never a part.

    Raises:
        ResultsError: as `leaderboard`.
        StoreError: the store cannot be read or the file cannot be written.
    """
    write_atomically(path, csv_text(leaderboard(store, tasks)))


def sorted_by(frame: pd.DataFrame, task: str) -> pd.DataFrame:
    """A leaderboard by one task's ratio, best first; retrained cells first still, and those without a ratio last."""
    ratios = frame[f"{task}_ratio"].fillna(-np.inf).to_numpy(np.float64)
    order = np.lexsort((np.arange(len(frame)), -ratios, (frame["evidence"] != RETRAINED).to_numpy()))
    return frame.iloc[order].reset_index(drop=True)


def _ranked(frame: pd.DataFrame, weakest: Floats) -> pd.DataFrame:
    """In order, with ranks."""
    ranked = (frame["stage"] == COMPLETE) & frame["score"].notna()
    order = np.lexsort(
        (
            frame.index.to_numpy(dtype=str),
            frame["parameters"].fillna(np.inf).to_numpy(),
            np.where(np.isinf(weakest), np.inf, -weakest),  # a cell without any ratio comes last
            (frame["evidence"] != RETRAINED).to_numpy(),
            ~ranked.to_numpy(),
        )
    )
    frame = frame.iloc[order].copy()
    places = pd.Series(range(1, len(frame) + 1), index=frame.index, dtype="Int64")
    frame["rank"] = places.where(ranked.iloc[order])
    whole = ["parameters", "multiply_adds"]
    frame[whole] = frame[whole].astype("Int64")
    frame["cell"] = frame.index.str[:SHORT_ID]
    return frame.reset_index(drop=True)


def _estimates(store: Store, tasks: Sequence[str], frame: pd.DataFrame, best: pd.DataFrame) -> dict[str, Any]:
    """What the search found on each task, and the sizes of the picked trials."""
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
        layers = own["setting"].map(lambda text: store.decoded("setting", text).get("layers", math.nan))
        layers = layers.reindex(frame.index).astype("float64")
        parameters = parameters.combine(picked["parameters"].astype("float64"), np.fmax)
        products = layers * frame["products"].astype("float64") * picked["units"].astype("float64") ** 2
        multiply_adds = multiply_adds.combine(products, np.fmax)
    # A count above 2**53 is none of a real cell, and no float.
    return found | {"parameters": parameters, "multiply_adds": multiply_adds.where(multiply_adds < LARGEST_COUNT)}


def _retrained(frame: pd.DataFrame, found: Retrained, tasks: Sequence[str]) -> None:
    """Put the finalists' numbers in the place of the search's, for cells that have all of them."""
    cells = [cell for cell in found.cells(tasks) if cell in frame.index and frame.at[cell, "stage"] == COMPLETE]
    if GRU not in cells:
        return
    changes: dict[str, dict[str, Any]] = {"evidence": dict.fromkeys(cells, RETRAINED)}  # column -> cell -> value
    for task in tasks:
        reference = found.on(task, GRU)
        for cell in cells:
            own = found.on(task, cell)
            error = np.std(own, ddof=1) / np.sqrt(own.size)
            numbers = (own.mean(), error, *ratio_of_means(own, reference, found.higher[task]))
            for name, number in zip(("test", "test_se", "ratio", "ratio_se"), numbers, strict=True):
                changes.setdefault(f"{task}_{name}", {})[cell] = number
        changes[f"{task}_repeats"] = dict.fromkeys(cells, found.repeats)
        changes[f"{task}_lost"] = {cell: found.lost[task][cell] for cell in cells}
    others = [name for name in (GRU, LSTM) if name in cells]
    pairs = [(task, cell, other) for task in tasks for other in others for cell in cells if cell != other]
    # The GRU beside the LSTM is the LSTM beside the GRU: one test.
    pairs = [pair for pair in pairs if pair[1:] != (GRU, LSTM)]
    for result in compare(found, pairs):
        column = f"{result.task}_vs_{'gru' if result.other == GRU else 'lstm'}"
        changes.setdefault(column, {})[result.cell] = str(result.verdict)
        changes.setdefault(f"{column}_p", {})[result.cell] = result.adjusted
        if (result.cell, result.other) == (LSTM, GRU):
            changes.setdefault(f"{result.task}_vs_lstm", {})[GRU] = str(result.verdict.reversed)
            changes.setdefault(f"{result.task}_vs_lstm_p", {})[GRU] = result.adjusted
    for column, values in changes.items():  # a column at a time: pandas takes as long for one place as for all
        frame.loc[list(values), column] = list(values.values())


def _relative_step_seconds(store: Store, tasks: Sequence[str], cells: pd.Index) -> Floats:
    """Time of a training step over the LSTM's, geometric mean over the tasks that both have."""
    rows = pd.DataFrame(store.typed(_STEP_SECONDS, _STEP_SECONDS_KINDS), columns=list(_STEP_SECONDS_KINDS))
    times = rows[rows["task"].isin(tasks) & (rows["seconds"] > 0)].pivot(index="cell", columns="task", values="seconds")
    if LSTM not in times.index:
        return np.full(len(cells), np.nan)
    logs = times.astype("float64").map(math.log)
    means = (logs - logs.loc[LSTM]).mean(axis=1).reindex(cells)
    # Python's functions and not NumPy's, which has others for wider vectors: the table is the same on any processor.
    return np.array([math.exp(mean) for mean in means], np.float64)


def _environments(store: Store, cells: pd.Index) -> list[int]:
    """In how many environments each cell's trials and the GRU's were trained, all together."""
    found: dict[str, set[str]] = {}
    for cell, environment in store.typed(_ENVIRONMENTS, {"cell": str, "environment": str}):
        found.setdefault(cell, set()).add(environment)
    reference = found.get(GRU, set())
    return [len(found.get(cell, set()) | reference) for cell in cells]

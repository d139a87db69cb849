"""The ranked table of a run: what people read, sort and open as CSV. A projection of the store, which is the truth.

    frame = leaderboard(store, tasks=["arithmetic", "xml"])
    write_leaderboard(store, ["arithmetic", "xml"], folder / "leaderboard.csv")

First the cells that went through every stage, best score first; below them, without a rank, those that were stopped
after memorization, best first too. Cells that memorization stopped are not rows. The columns depend on the list of
tasks alone, and the same store gives the same bytes; only `seconds` differs between two equal runs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from results.errors import ResultsError
from results.estimates import GRU, compared, picks, stages
from results.files import write_atomically
from results.ratio import Floats
from results.records import COMPLETE, LOST_STATES
from results.store import Store

SHORT_ID = 8
"""Hex digits of an id that people read and type."""

SIMULATED = "SIMULATED: every number is made up, no cell was trained"
"""What stands wherever people see results of a simulated run."""

COLUMNS = {
    "rank": "1 = best; empty for a cell that did not complete every stage or has no score",
    "cell": "first 8 hex digits of the cell's id",
    "name": "name of a library cell or of the file it came from; empty for a found cell",
    "origin": "baseline (given) or found (by the search)",
    "parent": "name, else first 8 hex digits, of the cell that it was mutated from",
    "stage": "complete, or where it stopped, or running",
    "simulated": "True in every row of a simulated run: its numbers are made up, nothing was trained; else False",
    "score": "smallest of the ratios below, over all ranked tasks; higher is better, the GRU has 1; "
    "empty unless every ranked task has a ratio",
    "weakest_task": "the task with the smallest ratio so far",
    "TASK_validation": "best metric on the validation set, over trials that ended ok, stopped or at-chance; "
    "unit and direction are the task's",
    "TASK_test": "metric on the test set of the trial that validation picked; same unit",
    "TASK_ratio": "validation metric over the GRU's best (GRU's over the cell's where lower is better); "
    "above 1 is better",
    "TASK_ratio_se": "standard error of the ratio from the finite validation sets alone (delta method); 0 for the GRU",
    "TASK_settings": "settings tried on the task",
    "diverged_share": "share of all its trials, 0 to 1, that diverged or failed; lower is better",
    "parameters": "numbers trained in the picked trials: the largest over the ranked tasks",
    "trials": "trials on all tasks, memorization included",
    "steps": "training steps of all these trials together",
    "seconds": "wall-clock time of all these trials together; the one column that differs between equal runs",
    "environments": "in how many environments (versions, processor, commit) its trials and the GRU's were trained; "
    "above 1, as after a resume under other versions, small differences may come from that",
    "formula": "the cell, its lines joined by '; '",
}
"""The columns in order, with meaning, unit and direction; those with TASK are there once for each ranked task."""

_FIXED_WIDTH, _TASK_WIDTH = 50, 17
"""Columns of a terminal that the table takes with ratios: without the tasks, and for each task."""

TASK_COLUMNS = tuple(column for column in COLUMNS if column.startswith("TASK_"))

_TOTALS = f"""
    SELECT cell, count(*), sum(state IN {LOST_STATES}), sum(steps), sum(seconds) FROM trials GROUP BY cell"""
_ENVIRONMENTS = "SELECT DISTINCT cell, environment FROM trials WHERE environment IS NOT NULL"
_SETTINGS = "SELECT cell, task, count(DISTINCT setting) FROM trials GROUP BY cell, task"
_CELLS = """
    SELECT cells.id, cells.name, cells.origin, cells.formula, coalesce(parents.name, substr(cells.parent, 1, ?))
    FROM cells LEFT JOIN cells AS parents ON parents.id = cells.parent ORDER BY cells.id"""


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
    frame = pd.DataFrame(
        store.select(_CELLS, (SHORT_ID,)), columns=["id", "name", "origin", "formula", "parent"], dtype=object
    ).set_index("id")
    best = picks(store)
    settings = pd.DataFrame(store.select(_SETTINGS), columns=["cell", "task", "settings"])
    visited = settings["cell"][settings["task"].isin(tasks)].unique()

    frame["stage"] = pd.Series(stages(store, tasks), dtype=object).reindex(frame.index).fillna("running")
    frame = frame[frame.index.isin(visited) | (frame["stage"] == COMPLETE)]
    frame["parameters"] = np.nan
    for task in tasks:
        on_task = best[best["task"] == task].set_index("cell")
        for column, values in _compare(frame.index, on_task).items():
            frame[f"{task}_{column}"] = values
        counts = settings[settings["task"] == task].set_index("cell")["settings"].reindex(frame.index)
        frame[f"{task}_settings"] = counts.fillna(0).astype("int64")
        frame["parameters"] = frame["parameters"].combine(on_task["parameters"].reindex(frame.index), np.fmax)
    frame["simulated"] = store.simulated
    ratios = frame[[f"{task}_ratio" for task in tasks]].to_numpy(np.float64)
    known = np.where(np.isnan(ratios), np.inf, ratios)
    weakest = known.min(axis=1)
    frame["score"] = ratios.min(axis=1)  # NaN wherever a ratio is
    frame["weakest_task"] = pd.Series(
        [tasks[place] if np.isfinite(known[row, place]) else None for row, place in enumerate(known.argmin(axis=1))],
        index=frame.index,
        dtype=object,
    )

    totals = pd.DataFrame(store.select(_TOTALS), columns=["cell", "trials", "lost", "steps", "seconds"])
    totals = totals.set_index("cell").reindex(frame.index).fillna(0)
    frame[["trials", "steps"]] = totals[["trials", "steps"]].astype("int64")
    frame["seconds"] = totals["seconds"].astype("float64")
    frame["diverged_share"] = totals["lost"].astype("float64") / frame["trials"].where(frame["trials"] > 0)
    frame["environments"] = _environments(store, frame.index)
    frame["formula"] = ["; ".join(formula.splitlines()) for formula in frame["formula"]]
    return _ranked(frame, weakest)[list(columns(tasks))]


def write_leaderboard(store: Store, tasks: Sequence[str], path: Path) -> None:
    """Write the table as CSV, UTF-8, with full precision; a reader sees the old file or the new one, never a part.

    Raises:
        ResultsError: as `leaderboard`.
        StoreError: the store cannot be read or the file cannot be written.
    """
    write_atomically(path, leaderboard(store, tasks).to_csv(index=False, lineterminator="\n"))


def render_table(frame: pd.DataFrame, top: int | None, width: int | None = None) -> Table:
    """What a terminal shows of the first `top` rows of `leaderboard` (all for None).

    Behind each test metric stands the ratio in brackets, which is of the validation metrics, red below 1. Where `width`
    columns are too few for it, the colour alone says so, and the number of parameters is left out. A cell that did not
    complete says where it stopped. The caption says it first where the run was simulated.
    """
    tasks = [str(column).removesuffix("_ratio") for column in frame.columns if str(column).endswith("_ratio")]
    ratios = width is None or width >= _FIXED_WIDTH + _TASK_WIDTH * len(tasks)
    caption = "test metric (validation ratio to the GRU, above 1 is better)" if ratios else "test metric"
    mixed = int((frame["environments"] > 1).sum())
    if mixed:
        caption += f"; {mixed} cells with trials of other versions or processors than the GRU's, see `environments`"
    if frame["simulated"].any():
        caption = f"{SIMULATED}\n{caption}"
    table = Table(box=SIMPLE_HEAD, show_edge=False, caption=caption, padding=(0, 1, 0, 0))
    for heading in ("rank", "cell", "name", "score", *tasks, *(["parameters"] if ratios else [])):
        left = heading in ("cell", "name")
        table.add_column(Text(heading), justify="left" if left else "right", overflow="fold", no_wrap=heading != "name")
    shown = frame if top is None else frame.head(top)
    for row in shown.to_dict("records"):
        # `Text` shows brackets in a name as they are; a plain string would be read as markup.
        name = Text("" if pd.isna(row["name"]) else row["name"])
        if row["stage"] != COMPLETE:
            name.append(f" {row['stage']}" if name else row["stage"], "dim")
        cells = [Text(_shown(row["rank"], ".0f")), Text(row["cell"]), name, Text(_shown(row["score"], ".4f"), "bold")]
        for task in tasks:
            cell, compared = Text(_shown(row[f"{task}_test"], ".4f")), row[f"{task}_ratio"]
            if pd.notna(compared):
                style = "red" if compared < 1 else ""
                cell.stylize(style)
                if ratios:
                    cell.append(f" ({compared:.3f})", style)
            cells.append(cell)
        if ratios:
            cells.append(Text(_shown(row["parameters"], ",.0f")))
        table.add_row(*cells)
    return table


def _shown(value: Any, style: str) -> str:
    return "" if pd.isna(value) else format(value, style)


def _ranked(frame: pd.DataFrame, weakest: Floats) -> pd.DataFrame:
    """In order, with ranks."""
    ranked = (frame["stage"] == COMPLETE) & frame["score"].notna()
    order = np.lexsort(
        (
            frame.index.to_numpy(dtype=str),
            frame["parameters"].fillna(np.inf).to_numpy(),
            np.where(np.isinf(weakest), np.inf, -weakest),  # a cell without any ratio comes last
            ~ranked.to_numpy(),
        )
    )
    frame = frame.iloc[order]
    places = pd.Series(range(1, len(frame) + 1), index=frame.index, dtype="Int64")
    frame["rank"] = places.where(ranked.iloc[order])
    frame["parameters"] = frame["parameters"].astype("Int64")
    frame["cell"] = frame.index.str[:SHORT_ID]
    return frame.reset_index(drop=True)


def _compare(cells: pd.Index, own: pd.DataFrame) -> dict[str, Any]:
    """Columns of one task for the cells, from the picked trial of each cell that has one."""
    ratios, errors = compared(cells, own)
    values = own.reindex(cells)
    return {
        "validation": values["validation"].to_numpy(np.float64),
        "test": values["test"].to_numpy(np.float64),
        "ratio": ratios,
        "ratio_se": errors,
    }


def _environments(store: Store, cells: pd.Index) -> list[int]:
    """In how many environments each cell's trials and the GRU's were trained, all together."""
    found: dict[str, set[str]] = {}
    for cell, environment in store.select(_ENVIRONMENTS):
        found.setdefault(cell, set()).add(environment)
    reference = found.get(GRU, set())
    return [len(found.get(cell, set()) | reference) for cell in cells]

"""Files of a run's tables: the leaderboard, short and whole, the description of their columns, and the trials.

    write_tables(store, ["arithmetic", "xml"], folder, trials=True)

The same store gives the same bytes; those of the trials depend on the version of pyarrow, too.
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from results.store.files import write_atomically
from results.store.queries import metric_directions
from results.store.sanitize import csv_text
from results.store.store import Store
from results.tables.columns import FORMAT, HIGHER, LOWER, OF_METRIC, Column, columns, columns_of
from results.tables.file_names import COLUMNS_FILE, FULL_FILE, TABLE_FILE, TRIALS_FILE
from results.tables.leaderboard import leaderboard
from results.tables.trials import TIDY, tidy_trials
from search.cells.ids import printed_id
from tasks.metrics import METRICS


def write_tables(store: Store, tasks: Sequence[str], folder: Path, *, trials: bool) -> None:
    """Write the tables of a run into a folder, and note their format in the store if it is the run's own.

    A reader sees the old file or the new one, never a part.

    Args:
        store: the run.
        tasks: its ranked tasks.
        folder: the folder, which exists.
        trials: whether the trials are written too, which takes longer; a search does so at its end.

    Raises:
        ResultsError: as `results.tables.leaderboard.leaderboard`.
        StoreError: the store cannot be read or written, or a file cannot be written.
    """
    for name, text in table_texts(store, tasks, leaderboard(store, tasks)).items():
        write_atomically(folder / name, text)
    if trials:
        write_atomically(folder / TRIALS_FILE, trials_bytes(store))
    if folder == store.folder and store.information.get("leaderboard_format") != FORMAT:
        store.mark(leaderboard_format=FORMAT)


def table_texts(store: Store, tasks: Sequence[str], frame: pd.DataFrame) -> dict[str, str]:
    """Return the files of `TEXT_FILES` by name; `frame` is the leaderboard of the store."""
    return {
        TABLE_FILE: short_text(frame),
        FULL_FILE: full_text(frame),
        COLUMNS_FILE: columns_text(store, tasks),
    }


def short_text(frame: pd.DataFrame) -> str:
    """Return the short form of a leaderboard, or of some of its rows, as CSV."""
    return csv_text(frame[[name for name in columns(_tasks_of(frame), main=True) if name in frame]])


def full_text(frame: pd.DataFrame) -> str:
    """Return a leaderboard, or some of its rows, as CSV with all columns, and with columns of its own at the end."""
    return csv_text(_whole(frame))


def full_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of `full_text` for JSON: numbers at full precision, and None where the CSV has an empty field."""
    return plain_records(_whole(frame))


def plain_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of any table for JSON: plain numbers and texts, None for missing and infinite ones."""
    return [
        {str(name): _plain(value) for name, value in row.items()} for row in frame.astype(object).to_dict("records")
    ]


def _plain(value: Any) -> Any:
    if pd.isna(value) or (isinstance(value, float) and not np.isfinite(value)):  # JSON has no infinity
        return None
    return value.item() if isinstance(value, np.generic) else value


def _whole(frame: pd.DataFrame) -> pd.DataFrame:
    whole = frame.assign(id=[printed_id(str(cell)) for cell in frame.index])
    known = columns(_tasks_of(frame))
    return whole[[*known, *(name for name in whole if name not in known)]]


def trials_bytes(store: Store) -> bytes:
    """Return all trials of a run as a Parquet file, with the columns of `TIDY`."""
    target = io.BytesIO()
    tidy_trials(store).to_parquet(target, index=False, compression="zstd")
    return target.getvalue()


def columns_text(store: Store, tasks: Sequence[str]) -> str:
    """Return the description of the columns of all files as JSON."""
    directions = metric_directions(store)
    known = [
        (column.main, _entry(name, column, task, directions.get(task or "", ("", None))))
        for name, column, task in columns_of(tasks)
    ]
    files = {
        TABLE_FILE: [entry for main, entry in known if main],
        FULL_FILE: [entry for _, entry in known],
        TRIALS_FILE: [_entry(name, column, None, ("", None)) for name, column in TIDY.items()],
    }
    texts = []
    for name, entries in files.items():  # a line for each column
        lines = ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in entries)
        texts.append(f" {json.dumps(name)}: [\n{lines}\n ]")
    body = ",\n".join(texts)
    return f'{{"format": {FORMAT}, "files": {{\n{body}\n}}}}\n'


def _entry(name: str, column: Column, task: str | None, metric: tuple[str, bool | None]) -> dict[str, Any]:
    """Return the description of a column; `metric` is the name and the direction of the one that ranks its task.

    In a table of several tasks, the unit and the direction `metric` are those of the metric that the row names.
    """
    unit, better = column.unit, column.better
    if task is not None:
        measure, higher = metric
        unit = unit if unit != OF_METRIC else METRICS[measure].unit if measure in METRICS else ""
        better = better if better != OF_METRIC else {True: HIGHER, False: LOWER, None: ""}[higher]
    found = {"name": name, "type": str(column.type), "unit": unit or None, "better": better or None}
    return found | {"empty": column.empty, "task": task, "meaning": column.meaning}


def _tasks_of(frame: pd.DataFrame) -> list[str]:
    """Return the ranked tasks of a leaderboard, in order."""
    return [str(name).removesuffix("_ratio_se") for name in frame.columns if str(name).endswith("_ratio_se")]

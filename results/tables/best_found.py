"""Best found cell by the table in a run's folder, without making the table again, which takes seconds."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from results.store.words import Evidence, Origin
from results.tables.file_names import FULL_FILE, TRIALS_FILE


@dataclass(frozen=True)
class BestFound:
    """Best found cell of a table."""

    cell: str  # id as it is printed
    name: str | None
    score: float
    error: float | None  # standard error of the score
    evidence: Evidence


def best_in_files(folder: Path, trials: int) -> BestFound | None:
    """Return the ranked found cell that stands highest in the table of a folder.

    Args:
        folder: of a run.
        trials: number of trials in its store.

    Returns:
        The cell, or None if the table has none, cannot be read, or is not of all trials of the store.
    """
    import pyarrow.parquet  # slow to import

    try:
        if pyarrow.parquet.read_metadata(folder / TRIALS_FILE).num_rows != trials:
            return None
        with open(folder / FULL_FILE, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["origin"] == Origin.FOUND and row["rank"]:
                    return _best(row)
    except (OSError, ValueError, KeyError, csv.Error, pyarrow.ArrowException):  # of an older version, or not ours
        return None
    return None


def _best(row: dict[str, str]) -> BestFound:
    score, error = float(row["score"]), float(row["score_se"]) if row["score_se"] else None
    if not math.isfinite(score) or not (error is None or math.isfinite(error)):
        raise ValueError("the score of a ranked cell is finite")
    return BestFound(row["id"], row["name"] or None, score, error, Evidence(row["evidence"]))

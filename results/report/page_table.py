"""The leaderboard as rows of the report's page: which columns it shows, and how their values are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from results.tables.leaderboard import COLUMNS

MOST_ROWS = 1000
"""Rows of a page; whatever stands below them is in the CSV."""

MOST_CHARACTERS = 400
"""Of a formula that is longer, the page shows so much."""


@dataclass(frozen=True)
class Heading:
    """A column: what stands above it, what a pointer on it says, whether it is text, which way sorts first.

    `printed`: whether it is there on paper too, which is narrower than a screen and does not scroll.
    """

    words: str
    meaning: str
    text: bool
    descending: bool
    printed: bool


@dataclass(frozen=True)
class Entry:
    """What stands in a place, the number that it is sorted by, and what a pointer on it says."""

    words: str
    value: float | None = None
    note: str = ""
    style: str = ""


@dataclass(frozen=True)
class Row:
    """A cell's entries, in the order of the headings."""

    baseline: bool
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class _Column:
    name: str
    words: str
    style: str = ""  # of numbers; empty for text
    descending: bool = False  # whether the largest is best, and so comes first at the first click
    printed: bool = True


_BEFORE = (
    _Column("rank", "rank", ".0f"),
    _Column("cell", "cell"),
    _Column("name", "name"),
    _Column("evidence", "evidence"),
    _Column("score", "score", ".4f", True),
)
_AFTER = (
    _Column("parameters", "parameters", ",.0f"),
    _Column("multiply_adds", "multiply-adds", ",.0f"),
    _Column("relative_step_seconds", "time a step", ".2f"),
    _Column("diverged_share", "lost", ".0%"),
    _Column("parent", "parent", printed=False),
    _Column("stage", "stage", printed=False),
    _Column("formula", "formula", printed=False),
)
_TEXT = "text"
_VERDICTS = {"better": "better", "worse": "worse"}


def headings(frame: pd.DataFrame, tasks: Sequence[str], higher: Mapping[str, bool]) -> list[Heading]:
    """The columns that the page shows of a leaderboard.

    `tasks`: its ranked tasks. `higher`: of each whose metric is known, whether more of it is better.
    """
    found = []
    for column in _columns(frame, tasks, higher):
        task = next((task for task in tasks if column.name in (f"{task}_test", f"{task}_ratio")), None)
        key = column.name if task is None else column.name.replace(task, "TASK", 1)
        meaning = COLUMNS.get(key, "")
        if task is not None and task in higher and column.name == f"{task}_test":
            meaning += f". Here {'higher' if higher[task] else 'lower'} is better"
        found.append(Heading(column.words, meaning, not column.style, column.descending, column.printed))
    return found


def rows(frame: pd.DataFrame, tasks: Sequence[str]) -> list[Row]:
    """The first `MOST_ROWS` rows of a leaderboard."""
    columns = _columns(frame, tasks, {})
    return [
        Row(record["origin"] == "baseline", tuple(_entry(column.name, column.style, record) for column in columns))
        for record in frame.head(MOST_ROWS).to_dict("records")
    ]


def _columns(frame: pd.DataFrame, tasks: Sequence[str], higher: Mapping[str, bool]) -> list[_Column]:
    metrics = [
        column
        for task in tasks
        for column in (
            _Column(f"{task}_test", task, ".4f", higher.get(task, False)),
            _Column(f"{task}_ratio", "to GRU", ".3f", True),
        )
    ]
    return [column for column in (*_BEFORE, *metrics, *_AFTER) if column.name in frame.columns]


def _entry(name: str, style: str, record: dict[Any, Any]) -> Entry:
    value = record[name]
    if pd.isna(value):
        return Entry("")
    if not style:
        words = str(value)
        if name == "formula":
            words = words.replace("; ", "\n")
            words = words if len(words) <= MOST_CHARACTERS else words[: MOST_CHARACTERS - 3] + "..."
        return Entry(words)
    number = float(value)
    error = record.get(f"{name}_se")
    note = "" if error is None or pd.isna(error) else f"standard error {float(error):.2g}"
    verdict = record.get(f"{name.removesuffix('_ratio')}_vs_gru") if name.endswith("_ratio") else None
    if verdict is not None and not pd.isna(verdict):
        note = "; ".join(part for part in (note, f"against the GRU: {verdict}") if part)
    return Entry(format(number, style), number, note, _VERDICTS.get(str(verdict), ""))

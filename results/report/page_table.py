"""Leaderboard as rows of the report's page: the columns shown, and the format of their values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from results.report.metric_words import heading_words
from results.scores.comparison import Verdict
from results.store.words import Origin, ScoreKind
from results.tables.columns import COLUMNS
from results.tables.frame import has_rank, is_retrained, kind_of, known_names
from results.tables.readable import publications
from results.tables.selection import family_of
from results.tables.trial_figures import CROSS_ENTROPY
from search.cells.published.citation import short_citation
from search.cells.text import shorten

MOST_ROWS = 1000
"""Rows of a page; the CSV has all of them."""

MOST_CHARACTERS = 400
"""Characters to which longer formulas are cut."""

TO_GRU = "to GRU"
"""Heading of the shares of the GRU's result, one for each task."""

MARKS = {Verdict.BETTER: "+", Verdict.WORSE: "\N{MINUS SIGN}"}
"""Marks of cells that differ from the GRU beyond the noise."""

_GROUPS = (
    (
        "Retrained on fresh seeds",
        "Means over seeds that the search has not used, with their standard errors. Confirmed cells have further "
        "seeds, which took no part in choosing them.",
    ),
    (
        "Estimates of the search",
        "The best of several trials of each cell, so these numbers are too good. They choose what is retrained and "
        "show nothing by themselves: do not compare them with the rows above.",
    ),
    (
        "Not ranked",
        "Cells that stopped at a task, or whose training has not ended.",
    ),
)


@dataclass(frozen=True)
class Heading:
    """Heading of a column: its words, its tooltip, whether it holds text, and the direction of the first sort.

    `names`: what a search for numbers calls the column, such as `xml_gain > 1`. `printed`: whether the column is
    printed on paper, which is narrower than a screen and does not scroll. `unit`: unit of its numbers, and for a metric
    an arrow towards the better ones.
    """

    words: str
    names: tuple[str, ...]
    meaning: str
    text: bool
    descending: bool
    printed: bool
    unit: str = ""


@dataclass(frozen=True)
class Entry:
    """Text of a table cell, the number it is sorted by, its standard error, verdict, tooltip and style.

    `mark` is + or - if the cell is better or worse than the GRU beyond the noise.
    """

    words: str
    value: float | None = None
    error: str = ""
    mark: str = ""
    note: str = ""
    style: str = ""


@dataclass(frozen=True)
class Row:
    """Row of one cell: its whole id, whether it was given or has a published name, and its entries by heading."""

    cell: str
    named: bool
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Group:
    """Rows with one kind of evidence: a title, what it means, and the rows."""

    title: str
    meaning: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class _Column:
    name: str
    words: str
    style: str = ""  # number format; empty for text
    unit: str = ""
    descending: bool = False  # whether the largest is best, and so first after the first click
    printed: bool = True


_BEFORE = (
    _Column("rank", "rank", ".0f"),
    _Column("cell", "cell"),
    _Column("name", "name"),
    _Column("score", "score", ".4f", "GRU = 1 \N{UPWARDS ARROW}", True),
    _Column("evidence", "evidence"),
)
_PUBLISHED = (_Column("family", "family"), _Column("publication", "publication", printed=False))
"""Columns of a page of given cells, most of which are published."""

_FAMILY_MEANINGS = {
    "family": "family of a published cell; empty for any other",
    "publication": "publication of a published cell",
}

_AFTER = (
    _Column("relative_parameters", "parameters", ".2f", "GRU = 1"),
    _Column("relative_multiply_adds", "mult-adds", ".2f", "GRU = 1"),
    _Column("relative_step_seconds", "time", ".2f", "LSTM = 1"),
    _Column("diverged_share", "diverged", ".0%", "of trials"),
    _Column("parent", "parent", printed=False),
    _Column("stage", "stage", printed=False),
    _Column("formula", "formula", printed=False),
)


def headings(
    frame: pd.DataFrame, tasks: Sequence[str], higher: Mapping[str, bool], *, published: bool = False
) -> list[Heading]:
    """Return the columns of a leaderboard that the page shows.

    Args:
        frame: a leaderboard.
        tasks: its ranked tasks.
        higher: for tasks with a known metric, whether a higher one is better.
        published: whether families and publications are shown.
    """
    found = []
    for column in _columns(frame, tasks, higher, published):
        task = next((task for task in tasks if column.name in (f"{task}_test", *_share_columns(task))), None)
        key = column.name if task is None else column.name.replace(task, "TASK", 1)
        meaning = COLUMNS[key].meaning if key in COLUMNS else _FAMILY_MEANINGS.get(key, "")
        if task is not None and task in higher and column.name == f"{task}_test":
            meaning += f". Here {'higher' if higher[task] else 'lower'} is better"
        names = (column.words.replace(" ", "-"),) if column.words != TO_GRU else ()
        found.append(
            Heading(
                column.words,
                (*names, column.name),
                meaning,
                not column.style,
                column.descending,
                column.printed,
                column.unit,
            )
        )
    return found


def groups(frame: pd.DataFrame, tasks: Sequence[str], *, published: bool = False) -> list[Group]:
    """Return the rows of `rows` by their evidence, in the order of the table: retrained, estimated, not ranked."""
    found = rows(frame, tasks, published=published)
    shown = frame.head(MOST_ROWS)
    ranked = has_rank(shown)
    kinds = [0 if new and known else 1 if known else 2 for new, known in zip(is_retrained(shown), ranked, strict=True)]
    parts = [tuple(row for row, own in zip(found, kinds, strict=True) if own == kind) for kind in range(len(_GROUPS))]
    return [Group(*words, part) for words, part in zip(_GROUPS, parts, strict=True) if part]


def rows(frame: pd.DataFrame, tasks: Sequence[str], *, published: bool = False) -> list[Row]:
    """Return the first `MOST_ROWS` rows of a leaderboard, if asked for with families and publications."""
    columns = _columns(frame, tasks, {}, published)
    shown = frame.head(MOST_ROWS)
    ranks = shown["rank"].astype("Int64").where(has_rank(shown))  # empty where the cell is not ranked
    shown = shown.assign(name=known_names(shown), rank=ranks)
    if published:
        known = [None if reference is None else short_citation(reference) for reference in publications(shown)]
        families = [family_of(str(cell)) for cell in shown.index]
        shown["family"] = pd.Series(families, shown.index, dtype=object)
        shown["publication"] = pd.Series(known, shown.index, dtype=object)
    return [
        Row(
            str(cell),
            record["origin"] != Origin.FOUND or bool(record["name"]),
            tuple(_entry(column.name, column.style, record) for column in columns),
        )
        for cell, record in zip(shown.index, shown.to_dict("records"), strict=True)
    ]


def _columns(frame: pd.DataFrame, tasks: Sequence[str], higher: Mapping[str, bool], published: bool) -> list[_Column]:
    kind = kind_of(frame)
    metrics = [
        column
        for task in tasks
        for column in (
            _Column(f"{task}_test", task, ".4f", _unit(frame, task, higher.get(task)), higher.get(task, False)),
            _Column(f"{task}_{kind}", TO_GRU, ".3f", "GRU = 1 \N{UPWARDS ARROW}", True),
        )
    ]
    after = [column for column in _AFTER if not (published and column.name == "parent")]
    known = [column for column in (*_BEFORE, *metrics, *after) if column.name in frame.columns]
    costs = next((k for k, column in enumerate(known) if column in _AFTER), len(known))
    return [*known[:costs], *(_PUBLISHED if published else ()), *known[costs:]]


def _unit(frame: pd.DataFrame, task: str, higher: bool | None) -> str:
    """Return the unit of the metric that ranks a task, and where the better values are."""
    metrics = [] if f"{task}_metric" not in frame.columns else list(frame[f"{task}_metric"].dropna().unique())
    return heading_words(str(metrics[0]), higher) if metrics else ""


def _share_columns(task: str) -> tuple[str, ...]:
    return tuple(f"{task}_{kind}" for kind in ScoreKind)


def _entry(name: str, style: str, record: dict[Any, Any]) -> Entry:
    value = record[name]
    if pd.isna(value):
        return Entry("")
    if not style:
        words = str(value)
        if name == "formula":
            words = shorten(words.replace("; ", "\n"), MOST_CHARACTERS)
        return Entry(words)
    number = float(value)
    error = record.get(f"{name}_se")
    uncertain = "" if error is None or pd.isna(error) else f"\N{PLUS-MINUS SIGN}{format(float(error), style)}"
    task = next((name.removesuffix(f"_{kind}") for kind in ScoreKind if name.endswith(f"_{kind}")), None)
    if name.endswith("_test") and record.get(f"{name.removesuffix('_test')}_metric") == CROSS_ENTROPY:
        perplexity = record.get(f"{name.removesuffix('_test')}_perplexity")
        if perplexity is not None and not pd.isna(perplexity):
            return Entry(format(number, style), number, uncertain, note=f"perplexity {float(perplexity):.4g}")
    verdict = None if task is None else record.get(f"{task}_vs_gru")
    if verdict is None or pd.isna(verdict):
        return Entry(format(number, style), number, uncertain)
    mark = MARKS.get(verdict, "")
    note = f"against the GRU: {verdict}"
    p, repeats = record.get(f"{task}_vs_gru_p"), record.get(f"{task}_repeats")
    if p is not None and not pd.isna(p):
        note += f", corrected p value {float(p):.2g}"
    if repeats is not None and not pd.isna(repeats):
        note += f", {int(repeats)} seeds"
    return Entry(format(number, style), number, uncertain, mark, note, str(verdict) if mark else "")

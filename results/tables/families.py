"""Leaderboard by family of published cells: the best of each, and how many are better than the GRU and the LSTM.

    table = family_table(frame, ["arithmetic", "xml"])

A row stands for a family. Below the families are rows for all cells, for those without a matrix product in a loop, and
for those that are linear in the state, which cut across the families.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from results.scores.comparison import Verdict
from results.store.sanitize import printable
from results.store.words import ScoreKind
from results.tables.frame import is_retrained, kind_of
from results.tables.readable import escaped_markdown, latex_table, left_out, markdown_table
from results.tables.selection import FAMILY_NAMES, family_of, selected
from search.cells.library import label_of

UNPUBLISHED, ALL = "unpublished", "all cells"
PRODUCT_FREE, LINEAR = "no products in loops", "linear in the state"

_AHEAD = {"better than GRU": "gru", "better than LSTM": "lstm", "than both": "both"}
_NUMBERS = ("cells", "score", "median")

GAP = 2
"""Spaces between the columns of the table for a terminal."""

COLUMNS = {
    "cells": "number of cells in the table",
    "best": "cell with the highest score",
    "score": "its score",
    "score_se": "standard error of the score",
    "median_score": "median score of the cells that have one",
    "TASK_best": "cell with the largest share of the GRU's gain on the task (of its metric, if ratios rank the run)",
    "TASK_share": "that share; 1: as good as the GRU",
    "TASK_share_se": "its standard error",
    "TASK_better_gru": "number of cells that are better than the GRU on the task, by corrected tests",
    "TASK_worse_gru": "number of cells that are worse",
    "TASK_better_lstm": "number of cells that are better than the LSTM",
    "TASK_worse_lstm": "number of cells that are worse",
    "TASK_better_both": "number of cells that are better than both",
}
"""Columns of `family_table` with their meaning; those with TASK are there once for each task."""


def family_table(frame: pd.DataFrame, tasks: Sequence[str]) -> pd.DataFrame:
    """Return a leaderboard by family, with the columns of `COLUMNS`; the index is the family or group.

    Best cells and medians are of the retrained cells, if there are any; NaN or None without a cell that has a value.

    Args:
        frame: a leaderboard, or rows of it; its index has the whole ids.
        tasks: tasks of the columns, ranked tasks of the run.
    """
    families = pd.Series([family_of(str(cell)) or UNPUBLISHED for cell in frame.index], frame.index, dtype=object)
    groups = {name: frame[families == name] for name in (*FAMILY_NAMES, UNPUBLISHED)}
    groups = {name: rows for name, rows in groups.items() if len(rows)}
    groups[ALL] = frame
    groups[PRODUCT_FREE], groups[LINEAR] = selected(frame, product_free=True), selected(frame, linear=True)
    kind, retrained = str(kind_of(frame)), bool(is_retrained(frame).any())
    rows = {name: _row(own, tasks, kind, retrained) for name, own in groups.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(rows[ALL]), dtype=object)


def _row(own: pd.DataFrame, tasks: Sequence[str], kind: str, retrained: bool) -> dict[str, object]:
    known = own[is_retrained(own)] if retrained else own
    best, score, error = _best(known, "score", retrained)
    scores = known["score"].dropna().astype("float64")
    row: dict[str, object] = {
        "cells": len(own),
        "best": best,
        "score": score,
        "score_se": error,
        "median_score": scores.median() if len(scores) else np.nan,
    }
    for task in tasks:
        row[f"{task}_best"], row[f"{task}_share"], row[f"{task}_share_se"] = _best(known, f"{task}_{kind}", retrained)
        ahead = {}
        for other in ("gru", "lstm"):
            verdicts = own[f"{task}_vs_{other}"]
            ahead[other] = verdicts == Verdict.BETTER
            row[f"{task}_better_{other}"] = int(ahead[other].sum())
            row[f"{task}_worse_{other}"] = int((verdicts == Verdict.WORSE).sum())
        row[f"{task}_better_both"] = int((ahead["gru"] & ahead["lstm"]).sum())
    return row


def _best(known: pd.DataFrame, column: str, retrained: bool) -> tuple[str | None, float, float]:
    """Return label, value and standard error of the first row with the largest number; an estimate has no error."""
    values = known[column].astype("float64").dropna()
    if values.empty:
        return None, np.nan, np.nan
    place = int(values.to_numpy().argmax())
    cell = str(values.index[place])
    name = known["name"][cell]
    label = label_of(cell, None if pd.isna(name) else str(name))
    error = float(known[f"{column}_se"].astype("float64")[cell]) if retrained else np.nan
    return label, float(values.iloc[place]), error


def family_texts(table: pd.DataFrame, tasks: Sequence[str]) -> pd.DataFrame:
    """Return a family table as text: family, cells, best, score, median, the tasks, and the numbers of better cells."""
    rows = []
    for family, row in table.iterrows():
        texts = {
            "family": str(family),
            "cells": str(row["cells"]),
            "best": row["best"] or "",
            "score": _share(row["score"], row["score_se"]),
            "median": _share(row["median_score"]),
        }
        for task in tasks:
            share = _share(row[f"{task}_share"], row[f"{task}_share_se"])
            texts[task] = f"{row[f'{task}_best'] or ''} {share}".strip()
        for heading, other in _AHEAD.items():
            texts[heading] = _counts((task, row[f"{task}_better_{other}"]) for task in tasks)
        rows.append({heading: printable(text) for heading, text in texts.items()})
    return pd.DataFrame(rows, dtype=object)


def render_families(table: pd.DataFrame, tasks: Sequence[str], kind: ScoreKind, width: int | None = None) -> Table:
    """Return a family table for a terminal; what does not fit is left out, which the caption says.

    Args:
        table: as for `families_markdown`.
        tasks: as for `families_markdown`.
        kind: as for `families_markdown`.
        width: columns of the terminal; None: any number.
    """
    texts = family_texts(table, tasks)
    least = {heading: _least_width(heading, texts[heading]) for heading in texts.columns}
    kept, hidden = list(texts.columns), []
    droppable = [*reversed(_AHEAD), *reversed(tasks)]
    while width is not None and droppable and sum(least[heading] + GAP for heading in kept) > width:
        hidden.append(droppable.pop(0))
        kept.remove(hidden[-1])
    caption = _caption(kind)
    if hidden:
        caption += f"\n{left_out(hidden)}"
    shown = Table(box=SIMPLE_HEAD, show_edge=False, caption=caption, padding=(0, GAP - 1, 0, 0))
    shown.caption_justify = "left"
    texts = texts[kept]
    for heading in kept:
        justify: JustifyMethod = "left" if heading not in _NUMBERS else "right"
        wraps = heading in _AHEAD
        shown.add_column(Text(heading), justify=justify, overflow="fold", no_wrap=not wraps, min_width=least[heading])
    for family, values in zip(table.index, texts.itertuples(index=False), strict=True):
        if family == ALL:
            shown.add_section()
        shown.add_row(*map(Text, values))
    return shown


def _least_width(heading: str, texts: Iterable[str]) -> int:
    """Return the width that a column needs: of its longest word if its texts are wrapped, else of its longest text."""
    if heading in _AHEAD:
        return max(len(word) for text in (heading, *texts) for word in text.split() or [""])
    return max(map(len, (heading, *texts)))


def families_markdown(table: pd.DataFrame, tasks: Sequence[str], kind: ScoreKind) -> str:
    """Return a family table as Markdown with a caption.

    Args:
        table: as `family_table` returns it.
        tasks: its tasks.
        kind: kind of the scores that rank the run.
    """
    texts = family_texts(table, tasks).map(escaped_markdown)
    left = [heading for heading in texts.columns if heading not in _NUMBERS]
    return f"{markdown_table(texts, left)}\n\n{'; '.join(_caption(kind).splitlines())}\n"


def families_latex(table: pd.DataFrame, tasks: Sequence[str], kind: ScoreKind) -> str:
    """Return a family table as LaTeX (package booktabs), with the arguments of `families_markdown`."""
    texts = family_texts(table, tasks)
    return latex_table(texts, [heading for heading in texts.columns if heading not in _NUMBERS], _caption(kind))


def _caption(kind: ScoreKind) -> str:
    gain = "share of the GRU's gain over a constant prediction"
    share = gain if kind is ScoreKind.GAIN else "ratio to the GRU's metric"
    return (
        f"best, and in the columns of tasks: the best cell of the family, with its score or its {share}; "
        "± standard error; 1: as good as the GRU\n"
        "median: of the scores of the family\n"
        "better than: number of cells by corrected tests on fresh seeds; than both: than the GRU and the LSTM"
    )


def _share(value: float, error: float = np.nan) -> str:
    if np.isnan(value):
        return ""
    return f"{value:.3f}" + ("" if np.isnan(error) else f"±{error:.3f}")


def _counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{task} {count}" for task, count in counts if count)

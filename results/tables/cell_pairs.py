"""Tests of chosen pairs of cells on the seeds that a run retrained its cells on.

The tests are paired t-tests over the seeds of the first round, in which every retrained cell has the same ones. Holm's
correction is over all tests that are asked for together. A found cell that these seeds chose cannot be judged by them:
its differences are shown, and it is no part of the tests.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from results.scores.comparison import LEVEL
from results.scores.finding import Figure, Standing
from results.scores.run_evidence import Pair, RunEvidence
from results.tables.readable import escaped_markdown, markdown_table
from search.cells.ids import printed_id
from search.cells.text import counted

NOT_TESTED, ESTIMATE = "not tested", "search estimate"
"""Verdicts of pairs without a test: the seeds chose a cell of it, or a cell was not retrained."""

COLUMNS = {
    "cell": "name, or else shortened id",
    "other": "the cell that it is compared with",
    "task": "name of the task",
    "value": "mean test metric of the cell; of a search estimate, the best validation metric",
    "other_value": "the same of the other cell",
    "difference": "mean difference, above 0 if the cell is better: a share of the GRU's gain, or of the other cell's "
    "metric where of_gain is False",
    "low": "lower end of its 95 % interval by Student's t, not corrected",
    "high": "upper end of that interval",
    "of_gain": "whether the difference is a share of the GRU's gain over the constant baseline",
    "seeds": "number of seeds",
    "p": "p value of the paired t-test, corrected by Holm's method over all tests of the table",
    "even_p": "p value of the test that the difference is within the margin, corrected in the same way",
    "margin": "margin within which two cells are even",
    "verdict": f"better, worse, even or undecided; {NOT_TESTED}: these seeds chose one of the cells; {ESTIMATE}: a "
    "cell was not retrained",
    "needed": "number of seeds that would probably decide an undecided test; empty if that is more than 1,000",
    "cell_id": "whole id of the cell",
    "other_id": "whole id of the other cell",
}
"""Columns of the table."""

_MARKS = {"better": " +", "worse": " -", "even": " ="}
"""Marks of verdicts in a readable table."""


def pair_table(evidence: RunEvidence, pairs: Sequence[Pair]) -> pd.DataFrame:
    """Return one row for each pair (task, cell, other; whole ids), with the columns of `COLUMNS`.

    Pairs without any result are left out.
    """
    chosen = [pair for pair in pairs if evidence.chosen.intersection(pair[1:])]
    tested = [pair for pair in pairs if pair not in chosen]
    figures = evidence.figures_by_pair(tested) | evidence.figures_by_pair(chosen)
    rows = [_row(pair, figures[pair], judged=pair in tested) for pair in pairs if pair in figures]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(pair: Pair, figure: Figure, *, judged: bool) -> dict[str, object]:
    task, cell, other = pair
    retrained = figure.standing is not Standing.UNKNOWN
    low, high = _interval(figure) if retrained and figure.error is not None else (math.nan, math.nan)
    tested = judged and retrained
    return {
        "cell": figure.cell,
        "other": figure.other,
        "task": task,
        "value": figure.value,
        "other_value": figure.reference,
        "difference": figure.advantage,
        "low": low,
        "high": high,
        "of_gain": figure.of_gain,
        "seeds": figure.repeats if retrained else 0,
        "p": figure.p if tested else None,
        "even_p": figure.even_p if tested else None,
        "margin": figure.margin,
        "verdict": str(figure.standing) if tested else NOT_TESTED if retrained else ESTIMATE,
        "needed": figure.needed if tested else None,
        "cell_id": printed_id(cell),
        "other_id": printed_id(other),
    }


def _interval(figure: Figure) -> tuple[float, float]:
    from scipy.special import stdtrit  # slow to import

    assert figure.error is not None
    reach = figure.error * float(stdtrit(figure.repeats - 1, 1.0 - LEVEL / 2.0))
    return figure.advantage - reach, figure.advantage + reach


def readable_pairs(table: pd.DataFrame, *, long: bool = False) -> pd.DataFrame:
    """Return the differences as texts, in percent: one row for each two cells, one column for each task.

    An interval follows in brackets, then `+`, `-` or `=` for better, worse and even by the corrected tests. With
    `long`, each task has a row of its own.
    """
    tasks = [str(task) for task in dict.fromkeys(table["task"])]
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for row in table.to_dict("records"):
        rows.setdefault((row["cell"], row["other"]), {})[row["task"]] = _text(row)
    if long:
        texts = [(*two, task, text) for two, own in rows.items() for task, text in own.items()]
        return pd.DataFrame(texts, columns=["cell", "against", "task", "difference"])
    found = [(*two, *(own.get(task, "") for task in tasks)) for two, own in rows.items()]
    return pd.DataFrame(found, columns=["cell", "against", *tasks])


def _text(row: Mapping[Any, Any]) -> str:
    mean = f"{100 * row['difference']:+.1f}"
    if pd.isna(row["low"]):
        return f"({mean})"
    return f"{mean} ({100 * row['low']:+.1f} to {100 * row['high']:+.1f}){_MARKS.get(row['verdict'], '')}"


def caption(table: pd.DataFrame) -> str:
    """Return the sentences that explain the readable table."""
    unit = "the GRU's gain over the constant baseline" if table["of_gain"].all() else "the other cell's metric"
    if table["of_gain"].nunique() > 1:
        unit = "the GRU's gain, or of the other cell's metric where no baseline is stored"
    seeds = ", ".join(map(str, sorted({int(count) for count in table["seeds"] if count})))
    tests = int(table["p"].notna().sum())
    parts = [f"Differences in % of {unit}, above 0 if the cell is better"]
    if seeds:
        parts.append(f"95 % intervals over {seeds} seeds, not corrected")
    if tests:
        margin, number = 100 * table["margin"].iloc[0], counted(tests, "paired t-test")
        parts.append(f"+ better, - worse, = even within {margin:g} %, by {number} with Holm's correction")
    if (table["verdict"] == NOT_TESTED).any():
        parts.append("without a test where these seeds chose a cell")
    if (table["verdict"] == ESTIMATE).any():
        parts.append("in brackets: estimates of the search")
    return "; ".join(parts) + "."


def to_markdown(table: pd.DataFrame) -> str:
    """Return the readable table as Markdown, with its caption."""
    texts = readable_pairs(table).map(escaped_markdown)
    return f"{markdown_table(texts, ('cell', 'against'))}\n\n{caption(table)}\n"

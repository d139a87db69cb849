"""Tests of chosen pairs of cells on the seeds that a run retrained them on.

The tests are paired t-tests over the seeds of the first round, in which every retrained cell has the same ones. Holm's
correction is over all tests that are asked for together. A found cell that these seeds chose cannot be judged by them:
its differences are shown, and it is no part of the tests.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from results.scores.comparison import LEVEL
from results.scores.confirmation import EVEN_MARGIN, METRIC_MARGIN
from results.scores.finding import Figure, Standing
from results.scores.power import MOST
from results.scores.run_evidence import Pair, RunEvidence
from results.tables.leaderboard import SIMULATED
from results.tables.readable import escaped_markdown, markdown_table
from search.cells.ids import printed_id
from search.cells.text import counted

NOT_TESTED, ESTIMATE = "not tested", "search estimate"
"""Verdicts of pairs without a test: the seeds chose a cell of it, or a cell was not retrained."""

COLUMNS = {
    "cell": "name, or else shortened id",
    "other": "the cell that it is compared with",
    "task": "name of the task",
    "simulated": "True in every row of a simulated run: its numbers are made up, nothing was trained; else False",
    "value": "mean test metric of the cell; of a search estimate, the best validation metric",
    "other_value": "the same of the other cell",
    "difference": "mean difference, above 0 if the cell is better: a share of the GRU's gain, or of the other cell's "
    "metric where of_gain is False",
    "low": "lower end of its 95 % interval by Student's t, not corrected",
    "high": "upper end of that interval",
    "of_gain": "whether the difference is a share of the GRU's gain over the constant baseline; it is not where the "
    "run did not store that baseline, or where the gain is within its noise",
    "seeds": "number of seeds; 0 for a search estimate",
    "lost": "number of these on which the cell diverged or failed; they count as the constant baseline",
    "other_lost": "the same of the other cell",
    "p": "p value of the paired t-test, corrected by Holm's method over all tests of the table",
    "even_p": "p value of the test that the difference is within the margin, corrected in the same way",
    "margin": "margin within which two cells are even",
    "verdict": f"better, worse, even or undecided; {NOT_TESTED}: these seeds chose one of the cells; {ESTIMATE}: a "
    "cell was not retrained",
    "needed": "number of seeds that would probably decide an undecided test; empty if it is decided, or if that is "
    f"more than {MOST:,}",
    "cell_id": "whole id of the cell",
    "other_id": "whole id of the other cell",
}
"""Columns of the table."""

_MARKS = {"better": " +", "worse": " -", "even": " =", NOT_TESTED: " *"}
"""Marks of verdicts in a readable table; an undecided test has none."""


def pair_table(evidence: RunEvidence, pairs: Sequence[Pair]) -> pd.DataFrame:
    """Return one row for each pair (task, cell, other; whole ids), with the columns of `COLUMNS`.

    A pair without any result has no row. Ask for each two cells on a task once: each row is a test.
    """
    chosen = [pair for pair in pairs if evidence.chosen.intersection(pair[1:])]
    tested = [pair for pair in pairs if pair not in chosen]
    figures = evidence.figures_by_pair(tested) | evidence.figures_by_pair(chosen)
    rows = [_row(evidence, pair, figures[pair], judged=pair in tested) for pair in pairs if pair in figures]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"needed": "Int64"})


def _row(evidence: RunEvidence, pair: Pair, figure: Figure, *, judged: bool) -> dict[str, object]:
    task, cell, other = pair
    retrained = figure.standing is not Standing.UNKNOWN
    low, high = _interval(figure) if retrained and figure.error is not None else (math.nan, math.nan)
    tested = judged and retrained
    lost = evidence.found.diverged.get(task, {}) if retrained else {}
    return {
        "cell": figure.cell,
        "other": figure.other,
        "task": task,
        "simulated": evidence.simulated,
        "value": figure.value,
        "other_value": figure.reference,
        "difference": figure.advantage,
        "low": low,
        "high": high,
        "of_gain": figure.of_gain,
        "seeds": figure.repeats if retrained else 0,
        "lost": lost.get(cell, 0),
        "other_lost": lost.get(other, 0),
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

    An interval follows in brackets, then `+`, `-` or `=` for better, worse and even by the corrected tests, or `*`
    where the seeds chose a cell. With `long`, each task has a row of its own.
    """
    tasks = [str(task) for task in dict.fromkeys(table["task"])]
    # By ids: two cells may have the same label.
    rows: dict[tuple[str, str], dict[str, str]] = {}
    names: dict[tuple[str, str], tuple[str, str]] = {}
    for row in table.to_dict("records"):
        key = row["cell_id"], row["other_id"]
        names[key] = row["cell"], row["other"]
        rows.setdefault(key, {})[row["task"]] = _text(row)
    if long:
        texts = [(*names[two], task, text) for two, own in rows.items() for task, text in own.items()]
        return pd.DataFrame(texts, columns=["cell", "against", "task", "difference"])
    found = [(*names[two], *(own.get(task, "") for task in tasks)) for two, own in rows.items()]
    return pd.DataFrame(found, columns=["cell", "against", *tasks])


def _text(row: Mapping[Any, Any]) -> str:
    mean = f"{100 * row['difference']:+.1f}"
    if pd.isna(row["low"]):
        return f"({mean})"
    return f"{mean} ({100 * row['low']:+.1f} to {100 * row['high']:+.1f}){_MARKS.get(row['verdict'], '')}"


def caption(table: pd.DataFrame, evidence: RunEvidence) -> list[str]:
    """Return the sentences that explain the readable table, beginning with what is to be known of the run."""
    sentences = [f"{SIMULATED}."] if evidence.simulated else []
    if not evidence.ended:
        sentences.append("The run has not ended, so this may change.")
    sentences.append(_explained(table))
    if (table["verdict"] == NOT_TESTED).any():
        chosen = {printed_id(cell) for cell in evidence.chosen}
        untested = table[table["verdict"] == NOT_TESTED]
        found = {name: None for cell, name in _cells(untested) if cell in chosen}
        sentences.append(f"* not tested: these very seeds chose {', '.join(found)}.")
    lost = _lost(table)
    if lost:
        sentences.append(f"Lost seeds, which count as the constant baseline: {', '.join(lost)}.")
    return sentences


def _explained(table: pd.DataFrame) -> str:
    """Return the sentence on units, intervals, marks and brackets."""
    parts = [f"Differences in % of {_unit(table)}, above 0 if the cell is better"]
    seeds = ", ".join(map(str, sorted({int(count) for count in table["seeds"] if count})))
    if seeds:
        parts.append(f"95 % intervals over {seeds} seeds, not corrected")
    tested = table[table["p"].notna()]
    if len(tested):
        margins = [f"{100 * margin:g} %" for margin in dict.fromkeys(tested["margin"])]
        if len(margins) > 1:
            margins = [f"{100 * EVEN_MARGIN:g} % of the gain", f"{100 * METRIC_MARGIN:g} % of the metric"]
        number = counted(len(tested), "paired t-test")
        parts.append(f"+ better, - worse, = even within {' or '.join(margins)}, by {number} with Holm's correction")
    if (table["verdict"] == ESTIMATE).any():
        parts.append("in brackets: estimates of the search")
    return "; ".join(parts) + "."


def _unit(table: pd.DataFrame) -> str:
    """Return the unit of the differences, and where it is another one."""
    gain, metric = "the GRU's gain over the constant baseline", "the other cell's metric"
    why = "the run has no such baseline, or the GRU's gain is within its noise"
    if table["of_gain"].all():
        return gain
    if not table["of_gain"].any():
        return f"{metric} and not of {gain} ({why})"
    where = []
    for task, rows in table.groupby("task", sort=False):
        others = rows[~rows["of_gain"]]
        if len(others) == len(rows):
            where.append(f"on {task}")
        else:
            pairs = zip(others["cell"], others["other"], strict=True)
            where += [f"for {cell} against {other} on {task}" for cell, other in pairs]
    return f"{gain}, but {', '.join(where)} of {metric} ({why})"


def _cells(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the id and the label of each cell of the rows."""
    names = (("cell_id", "cell"), ("other_id", "other"))
    return [pair for row in table.to_dict("records") for pair in ((row[key], row[name]) for key, name in names)]


def _lost(table: pd.DataFrame) -> list[str]:
    """Return the lost seeds in words, of each cell and task that has some."""
    found: dict[tuple[str, str], str] = {}
    for row in table.to_dict("records"):
        for key, name, lost in (("cell_id", "cell", "lost"), ("other_id", "other", "other_lost")):
            if row[lost]:
                found[row[key], row["task"]] = f"{row[lost]} of {row['seeds']} of {row[name]} on {row['task']}"
    return list(found.values())


def to_markdown(table: pd.DataFrame, evidence: RunEvidence) -> str:
    """Return the readable table as Markdown, with its caption."""
    texts = readable_pairs(table).map(escaped_markdown)
    words = escaped_markdown(" ".join(caption(table, evidence)))
    return f"{markdown_table(texts, ('cell', 'against'))}\n\n{words}\n"

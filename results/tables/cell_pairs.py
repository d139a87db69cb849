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
from results.scores.finding import Figure, Standing
from results.scores.run_evidence import Pair, RunEvidence
from results.scores.units import EVEN_MARGIN, GAIN, METRIC_MARGIN, Unit
from results.store.words import SIMULATED
from results.tables.pair_columns import COLUMNS, ESTIMATE, NOT_TESTED
from results.tables.readable import escaped_markdown, markdown_table
from search.cells.ids import printed_id
from search.cells.text import counted

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
        "unit": str(figure.unit),
        "seeds": figure.repeats if retrained else 0,
        "lost": lost.get(cell, 0),
        "other_lost": lost.get(other, 0),
        "p": figure.p if tested else None,
        "even_p": figure.even_p if tested else None,
        "margin": figure.margin or None,
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
    """Return the differences as texts, shares in percent: one row for each two cells, one column for each task.

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
    unit, estimate = Unit(row["unit"]), pd.isna(row["low"])
    digits = 1 if unit.is_share else 4 if estimate else unit.digits(row["high"] - row["low"])
    mean, low, high = (f"{unit.scale * row[key]:+.{digits}f}" for key in ("difference", "low", "high"))
    return f"({mean})" if estimate else f"{mean} ({low} to {high}){_MARKS.get(row['verdict'], '')}"


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
    parts = [f"Differences {_unit(table)}, above 0 if the cell is better"]
    seeds = ", ".join(map(str, sorted({int(count) for count in table["seeds"] if count})))
    if seeds:
        parts.append(f"95 % intervals over {seeds} seeds, not corrected")
    tested = table[table["p"].notna()]
    if len(tested):
        margins = [f"{100 * margin:g} %" for margin in dict.fromkeys(tested["margin"].dropna())]
        if len(margins) > 1:
            margins = [f"{100 * EVEN_MARGIN:g} % of the gain", f"{100 * METRIC_MARGIN:g} % of the metric"]
        number, even = counted(len(tested), "paired t-test"), f", = even within {' or '.join(margins)}"
        parts.append(f"+ better, - worse{even if margins else ''}, by {number} with Holm's correction")
    if (table["verdict"] == ESTIMATE).any():
        parts.append("in brackets: estimates of the search")
    return "; ".join(parts) + "."


def _unit(table: pd.DataFrame) -> str:
    """Return the unit of the differences, and where it is another one, in words that follow `differences`."""
    gain = "of the GRU's gain over the constant baseline"
    why = "the run has no such baseline, or the GRU's gain is within its noise"
    units = [Unit(unit) for unit in dict.fromkeys(table["unit"])]
    others = [unit for unit in units if unit != GAIN]
    if not others:
        return f"in % {gain}"
    if len(units) == 1:
        return f"in {others[0].after_number('other cell')} and not {gain} ({why})"
    rest = ", and ".join(f"{_where(table, unit)} in {unit.after_number('other cell')}" for unit in others)
    if GAIN not in units:
        return f"{rest}, not {gain} ({why})"
    return f"in % {gain}, but {rest} ({why})"


def _where(table: pd.DataFrame, unit: Unit) -> str:
    """Return the tasks whose differences all have a unit, and the single pairs, in words."""
    where = []
    for task, rows in table.groupby("task", sort=False):
        own = rows[rows["unit"] == unit]
        if len(own) == len(rows):
            where.append(f"on {task}")
        else:
            pairs = zip(own["cell"], own["other"], strict=True)
            where += [f"for {cell} against {other} on {task}" for cell, other in pairs]
    return ", ".join(where)


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

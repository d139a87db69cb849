"""Score against cost in the report: the points of the charts, and what the tests say of the cells on the front."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from results.scores.comparison import Verdict
from results.scores.estimates import GRU
from results.scores.front import on_front
from results.tables.frame import has_rank, is_retrained
from search.cells.library import label_of

COSTS = {
    "relative_multiply_adds": "multiply-adds of a step, GRU = 1",
    "relative_parameters": "parameters, GRU = 1",
    "relative_step_seconds": "time of a training step, LSTM = 1",
}
"""Costs of the leaderboard with the titles of their axes."""

BETTER, WORSE, MIXED = "better on some task, worse on none", "worse on some task, better on none", "better and worse"
EQUAL, UNTESTED, OF_GRU = "not told apart on any task", "not tested", "the GRU"
STANDINGS = (BETTER, WORSE, MIXED, EQUAL, UNTESTED, OF_GRU)
"""Standings against the GRU over all tasks, by corrected tests."""


def front_points(frame: pd.DataFrame, tasks: Sequence[str]) -> pd.DataFrame:
    """Return the retrained cells of a leaderboard that have a score, as points of the charts.

    Returns:
        A frame by whole id with the columns cell (label), named (whether it is a published cell, in a run that has
        other cells as well), score, low, high (one standard error), standing, and for each of `COSTS` its value and, as
        COST_front, whether the cell is on the front.
    """
    known = frame[is_retrained(frame) & has_rank(frame)]
    score, error = known["score"].astype("float64"), known["score_se"].astype("float64").fillna(0.0)
    labels = [label_of(str(cell), None if pd.isna(name) else str(name)) for cell, name in known["name"].items()]
    points = pd.DataFrame(
        {"cell": labels, "score": score, "low": score - error, "high": score + error}, index=known.index
    )
    named = known["name"].notna()
    points["named"] = named & (not named.all())
    points["standing"] = [_standing(str(cell), known, tasks) for cell in known.index]
    for cost in COSTS:
        points[cost] = known[cost].astype("float64")
        points[f"{cost}_front"] = on_front(np.asarray(score, np.float64), np.asarray(points[cost], np.float64))
    return points


def front_words(points: pd.DataFrame) -> str:
    """Return in words what the tests say of the cells on any of the fronts; empty without points."""
    flags = points[[f"{cost}_front" for cost in COSTS]].any(axis=1)
    parts = []
    for standing in STANDINGS:
        names = list(points.loc[flags & (points["standing"] == standing) & (points["cell"] != "gru"), "cell"])
        if names:
            parts.append(f"{standing}: {', '.join(names)}")
    return f"Other cells on a front, against the GRU: {'; '.join(parts)}." if parts else ""


def _standing(cell: str, known: pd.DataFrame, tasks: Sequence[str]) -> str:
    if cell == GRU:
        return OF_GRU
    verdicts = set(known.loc[cell, [f"{task}_vs_gru" for task in tasks]].dropna())
    if not verdicts:
        return UNTESTED
    better, worse = Verdict.BETTER in verdicts, Verdict.WORSE in verdicts
    return MIXED if better and worse else BETTER if better else WORSE if worse else EQUAL

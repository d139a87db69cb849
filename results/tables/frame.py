"""Facts of the rows of a leaderboard, from the table alone: rank, evidence, names, and the order by one task."""

import numpy as np
import pandas as pd

from results.scores.estimates import GRU
from results.scores.ratio import direction
from results.store.words import COMPLETE, Evidence, ScoreKind
from search.cells.library import name_of
from tasks.metrics import METRICS


def has_rank(frame: pd.DataFrame) -> pd.Series:
    """Return for each row of a leaderboard whether it is ranked; the others share the last rank."""
    return (frame["stage"] == COMPLETE) & frame["score"].notna()


def kind_of(frame: pd.DataFrame) -> ScoreKind:
    """Return the kind of the scores that rank a leaderboard, or some of its rows."""
    if frame["score"].isna().all():  # no cell has a gain, since the GRU has none on some task
        by_gain = not frame["score"].equals(frame["ratio_score"]) or _has_no_ratio(frame)
    else:
        by_gain = frame["score"].equals(frame["gain_score"])
    return ScoreKind.GAIN if by_gain else ScoreKind.RATIO


def _has_no_ratio(frame: pd.DataFrame) -> bool:
    """Return whether the GRU has a result without a ratio, as of a metric that may be negative: then gains rank."""
    if GRU not in frame.index:
        return False
    tasks = [str(name).removesuffix("_ratio") for name in frame.columns if str(name).endswith("_ratio")]
    gru = frame.loc[GRU]
    return any(pd.notna(gru[f"{task}_validation"]) and pd.isna(gru[f"{task}_ratio"]) for task in tasks)


def is_retrained(frame: pd.DataFrame) -> pd.Series:
    """Return for each row of a leaderboard whether its numbers are means over fresh seeds."""
    return frame["evidence"].map(lambda evidence: Evidence(evidence).is_retrained).astype(bool)


def known_names(frame: pd.DataFrame) -> list[str]:
    """Return a name for each row of a leaderboard: its own, and that of the published cell with the same id.

    The latter is in brackets where it differs, as in `mine (ugrnn)`, or `(ugrnn)` for a found cell. It is no column of
    the table, which would change whenever a cell is added to the library.
    """
    found = []
    for cell, name in frame["name"].items():
        own = "" if pd.isna(name) else str(name)
        published = name_of(str(cell))
        found.append(own if published in (None, own) else f"{own} ({published})".strip())
    return found


def sorted_by(frame: pd.DataFrame, task: str) -> pd.DataFrame:
    """Return a leaderboard by one task's ratio to the GRU, best first; retrained cells before others, no result last.

    A metric that may be negative has no ratio. Its share of the GRU's gain orders then, and where the GRU has learnt
    nothing, so that there is none, the metric itself.
    """
    retrained = is_retrained(frame)
    metric = METRICS.get(frame[f"{task}_metric"].iloc[0]) if len(frame) else None
    sign = direction(metric.higher_is_better) if metric is not None else 1.0
    keys = np.full(len(frame), -np.inf)
    for rows, name in ((retrained, "test"), (~retrained, "validation")):
        own = frame.loc[rows]
        orders = (own[f"{task}_ratio"], own[f"{task}_gain"], sign * own[f"{task}_{name}"])
        known = next((one for one in orders if one.notna().any()), orders[-1])
        keys[rows.to_numpy()] = known.fillna(-np.inf)
    return frame.iloc[np.lexsort((np.arange(len(frame)), -keys, (~retrained).to_numpy()))]

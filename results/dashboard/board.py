"""Board of a run: what takes seconds to make of its store, and the best cell of its ranked table."""

from dataclasses import dataclass

import pandas as pd

from results.scores.estimates import GRU, LSTM
from results.store.untouched import Signature
from results.store.words import Origin
from results.tables.frame import has_rank
from search.cells.ids import short_id


@dataclass(frozen=True)
class Best:
    """Best found cell of the ranked table, or the best other than GRU and LSTM of a run that finds none."""

    label: str
    score: float
    error: float | None
    evidence: str


@dataclass(frozen=True)
class Board:
    """Board of a run, made when its store had a signature; `html` is None if no page of the run was open."""

    signature: Signature
    made: float  # seconds since 1970
    seconds: float  # of the processor that it took
    best: Best | None = None
    html: str | None = None
    error: str | None = None  # why it cannot be made


def best_of(frame: pd.DataFrame) -> Best | None:
    """Return the first ranked row of a leaderboard that is a found cell; without any, the first but GRU and LSTM."""
    ranked = frame[has_rank(frame)]
    found = (
        ranked[ranked["origin"] == Origin.FOUND]
        if (frame["origin"] == Origin.FOUND).any()
        else ranked[~ranked.index.isin([GRU, LSTM])]
    )
    if found.empty:
        return None
    row = found.iloc[0]
    label = short_id(str(found.index[0])) if pd.isna(row["name"]) else str(row["name"])
    error = None if pd.isna(row["score_se"]) else float(row["score_se"])
    return Best(label, float(row["score"]), error, str(row["evidence"]))

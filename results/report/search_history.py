"""History of a search with scores that agree with its table."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from results.scores.estimates import GRU, VALIDATION
from results.scores.score import constants_of, score_kind, scores, share
from results.store.store import Store
from results.tables.progress import history, with_best


def scored_history(
    store: Store, tasks: Sequence[str], picks: pd.DataFrame, higher: Mapping[str, bool], search_scores: pd.Series
) -> pd.DataFrame:
    """Return the history with scores relative to the GRU of the whole search, as in the table.

    A proposal has the cell's best trials up to then, so the last visit of a cell has its `search_score`.

    Args:
        store: the run.
        tasks: its ranked tasks.
        picks: best setting of each cell and task, as `results.scores.estimates.picks` returns it.
        higher: whether a higher metric is better, by task.
        search_scores: the column `search_score` of the leaderboard, by whole id.
    """
    frame = history(store)
    kinds = {"proposal": int, "cell": str, "task": str, "best": float | None}
    evaluations = store.typed(f"SELECT {', '.join(kinds)} FROM evaluations", kinds)
    visits = pd.DataFrame(evaluations, columns=list(kinds))
    kind, shares, constants = score_kind(store), [], constants_of(store, VALIDATION)
    for task in tasks:
        reference = picks.loc[(picks["task"] == task) & (picks["cell"] == GRU), "validation"]
        own = visits[visits["task"] == task].set_index(["proposal", "cell"])["best"].astype("float64")
        best = np.asarray(own.reindex(pd.MultiIndex.from_frame(frame[["proposal", "cell"]])), np.float64)
        gru = float(reference.iloc[0]) if len(reference) else np.nan
        shares.append(share(kind, best, gru, constants.get(task, np.nan), higher.get(task, True)))
    known = frame["score"].notna()
    then = pd.Series(scores(np.column_stack(shares)), frame.index).fillna(frame["cell"].map(search_scores))
    frame["score"] = then.where(known)
    return with_best(frame)

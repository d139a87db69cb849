"""How a search went on: what each proposal cost and came to, in the order of the search.

    frame = history(store)
    frame["best"].plot()

Costs are those of the search itself: trials of finalists are not among them.
"""

import numpy as np
import pandas as pd

from results.store.store import Store
from results.store.words import COMPLETE

COLUMNS = {
    "proposal": "its index; negative for given cells, which come first",
    "kind": "baseline, propose or re-examine",
    "cell": "id of the cell; empty where no valid child was found",
    "name": "its name, where it has one",
    "origin": "baseline or found",
    "outcome": "complete, or where it stopped",
    "score": "smallest ratio to the GRU by the search's own trials; empty unless it is complete",
    "trials": "trials of the search up to here; one that two proposals share is split between them",
    "core_hours": "hours of one core that they took",
    "best": "the best score of a found cell up to here; empty before there is one",
}
"""The columns of `history`."""

_VISITS = "SELECT proposal, cell, task, settings FROM evaluations"
_SPENT = "SELECT cell, task, count(*), sum(seconds) FROM trials WHERE repeat = 0 GROUP BY cell, task"
_PROPOSALS = """
    SELECT "index", kind, proposals.cell, name, origin, outcome, score
    FROM proposals LEFT JOIN cells ON cells.id = proposals.cell"""


def history(store: Store) -> pd.DataFrame:
    """One row a proposal that ended, with the columns of `COLUMNS`. Raises `StoreError`."""
    names = ["proposal", "kind", "cell", "name", "origin", "outcome", "score"]
    frame = pd.DataFrame(store.select(_PROPOSALS), columns=names)
    given = frame["proposal"] < 0
    order = np.lexsort((frame["proposal"].abs(), ~given))
    frame = frame.iloc[order].merge(_costs(store), on="proposal", how="left")
    frame["score"] = frame["score"].astype("float64").where(frame["outcome"] == COMPLETE)
    frame["trials"] = frame["trials"].fillna(0.0).cumsum().round().astype("int64")
    frame["core_hours"] = frame.pop("seconds").fillna(0.0).astype("float64").cumsum() / 3600
    frame["best"] = frame["score"].where(frame["origin"] == "found").cummax().ffill()
    return frame[list(COLUMNS)]


def _costs(store: Store) -> pd.DataFrame:
    """Trials and seconds by proposal: of what a cell took on a task, each visit's share is that of its settings."""
    visits = pd.DataFrame(store.select(_VISITS), columns=["proposal", "cell", "task", "settings"])
    spent = pd.DataFrame(store.select(_SPENT), columns=["cell", "task", "trials", "seconds"])
    visits = visits.merge(spent, on=["cell", "task"])
    share = visits["settings"] / visits.groupby(["cell", "task"])["settings"].transform("sum")
    for name in ("trials", "seconds"):
        visits[name] = visits[name].astype("float64") * share.astype("float64")
    return visits.groupby("proposal", as_index=False)[["trials", "seconds"]].sum()

"""Progress of a search: cost and outcome of each proposal, in the order of the search.

    frame = history(store)
    frame["best"].plot()

Costs are those of the search itself, without retraining the finalists.
"""

import numpy as np
import pandas as pd

from results.store.rungs import Ladder, candidate_proposals, ladder_of
from results.store.store import Store
from results.store.words import COMPLETE, Origin

COLUMNS = {
    "proposal": "index of the proposal; negative for given cells, which come first",
    "kind": "baseline, initial, propose, re-examine or promote",
    "cell": "id of the cell; empty if no valid child was found",
    "name": "name of the cell, if it has one",
    "origin": "baseline, initial or found",
    "outcome": "complete, or where it stopped",
    "score": "smallest share of the GRU's result by the search's own trials; empty unless it is complete",
    "trials": "trials of the search so far; a trial that two proposals share is split between them. With halving it "
    "counts for the proposal that began it",
    "core_hours": "hours of one core that these trials took. With halving, those of a trial that was trained further "
    "are split by steps between the proposals that trained it",
    "best": "best score of a found cell so far; empty before there is one",
}
"""Columns of `history`."""

_VISITS = "SELECT proposal, cell, task, settings FROM evaluations"
_SPENT = "SELECT cell, task, count(*), sum(seconds) FROM trials WHERE repeat = 0 GROUP BY cell, task"
_BEGUN = "SELECT cell, task, repeat, steps, seconds, proposal FROM trials WHERE repeat <= 0"
_BEGUN_TYPES = {"cell": str, "task": str, "repeat": int, "steps": int, "seconds": float, "proposal": int | None}
_GIVEN = 'SELECT cell, max("index") FROM proposals WHERE "index" < 0 GROUP BY cell'
_PROPOSALS = """
    SELECT "index", kind, proposals.cell, name, origin, outcome, score
    FROM proposals LEFT JOIN cells ON cells.id = proposals.cell"""


def history(store: Store) -> pd.DataFrame:
    """Return one row for each finished proposal, with the columns of `COLUMNS`. Raise `StoreError` on a bad store."""
    names = ["proposal", "kind", "cell", "name", "origin", "outcome", "score"]
    frame = pd.DataFrame(store.select(_PROPOSALS), columns=names)
    given = frame["proposal"] < 0
    order = np.lexsort((frame["proposal"].abs(), ~given))
    ladder = ladder_of(store)
    costs = _costs(store) if ladder is None else _rung_costs(store, ladder)
    frame = frame.iloc[order].merge(costs, on="proposal", how="left")
    frame["score"] = frame["score"].astype("float64").where(frame["outcome"] == COMPLETE)
    frame["trials"] = frame["trials"].fillna(0.0).cumsum().round().astype("int64")
    frame["core_hours"] = frame.pop("seconds").fillna(0.0).astype("float64").cumsum() / 3600
    return with_best(frame)[list(COLUMNS)]


def with_best(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a history with the column `best`, made from its scores."""
    return frame.assign(best=frame["score"].where(frame["origin"] == Origin.FOUND).cummax().ffill())


def _costs(store: Store) -> pd.DataFrame:
    """Return trials and seconds by proposal: visits of a cell to a task share its cost in proportion to settings."""
    visits = pd.DataFrame(store.select(_VISITS), columns=["proposal", "cell", "task", "settings"])
    spent = pd.DataFrame(store.select(_SPENT), columns=["cell", "task", "trials", "seconds"])
    visits = visits.merge(spent, on=["cell", "task"])
    share = visits["settings"] / visits.groupby(["cell", "task"])["settings"].transform("sum")
    for name in ("trials", "seconds"):
        visits[name] = visits[name].astype("float64") * share.astype("float64")
    return visits.groupby("proposal", as_index=False)[["trials", "seconds"]].sum()


def _rung_costs(store: Store, ladder: Ladder) -> pd.DataFrame:
    """Return trials and seconds by proposal of a run with halving.

    A trial counts for the proposal that began it. That proposal trained it up to the step of its rung, and the later
    proposals of the cell trained it from rung to rung; its seconds are split between them by steps.
    """
    rungs: dict[tuple[str, int], int] = {}  # by cell and proposal
    courses: dict[str, list[int]] = {}  # proposals of each cell, by rung
    for index, _, cell, rung, _ in candidate_proposals(store):
        rungs[cell, index] = rung
        courses.setdefault(cell, []).append(index)
    marks = {task: ladder.marks(task) for task in ladder.steps}
    given = dict(store.typed(_GIVEN, {"cell": str, "index": int}))
    costs: dict[int, list[float]] = {}

    def add(proposal: int, trials: int, seconds: float) -> None:
        sums = costs.setdefault(proposal, [0.0, 0.0])
        sums[0], sums[1] = sums[0] + trials, sums[1] + seconds

    for cell, task, repeat, steps, seconds, proposal in store.typed(_BEGUN, _BEGUN_TYPES):
        first = given.get(cell) if proposal is None else proposal
        if first is None:
            continue  # of a proposal that has not ended
        at = rungs.get((cell, first))
        if at is None or repeat < 0 or steps == 0:
            add(first, 1, seconds)
            continue
        begun = 0
        for rung, later in enumerate(courses[cell][at:], start=at):
            pauses = marks.get(task, ())
            ended = min(steps, pauses[rung]) if rung < len(pauses) else steps
            add(later, int(later == first), seconds * (ended - begun) / steps)
            begun = ended
    columns = ["proposal", "trials", "seconds"]
    return pd.DataFrame([(key, *sums) for key, sums in costs.items()], columns=columns).astype({"proposal": "int64"})

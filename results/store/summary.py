"""How a run went, in numbers: the funnel from proposals to ranked cells, and the best so far."""

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from results.store.store import Store
from results.store.words import COMPLETE


@dataclass(frozen=True)
class StageCount:
    """Found cells at one stage. Cells are counted, not visits: one that was seen twice is one."""

    stage: int  # 0 = memorization, 1 = the first ranked task, ...
    task: str
    tried: int  # cells that were evaluated there
    passed: int  # cells that went on from there


@dataclass(frozen=True)
class Funnel:
    """What became of everything that was proposed."""

    proposals: int  # mutations proposed, whatever became of them
    reexaminations: int  # members of the list that got fresh settings instead
    rejections: dict[
        str, int
    ]  # draws rejected before one was accepted (duplicates, ...), by reason, most frequent first
    outcomes: dict[str, int]  # proposals by how they ended, most frequent first
    stages: tuple[StageCount, ...]  # in the order of the stages
    complete: int  # found cells that went through every stage


@dataclass(frozen=True)
class Best:
    """The first of its origin in the leaderboard."""

    cell: str  # first 8 hex digits of the id
    name: str | None
    score: float  # smallest ratio to the GRU over the ranked tasks


def funnel(store: Store) -> Funnel:
    """The counts of a run as they stand now. Raises `StoreError` where the store cannot be read."""
    rejections: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for row in store.proposals():
        rejections.update(row.rejections)
        kinds[row.kind] += 1
        if row.kind == "propose":
            outcomes[row.outcome] += 1
    stages = store.typed(
        """
        SELECT stage, task, count(DISTINCT cell), count(DISTINCT CASE WHEN passed THEN cell END)
        FROM evaluations JOIN cells ON cells.id = cell WHERE origin = 'found'
        GROUP BY stage, task ORDER BY stage, task""",
        {"stage": int, "task": str, "tried": int, "passed": int},
    )
    complete = store.select(
        """
        SELECT count(DISTINCT cell) FROM proposals JOIN cells ON cells.id = cell
        WHERE origin = 'found' AND outcome = ?""",
        (COMPLETE,),
    )
    return Funnel(
        proposals=kinds["propose"],
        reexaminations=kinds["re-examine"],
        rejections=_by_frequency(rejections),
        outcomes=_by_frequency(outcomes),
        stages=tuple(StageCount(*values) for values in stages),
        complete=complete[0][0],
    )


def best(frame: pd.DataFrame, origin: str) -> Best | None:
    """The best ranked cell of an origin ("found" or "baseline") in a `leaderboard`, or None if none is ranked."""
    ranked = frame[(frame["origin"] == origin) & frame["rank"].notna()]
    if ranked.empty:
        return None
    first = ranked.iloc[0]
    name = None if pd.isna(first["name"]) else str(first["name"])
    return Best(str(first["cell"]), name, float(first["score"]))


def _by_frequency(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

"""Funnel of a run: counts from proposals to complete cells."""

from collections import Counter
from dataclasses import dataclass

from results.store.store import Store
from results.store.words import COMPLETE, Origin, ProposalKind


@dataclass(frozen=True)
class StageCount:
    """Number of found cells at one stage. Cells are counted, not visits: a cell that came twice counts once."""

    stage: int  # 0 = memorization, 1 = the first ranked task, ...
    task: str
    tried: int  # cells that were evaluated there
    passed: int  # cells that passed to the next stage


@dataclass(frozen=True)
class Funnel:
    """Counts of proposals and cells.

    `rejections`: draws rejected before one was accepted, by reason (duplicate, ...), and `outcomes`: proposals of new
    cells by outcome, both most frequent first.
    """

    proposals: int  # new cells proposed
    reexaminations: int  # known cells that got fresh settings
    rejections: dict[str, int]
    outcomes: dict[str, int]
    stages: tuple[StageCount, ...]  # in the order of the stages
    complete: int  # found cells that passed every stage


def funnel(store: Store) -> Funnel:
    """Return the counts of a run as it is now. Raise `StoreError` if the store cannot be read."""
    rejections: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for row in store.proposals():
        rejections.update(row.rejections)
        kinds[row.kind] += 1
        if row.kind == ProposalKind.PROPOSE:
            outcomes[row.outcome] += 1
    stages = store.typed(
        """
        SELECT stage, task, count(DISTINCT cell), count(DISTINCT CASE WHEN passed THEN cell END)
        FROM evaluations JOIN cells ON cells.id = cell WHERE origin = ?
        GROUP BY stage, task ORDER BY stage, task""",
        {"stage": int, "task": str, "tried": int, "passed": int},
        (Origin.FOUND,),
    )
    complete = store.select(
        """
        SELECT count(DISTINCT cell) FROM proposals JOIN cells ON cells.id = cell
        WHERE origin = ? AND outcome = ?""",
        (Origin.FOUND, COMPLETE),
    )
    return Funnel(
        proposals=kinds[ProposalKind.PROPOSE],
        reexaminations=kinds[ProposalKind.REEXAMINE],
        rejections=_by_frequency(rejections),
        outcomes=_by_frequency(outcomes),
        stages=tuple(StageCount(*values) for values in stages),
        complete=complete[0][0],
    )


def _by_frequency(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

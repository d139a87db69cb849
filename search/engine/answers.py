"""Answers to cells that were told from outside: what the run found out about a cell."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from results.scores.score import score
from results.store.endings import paused_at
from results.store.records import ProposalRow
from results.store.words import ProposalKind
from search.cells.ids import printed_id
from search.cells.library import library_name, name_of, named_cell
from search.cells.notation.formula import parse_written
from search.cells.recognition import describe_flipped, flipped_gates
from search.engine.outside import OutsideEngine
from search.training.settings import Setting


@dataclass(frozen=True)
class TaskAnswer:
    """Result of a cell on one task.

    Attributes:
        metric: best validation metric, at the step of the rung; over further seeds their mean. None if no trial ranks.
        share: share of the GRU's result at equal steps, of the kind of the run's score; None for memorization, and
            where there is nothing to divide by.
        setting: the best setting, None if no trial ranks.
    """

    metric: float | None
    share: float | None
    setting: Setting | None


@dataclass(frozen=True)
class Answer:
    """Findings of a run about a cell.

    Attributes:
        id: id of the cell, g and 16 hex digits.
        formula: the canonical formula.
        name: name of the cell in the profile or in the library of published cells, or None.
        remark: how the formula that was told differs from the published one of that name; empty if it does not.
        known: whether the run knew the cell before, in this form or an isomorphic one, so that it trained nothing.
        rung: rung that the cell reached, from 1; None if the allocation has no rungs.
        score: smallest share over the ranked tasks at that rung; None if the cell was stopped before its end.
        scores: score at each rung that the cell reached, lowest first; empty without rungs. A given cell has only the
            score of its whole training.
        ending: "complete", "paused at rung N", "stopped at TASK" or "failed at TASK".
        tasks: latest result on each task that the cell visited, in the order of the stages.
    """

    id: str
    formula: str = field(repr=False)
    name: str | None
    remark: str
    known: bool
    rung: int | None
    score: float | None
    scores: tuple[float | None, ...] = field(repr=False)
    ending: str
    tasks: Mapping[str, TaskAnswer] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return the answer as a JSON object: the fields in order, without an empty name or remark."""
        return {key: value for key, value in asdict(self).items() if key not in ("name", "remark") or value}


def answer_of(engine: OutsideEngine, cell: str, last: int, *, written: str | None = None, known: bool = True) -> Answer:
    """Return what a run has found out about a cell by its proposals up to index `last`, which must have ended.

    Args:
        engine: engine of the run.
        cell: id of the cell.
        last: index of the last proposal that counts.
        written: formula or name as it was told.
        known: whether the cell was known when it was told.

    Raises:
        StoreError: the store cannot be read.
    """
    store, rule, whole = engine.store, engine.rule, engine.allocation.whole
    settings = engine.best_settings(cell, last)
    tasks: dict[str, TaskAnswer] = {}
    proposals: list[tuple[ProposalRow, float | None]] = []
    for row in (row for index in engine.indices(cell, last) for row in store.proposals(index)):
        shares: list[float | None] = []
        for visit in store.evaluations(cell, proposal=row.index):
            share = visit.ratio
            if share is None and visit.best is not None and visit.task in rule.reference:
                share = rule.share(visit.task, visit.best)  # of a given cell: the GRU's result was not known then
            tasks[visit.task] = TaskAnswer(visit.best, share, settings.get(visit.task))
            shares += [share] if visit.task in rule.ranked else []
        # The store keeps the score of a complete cell; that at a lower rung follows from the shares there.
        paused = row.outcome == paused_at(len(proposals))
        proposals.append((row, score(shares) if paused else row.score))
    scores = tuple(value for _, value in proposals) if whole else ()
    if whole and proposals[0][0].kind == ProposalKind.BASELINE:
        scores = (None,) * whole + scores
    name = engine.name(cell) or name_of(cell)
    return Answer(
        id=printed_id(cell),
        formula=store.cell(cell).formula,
        name=name,
        remark="" if name is None or written is None else _remark(written, cell),
        known=known,
        rung=len(scores) if whole else None,
        score=proposals[-1][1],
        scores=scores,
        ending=proposals[-1][0].outcome,
        tasks=tasks,
    )


def order_of(answer: Answer) -> tuple[int, float, str]:
    """Return the key that sorts the best cell first: by rung, then by score; equal ones are sorted by id.

    The answer must have a score.
    """
    assert answer.score is not None
    return -(answer.rung or 0), -answer.score, answer.id


def _remark(written: str, cell: str) -> str:
    """Return how a formula differs from the published one of its cell; empty for a name and for other cells."""
    name = name_of(cell)
    if name is None or "=" not in written or library_name(written) is not None:
        return ""
    return describe_flipped(flipped_gates(parse_written(written).graph, named_cell(name)))

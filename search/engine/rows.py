"""Rows of the store from the types of the search, and results of trials back from their rows."""

import math
from collections.abc import Iterable

from results.store.records import CellRow, EvaluationRow, MeasureRow, ProposalRow, TrialRow
from results.store.words import Origin, ProposalKind, TrialState
from search.allocations.base import Judgement
from search.cells.notation.formula import format_formula
from search.cells.operations import Op
from search.strategies.proposal import Outcome, Proposal
from search.training.settings import Setting
from search.training.trial import OtherMetric, Point, TrialResult
from tasks.task import Metric


def cell_row(proposal: Proposal, name: str | None) -> CellRow:
    """Return the row of the proposal's cell, which is called `name` if it is known by a name."""
    graph = proposal.graph
    assert graph is not None
    given = proposal.kind is ProposalKind.BASELINE
    origin = {ProposalKind.BASELINE: Origin.BASELINE, ProposalKind.INITIAL: Origin.INITIAL}
    return CellRow(
        id=graph.id,
        formula=format_formula(graph),
        name=name,
        parent=proposal.parent,
        mutations=tuple(f"{m.transformation}: {m.detail}" for m in proposal.mutations),
        origin=origin.get(proposal.kind, Origin.FOUND),
        proposal=None if given else proposal.index,
        nodes=len(graph),
        states=graph.states,
        products=sum(node.op is Op.LINEAR for node in graph),
    )


def evaluation_row(proposal: Proposal, judgement: Judgement) -> EvaluationRow:
    """Return the row of a visit that has ended."""
    assert proposal.cell is not None
    return EvaluationRow(
        proposal=proposal.index,
        cell=proposal.cell,
        task=judgement.task,
        stage=judgement.stage,
        settings=judgement.settings,
        best=judgement.best,
        ratio=judgement.share,
        threshold=judgement.threshold,
        passed=judgement.passed,
    )


def proposal_row(outcome: Outcome, score: float | None) -> ProposalRow:
    """Return the row of a proposal that has ended with this score."""
    proposal = outcome.proposal
    rejections = {str(reason): count for reason, count in proposal.rejections.items()}
    return ProposalRow(proposal.index, proposal.kind, proposal.cell, proposal.parent, outcome.ending, score, rejections)


def trial_row(
    cell: str,
    task: str,
    setting: Setting,
    repeat: int,
    *,
    seed: int,
    result: TrialResult,
    metric: Metric,
    environment: str | None,
    proposal: int | None,
) -> TrialRow:
    """Return the row of a finished trial.

    `trial_result` is its inverse but for the environment's description and the other metrics.

    Args:
        cell: id of the cell.
        task: name of the task.
        setting: setting of the trial.
        repeat: 0 for the search's own trials, 1, 2, ... for those of finalists.
        seed: seed of the trial.
        result: result of the trial.
        metric: metric of the task.
        environment: id of the environment that trained it.
        proposal: index of the first proposal that asked for it.
    """
    return TrialRow(
        cell=cell,
        task=task,
        setting=setting.key,
        repeat=repeat,
        seed=seed,
        state=result.state,
        reason=result.reason,
        metric=metric.name,
        higher_is_better=metric.higher_is_better,
        validation=result.validation,
        validation_se=result.validation_se,
        test=result.test,
        test_se=result.test_se,
        validation_loss=result.validation_loss,
        test_loss=result.test_loss,
        best_step=result.best_step,
        steps=result.steps,
        seconds=result.seconds,
        parameters=result.parameters,
        units=result.units,
        curve=tuple((p.step, p.loss, p.validation) for p in result.curve),
        environment=environment,
        proposal=proposal,
    )


def measure_rows(trial: TrialRow, result: TrialResult) -> list[MeasureRow]:
    """Return the rows of the other metrics of a finished trial, whose own row is `trial`."""
    return [
        MeasureRow(
            cell=trial.cell,
            task=trial.task,
            setting=trial.setting,
            repeat=trial.repeat,
            metric=other.name,
            validation=other.validation,
            validation_se=other.validation_se,
            test=other.test,
            test_se=other.test_se,
        )
        for other in result.others
    ]


def other_metrics(rows: Iterable[MeasureRow]) -> tuple[OtherMetric, ...]:
    """Return the other metrics of a trial from their rows; the inverse of `measure_rows` but for the order."""
    found = []
    for row in rows:
        values = (row.validation, row.validation_se, row.test, row.test_se)
        found.append(OtherMetric(row.metric, *(math.nan if value is None else value for value in values)))
    return tuple(found)


def is_enough(row: TrialRow, until: int | None) -> bool:
    """Return whether a stored trial answers one that pauses at the step `until`, or that is trained to its end."""
    return row.state != TrialState.PAUSED or (until is not None and row.steps >= until)


def trial_result(row: TrialRow) -> TrialResult:
    """Return the result of a stored trial, with the curve if the row was read with it."""
    return TrialResult(
        TrialState(row.state),
        row.reason,
        validation=row.validation,
        validation_se=row.validation_se,
        validation_loss=row.validation_loss,
        test=row.test,
        test_se=row.test_se,
        test_loss=row.test_loss,
        best_step=row.best_step,
        steps=row.steps,
        seconds=row.seconds,
        parameters=row.parameters,
        units=row.units,
        curve=tuple(Point(*point) for point in row.curve),
    )

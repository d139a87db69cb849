"""Baselines: the given cells, evaluated on every task before the first proposal, and the GRU's results as reference."""

from collections.abc import Mapping, Sequence

from results.store.store import Store
from results.store.words import MEMORIZATION, ProposalKind, ScoreKind, TrialState
from search.allocations.base import Allocation, Reference, paused_value
from search.cells.graph import GateGraph
from search.core.errors import SearchError
from search.core.keys import generator_of
from search.engine.rows import trial_result
from search.profiles.sections import Profile
from search.strategies.proposal import Outcome, Proposal
from search.strategies.scoring import ScoreRule
from search.training.settings import Setting


def baseline_proposal(profile: Profile, seed: int, index: int, graph: GateGraph) -> Proposal:
    """Return the proposal of a given cell. Its settings are drawn from the seed, the same for all given cells."""
    gate = profile.memorization
    rng = generator_of(seed, "baseline", MEMORIZATION)
    settings: dict[str, tuple[Setting, ...]] = {MEMORIZATION: profile.grid_of(gate).draw(gate.baseline_settings, rng)}
    for task, section in profile.tasks.items():
        grid = profile.grid_of(section)
        count = len(grid) if section.baseline_settings == "all" else section.baseline_settings
        settings[task] = grid.draw(count, generator_of(seed, "baseline", task))
    return Proposal(index, ProposalKind.BASELINE, graph, settings=settings)


def check_reference(outcome: Outcome, store: Store) -> None:
    """Raise an error with the stored reason if every trial of the reference cell on a task failed.

    Args:
        outcome: outcome of the reference cell's proposal.
        store: store of the run, which has its trials.

    Raises:
        SearchError: all trials of a task failed.
    """
    for visit in outcome.visits:
        trials = store.trials(outcome.proposal.cell, visit.task)
        if visit.task != MEMORIZATION and trials and all(row.state == TrialState.FAILED for row in trials):
            raise SearchError(
                f"every trial of the GRU on {visit.task!r} failed, so nothing can be compared with it: "
                f"{trials[0].reason}; remove the cause, then rerun with --resume, which trains them again"
            )


def reference_metrics(outcome: Outcome, rule: ScoreRule) -> dict[str, float]:
    """Return the best validation metric of the reference cell on each task.

    Args:
        outcome: outcome of the reference cell's proposal.
        rule: rule of the score, without a reference.

    Raises:
        SearchError: the reference cell has no result on a task, or no gain on a ranked one although the score is of
            gains.
    """
    visits = {visit.task: visit.results.values() for visit in outcome.visits if visit.task != MEMORIZATION}
    reference = rule.bests(visits)
    for task in visits:
        if task not in reference:
            raise SearchError(
                f"no setting of the GRU has a result on {task!r}, so nothing can be compared with it; "
                "try more baseline_settings or smaller learning rates in the profile"
            )
        if rule.kind is ScoreKind.GAIN and task in rule.ranked and not rule.gain(task, reference[task]) > 0.0:
            found, constant = f"{reference[task]:.4g}", f"{rule.constants[task]:.4g}"
            raise SearchError(
                f"the GRU's best {rule.metrics[task].name} on {task!r} is {found}, no better than the constant "
                f"baseline's {constant}, so no gain can be compared with it; raise epochs, epoch_steps or "
                f"baseline_settings of {task!r} in the profile"
            )
    return reference


def reference_of(
    store: Store,
    cell: str,
    rule: ScoreRule,
    allocation: Allocation,
    settings: Mapping[str, Setting],
    ranked: Sequence[str],
) -> Reference:
    """Return the stored results of the reference cell.

    Args:
        store: store of the run.
        cell: id of the reference cell.
        rule: rule of the score, with the reference's metrics.
        allocation: allocation of the run.
        settings: the reference's best setting on each task.
        ranked: names of the ranked tasks.
    """
    marks: dict[str, dict[int, float]] = {}
    curves: dict[str, dict[int, float]] = {}
    means = {}
    for task in ranked:
        metric = rule.metrics[task]
        rows = store.repeats(cell, task, settings[task].key)
        curve = next(trial_result(row) for row in rows if row.repeat == 0)
        best: float | None = None
        for point in curve.curve:
            best = point.validation if best is None else metric.best([best, point.validation])
            curves.setdefault(task, {})[point.step] = best
        for mark in allocation.marks(task):
            value = paused_value(curve.at(mark))
            if value is not None:
                marks.setdefault(task, {})[mark] = value
        further = [row for row in rows if row.repeat in allocation.reference_repeats]
        found = [v for row in further if (v := paused_value(trial_result(row))) is not None]
        if further and len(found) == len(further):
            means[task] = sum(found) / len(found)
    return Reference(rule, marks, curves, settings, means)

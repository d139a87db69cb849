"""History of an interrupted run: the proposals that ended, read from the store in bulk.

A resumed search needs of them only what its strategy learns from outcomes, so no proposal is drawn again: ten thousand
proposals are read within seconds, where drawing their cells would take a minute.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.store.queries import PastVisit, past_trials, past_visits
from results.store.records import ProposalRow
from results.store.store import Store
from results.store.words import ProposalKind, TrialState
from search.allocations.base import Allocation, best_setting, paused_value
from search.strategies.proposal import Visit
from search.strategies.scoring import ScoreRule
from search.training.settings import Setting
from search.training.trial import Point, TrialResult


@dataclass(frozen=True)
class PastProposal:
    """Row of a proposal that ended, and its visits in order.

    A trial that several proposals asked for belongs to the visit of the first one only. A strategy learns the same from
    it, because it is told the other proposals later.
    """

    row: ProposalRow
    visits: tuple[Visit, ...]


@dataclass(frozen=True)
class History:
    """Longest prefix of finished proposals, and the number of their trials."""

    proposals: Sequence[PastProposal]
    trials: int

    @classmethod
    def read(cls, store: Store, allocation: Allocation, rule: ScoreRule) -> "History":
        """Read the history of a run.

        Args:
            store: store of the run.
            allocation: allocation of the run: it says where trials were paused.
            rule: rule of the score.

        Raises:
            StoreError: the store cannot be read.
        """
        rows: list[ProposalRow] = []
        for row in store.proposals():
            if row.index == len(rows):
                rows.append(row)
        found = _trials(store, len(rows), curves=allocation.whole > 0)
        judged: dict[int, list[PastVisit]] = defaultdict(list)
        for visit in past_visits(store):
            judged[visit.proposal].append(visit)
        proposals = []
        cells: dict[str, _Course] = {}
        for row in rows:
            course = cells.setdefault(row.cell, _Course(allocation, rule)) if row.cell is not None else None
            visits = []
            for visit in judged[row.index]:
                own = found.get((row.index, visit.task), {})
                if course is not None:
                    visits.append(course.visit(visit, own, promoted=row.kind == ProposalKind.PROMOTE))
            if course is not None:
                course.rung += 1
            proposals.append(PastProposal(row, tuple(visits)))
        return cls(proposals, sum(map(len, found.values())))


class _Course:
    """Proposals of one cell in order: which trials are trained on at which rung, and their results there."""

    def __init__(self, allocation: Allocation, rule: ScoreRule) -> None:
        self.allocation, self.rule = allocation, rule
        self.rung = 0
        self.continued: dict[str, tuple[Setting, TrialResult]] = {}  # best setting of the rung before, by task

    def visit(self, past: PastVisit, own: Mapping[Setting, TrialResult], *, promoted: bool) -> Visit:
        """Return a visit with the results that it had, from the trials that its proposal asked for first."""
        whole = self.allocation.whole
        if not whole:
            values = {setting: _ranked_value(result) for setting, result in own.items()}
            return Visit(past.task, values, past.passed, past.share)
        if self.rung > whole:  # of further seeds
            return Visit(past.task, {}, past.passed, past.share)
        trials = dict([self.continued[past.task]]) if promoted and past.task in self.continued else {}
        trials |= own
        marks = self.allocation.marks(past.task)
        results = {
            setting: paused_value(result.at(marks[self.rung]) if self.rung < whole else result)
            for setting, result in trials.items()
        }
        visit = Visit(past.task, results, past.passed, past.share)
        best = best_setting(self.rule, visit)
        if best is not None:
            self.continued[past.task] = best, trials[best]
        return visit


def _trials(store: Store, proposals: int, *, curves: bool) -> Mapping[tuple[int, str], dict[Setting, TrialResult]]:
    """Return the trials that each of the first proposals asked for first, by proposal and task."""
    found: dict[tuple[int, str], dict[Setting, TrialResult]] = defaultdict(dict)
    settings: dict[str, Setting] = {}
    for trial in past_trials(store, proposals, curves=curves):
        setting = settings.get(trial.setting) or settings.setdefault(trial.setting, Setting.from_key(trial.setting))
        curve = tuple(Point(*point) for point in trial.curve)
        result = TrialResult(TrialState(trial.state), "", validation=trial.validation, steps=trial.steps, curve=curve)
        found[trial.proposal, trial.task][setting] = result
    return found


def _ranked_value(result: TrialResult) -> float | None:
    return result.validation if result.state.is_ranked else None

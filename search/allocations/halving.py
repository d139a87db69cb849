"""Asynchronous successive halving (ASHA; Li et al. 2018, arXiv 1810.05934, algorithm 2), decided by index and window.

A new candidate is trained for a small share of the steps on all ranked tasks: the first rung. Of `eta` candidates of a
rung the best one is promoted: it is trained on to the next rung, whose share is `eta` times larger, and so on to the
whole schedule. On top, the best candidates are trained on further seeds. At each rung the best setting of the rung
before is trained on, and new settings beside it from the start.

Below the top, a candidate is compared with the reference cell at equal steps: its share of a task is its gain over the
constant baseline, divided by the gain that the reference's best setting had at that step. The score of a rung is the
smallest share over the ranked tasks. Tasks of which the reference has learnt too little by that step are left out.

A promotion takes an index of its own and depends on the outcomes that were told, as every proposal does. A promotion
from a higher rung goes first.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from results.store.endings import NO_CHILD, failed_at, paused_at, stopped_at
from results.store.rungs import marks_of
from results.store.words import COMPLETE, ProposalKind, TrialState
from search.allocations.base import (
    LEARNT,
    LEAST,
    Allocation,
    Course,
    Judgement,
    Promotion,
    Reference,
    Step,
    TrialKey,
    best_setting,
    paused_value,
)
from search.allocations.stages import StagesCourse
from search.core.errors import SearchError
from search.core.keys import generator_of
from search.profiles.sections import Profile
from search.strategies.proposal import Outcome, Proposal, Visit
from search.strategies.scoring import ScoreRule
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.trial import TrialResult


@dataclass
class _Candidate:
    """Known candidate: the rung it has reached, and the settings tried on each task with their results there."""

    rung: int
    best: dict[str, Setting] = field(default_factory=dict)
    tried: dict[str, set[Setting]] = field(default_factory=dict)


class _Rung:
    """Candidates of a rung: how many were told, the ordered results, and who waits for a promotion."""

    def __init__(self) -> None:
        self.told = 0
        self._ordered: list[tuple[float, str]] = []  # (minus the score, id), best first
        self._waiting: list[tuple[float, str]] = []  # a heap of those that were not promoted

    def enter(self, cell: str, score: float) -> None:
        self.told += 1
        if math.isfinite(score):
            insort(self._ordered, (-score, cell))
            heappush(self._waiting, (-score, cell))

    def promote(self, eta: int) -> str | None:
        """Take the best candidate that waits if it is among the best 1 / eta of all that were told, or return None."""
        if self._waiting and bisect_left(self._ordered, self._waiting[0]) < self.told // eta:
            return heappop(self._waiting)[1]
        return None


class Halving(Allocation):
    """Successive halving of the candidates, with the numbers of the profile's section `[halving]`."""

    def __init__(self, profile: Profile, seed: int, budgets: Mapping[str, Budget]) -> None:
        super().__init__(profile, seed, budgets)
        self.section = profile.halving
        self.whole = self.section.rungs - 1  # the rung of a whole training
        self.top = self.whole + (self.section.seeds > 0)
        self._rungs = [_Rung() for _ in range(self.top + 1)]
        self._candidates: dict[str, _Candidate] = {}
        self._tasks: list[tuple[str, ...]] = []

    def start(self, reference: Reference) -> None:
        """Enter the reference cell's results.

        Raises:
            SearchError: the reference has not begun to learn any ranked task at the first rung.
        """
        super().start(reference)
        self._tasks = [self._tasks_of(rung, reference) for rung in range(self.top + 1)]
        if not self.tasks(0):
            steps = ", ".join(f"{self.marks(task)[0]} of {task}" for task in self.profile.ranked)
            raise SearchError(
                f"at the first rung, after the steps {steps}, the GRU has learnt too little to compare cells with it; "
                "set fewer halving.rungs, or more epochs or epoch_steps of a task"
            )

    @property
    def reference_repeats(self) -> tuple[int, ...]:
        """Repeats of the further seeds: -1, -2, ..."""
        return tuple(range(-1, -1 - self.section.seeds, -1))

    def marks(self, task: str) -> tuple[int, ...]:
        """Return the step of each rung but the whole training, lowest first."""
        return marks_of(self.section.shares, self.budgets[task].steps)

    def until(self, task: str, rung: int) -> int | None:
        """Return the step at which the trials of a rung pause, or None if they are trained to their end."""
        return self.marks(task)[rung] if rung < self.whole else None

    def tasks(self, rung: int) -> tuple[str, ...]:
        """Return the tasks of a rung in order.

        Below a whole training these are the ranked tasks of which the reference has learnt enough, or at least that of
        which it has learnt most. A whole training is on all tasks, and further seeds are of the ranked ones.
        """
        return self._tasks[rung]

    def _tasks_of(self, rung: int, reference: Reference) -> tuple[str, ...]:
        if rung >= self.whole:
            return self.profile.visited if rung == self.whole else self.profile.ranked
        learnt = {task: reference.learnt(task, self.until(task, rung)) for task in self.profile.ranked}
        most = max(learnt, key=learnt.__getitem__)
        return tuple(t for t in learnt if learnt[t] > LEARNT or (t == most and learnt[t] > LEAST))

    def course(self, proposal: Proposal, rule: ScoreRule) -> Course:
        """Return the course of a proposal; baselines visit every task in full."""
        if proposal.kind is ProposalKind.BASELINE:
            return StagesCourse(proposal, self.profile, rule)
        return RungCourse(proposal, self, 0 if proposal.kind is not ProposalKind.PROMOTE else self._next(proposal))

    def _next(self, proposal: Proposal) -> int:
        assert proposal.cell is not None
        return self._candidates[proposal.cell].rung + 1

    def promotion(self, index: int) -> Promotion | None:
        """Return the promotion of the best candidate of the highest rung that has one to promote, or None."""
        for rung in reversed(range(self.top)):
            cell = self._rungs[rung].promote(self.section.eta)
            if cell is not None:
                return Promotion(cell, self._settings(cell, rung + 1, index))
        return None

    def _settings(self, cell: str, rung: int, index: int) -> dict[str, tuple[Setting, ...]]:
        """Return the settings of a promoted candidate: the best one of each task so far, and new ones near it."""
        assert self.reference is not None
        candidate, reference, settings = self._candidates[cell], self.reference, {}
        rng = generator_of(self.seed, "promotion", index)
        for task in self.tasks(rung):
            grid = self.profile.grid_of(self.profile.tasks[task])
            best = candidate.best.get(task, reference.settings[task])
            new = 0 if rung > self.whole else self.section.settings[rung] - 1
            tried = candidate.tried.get(task, set()) | {best}
            near = [setting for setting in grid.neighbours(best) if setting not in tried][:new]
            drawn = grid.draw(new - len(near), rng, tried | {*near})
            settings[task] = (best, *near, *drawn)
        return settings

    def learn(
        self, index: int, kind: ProposalKind, cell: str | None, visits: Sequence[Visit], ending: str
    ) -> tuple[int, float | None]:
        """Enter the outcome of a proposal into its rung; the score is -inf if the candidate was stopped."""
        if cell is None:
            return 0, None
        candidate = self._candidates.setdefault(cell, _Candidate(-1))
        candidate.rung += 1
        score = self.score(candidate.rung, visits, ending)
        assert self.reference is not None
        for visit in visits:
            found = best_setting(self.reference.rule, visit)
            if found is not None:
                candidate.best[visit.task] = found
            candidate.tried.setdefault(visit.task, set()).update(visit.results)
        self._rungs[candidate.rung].enter(cell, score)
        return candidate.rung, score

    def score(self, rung: int, visits: Sequence[Visit], ending: str) -> float:
        """Return the smallest share over the visits of ranked tasks; -inf if the candidate did not get through."""
        if ending not in (COMPLETE, paused_at(rung)):
            return -math.inf
        shares = [visit.share for visit in visits if visit.task in self.profile.ranked]
        return min((-math.inf if share is None else share for share in shares), default=-math.inf)


class RungCourse(Course):
    """Course of one proposal through the tasks of its rung.

    It ends at the first ranked task on which the candidate's share is not above the profile's `hopeless`.

    Args:
        proposal: the proposal, with the settings of each task.
        halving: the allocation, with the reference's results.
        rung: the rung, from 0.
    """

    def __init__(self, proposal: Proposal, halving: Halving, rung: int) -> None:
        assert halving.reference is not None
        self.proposal, self.halving, self.rung, self.reference = proposal, halving, rung, halving.reference
        self.visits: list[Visit] = []
        self.ending: str | None = NO_CHILD if proposal.graph is None else None
        self._left = list(halving.tasks(rung))

    def step(self) -> Step | None:
        """Return the trials of the next task, or None if the proposal has ended."""
        if self.ending is None and not self._left:
            self.ending = COMPLETE if self.rung >= self.halving.whole else paused_at(self.rung)
        if self.ending is not None:
            return None
        task = self._left[0]
        repeats = (0,) if self.rung <= self.halving.whole else self.halving.reference_repeats
        settings = self.proposal.settings.get(task, ())
        trials = tuple(TrialKey(setting, repeat) for setting in settings for repeat in repeats)
        return Step(task, self._stage(task), trials, self.halving.until(task, self.rung), self.halving.floor(task))

    def tell(self, results: Mapping[TrialKey, TrialResult]) -> Judgement:
        """Enter the results of a task and return the judgement of the visit."""
        task = self._left.pop(0)
        rule = self.reference.rule
        values = {key: paused_value(result) for key, result in results.items()}
        if self.rung > self.halving.whole:
            visit = Visit(task, {}, passed=True, share=self._share_of_repeats(task, list(values.values())))
            best = _mean(list(values.values()))
        else:
            own = {key.setting: value for key, value in values.items()}
            best = rule.bests({task: own.values()}).get(task)
            until = self.halving.until(task, self.rung)
            share = None if best is None else self.reference.share_at(task, best, until)
            visit = Visit(task, own, self.rung == self.halving.whole, share)
        ranked = task in self.halving.profile.ranked
        threshold = self.halving.profile.search.hopeless if ranked else None
        if threshold is not None and (visit.share is None or visit.share <= threshold):
            visit = Visit(task, visit.results, passed=False, share=visit.share)
            failed = bool(results) and all(result.state is TrialState.FAILED for result in results.values())
            self.ending = failed_at(task) if failed else stopped_at(task)
        self.visits.append(visit)
        settings = len({key.setting for key in results})
        return Judgement(task, self._stage(task), settings, best, visit.share, threshold, visit.passed)

    def outcome(self) -> Outcome:
        """Return the outcome of the proposal, which must have ended."""
        assert self.ending is not None
        score = self.halving.score(self.rung, self.visits, self.ending)
        return Outcome(self.proposal, tuple(self.visits), self.ending, self.rung, score)

    def _stage(self, task: str) -> int:
        return 1 + self.halving.profile.visited.index(task)

    def _share_of_repeats(self, task: str, values: Sequence[float | None]) -> float | None:
        mean = _mean(values)
        if mean is None or task not in self.reference.repeats:
            return None
        return self.reference.rule.against({task: self.reference.repeats[task]}).share(task, mean)


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of values, or None if one is missing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None

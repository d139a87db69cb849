"""Stages of a proposal: which task it visits next, and where it ends (Jozefowicz et al. 2015, section 3.1).

A new cell must first pass memorization, then exceed a share of the GRU's best result on each ranked task in turn; a
cell that fails ends there and costs no more. The share is that of the score (`ScoreRule.share`). Tasks with the role
`check` come last and end no proposal. Given cells and cells that are examined again visit every task.
"""

from collections.abc import Callable, Mapping

from results.store.endings import NO_CHILD, failed_at, stopped_at
from results.store.words import COMPLETE, MEMORIZATION, ProposalKind, TrialState
from search.allocations.base import Allocation, Course, Floor, Judgement, Step, TrialKey
from search.profiles.sections import Profile, Role
from search.strategies.proposal import Outcome, Proposal, Visit
from search.strategies.scoring import ScoreRule
from search.training.settings import Setting
from search.training.trial import TrialResult


class StagesCourse(Course):
    """Course of one proposal through the stages.

    Args:
        proposal: the proposal.
        profile: profile of the run.
        rule: rule of the score; without a reference for baselines, which are compared with nothing.
        floor: returns the floor of the trials of a task, as in `Step`.
    """

    def __init__(
        self,
        proposal: Proposal,
        profile: Profile,
        rule: ScoreRule,
        floor: Callable[[str], Floor] = lambda task: (),
    ) -> None:
        self.proposal, self.profile, self.rule, self.floor = proposal, profile, rule, floor
        self.gated = proposal.kind in (ProposalKind.PROPOSE, ProposalKind.INITIAL)
        self.visits: list[Visit] = []
        self.ending: str | None = NO_CHILD if proposal.graph is None else None
        stages = [] if proposal.kind is ProposalKind.REEXAMINE or proposal.memorized else [MEMORIZATION]
        self._left = stages + list(profile.visited)
        self._results: dict[Setting, TrialResult] = {}

    def step(self) -> Step | None:
        """Return the settings to train next, or None if the proposal has ended."""
        if self.ending is not None:
            return None
        if not self._left:
            self.ending = COMPLETE
            return None
        task = self._left[0]
        settings = tuple(s for s in self.proposal.settings.get(task, ()) if s not in self._results)
        if task == MEMORIZATION:
            settings = settings[:1]  # one setting that passes is enough, so they are tried one by one
        floor = self.floor(task) if self.gated and task != MEMORIZATION else ()
        return Step(task, self._stage(task), tuple(map(TrialKey, settings)), floor=floor)

    def tell(self, results: Mapping[TrialKey, TrialResult]) -> Judgement | None:
        """Enter the results of the step. Return the judgement of the visit, or None if the visit has not ended."""
        task = self._left[0]
        self._results.update({key.setting: result for key, result in results.items()})
        if task == MEMORIZATION:
            judgement = self._judge_memorization()
            if not judgement.passed and len(self._results) < len(self.proposal.settings.get(task, ())):
                return None
        else:
            judgement = self._judge(task)
        values = {setting: _ranked_value(result) for setting, result in self._results.items()}
        self.visits.append(Visit(task, values, judgement.passed, judgement.share))
        failed = bool(self._results) and all(r.state is TrialState.FAILED for r in self._results.values())
        self._results = {}
        self._left.pop(0)
        if self.gated and not judgement.passed:
            self.ending = failed_at(task) if failed else stopped_at(task)
        return judgement

    def outcome(self) -> Outcome:
        """Return the outcome of the proposal, which must have ended."""
        assert self.ending is not None
        return Outcome(self.proposal, tuple(self.visits), self.ending)

    def _stage(self, task: str) -> int:
        return 0 if task == MEMORIZATION else 1 + self.profile.visited.index(task)

    def _judge_memorization(self) -> Judgement:
        values = (_ranked_value(result) for result in self._results.values())
        best = max((value for value in values if value is not None), default=None)
        threshold = self.profile.memorization.accuracy
        passed = best is not None and best >= threshold
        return Judgement(MEMORIZATION, 0, len(self._results), best, None, threshold, passed)

    def _judge(self, task: str) -> Judgement:
        section = self.profile.tasks[task]
        values = [self.proposal.best_before.get(task), *map(_ranked_value, self._results.values())]
        best = self.rule.bests({task: values}).get(task)
        compared = None if best is None else self.rule.share(task, best)
        threshold = section.threshold if self.gated and section.role is Role.RANKED else None
        passed = threshold is None or (compared is not None and compared > threshold)
        return Judgement(task, self._stage(task), len(self._results), best, compared, threshold, passed)


class Stages(Allocation):
    """Stages of the study: a new cell is trained in full on one task after another, as far as it passes."""

    def course(self, proposal: Proposal, rule: ScoreRule) -> StagesCourse:
        """Return the course of a proposal through the stages."""
        return StagesCourse(proposal, self.profile, rule, self.floor)


def _ranked_value(result: TrialResult) -> float | None:
    """Return the validation metric of a trial that may represent its cell, or None."""
    return result.validation if result.state.is_ranked else None

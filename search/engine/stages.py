"""The way of a proposal: which task it visits next, and where it stops (Jozefowicz et al. 2015, section 3.1).

A new cell must first repeat what it read (memorization), then exceed a share of the GRU's best on each ranked task in
turn; whoever fails stops there and costs no more. Tasks with the role `check` come last and stop nobody. Named cells
and cells that are examined again visit every task.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from results.scores.score import finite_ratio
from results.store.words import COMPLETE, ProposalKind, TrialState
from search.profiles.sections import MEMORIZATION, Profile, Role
from search.strategies.base import Outcome, Proposal, Visit
from search.training.settings import Setting
from search.training.trial import TrialResult
from tasks.task import Metric

NO_CHILD = "no valid child"


@dataclass(frozen=True)
class Step:
    """What is trained next: some settings on a task. `stage` is 0 for memorization, then counts the tasks."""

    task: str
    stage: int
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class Judgement:
    """How a visit ended: the cell's best so far there, its ratio to the GRU, what it had to exceed, whether it did."""

    task: str
    stage: int
    settings: int
    best: float | None
    ratio: float | None
    threshold: float | None
    passed: bool


class Path:
    """One proposal on its way. Call `step` and `tell` in turn until `step` gives None; then `outcome` is there.

    `reference` has the GRU's best of each task; it may lack tasks where nothing is compared (baselines).
    """

    def __init__(
        self,
        proposal: Proposal,
        profile: Profile,
        metrics: Mapping[str, Metric],
        reference: Mapping[str, float],
    ) -> None:
        self.proposal, self.profile, self.metrics, self.reference = proposal, profile, metrics, reference
        self.gated = proposal.kind is ProposalKind.PROPOSE
        self.visits: list[Visit] = []
        self.ending: str | None = NO_CHILD if proposal.graph is None else None
        stages = [] if proposal.kind is ProposalKind.REEXAMINE or proposal.memorized else [MEMORIZATION]
        self._left = stages + list(profile.visited)
        self._results: dict[Setting, TrialResult] = {}

    def step(self) -> Step | None:
        """What to train next, or None when the proposal has come to its end."""
        if self.ending is not None:
            return None
        if not self._left:
            self.ending = COMPLETE
            return None
        task = self._left[0]
        settings = tuple(s for s in self.proposal.settings.get(task, ()) if s not in self._results)
        if task == MEMORIZATION:
            settings = settings[:1]  # any one that passes will do, so they are tried one after the other
        return Step(task, self._stage(task), settings)

    def tell(self, results: Mapping[Setting, TrialResult]) -> Judgement | None:
        """The results of the step. The judgement of the visit, or None while the visit goes on."""
        task = self._left[0]
        self._results.update(results)
        if task == MEMORIZATION:
            judgement = self._judge_memorization()
            if not judgement.passed and len(self._results) < len(self.proposal.settings.get(task, ())):
                return None
        else:
            judgement = self._judge(task)
        values = {s: r.validation if r.state.is_ranked else None for s, r in self._results.items()}
        self.visits.append(Visit(task, values, judgement.passed))
        failed = bool(self._results) and all(r.state is TrialState.FAILED for r in self._results.values())
        self._results = {}
        self._left.pop(0)
        if self.gated and not judgement.passed:
            self.ending = f"{'failed' if failed else 'stopped'} at {task}"
        return judgement

    def outcome(self) -> Outcome:
        """The proposal's outcome, once it has come to its end."""
        assert self.ending is not None
        return Outcome(self.proposal, tuple(self.visits), self.ending)

    def _stage(self, task: str) -> int:
        return 0 if task == MEMORIZATION else 1 + self.profile.visited.index(task)

    def _judge_memorization(self) -> Judgement:
        counted = [r.validation for r in self._results.values() if r.state.is_ranked and r.validation is not None]
        best = max(counted, default=None)
        threshold = self.profile.memorization.accuracy
        passed = best is not None and best >= threshold
        return Judgement(MEMORIZATION, 0, len(self._results), best, None, threshold, passed)

    def _judge(self, task: str) -> Judgement:
        metric, section = self.metrics[task], self.profile.tasks[task]
        best = self.proposal.best_before.get(task)
        for result in self._results.values():
            value = result.validation if result.state.is_ranked else None
            if value is not None and (best is None or metric.better(value, best)):
                best = value
        reference = self.reference.get(task)
        compared = None if best is None or reference is None else finite_ratio(best, reference, metric.higher_is_better)
        threshold = section.threshold if self.gated and section.role is Role.RANKED else None
        passed = threshold is None or (compared is not None and compared > threshold)
        return Judgement(task, self._stage(task), len(self._results), best, compared, threshold, passed)

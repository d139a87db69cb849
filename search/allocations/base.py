"""Base of the allocations: the course of a proposal, and promotions of known candidates.

An allocation decides how much training a candidate gets. It is told the outcomes of the proposals in order, as the
strategy is, and may take an index of its own for a promotion, a proposal that trains a known candidate further. Every
decision is a function of the outcomes told so far, so a run stays a function of its seed.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from results.store.words import ProposalKind, TrialState
from search.profiles.sections import Profile
from search.strategies.proposal import Outcome, Proposal, Visit
from search.strategies.scoring import ScoreRule
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.trial import TrialResult

LEARNT, LEAST = 0.3, 0.1
"""Share of its final gain that the reference must have at a step for candidates to be compared with it there.

Before that, a task is often in a phase in which nothing is learnt for a while and then much at once: who comes out of
it a few steps later has no gain yet, and may be better in the end. Where no task is that far, the one of which most was
learnt decides, if that is at least the second number."""

Floor: TypeAlias = tuple[tuple[int, float], ...]
"""(step, validation metric) pairs: a trial whose best value so far is worse at that step is given up."""


class TrialKey(NamedTuple):
    """Setting and repeat of a trial of a known cell on a known task."""

    setting: Setting
    repeat: int = 0


@dataclass(frozen=True)
class Step:
    """Trials to train next on a task.

    Attributes:
        task: name of the task.
        stage: 0 for memorization and 1, 2, ... for the tasks.
        trials: the trials.
        until: step at which they pause; None if they are trained to their end.
        floor: values below which a trial is given up.
    """

    task: str
    stage: int
    trials: tuple[TrialKey, ...]
    until: int | None = None
    floor: Floor = ()


@dataclass(frozen=True)
class Judgement:
    """Judgement of a visit to a task.

    Attributes:
        settings: number of settings tried in this visit.
        best: the cell's best validation metric on the task so far.
        share: share of the GRU's result that `best` is, by the kind of the score; None in memorization.
        threshold: accuracy to reach in memorization, share to exceed elsewhere; None if the visit ends no proposal.
    """

    task: str
    stage: int
    settings: int
    best: float | None
    share: float | None
    threshold: float | None
    passed: bool


class Course(ABC):
    """Course of one proposal: call `step` and `tell` in turn until `step` returns None; then call `outcome`."""

    proposal: Proposal

    @abstractmethod
    def step(self) -> Step | None:
        """Return the trials to train next, or None if the proposal has ended."""

    @abstractmethod
    def tell(self, results: Mapping[TrialKey, TrialResult]) -> Judgement | None:
        """Enter the results of the step. Return the judgement of the visit, or None if the visit has not ended."""

    @abstractmethod
    def outcome(self) -> Outcome:
        """Return the outcome of the proposal, which must have ended."""


@dataclass(frozen=True)
class Promotion:
    """Promotion of a known candidate: its id, and the settings to train it with on each task."""

    cell: str
    settings: Mapping[str, tuple[Setting, ...]]


@dataclass(frozen=True)
class Reference:
    """Results of the reference cell, which candidates are compared with.

    Attributes:
        rule: rule of the score, with the reference's best validation metric on each task.
        marks: validation metric at each step where candidates pause, by task and step, with its best setting.
        curves: best validation metric up to each step that was measured, by task and step, with that setting.
        settings: its best setting on each task, by the final result.
        repeats: mean validation metric over the further seeds of its best setting, by task; empty if there are none.
    """

    rule: ScoreRule
    marks: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    curves: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    repeats: Mapping[str, float] = field(default_factory=dict)

    def share_at(self, task: str, value: float, step: int | None) -> float | None:
        """Return a metric's share of the reference's result at equal steps; of its final result if `step` is None."""
        if step is None:
            return self.rule.share(task, value)
        return self.rule.against({task: self.marks[task][step]}).share(task, value)

    def learnt(self, task: str, step: int | None) -> float:
        """Return the share of its final gain that the reference has at a step; 0 if it is not known there."""
        return 1.0 if step is None else self._share_of_gain(task, self.marks.get(task, {}).get(step))

    def floor(self, task: str, share: float) -> Floor:
        """Return the values whose gain is this share of the reference's at equal steps, where that is informative."""
        if share <= 0.0:
            return ()
        constant = self.rule.constants[task]
        curve = sorted(self.curves.get(task, {}).items())
        return tuple(
            (step, constant + share * (v - constant)) for step, v in curve if self._share_of_gain(task, v) > LEARNT
        )

    def _share_of_gain(self, task: str, value: float | None) -> float:
        final = self.rule.gain(task, self.rule.reference[task])
        return 0.0 if value is None or not final > 0.0 else self.rule.gain(task, value) / final


class Allocation(ABC):
    """Rule by which the candidates of a search get their training.

    Args:
        profile: profile of the run.
        seed: seed of the run.
        budgets: training budget of memorization and each task.
    """

    whole = 0
    """Rung of a whole training."""

    def __init__(self, profile: Profile, seed: int, budgets: Mapping[str, Budget]) -> None:
        self.profile, self.seed, self.budgets = profile, seed, budgets
        self.reference: Reference | None = None
        self._floors: dict[str, Floor] = {}

    def start(self, reference: Reference) -> None:
        """Enter the reference cell's results. Called once, before the first proposal."""
        self.reference = reference
        share = self.profile.search.hopeless
        self._floors = {task: reference.floor(task, share) for task in self.profile.ranked}

    def floor(self, task: str) -> Floor:
        """Return the floor of the trials of a task, from the profile's share and the reference's curve.

        Only ranked tasks have one, and none has before `start`.
        """
        return self._floors.get(task, ())

    @property
    def reference_repeats(self) -> tuple[int, ...]:
        """Repeats of the reference cell's best setting that `start` needs besides repeat 0."""
        return ()

    @abstractmethod
    def course(self, proposal: Proposal, rule: ScoreRule) -> Course:
        """Return the course of a proposal.

        Args:
            proposal: the proposal.
            rule: rule of the score; without a reference for baselines, which are compared with nothing.
        """

    def promotion(self, index: int) -> "Promotion | None":
        """Return the promotion that proposal `index` is, or None if the proposal is the strategy's to choose."""
        return None

    def learn(
        self, index: int, kind: ProposalKind, cell: str | None, visits: Sequence[Visit], ending: str
    ) -> tuple[int, float | None]:
        """Learn from the outcome of a proposal. Outcomes are told in order, those before an interruption too.

        Args:
            index: index of the proposal.
            kind: its kind.
            cell: id of its cell; None if no valid child was drawn.
            visits: its visits in order.
            ending: its ending.

        Returns:
            The rung that the cell has reached, and its score there; None if the strategy works the score out from the
            results.
        """
        return 0, None

    def marks(self, task: str) -> tuple[int, ...]:
        """Return the step of each rung of a task at which its trials pause, lowest first."""
        return ()


def paused_value(result: TrialResult) -> float | None:
    """Return the validation metric of a trial that may represent its cell, paused or not, or None."""
    return result.validation if result.state.is_ranked or result.state is TrialState.PAUSED else None


def best_setting(rule: ScoreRule, visit: Visit) -> Setting | None:
    """Return the setting of a visit with the best result, the smallest of equal ones, or None if none has a result."""
    values = {setting: value for setting, value in visit.results.items() if value is not None}
    if not values:
        return None
    best = rule.metrics[visit.task].best(list(values.values()))
    return min(setting for setting, value in values.items() if value == best)

"""Schedule of a trial: learning rate, best epoch, and the rules by which a trial ends.

The default schedule is that of Jozefowicz et al. 2015, section 3.2, and ends a short budget with small learning rates
too. Schedules are counted in training steps, never in seconds, so that a trial's outcome depends on its inputs alone.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from results.store.words import TrialState
from search.core.errors import SearchError
from tasks.task import Metric

BASELINE_ERRORS = 3.0
"""Number of standard errors by which a model has to exceed `Task.chance_level`."""


class RateRule(StrEnum):
    """Rule by which the learning rate changes."""

    STUDY = "study"  # halved when validation no longer improves
    CONSTANT = "constant"
    COSINE = "cosine"  # from the whole rate to zero along half a cosine (Loshchilov and Hutter 2017, equation 5)


@dataclass(frozen=True)
class Budget:
    """Length of a trial in steps, and the epochs at which the learning rate falls or the trial ends.

    An epoch is `epoch_steps` training steps, followed by an evaluation on the validation set.

    By the study's rule, the learning rate is halved after `patience` epochs without improvement, and again after each
    epoch, for `halvings` epochs; then the trial ends. A trial that has not started to halve by then halves in the last
    `halvings` of its `epochs` (this project's addition). By the other rules, the rate depends on the step alone, and
    the trial has all its epochs: it rises in equal parts over the first `warmup` steps, and then it stays or falls.

    A trial that is not above `Task.chance_level` after `chance_epochs` is given
    up. With a `target`, the trial ends once validation reaches it.

    Attributes:
        marks: steps at which validation is measured besides the ends of epochs, in increasing order. A measurement
            there changes neither the learning rate nor which epoch is best.
        floor: pairs of a step and a value of the metric. A trial whose best value so far, those at marks included, is
            worse than the value is given up at the first measurement at or after the step.
        rule: rule of the learning rate.
        warmup: steps over which the learning rate rises; 0 with the study's rule.

    Raises:
        ValueError: the marks do not increase, or one of them is not a step of the trial.
        SearchError: the warm-up is not shorter than the trial, or the study's rule has one.
    """

    batch: int = 20
    unroll: int = 35
    epoch_steps: int = 1000
    epochs: int = 100
    patience: int = 3
    halvings: int = 4
    chance_epochs: int = 4
    target: float | None = None
    marks: tuple[int, ...] = ()
    floor: tuple[tuple[int, float], ...] = ()
    rule: RateRule = field(default=RateRule.STUDY, repr=False)  # see `trial_identity`
    warmup: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        if self.warmup and self.rule is RateRule.STUDY:
            raise SearchError(
                f"warmup is {self.warmup:,} steps, which the rule 'study' does not have; set the rule to 'constant' or "
                "'cosine', or leave warmup out"
            )
        if self.warmup >= self.steps:
            raise SearchError(
                f"warmup is {self.warmup:,} steps, but a trial has {self.steps:,}; set a shorter one, or more epochs"
            )
        if list(self.marks) != sorted(set(self.marks)) or not all(1 <= mark <= self.steps for mark in self.marks):
            raise ValueError(f"the marks {self.marks} of a trial must increase, from 1 to {self.steps} steps")

    @property
    def steps(self) -> int:
        """Largest number of training steps of a trial."""
        return self.epoch_steps * self.epochs

    def measures_at(self, step: int) -> bool:
        """Return whether validation is measured after `step` training steps."""
        return step in self.marks or (step % self.epoch_steps == 0 and 0 < step <= self.steps)

    def check_pause(self, until: int | None) -> None:
        """Check that a trial can pause after `until` steps; None means that it does not pause.

        Raises:
            ValueError: validation is not measured there.
        """
        if until is not None and not self.measures_at(until):
            raise ValueError(
                f"a trial cannot pause at step {until}: it pauses at a mark {self.marks} or at the end of an epoch of "
                f"{self.epoch_steps} steps, up to {self.steps}"
            )


class LearningRate:
    """Learning-rate schedule of a `Budget`; `value` is the rate of the current epoch by the study's rule."""

    def __init__(self, start: float, budget: Budget) -> None:
        self.start = self.value = start
        self.budget = budget
        self.waited = self.halved = self.epoch = 0

    def at(self, step: int) -> float:
        """Return the rate of the training step that follows `step` steps."""
        budget = self.budget
        if budget.rule is RateRule.STUDY:
            return self.value
        if step < budget.warmup:
            return self.start * (step + 1) / budget.warmup
        if budget.rule is RateRule.CONSTANT:
            return self.start
        share = (step - budget.warmup) / (budget.steps - budget.warmup)
        return self.start * 0.5 * (1.0 + math.cos(math.pi * share))

    def epoch_ended(self, improved: bool) -> bool:
        """Count an epoch and halve the rate if it is time; return whether the schedule is over."""
        self.epoch += 1
        if self.budget.rule is not RateRule.STUDY:
            return self.epoch >= self.budget.epochs
        self.waited = 0 if improved else self.waited + 1
        last = self.budget.epochs - self.epoch <= self.budget.halvings
        if self.halved or last or self.waited >= self.budget.patience:
            if self.halved >= self.budget.halvings:
                return True
            self.halved += 1
            self.value /= 2
        return self.epoch >= self.budget.epochs


@dataclass(frozen=True)
class Ending:
    """Final state of a trial, and the reason that is stored with it."""

    state: TrialState
    reason: str


class RulesState(NamedTuple):
    """State of `EpochRules` after a measurement, as numbers; NaN where there is none."""

    best: float
    best_step: int
    best_error: float
    peak: float
    rate: float
    waited: int
    halved: int
    epoch: int


class EpochRules:
    """Rules at the end of an epoch and at a mark, for trained and simulated trials alike.

    `best` is the best validation metric of an epoch's end so far and `best_step` its step; `improved` tells whether the
    last measurement set them.
    """

    def __init__(self, budget: Budget, learning_rate: float, metric: Metric, chance: float) -> None:
        self.budget, self.metric, self.chance = budget, metric, chance
        self.best: float | None = None
        self.best_step = 0
        self.improved = False
        self._best_error = 0.0
        self._peak: float | None = None  # best value so far, those at marks included
        self._rate = LearningRate(learning_rate, budget)

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of the training step that follows `step` steps."""
        return self._rate.at(step)

    def end_epoch(self, step: int, value: float, error: float) -> Ending | None:
        """Judge an epoch by its validation metric.

        Args:
            step: number of training steps so far.
            value: validation metric of the epoch, finite.
            error: standard error of `value`; NaN if it is not known, as with a single sequence.

        Returns:
            How the trial ends, or None if it continues.
        """
        self.improved = self.best is None or self.metric.better(value, self.best)
        if self.best is None or self.improved:
            self.best, self.best_step, self._best_error = value, step, error
        self._note(value)
        target = self.budget.target
        if target is not None and not self.metric.better(target, value):
            return Ending(TrialState.STOPPED, f"validation reached the target of {target:g} at step {step}")
        over = self._rate.epoch_ended(self.improved)
        if self._rate.epoch == self.budget.chance_epochs or over:
            gain = self.metric.gain(self.best, self.chance)
            error = 0.0 if math.isnan(self._best_error) else self._best_error
            if gain <= BASELINE_ERRORS * error:
                return Ending(
                    TrialState.AT_CHANCE,
                    f"not better than a constant prediction, {self.chance:.4f}, by more than "
                    f"{BASELINE_ERRORS:g} standard errors at step {step}",
                )
        return Ending(TrialState.OK, "the schedule ran out") if over else self._behind(step)

    def mark(self, step: int, value: float, error: float) -> Ending | None:
        """Judge a mark that is not the end of an epoch; arguments and answer are those of `end_epoch`.

        Only the floor is checked. A trial that is given up before its first epoch has ended has its best value here.
        """
        self.improved = False
        self._note(value)
        ending = self._behind(step)
        if ending is not None and self.best is None:
            self.best, self.best_step, self._best_error, self.improved = value, step, error, True
        return ending

    def state(self) -> RulesState:
        """Return the state, from which `restore` continues."""
        best, peak = (math.nan if value is None else value for value in (self.best, self._peak))
        rate = self._rate
        return RulesState(
            best, self.best_step, self._best_error, peak, rate.value, rate.waited, rate.halved, rate.epoch
        )

    def restore(self, state: RulesState) -> None:
        """Continue from the state of other rules of the same budget and metric."""
        self.best, self._peak = (None if math.isnan(value) else value for value in (state.best, state.peak))
        self.best_step, self._best_error, self.improved = state.best_step, state.best_error, False
        rate = self._rate
        rate.value, rate.waited, rate.halved, rate.epoch = state.rate, state.waited, state.halved, state.epoch

    def _note(self, value: float) -> None:
        if self._peak is None or self.metric.better(value, self._peak):
            self._peak = value

    def _behind(self, step: int) -> Ending | None:
        """Return the ending of a trial below its floor at a step, or None."""
        peak = self._peak
        assert peak is not None
        for start, floor in self.budget.floor:
            if step >= start and self.metric.better(floor, peak):
                return Ending(
                    TrialState.BEHIND,
                    f"the best value so far, {peak:.4f}, is worse than {floor:.4f}, the least from step {start} on, "
                    f"at step {step}",
                )
        return None


def pause_at(step: int) -> Ending:
    """Return the ending of a trial that pauses after `step` steps."""
    return Ending(TrialState.PAUSED, f"paused at step {step}")

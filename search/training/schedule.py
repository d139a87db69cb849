"""Schedule of a trial: learning rate, best epoch, and the rules by which a trial ends after an epoch.

The schedule is that of Jozefowicz et al. 2015, section 3.2, and ends a short budget with small learning rates too. It
is counted in training steps, never in seconds, so that a trial's outcome depends on its inputs alone.
"""

import math
from dataclasses import dataclass

from results.store.words import TrialState
from tasks.task import Metric

BASELINE_ERRORS = 3.0
"""Number of standard errors by which a model has to exceed the constant baseline."""


@dataclass(frozen=True)
class Budget:
    """Length of a trial in steps, and the epochs at which the learning rate falls or the trial ends.

    An epoch is `epoch_steps` training steps, followed by an evaluation on the validation set. After `patience` epochs
    without improvement the learning rate is halved, and again after each epoch, for `halvings` epochs; then the trial
    ends (the study's schedule). A trial that has not started to halve by then halves in the last `halvings` of its
    `epochs` (this project's addition). A trial that is not above the constant baseline after `chance_epochs` is given
    up. With a `target`, the trial ends once validation reaches it.
    """

    batch: int = 20
    unroll: int = 35
    epoch_steps: int = 1000
    epochs: int = 100
    patience: int = 3
    halvings: int = 4
    chance_epochs: int = 4
    target: float | None = None

    @property
    def steps(self) -> int:
        """Largest number of training steps of a trial."""
        return self.epoch_steps * self.epochs


class LearningRate:
    """Learning-rate schedule of a `Budget`; `value` is the rate of the current epoch."""

    def __init__(self, start: float, budget: Budget) -> None:
        self.value = start
        self.budget = budget
        self.waited = self.halved = self.epoch = 0

    def epoch_ended(self, improved: bool) -> bool:
        """Count an epoch and halve the rate if it is time; return whether the schedule is over."""
        self.epoch += 1
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


class EpochRules:
    """Rules at the end of an epoch, for trained and simulated trials alike.

    `best` is the best validation metric so far and `best_step` its step; `improved` tells whether the last epoch set
    them. `learning_rate` is the rate of the current epoch.
    """

    def __init__(self, budget: Budget, learning_rate: float, metric: Metric, constant_baseline: float) -> None:
        self.budget, self.metric, self.constant_baseline = budget, metric, constant_baseline
        self.best: float | None = None
        self.best_step = 0
        self.improved = False
        self._best_error = 0.0
        self._rate = LearningRate(learning_rate, budget)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the current epoch."""
        return self._rate.value

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
        target = self.budget.target
        if target is not None and not self.metric.better(target, value):
            return Ending(TrialState.STOPPED, f"validation reached the target of {target:g} at step {step}")
        over = self._rate.epoch_ended(self.improved)
        if self._rate.epoch == self.budget.chance_epochs or over:
            gain = self.metric.gain(self.best, self.constant_baseline)
            error = 0.0 if math.isnan(self._best_error) else self._best_error
            if gain <= BASELINE_ERRORS * error:
                return Ending(
                    TrialState.AT_CHANCE,
                    f"not better than the constant baseline, {self.constant_baseline:.4f}, by more than "
                    f"{BASELINE_ERRORS:g} standard errors at step {step}",
                )
        return Ending(TrialState.OK, "the schedule ran out") if over else None

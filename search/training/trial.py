"""One trial: one setting of one cell, trained on one task.

Plain SGD on windows of an endless stream, with the hidden state carried over where the task carries it (Jozefowicz et
al. 2015, section 3.2). The loss is averaged over the batch and summed over time, and the gradient's norm is clipped on
that: the study's learning rates only make sense with this convention.

A budget is counted in training steps, never in seconds, so that a trial's outcome depends on its inputs alone: the
graph, the task, the setting, the budget and the seed.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from results.store.words import TrialState
from search.cells.graph import GateGraph
from search.core.errors import BudgetError
from search.training.model import Score, SequenceModel, units_for
from search.training.settings import Setting
from search.training.stepper import stepper_for
from tasks.task import Batch, Split, Task

EVALUATION_BATCH = 50
EVALUATION_STEPS = 50
"""Sequences side by side and steps a window when a model is evaluated: part of the task's definition for streams."""

CHANCE_ERRORS = 3.0
"""A model is above chance when it beats the best constant guess by this many standard errors."""


@dataclass(frozen=True)
class Budget:
    """How long a trial may train, in steps, and when the learning rate falls.

    An epoch is `epoch_steps` training steps, followed by a look at the validation set. After `patience` epochs without
    improvement the learning rate is halved, and again each epoch, for `halvings` epochs; then the trial ends (the
    study's schedule). A trial that has not come to that by itself spends the last `halvings` of its `epochs` in that
    way, so that a short budget ends with small steps too (ours). A model that is not above chance after `chance_epochs`
    is given up. With a `target`, the trial ends once validation reaches it.
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
        """The most training steps that a trial can take."""
        return self.epoch_steps * self.epochs


@dataclass(frozen=True)
class Point:
    """One epoch of a learning curve: the steps so far, the mean training loss per counted step (nats), the metric."""

    step: int
    loss: float
    validation: float


@dataclass(frozen=True)
class TrialResult:
    """What a trial came to. Metrics are of the best epoch by validation; losses in nats per counted step.

    The `_se` fields are standard errors that come from the finite size of the evaluation set (not from the seed).
    """

    state: TrialState
    reason: str
    validation: float | None = None
    validation_se: float | None = None
    validation_loss: float | None = None
    test: float | None = None
    test_se: float | None = None
    test_loss: float | None = None
    best_step: int = 0
    steps: int = 0
    seconds: float = 0.0
    parameters: int = 0
    units: int = 0
    curve: tuple[Point, ...] = ()
    environment: str | None = None  # what it was trained by, `search.workers.environment`; None where a worker died


@dataclass(frozen=True)
class _Measure:
    """Metric, its standard error, and loss per counted step of one evaluation."""

    metric: float
    error: float
    loss: float

    @classmethod
    def of(cls, score: Score) -> "_Measure":
        mean = score.metric / score.steps
        variance = max(score.metric_squared / score.steps - mean * mean, 0.0)
        return cls(mean, math.sqrt(variance / score.steps), score.nats / score.steps)


class LearningRate:
    """The schedule of `Budget`: what the learning rate is, and whether the trial is over."""

    def __init__(self, start: float, budget: Budget) -> None:
        self.value = start
        self.budget = budget
        self.waited = self.halved = self.epoch = 0

    def epoch_ended(self, improved: bool) -> bool:
        """Count an epoch; halve where it is time. True when the schedule has run out."""
        self.epoch += 1
        self.waited = 0 if improved else self.waited + 1
        last = self.budget.epochs - self.epoch <= self.budget.halvings
        if self.halved or last or self.waited >= self.budget.patience:
            if self.halved >= self.budget.halvings:
                return True
            self.halved += 1
            self.value /= 2
        return self.epoch >= self.budget.epochs


def train_trial(
    graph: GateGraph,
    task: Task,
    setting: Setting,
    budget: Budget,
    seed: int,
    *,
    constant_baseline: float | None = None,
    on_epoch: Callable[[Point], None] | None = None,
    on_batch: Callable[[], None] | None = None,
    on_end: Callable[[SequenceModel], None] | None = None,
) -> TrialResult:
    """Train one setting of a cell on a task; validation picks the epoch, test is reported.

    `constant_baseline` is the metric of the best constant guess (worked out from the task where it is not given);
    `seed` feeds the initial weights and the training data, each with a generator of its own. `on_batch` is called for
    every batch that is read, to train on or to evaluate on: a sign that the trial gets on. `on_end` is given the model,
    with the weights of the best epoch, where the trial has a result.
    """
    started = time.perf_counter()
    graph = graph.canonical()  # a dead matrix is not trained, so it takes nothing of the budget either
    try:
        units = units_for(graph, setting, task.output_size, task.output)
    except BudgetError as error:
        return TrialResult(TrialState.FAILED, str(error))
    model = SequenceModel(graph, units, setting.layers, task.output_size, task.output)
    model.initialise(setting.scale, torch.Generator().manual_seed(seed))
    trial = _Trial(
        model,
        task,
        setting,
        budget,
        task.constant_baseline() if constant_baseline is None else constant_baseline,
        on_epoch,
        on_batch,
    )
    state, reason = trial.train(np.random.default_rng(seed))
    measures = trial.measures(state)
    if measures and on_end is not None:
        on_end(model)
    return TrialResult(
        state,
        reason,
        **measures,
        best_step=trial.best_step if measures else 0,
        steps=trial.steps,
        seconds=time.perf_counter() - started,
        parameters=model.flat.numel(),
        units=units,
        curve=tuple(trial.curve),
    )


class _Trial:
    def __init__(
        self,
        model: SequenceModel,
        task: Task,
        setting: Setting,
        budget: Budget,
        constant_baseline: float,
        on_epoch: Callable[[Point], None] | None,
        on_batch: Callable[[], None] | None,
    ) -> None:
        self.model, self.task, self.setting, self.budget = model, task, setting, budget
        self.constant_baseline, self.on_epoch, self.on_batch = constant_baseline, on_epoch, on_batch
        self.stepper = stepper_for(model)
        self.rate = LearningRate(setting.learning_rate, budget)
        self.curve: list[Point] = []
        self.best: _Measure | None = None
        self.best_weights = model.flat.clone()
        self.best_step = self.steps = 0
        self.validation: tuple[Batch, ...] = ()

    def train(self, rng: np.random.Generator) -> tuple[TrialState, str]:
        """Train to the end of the schedule, or to what ends the trial before it."""
        stream = self._counted(self.task.training(self.budget.batch, self.budget.unroll, rng))
        while True:
            nats, counted = 0.0, 0
            for _ in range(self.budget.epoch_steps):
                step = self.stepper.train(next(stream), self.rate.value, self.setting.max_norm)
                self.steps += 1
                if step.trouble is not None:
                    return TrialState.DIVERGED, f"the {step.trouble} is not finite at step {self.steps}"
                nats += step.nats
                counted += step.steps
            ended = self._epoch(nats / max(counted, 1))
            if ended is not None:
                return ended

    def _epoch(self, loss: float) -> tuple[TrialState, str] | None:
        measure = self._measure(Split.VALIDATION)
        point = Point(self.steps, loss, measure.metric)
        self.curve.append(point)
        if self.on_epoch is not None:
            self.on_epoch(point)
        if not math.isfinite(measure.loss):
            return TrialState.DIVERGED, f"the validation loss is not finite at step {self.steps}"
        metric = self.task.metric
        improved = self.best is None or metric.better(measure.metric, self.best.metric)
        if improved:
            self.best, self.best_step = measure, self.steps
            self.best_weights.copy_(self.model.flat)
        assert self.best is not None
        target = self.budget.target
        if target is not None and not metric.better(target, measure.metric):
            return TrialState.STOPPED, f"validation reached the target of {target:g} at step {self.steps}"
        over = self.rate.epoch_ended(improved)
        if self.rate.epoch == self.budget.chance_epochs or over:
            gain = (
                self.best.metric - self.constant_baseline
                if metric.higher_is_better
                else self.constant_baseline - self.best.metric
            )
            if gain <= CHANCE_ERRORS * self.best.error:
                return (
                    TrialState.AT_CHANCE,
                    f"not above the best constant guess, {self.constant_baseline:.4f}, at step {self.steps}",
                )
        return (TrialState.OK, "the schedule ran out") if over else None

    def measures(self, state: TrialState) -> dict[str, Any]:
        """The best epoch's figures; none for a trial that diverged, since it says nothing about the cell."""
        if not state.is_ranked or self.best is None:
            return {}
        self.model.flat.copy_(self.best_weights)
        test = self._measure(Split.TEST)
        return {
            "validation": self.best.metric,
            "validation_se": self.best.error,
            "validation_loss": self.best.loss,
            "test": test.metric,
            "test_se": test.error,
            "test_loss": test.loss,
        }

    def _measure(self, split: Split) -> _Measure:
        read = self.task.evaluation(split, EVALUATION_BATCH, EVALUATION_STEPS)
        if split is Split.VALIDATION:
            self.validation = self.validation or tuple(read)  # the same at each look
            read = iter(self.validation)
        return _Measure.of(self.stepper.evaluate(self._counted(read)))

    def _counted(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches; `on_batch` hears of each."""
        for batch in batches:
            if self.on_batch is not None:
                self.on_batch()
            yield batch

"""Training of one trial: one setting of one cell on one task.

Plain SGD on windows of an endless stream, with the hidden state carried over where the task carries it (Jozefowicz et
al. 2015, section 3.2). The loss is averaged over the batch and summed over time, and its gradient is clipped by norm:
the study's learning rates only make sense with this convention.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from results.store.words import TrialState
from search.cells.graph import GateGraph
from search.core.errors import BudgetError
from search.training.denormals import denormals_flushed
from search.training.model import SequenceModel, units_for
from search.training.schedule import Budget, Ending, EpochRules
from search.training.settings import Setting
from search.training.stepper import stepper_for
from tasks.metrics import Estimate, Score, metrics_of
from tasks.task import Batch, Split, Task

EVALUATION_BATCH = 50
EVALUATION_STEPS = 50
"""Batch size and steps per window of an evaluation: part of a task's definition where it reads streams."""


@dataclass(frozen=True)
class Point:
    """Epoch of a learning curve.

    `step` counts the training steps so far. `loss` is the mean training loss of the epoch, in nats per step in the loss
    mask, and `validation` the validation metric.
    """

    step: int
    loss: float
    validation: float


@dataclass(frozen=True)
class OtherMetric:
    """Metric of a trial beside the one that ranks its task, with the weights of the best epoch.

    Attributes:
        name: name of the metric in `tasks.metrics.METRICS`.
        validation: value on the validation set.
        validation_se: standard error due to the finite size of that set.
        test: value on the test set.
        test_se: standard error due to the finite size of that set.
    """

    name: str
    validation: float
    validation_se: float
    test: float
    test_se: float


@dataclass(frozen=True)
class TrialResult:
    """Result of a trial. Metrics are those of the best epoch by validation.

    Losses are in nats per step in the loss mask. The `_se` fields are standard errors due to the finite size of the
    evaluation set; they leave out the random seed.
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
    others: tuple[OtherMetric, ...] = ()
    environment: str | None = None  # JSON of `search.workers.environment`; None if a worker died


@dataclass(frozen=True)
class _Measure:
    """Evaluation of a model: the metric that ranks, loss per step in the loss mask (nats), and every other metric."""

    value: float
    error: float
    loss: float
    others: Mapping[str, Estimate]

    @classmethod
    def of(cls, score: Score, task: Task) -> "_Measure":
        ranking = task.metric.measure(score)
        others = {m.name: m.measure(score) for m in metrics_of(task.output) if m.name != task.metric.name}
        return cls(*ranking, float(score.nats.sum() / score.steps.sum()), others)


@denormals_flushed()
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

    Args:
        graph: the cell; it is trained in its canonical form.
        task: source of the data and the metric.
        setting: the hyperparameters.
        budget: the length of the trial.
        seed: seed of the initial weights and of the training data, which have a generator each.
        constant_baseline: metric of the best constant prediction; computed from the task if None.
        on_epoch: called with each point of the learning curve.
        on_batch: called for every batch that is read for training or evaluation, as a heartbeat.
        on_end: called with the model, holding the weights of the best epoch, if the trial has metrics.

    Returns:
        The result. A setting whose budget fits no cell size gives a failed trial.
    """
    started = time.perf_counter()
    graph = graph.canonical()  # dead matrices are not trained, so they must not use up the parameter budget
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
    ending = trial.train(np.random.default_rng(seed))
    measures = trial.measures(ending.state)
    if measures and on_end is not None:
        on_end(model)
    return TrialResult(
        ending.state,
        ending.reason,
        **measures,
        best_step=trial.rules.best_step if measures else 0,
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
        self.on_epoch, self.on_batch = on_epoch, on_batch
        self.stepper = stepper_for(model)
        self.rules = EpochRules(budget, setting.learning_rate, task.metric, constant_baseline)
        self.curve: list[Point] = []
        self.best: _Measure | None = None
        self.best_weights = model.flat.clone()
        self.steps = 0
        self.validation: tuple[Batch, ...] = ()

    def train(self, rng: np.random.Generator) -> Ending:
        """Train until a rule ends the trial, or the loss or gradient is not finite."""
        stream = self._announced(self.task.training(self.budget.batch, self.budget.unroll, rng))
        while True:
            nats, steps = 0.0, 0
            for _ in range(self.budget.epoch_steps):
                step = self.stepper.train(next(stream), self.rules.learning_rate, self.setting.max_norm)
                self.steps += 1
                if step.trouble is not None:
                    return Ending(TrialState.DIVERGED, f"the {step.trouble} is not finite at step {self.steps}")
                nats += step.nats
                steps += step.steps
            ended = self._epoch(nats / max(steps, 1))
            if ended is not None:
                return ended

    def _epoch(self, loss: float) -> Ending | None:
        measure = self._measure(Split.VALIDATION)
        point = Point(self.steps, loss, measure.value)
        self.curve.append(point)
        if self.on_epoch is not None:
            self.on_epoch(point)
        if not math.isfinite(measure.loss):
            return Ending(TrialState.DIVERGED, f"the validation loss is not finite at step {self.steps}")
        ending = self.rules.end_epoch(self.steps, measure.value, measure.error)
        if self.rules.improved:
            self.best = measure
            self.best_weights.copy_(self.model.flat)
        return ending

    def measures(self, state: TrialState) -> dict[str, Any]:
        """Return the metrics of the best epoch; none for a diverged trial, which does not represent its cell."""
        if not state.is_ranked or self.best is None:
            return {}
        self.model.flat.copy_(self.best_weights)
        test = self._measure(Split.TEST)
        return {
            "validation": self.best.value,
            "validation_se": self.best.error,
            "validation_loss": self.best.loss,
            "test": test.value,
            "test_se": test.error,
            "test_loss": test.loss,
            "others": tuple(
                OtherMetric(name, *self.best.others[name], *estimate) for name, estimate in test.others.items()
            ),
        }

    def _measure(self, split: Split) -> _Measure:
        read = self.task.evaluation(split, EVALUATION_BATCH, EVALUATION_STEPS)
        if split is Split.VALIDATION:
            self.validation = self.validation or tuple(read)  # the same in every epoch
            read = iter(self.validation)
        return _Measure.of(self.stepper.evaluate(self._announced(read)), self.task)

    def _announced(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield the batches, and call `on_batch` before each."""
        for batch in batches:
            if self.on_batch is not None:
                self.on_batch()
            yield batch

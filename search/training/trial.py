"""Training of one trial: one setting of one cell on one task.

An optimiser reads windows of an endless stream, with the hidden state carried over where the task carries it
(Jozefowicz et al. 2015, section 3.2, with SGD). The loss is averaged over the batch and summed over time, and its
gradient is clipped by norm: the study's learning rates only make sense with this convention.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from results.store.words import TrialState
from search.cells.graph import GateGraph
from search.core.errors import BudgetError
from search.training.checkpoint import Checkpoint, trial_identity
from search.training.clock import TrialClock
from search.training.denormals import denormals_flushed
from search.training.measure import Measure
from search.training.model import SequenceModel, units_for
from search.training.schedule import Budget, Ending, EpochRules, pause_at
from search.training.settings import Setting
from search.training.stepper import dropout_of, stepper_for, updates_of
from tasks.task import Batch, Split, Task

EVALUATION_BATCH = 50
EVALUATION_STEPS = 50
"""Batch size and steps per window of an evaluation: part of a task's definition where it reads streams."""


SIMULATED = "simulated: "
"""Prefix of the reason of every trial that was drawn instead of trained."""


@dataclass(frozen=True)
class Point:
    """Point of a learning curve: the end of an epoch, or a mark.

    `step` counts the training steps so far. `loss` is the mean training loss of the epoch so far, in nats per step in
    the loss mask, and `validation` the validation metric.
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

    A paused trial has only `validation`, measured at its last step, which is its `best_step`; it has no standard error,
    no losses and no test metrics. Its `checkpoint` continues it.
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
    checkpoint: bytes | None = field(default=None, repr=False)  # only of a paused trial

    def at(self, step: int) -> "TrialResult":
        """Return the result of the same trial, had it been paused after `step` training steps.

        It equals what training up to there gives, but for `seconds`, which are a share of this trial's by steps, and
        for the checkpoint, which it does not have. A trial that had ended by then is returned as it is.

        Raises:
            ValueError: the trial is paused before that step, or its curve has no point there.
        """
        if self.steps <= step and (self.state is not TrialState.PAUSED or self.steps == step):
            return self
        point = next((point for point in self.curve if point.step == step), None)
        if point is None:
            raise ValueError(
                f"a trial of {self.steps} steps ({self.state}) has no measurement at step {step}; its curve has the "
                f"steps {[point.step for point in self.curve]}"
            )
        prefix = SIMULATED if self.reason.startswith(SIMULATED) else ""
        ending = pause_at(step)
        return TrialResult(
            ending.state,
            prefix + ending.reason,
            validation=point.validation,
            best_step=step,
            steps=step,
            seconds=self.seconds * step / self.steps,
            parameters=self.parameters,
            units=self.units,
            curve=self.curve[: self.curve.index(point) + 1],
            environment=self.environment,
        )


@denormals_flushed()
def train_trial(
    graph: GateGraph,
    task: Task,
    setting: Setting,
    budget: Budget,
    seed: int,
    *,
    chance: float | None = None,
    until: int | None = None,
    checkpoint: bytes | None = None,
    on_epoch: Callable[[Point], None] | None = None,
    on_batch: Callable[[], None] | None = None,
    on_end: Callable[[SequenceModel], None] | None = None,
) -> TrialResult:
    """Train one setting of a cell on a task; validation picks the epoch, test is reported.

    With `until` the trial pauses there: up to that step it is the same trial, bit for bit.

    Args:
        graph: the cell; it is trained in its canonical form.
        task: source of the data and the metric.
        setting: the hyperparameters.
        budget: the length of the trial.
        seed: seed of the initial weights, of the training data and of dropout, which have a generator each.
        chance: validation metric that the trial must exceed to go on; that of the task if None.
        until: number of steps after which the trial pauses, unless it has ended by then: a mark of the budget, or the
            end of an epoch.
        checkpoint: the checkpoint of the same trial, paused at or before `until`, to continue from. The result is that
            of a trial without it, but that `seconds` are the sum of both parts. One that is damaged, or of another
            trial, is ignored.
        on_epoch: called with each new point of the learning curve.
        on_batch: called for every batch that is read for training or evaluation, as a heartbeat.
        on_end: called with the model, holding the weights of the best epoch, if the trial has metrics.

    Returns:
        The result. A setting whose budget fits no cell size gives a failed trial.

    Raises:
        ValueError: `until` is neither a mark nor the end of an epoch.
    """
    clock = TrialClock()
    budget.check_pause(until)
    graph = graph.canonical()  # dead matrices are not trained, so they must not use up the parameter budget
    try:
        units = units_for(graph, setting, task.interface)
    except BudgetError as error:
        return TrialResult(TrialState.FAILED, str(error))
    model = SequenceModel(graph, units, setting.layers, task.interface, tied=setting.tied)
    model.initialise(setting.scale, torch.Generator().manual_seed(seed))
    if chance is None:
        chance = task.chance_level()

    def at_batch() -> None:
        clock.read()
        if on_batch is not None:
            on_batch()

    trial = _Trial(model, task, setting, budget, seed, chance, on_epoch, at_batch)
    pauses = until is not None or checkpoint is not None
    identity = trial_identity(trial.stepper, task, setting, budget, seed, chance) if pauses else ""
    before = None if checkpoint is None else Checkpoint.from_bytes(checkpoint, identity)
    if before is not None and (until is None or before.steps <= until):
        trial.restore(before)
        clock.add(before.seconds)
    ending = trial.train(np.random.default_rng(seed), until)
    paused = ending.state is TrialState.PAUSED
    measures = {"validation": trial.curve[-1].validation} if paused else trial.measures(ending.state)
    if measures and not paused and on_end is not None:
        on_end(model)
    seconds = clock.read()
    return TrialResult(
        ending.state,
        ending.reason,
        **measures,
        best_step=trial.steps if paused else trial.rules.best_step if measures else 0,
        steps=trial.steps,
        seconds=seconds,
        parameters=model.flat.numel(),
        units=units,
        curve=tuple(trial.curve),
        checkpoint=trial.checkpoint(seconds).to_bytes(identity) if paused else None,
    )


class _Trial:
    def __init__(
        self,
        model: SequenceModel,
        task: Task,
        setting: Setting,
        budget: Budget,
        seed: int,
        chance: float,
        on_epoch: Callable[[Point], None] | None,
        on_batch: Callable[[], None],
    ) -> None:
        self.model, self.task, self.setting, self.budget = model, task, setting, budget
        self.on_epoch, self.on_batch = on_epoch, on_batch
        updates = updates_of(model, setting.optimiser, setting.weight_decay)
        self.stepper = stepper_for(model, updates, dropout_of(setting, seed))
        self.rules = EpochRules(budget, setting.learning_rate, task.metric, chance)
        self.curve: list[Point] = []
        self.best: Measure | None = None
        self.best_weights = model.flat.clone()
        self.steps = 0
        self.nats, self.counted = 0.0, 0  # of the current epoch so far
        self.validation: tuple[Batch, ...] = ()

    def restore(self, before: Checkpoint) -> None:
        """Continue from a checkpoint of this trial."""
        self.steps, self.nats, self.counted, self.best = before.steps, before.nats, before.counted, before.best
        self.curve = [Point(*point) for point in before.curve]
        self.rules.restore(before.rules)
        self.model.flat.copy_(torch.from_numpy(before.weights))
        self.best_weights.copy_(torch.from_numpy(before.best_weights if before.best_weights.size else before.weights))
        self.stepper.carry(before.states)
        self.stepper.updates.restore(before.moments, before.steps)

    def checkpoint(self, seconds: float) -> Checkpoint:
        """Return the checkpoint of the trial, which took `seconds` so far and has trained at least one step."""
        weights, best_weights = self.model.flat.numpy(), self.best_weights.numpy()
        kept = self.best is not None and not np.array_equal(weights, best_weights)
        return Checkpoint(
            steps=self.steps,
            seconds=seconds,
            nats=self.nats,
            counted=self.counted,
            rules=self.rules.state(),
            curve=tuple((point.step, point.loss, point.validation) for point in self.curve),
            best=self.best,
            weights=weights,
            best_weights=best_weights if kept else best_weights[:0],
            states=self.stepper.carried(),
            moments=self.stepper.updates.moments.numpy(),
        )

    def train(self, rng: np.random.Generator, until: int | None) -> Ending:
        """Train until a rule ends the trial, the loss or gradient is not finite, or the trial pauses at `until`."""
        stream = self._announced(self.task.training(self.budget.batch, self.budget.unroll, rng))
        for _ in range(self.steps):
            next(stream)  # the data that were trained on before the checkpoint
        marks = frozenset(self.budget.marks)
        while self.steps != until:
            step = self.stepper.train(next(stream), self.rules.learning_rate(self.steps), self.setting.max_norm)
            self.steps += 1
            if step.trouble is not None:
                return Ending(TrialState.DIVERGED, f"the {step.trouble} is not finite at step {self.steps}")
            self.nats += step.nats
            self.counted += step.steps
            of_epoch = self.steps % self.budget.epoch_steps == 0
            if of_epoch or self.steps in marks:
                ended = self._point(of_epoch)
                if ended is not None:
                    return ended
        return pause_at(self.steps)

    def _point(self, of_epoch: bool) -> Ending | None:
        """Measure validation at the end of an epoch, or at a mark; return how the trial ends, or None."""
        measure = self._measure(Split.VALIDATION)
        point = Point(self.steps, self.nats / max(self.counted, 1), measure.value)
        self.curve.append(point)
        if self.on_epoch is not None:
            self.on_epoch(point)
        if not math.isfinite(measure.loss):
            return Ending(TrialState.DIVERGED, f"the validation loss is not finite at step {self.steps}")
        judge = self.rules.end_epoch if of_epoch else self.rules.mark
        ending = judge(self.steps, measure.value, measure.error)
        if self.rules.improved:
            self.best = measure
            self.best_weights.copy_(self.model.flat)
        if of_epoch:
            self.nats, self.counted = 0.0, 0
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

    def _measure(self, split: Split) -> Measure:
        read = self.task.evaluation(split, EVALUATION_BATCH, EVALUATION_STEPS)
        if split is Split.VALIDATION:
            self.validation = self.validation or tuple(read)  # the same in every epoch
            read = iter(self.validation)
        return Measure.of(self.stepper.evaluate(self._announced(read)), self.task)

    def _announced(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield the batches, and call `on_batch` before each."""
        for batch in batches:
            self.on_batch()
            yield batch

"""Evaluation of a model on one split: the metric that ranks its task, the loss, and every other metric."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.metrics import Estimate, Score, metrics_of_task
from tasks.task import Task


@dataclass(frozen=True)
class Measure:
    """Evaluation of a model: the metric that ranks, loss per step in the loss mask (nats), and every other metric.

    `error` is the standard error of `value`, due to the finite size of the set.
    """

    value: float
    error: float
    loss: float
    others: Mapping[str, Estimate]

    @classmethod
    def of(cls, score: Score, task: Task) -> "Measure":
        """Return the metrics of a score."""
        ranking = task.metric.measure(score)
        others = {m.name: m.measure(score) for m in metrics_of_task(task) if m.name != task.metric.name}
        return cls(*ranking, float(score.nats.sum() / score.steps.sum()), others)

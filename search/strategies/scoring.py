"""Score of a cell from the validation metrics of the search's own trials."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from results.scores.ratio import gain
from results.scores.score import finite_share, score
from results.store.words import ScoreKind
from tasks.task import Metric


@dataclass(frozen=True)
class ScoreRule:
    """Rule by which the cells of a search are scored.

    Attributes:
        kind: kind of a share: ratio of the metrics, or share of the gain over the constant baseline.
        ranked: names of the ranked tasks, whose smallest share is the score.
        metrics: metric of memorization and each task.
        constants: validation metric of the constant baseline of each task; a ratio does not use it.
        reference: best validation metric of the reference cell on each task; empty until the baselines are known.
    """

    kind: ScoreKind
    ranked: tuple[str, ...]
    metrics: Mapping[str, Metric]
    constants: Mapping[str, float] = field(default_factory=dict)
    reference: Mapping[str, float] = field(default_factory=dict)

    def against(self, reference: Mapping[str, float]) -> Self:
        """Return the rule with these metrics of the reference cell."""
        return replace(self, reference=dict(reference))

    def bests(self, results: Mapping[str, Iterable[float | None]]) -> dict[str, float]:
        """Return the best value of each task that has a metric and at least one value."""
        found = {}
        for task, values in results.items():
            known = [value for value in values if value is not None]
            if known and task in self.metrics:
                found[task] = self.metrics[task].best(known)
        return found

    def gain(self, task: str, value: float) -> float:
        """Return the improvement of a metric over the task's constant baseline; NaN if that is not known."""
        return float(gain(value, self.constants.get(task, math.nan), self.metrics[task].higher_is_better))

    def share(self, task: str, value: float) -> float | None:
        """Return a metric's share of the reference cell's result, or None if there is nothing to divide by."""
        if task not in self.reference:
            return None
        constant = self.constants.get(task, math.nan)
        return finite_share(self.kind, value, self.reference[task], constant, self.metrics[task].higher_is_better)

    def score(self, bests: Mapping[str, float]) -> float | None:
        """Return the smallest share over the ranked tasks, or None if one is missing.

        Args:
            bests: best validation metric of the cell on each task.
        """
        return score(self.share(task, bests[task]) if task in bests else None for task in self.ranked)

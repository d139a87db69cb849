"""Metrics: what a task is ranked by, and how it is computed from a model's predictions.

All metrics are in one registry, `METRICS`. A stepper sums what every metric needs (`Score`), whatever the metric of the
task, so a metric is one entry here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Output(StrEnum):
    """Kind of output that a model predicts at each step."""

    SYMBOLS = "symbols"  # one of W symbols: softmax over the vocabulary
    MULTI_LABEL = "multi-label"  # any subset of W notes: one sigmoid per note


@dataclass(frozen=True, eq=False)
class Score:
    """Sums over the steps in the loss mask, for each of C sequences.

    A sequence is a column of the batches from one that starts at zero states up to the next such batch: a piece of
    music, or a part of a text.

    Attributes:
        steps: (C,) number of steps in the loss mask.
        nats: (C,) negative log-likelihood of the targets in nats.
        correct: (C,) number of steps whose most probable symbol is the target; zeros for multi-label outputs.
    """

    steps: Floats
    nats: Floats
    correct: Floats


class Estimate(NamedTuple):
    """Value of a metric on an evaluation set, and the standard error due to the choice of that set."""

    value: float
    error: float


@dataclass(frozen=True)
class View:
    """Another unit for the value of a metric, which it shows in increasing order: bits, or perplexity."""

    name: str
    unit: str
    of: Callable[[float], float] = field(compare=False)


@dataclass(frozen=True)
class Metric:
    """Metric that a task is ranked by.

    Attributes:
        name: name in tables and stores.
        unit: unit of a value.
        higher_is_better: direction.
        outputs: kinds of output that it can measure.
        sums: returns the sum of the metric over the steps of each sequence (C,), from a score.
        constant: returns the metric of the best constant prediction, from the share of the steps (W,) on which each
            symbol or note is the target.
        views: other units in which a value can be shown.
    """

    name: str
    unit: str
    higher_is_better: bool
    outputs: frozenset[Output] = field(default=frozenset(), compare=False)
    sums: Callable[[Score], Floats] = field(default=lambda score: score.nats, compare=False, repr=False)
    constant: Callable[[Floats], float] = field(default=lambda shares: math.nan, compare=False, repr=False)
    views: tuple[View, ...] = field(default=(), compare=False, repr=False)

    def __reduce__(self) -> tuple[Callable[[str], Metric], tuple[str]] | str:
        """Pickle a registered metric by its name, since its functions cannot be pickled."""
        if METRICS.get(self.name) is self:
            return (_registered, (self.name,))
        return super().__reduce__()

    def better(self, a: float, b: float) -> bool:
        """Return whether `a` is better than `b`; False for equal values and if either is NaN."""
        return a > b if self.higher_is_better else a < b

    def best(self, values: Iterable[float]) -> float:
        """Return the best of at least one value."""
        return max(values) if self.higher_is_better else min(values)

    def gain(self, value: float, reference: float) -> float:
        """Return the difference between `value` and `reference`, positive if `value` is better."""
        return value - reference if self.higher_is_better else reference - value

    def measure(self, score: Score) -> Estimate:
        """Return the mean of the metric over the steps in the loss mask, and its standard error.

        Steps of one sequence are not independent, so the error is that of a ratio of sums over independent sequences
        (Cochran, "Sampling Techniques", 3rd ed., section 6.3). It is NaN for fewer than two sequences.

        Raises:
            ValueError: no step is in the loss mask.
        """
        steps, sums = score.steps, self.sums(score)
        kept = steps > 0
        steps, sums = steps[kept], sums[kept]
        count, total = len(steps), float(steps.sum())
        if total == 0:
            raise ValueError("no step of the evaluation set is in the loss mask")
        mean = float(sums.sum()) / total
        if count < 2:
            return Estimate(mean, math.nan)
        with np.errstate(invalid="ignore", over="ignore"):  # of a model that diverged
            residuals = sums - mean * steps
            error = math.sqrt(count / (count - 1) * float(residuals @ residuals)) / total
        return Estimate(mean, error)


def _largest(shares: Floats) -> float:
    return float(shares.max())


def _entropy(shares: Floats) -> float:
    return float(_surprise(shares).sum())


def _entropy_of_notes(shares: Floats) -> float:
    return float((_surprise(shares) + _surprise(1.0 - shares)).sum())


def _surprise(shares: Floats) -> Floats:
    """Return -p ln p for each share p, with 0 ln 0 = 0."""
    safe = np.where(shares > 0, shares, 1.0)
    return -shares * np.log(safe)


def _perplexity(nats: float) -> float:
    return math.exp(min(nats, 700.0))


BITS = View("bits", "bits per symbol", lambda nats: nats / math.log(2.0))
PERPLEXITY = View("perplexity", "effective number of symbols", _perplexity)

ACCURACY = Metric(
    "accuracy",
    "fraction of steps in the loss mask",
    True,
    frozenset({Output.SYMBOLS}),
    lambda score: score.correct,
    _largest,
)
"""Share of the steps whose most probable symbol is the target. Constant baseline: the most frequent symbol's share."""

CROSS_ENTROPY = Metric(
    "cross_entropy",
    "nats per symbol",
    False,
    frozenset({Output.SYMBOLS}),
    lambda score: score.nats,
    _entropy,
    (BITS, PERPLEXITY),
)
"""Mean negative log-likelihood of the target. Constant baseline: the entropy of the symbols' frequencies."""

NATS_PER_STEP = Metric(
    "nats_per_step",
    "nats per step",
    False,
    frozenset({Output.MULTI_LABEL}),
    lambda score: score.nats,
    _entropy_of_notes,
)
"""Negative log-likelihood of all notes of a step (Boulanger-Lewandowski et al. 2012, section 6).

Constant baseline: the sum of the entropies of the notes' frequencies.
"""

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in (ACCURACY, CROSS_ENTROPY, NATS_PER_STEP)}
"""Every metric by name."""


def metrics_of(output: Output) -> tuple[Metric, ...]:
    """Return the metrics that can measure a kind of output."""
    return tuple(metric for metric in METRICS.values() if output in metric.outputs)


def _registered(name: str) -> Metric:
    return METRICS[name]

"""Metrics: what a task is ranked by, and how it is computed from a model's predictions.

All metrics are in one registry, `METRICS`. A stepper sums what every metric needs (`Score`), whatever the metric of the
task, so a metric is one entry here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tasks.interface import Output

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Labels:
    """Target and predicted symbol of each step in the loss mask: integers (N,); `sequence` is the step's, 0 to C - 1.

    All three are empty if the outputs are no symbols.
    """

    sequence: Integers
    target: Integers
    predicted: Integers


_NO_LABELS = Labels(*(np.empty(0, np.int64) for _ in range(3)))


@dataclass(frozen=True, eq=False)
class Score:
    """Sums over the steps in the loss mask, for each of C sequences.

    A sequence is a column of the batches from one that starts at zero states up to the next such batch: a piece of
    music, or a part of a text.

    Attributes:
        steps: (C,) number of steps in the loss mask.
        nats: (C,) loss: negative log-likelihood of the targets in nats; half the squared error for that kind of output.
        correct: (C,) number of steps whose most probable symbol is the target; zeros if the outputs are no symbols.
        squared: (C,) squared error, the mean over a step's values; zeros if the outputs are no real values.
        absolute: (C,) absolute error likewise.
        labels: target and predicted symbols, step by step.
    """

    steps: Floats
    nats: Floats
    correct: Floats
    squared: Floats
    absolute: Floats
    labels: Labels = _NO_LABELS

    @classmethod
    def empty(cls) -> Score:
        """Return the score of no sequence."""
        none = np.empty(0)
        return cls(none, none, none, none, none)


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
        of_errors: returns the metric of predictions of real values, from their errors (N, W).
        centre: returns the best constant prediction (W,) of real values (N, W).
        views: other units in which a value can be shown.
        estimate: returns the metric and its standard error from a score; None for the mean over the steps.
        signed: kinds of output of which it may be negative, so that ratios of it mean nothing.
        usual: whether every task whose outputs it can measure reports it. Otherwise a task lists it in `also`.
    """

    name: str
    unit: str
    higher_is_better: bool
    outputs: frozenset[Output] = field(default=frozenset(), compare=False)
    sums: Callable[[Score], Floats] = field(default=lambda score: score.nats, compare=False, repr=False)
    constant: Callable[[Floats], float] = field(default=lambda shares: math.nan, compare=False, repr=False)
    of_errors: Callable[[Floats], float] = field(default=lambda errors: math.nan, compare=False, repr=False)
    centre: Callable[[Floats], Floats] = field(default=lambda values: values.mean(axis=0), compare=False, repr=False)
    views: tuple[View, ...] = field(default=(), compare=False, repr=False)
    estimate: Callable[[Score], Estimate] | None = field(default=None, compare=False, repr=False)
    signed: frozenset[Output] = field(default=frozenset(), compare=False, repr=False)
    usual: bool = field(default=True, compare=False, repr=False)

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
        """Return the metric over the steps in the loss mask, and its standard error.

        Steps of one sequence are not independent, so the error of a mean is that of a ratio of sums over independent
        sequences (Cochran, "Sampling Techniques", 3rd ed., section 6.3). It is NaN for fewer than two sequences.

        Raises:
            ValueError: no step is in the loss mask.
        """
        if not score.steps.any():
            raise ValueError("no step of the evaluation set is in the loss mask")
        if self.estimate is not None:
            return self.estimate(score)
        steps, sums = score.steps, self.sums(score)
        kept = steps > 0
        steps, sums = steps[kept], sums[kept]
        count, total = len(steps), float(steps.sum())
        mean = float(sums.sum()) / total
        with np.errstate(invalid="ignore", over="ignore"):  # of a model that diverged
            residuals = sums - mean * steps
            return Estimate(mean, _error(residuals, count) / total)


def _error(residuals: Floats, count: int) -> float:
    """Return the standard error of a sum whose parts, `count` independent ones, deviate by these residuals."""
    return math.sqrt(count / (count - 1) * float(residuals @ residuals)) if count > 1 else math.nan


def _macro_f1(score: Score) -> Estimate:
    """Return the mean of the F1 scores of all classes that are a target or a prediction.

    The standard error is that of the statistic linearised in the sums of the sequences (Cochran, section 6.3).
    """
    labels = score.labels
    classes, places = np.unique(np.concatenate([labels.target, labels.predicted]), return_inverse=True)
    target, predicted = np.split(places.astype(np.int64), 2)
    hit = target == predicted
    hits, total = np.bincount(target[hit], minlength=len(classes)), np.bincount(places, minlength=len(classes))
    f1 = 2.0 * hits / total
    # Of a step, class k has 2 hits - F1_k (target + predicted) over its total, in the mean over the classes.
    by_step = 2.0 * hit / total[target] - f1[target] / total[target] - f1[predicted] / total[predicted]
    residuals = np.bincount(labels.sequence, by_step, len(score.steps)) / len(classes)
    return Estimate(float(f1.mean()), _error(residuals, int((score.steps > 0).sum())))


def _f1_of_constant(shares: Floats) -> float:
    """Return the macro F1 of always predicting the most frequent class, over the classes that occur."""
    most = float(shares.max())
    return 2.0 * most / (1.0 + most) / int((shares > 0).sum())


def _gaussian_nats(errors: Floats) -> float:
    """Return the nats per step of normal distributions with these errors, each value's scale the best one."""
    with np.errstate(divide="ignore"):  # values without error have a density without bound
        return float(0.5 * np.log(2.0 * math.pi * math.e * np.square(errors).mean(axis=0)).sum())


def _median(values: Floats) -> Floats:
    return np.asarray(np.median(values, axis=0), np.float64)


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
PERPLEXITY_OF_BITS = View("perplexity", "effective number of symbols", lambda bits: _perplexity(bits * math.log(2.0)))
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
    views=(BITS, PERPLEXITY),
)
"""Mean negative log-likelihood of the target. Constant baseline: the entropy of the symbols' frequencies."""

BITS_PER_SYMBOL = Metric(
    "bits_per_symbol",
    "bits per symbol",
    False,
    frozenset({Output.SYMBOLS}),
    lambda score: score.nats / math.log(2.0),
    lambda shares: _entropy(shares) / math.log(2.0),
    views=(PERPLEXITY_OF_BITS,),
    usual=False,
)
"""The cross entropy in bits, as characters and samples of sound are measured. Only tasks that list it report it."""

NATS_PER_STEP = Metric(
    "nats_per_step",
    "nats per step",
    False,
    frozenset({Output.MULTI_LABEL, Output.GAUSSIAN}),
    lambda score: score.nats,
    _entropy_of_notes,
    _gaussian_nats,
    signed=frozenset({Output.GAUSSIAN}),
)
"""Negative log-likelihood of all notes or values of a step (Boulanger-Lewandowski et al. 2012, section 6).

Constant baseline: of notes, the sum of the entropies of their frequencies; of real values, normal distributions with
their means and variances. It may be negative for real values.
"""

_REAL = frozenset({Output.GAUSSIAN, Output.SQUARED_ERROR})

MEAN_SQUARED_ERROR = Metric(
    "mean_squared_error",
    "squared units of a value",
    False,
    _REAL,
    lambda score: score.squared,
    of_errors=lambda errors: float(np.square(errors).mean()),
)
"""Mean over steps and values of the squared error. Constant baseline: the values' mean, whose error is the variance."""

MEAN_ABSOLUTE_ERROR = Metric(
    "mean_absolute_error",
    "units of a value",
    False,
    _REAL,
    lambda score: score.absolute,
    of_errors=lambda errors: float(np.abs(errors).mean()),
    centre=_median,
)
"""Mean over steps and values of the absolute error. Constant baseline: the values' median."""

MACRO_F1 = Metric(
    "macro_f1",
    "mean F1 score of the classes",
    True,
    frozenset({Output.SYMBOLS}),
    lambda score: score.correct,
    _f1_of_constant,
    estimate=_macro_f1,
    usual=False,
)
"""Mean over the classes of the F1 score, so that rare ones count as much as frequent ones.

Constant baseline: the most frequent class. Only tasks that list it report it: of words, most classes are rare.
"""

_ALL = (
    *(ACCURACY, CROSS_ENTROPY, BITS_PER_SYMBOL, NATS_PER_STEP),
    *(MEAN_SQUARED_ERROR, MEAN_ABSOLUTE_ERROR, MACRO_F1),
)

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}
"""Every metric by name."""


def metrics_of(output: Output) -> tuple[Metric, ...]:
    """Return the metrics that can measure a kind of output."""
    return tuple(metric for metric in METRICS.values() if output in metric.outputs)


class Measured(Protocol):
    """The part of a task that says which metrics it reports."""

    @property
    def output(self) -> Output: ...
    @property
    def metric(self) -> Metric: ...
    @property
    def also(self) -> tuple[Metric, ...]: ...


def metrics_of_task(task: Measured) -> tuple[Metric, ...]:
    """Return the metrics that a task reports, in the order of the registry: the usual ones and its own."""
    own = (task.metric, *task.also)
    return tuple(metric for metric in metrics_of(task.output) if metric.usual or metric in own)


def _registered(name: str) -> Metric:
    return METRICS[name]

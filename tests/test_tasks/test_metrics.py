"""Metrics: values, standard errors and constant baselines against plain loops, SciPy and resampling."""

import math
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import optimize, stats
from sklearn.metrics import f1_score

from tasks.interface import Output
from tasks.metrics import (
    ACCURACY,
    BITS,
    BITS_PER_SYMBOL,
    CROSS_ENTROPY,
    MACRO_F1,
    MEAN_ABSOLUTE_ERROR,
    MEAN_SQUARED_ERROR,
    METRICS,
    NATS_PER_STEP,
    PERPLEXITY,
    Labels,
    Metric,
    Score,
    metrics_of,
    metrics_of_task,
)


def drawn(sequences: int = 12) -> Score:
    rng = np.random.default_rng(3)
    steps = rng.integers(1, 40, sequences).astype(np.float64)
    sequence = np.repeat(np.arange(sequences), steps.astype(int))
    target = rng.integers(0, 6, len(sequence))
    predicted = np.where(rng.random(len(sequence)) < 0.6, target, rng.integers(1, 7, len(sequence)))
    correct = np.bincount(sequence, target == predicted, sequences).astype(np.float64)
    nats, squared, absolute = (steps * rng.gamma(2.0, 1.0, sequences) for _ in range(3))
    return Score(steps, nats, correct, squared, absolute, Labels(sequence, target, predicted))


def of_steps(steps: list[float], nats: list[float] | None = None, correct: list[float] | None = None) -> Score:
    none = np.zeros(len(steps))
    return Score(
        np.array(steps), none if nats is None else np.array(nats), none if correct is None else np.array(correct),
        none, none,
    )  # fmt: skip


def test_a_metric_is_the_mean_over_steps_not_over_sequences() -> None:
    score = drawn()
    assert ACCURACY.measure(score).value == pytest.approx(sum(score.correct) / sum(score.steps), rel=1e-14)
    for metric in (CROSS_ENTROPY, NATS_PER_STEP):
        assert metric.measure(score).value == pytest.approx(sum(score.nats) / sum(score.steps), rel=1e-14)
    for metric, sums in ((MEAN_SQUARED_ERROR, score.squared), (MEAN_ABSOLUTE_ERROR, score.absolute)):
        assert metric.measure(score).value == pytest.approx(sum(sums) / sum(score.steps), rel=1e-14)


def test_bits_are_nats_over_the_logarithm_of_two() -> None:
    bits, nats = (metric.measure(drawn()) for metric in (BITS_PER_SYMBOL, CROSS_ENTROPY))
    assert bits.value == pytest.approx(nats.value / math.log(2.0), rel=1e-14)
    assert bits.error == pytest.approx(nats.error / math.log(2.0), rel=1e-12)
    (perplexity,) = BITS_PER_SYMBOL.views
    assert perplexity.of(bits.value) == pytest.approx(math.exp(nats.value))


def test_macro_f1_is_scikit_learns() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        target, predicted = rng.integers(0, 5, 60), rng.integers(2, 9, 60)  # some classes are never a target, others
        score = replace(drawn(), labels=Labels(rng.integers(0, 12, 60), target, predicted))  # never a prediction
        expected = f1_score(target, predicted, average="macro", zero_division=0.0)
        assert MACRO_F1.measure(score).value == pytest.approx(expected, rel=1e-12)


def test_the_error_of_macro_f1_is_that_of_a_bootstrap_over_sequences() -> None:
    score = drawn(200)
    labels, rng = score.labels, np.random.default_rng(0)
    rows = [np.flatnonzero(labels.sequence == k) for k in range(200)]
    found = []
    for _ in range(500):
        chosen = np.concatenate([rows[k] for k in rng.integers(200, size=200)])
        found.append(f1_score(labels.target[chosen], labels.predicted[chosen], average="macro"))
    assert MACRO_F1.measure(score).error == pytest.approx(np.std(found), rel=0.1)


def test_the_error_is_that_of_a_bootstrap_over_sequences() -> None:
    score = drawn(200)
    rng = np.random.default_rng(0)
    means = []
    for _ in range(4000):
        chosen = rng.integers(200, size=200)
        means.append(score.nats[chosen].sum() / score.steps[chosen].sum())
    assert CROSS_ENTROPY.measure(score).error == pytest.approx(np.std(means), rel=0.05)


def test_with_sequences_of_one_step_the_error_is_that_of_a_mean() -> None:
    values = np.random.default_rng(1).normal(2.0, 1.0, 30)
    error = CROSS_ENTROPY.measure(of_steps([1.0] * 30, [*values])).error
    assert error == pytest.approx(stats.sem(values), rel=1e-12)


def test_sequences_outside_the_loss_mask_change_nothing() -> None:
    score = drawn()
    sums = (score.steps, score.nats, score.correct, score.squared, score.absolute)
    steps, nats, correct, squared, absolute = (np.append(part, [0.0, 0.0]) for part in sums)
    padded = Score(steps, nats, correct, squared, absolute, score.labels)
    for metric in METRICS.values():
        assert metric.measure(padded) == metric.measure(score)


def test_one_sequence_has_no_error_and_no_step_is_an_error() -> None:
    estimate = ACCURACY.measure(of_steps([4.0], correct=[3.0]))
    assert estimate.value == 0.75
    assert math.isnan(estimate.error)
    with pytest.raises(ValueError, match="no step"):
        ACCURACY.measure(of_steps([0.0] * 3))


def test_constant_baselines() -> None:
    shares = np.array([0.5, 0.25, 0.25, 0.0])
    assert ACCURACY.constant(shares) == 0.5
    assert CROSS_ENTROPY.constant(shares) == pytest.approx(stats.entropy(shares), rel=1e-14)
    targets = np.repeat([0, 1, 2], [2, 1, 1])
    best = max(f1_score(targets, [k] * 4, average="macro", zero_division=0.0) for k in range(3))
    assert MACRO_F1.constant(shares) == pytest.approx(best, rel=1e-12)
    notes = np.array([0.1, 0.0, 1.0, 0.6])
    assert BITS_PER_SYMBOL.constant(shares) == pytest.approx(1.5)
    assert NATS_PER_STEP.constant(notes) == pytest.approx(sum(stats.entropy([p, 1 - p]) for p in notes), rel=1e-12)


def test_constant_baselines_of_real_values_are_the_best_constants() -> None:
    values = np.random.default_rng(0).gamma(1.0, 2.0, (400, 3))

    def best(metric: Metric) -> float:
        def of_constant(constant: np.ndarray) -> float:
            return metric.of_errors(values - constant)

        return float(optimize.minimize(of_constant, np.ones(3), method="Nelder-Mead", tol=1e-8).fun)

    for metric in (MEAN_SQUARED_ERROR, MEAN_ABSOLUTE_ERROR, NATS_PER_STEP):
        found = metric.of_errors(values - metric.centre(values))
        assert found == pytest.approx(best(metric), rel=1e-6)
    assert MEAN_SQUARED_ERROR.of_errors(values - values.mean(0)) == pytest.approx(values.var(axis=0).mean())
    nats = -sum(stats.norm.logpdf(values[:, k], values[:, k].mean(), values[:, k].std()).mean() for k in range(3))
    assert NATS_PER_STEP.of_errors(values - values.mean(0)) == pytest.approx(nats, rel=1e-12)


def test_views_of_cross_entropy() -> None:
    assert CROSS_ENTROPY.views == (BITS, PERPLEXITY)
    assert BITS.of(math.log(8.0)) == pytest.approx(3.0)
    assert PERPLEXITY.of(math.log(8.0)) == pytest.approx(8.0)
    assert PERPLEXITY.of(1e9) == math.exp(700.0)


def test_every_metric_fits_an_output_and_every_output_has_a_metric() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.outputs
    assert metrics_of(Output.SYMBOLS) == (ACCURACY, CROSS_ENTROPY, BITS_PER_SYMBOL, MACRO_F1)
    assert metrics_of(Output.MULTI_LABEL) == (NATS_PER_STEP,)
    assert metrics_of(Output.GAUSSIAN) == (NATS_PER_STEP, MEAN_SQUARED_ERROR, MEAN_ABSOLUTE_ERROR)
    assert metrics_of(Output.SQUARED_ERROR) == (MEAN_SQUARED_ERROR, MEAN_ABSOLUTE_ERROR)


def test_only_tasks_that_list_it_report_macro_f1() -> None:
    task = SimpleNamespace(output=Output.SYMBOLS, metric=ACCURACY, also=())
    assert metrics_of_task(task) == (ACCURACY, CROSS_ENTROPY)
    task.also = (MACRO_F1,)
    assert metrics_of_task(task) == (ACCURACY, CROSS_ENTROPY, MACRO_F1)
    assert metrics_of_task(SimpleNamespace(output=Output.SYMBOLS, metric=MACRO_F1, also=())) == metrics_of_task(task)


def test_a_pickled_metric_is_the_registered_one() -> None:
    for metric in METRICS.values():
        assert pickle.loads(pickle.dumps(metric)) is metric  # noqa: S301 (our own bytes)

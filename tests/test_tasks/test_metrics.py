"""Metrics: values, standard errors and constant baselines against plain loops, SciPy and resampling."""

import math
import pickle

import numpy as np
import pytest
from scipy import stats

from tasks.metrics import (
    ACCURACY,
    BITS,
    CROSS_ENTROPY,
    METRICS,
    NATS_PER_STEP,
    PERPLEXITY,
    Output,
    Score,
    metrics_of,
)


def drawn(sequences: int = 12) -> Score:
    rng = np.random.default_rng(3)
    steps = rng.integers(1, 40, sequences).astype(np.float64)
    return Score(steps, steps * rng.gamma(2.0, 1.0, sequences), np.floor(steps * rng.random(sequences)))


def test_a_metric_is_the_mean_over_steps_not_over_sequences() -> None:
    score = drawn()
    assert ACCURACY.measure(score).value == pytest.approx(sum(score.correct) / sum(score.steps), rel=1e-14)
    for metric in (CROSS_ENTROPY, NATS_PER_STEP):
        assert metric.measure(score).value == pytest.approx(sum(score.nats) / sum(score.steps), rel=1e-14)


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
    error = CROSS_ENTROPY.measure(Score(np.ones(30), values, np.zeros(30))).error
    assert error == pytest.approx(stats.sem(values), rel=1e-12)


def test_sequences_outside_the_loss_mask_change_nothing() -> None:
    score = drawn()
    padded = Score(*(np.append(part, [0.0, 0.0]) for part in (score.steps, score.nats, score.correct)))
    for metric in METRICS.values():
        assert metric.measure(padded) == metric.measure(score)


def test_one_sequence_has_no_error_and_no_step_is_an_error() -> None:
    estimate = ACCURACY.measure(Score(np.array([4.0]), np.array([2.0]), np.array([3.0])))
    assert estimate.value == 0.75
    assert math.isnan(estimate.error)
    with pytest.raises(ValueError, match="no step"):
        ACCURACY.measure(Score(np.zeros(3), np.zeros(3), np.zeros(3)))


def test_constant_baselines() -> None:
    shares = np.array([0.5, 0.25, 0.25, 0.0])
    assert ACCURACY.constant(shares) == 0.5
    assert CROSS_ENTROPY.constant(shares) == pytest.approx(stats.entropy(shares), rel=1e-14)
    notes = np.array([0.1, 0.0, 1.0, 0.6])
    assert NATS_PER_STEP.constant(notes) == pytest.approx(sum(stats.entropy([p, 1 - p]) for p in notes), rel=1e-12)


def test_views_of_cross_entropy() -> None:
    assert CROSS_ENTROPY.views == (BITS, PERPLEXITY)
    assert BITS.of(math.log(8.0)) == pytest.approx(3.0)
    assert PERPLEXITY.of(math.log(8.0)) == pytest.approx(8.0)
    assert PERPLEXITY.of(1e9) == math.exp(700.0)


def test_every_metric_fits_an_output_and_every_output_has_a_metric() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.outputs
    assert metrics_of(Output.SYMBOLS) == (ACCURACY, CROSS_ENTROPY)
    assert metrics_of(Output.MULTI_LABEL) == (NATS_PER_STEP,)


def test_a_pickled_metric_is_the_registered_one() -> None:
    for metric in METRICS.values():
        assert pickle.loads(pickle.dumps(metric)) is metric  # noqa: S301 (our own bytes)

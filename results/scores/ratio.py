"""Shares of the GRU's result: the ratio of two metrics, and the ratio of two gains; both with standard errors.

*Ratio* (Jozefowicz et al. 2015, section 3.1): a cell's metric over the GRU's. If lower is better (nats per step), the
ratio is inverted, so that a value above 1 is better whatever the metric's direction.

*Share of the gain*: the improvement of a cell's metric over the constant baseline of the same data, divided by the
GRU's improvement. It is 0 for a cell that learnt nothing and negative for one that is worse than a constant prediction.
A ratio of raw metrics has no such zero: where a constant prediction is right half of the time, a cell that learnt
nothing has a ratio above 0.5.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_POINTS = 4000
"""Integration points of the trapezoid rule."""


def direction(higher_is_better: bool) -> float:
    """Return the sign that makes larger values better: 1, or -1 if lower is better."""
    return 1.0 if higher_is_better else -1.0


def ratio(value: float | Floats, reference: float | Floats, higher_is_better: bool) -> Floats:
    """Return `value / reference`, inverted if lower is better; NaN if the denominator is not positive."""
    numerator, denominator = (value, reference) if higher_is_better else (reference, value)
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    safe = np.where(bottom > 0, bottom, np.nan)
    return np.asarray(top / safe, np.float64)


def gain(value: float | Floats, constant: float | Floats, higher_is_better: bool) -> Floats:
    """Return the improvement of a metric over the constant baseline, positive if `value` is better."""
    return np.asarray(direction(higher_is_better) * (np.asarray(value, np.float64) - constant), np.float64)


def ratio_error(
    value: float | Floats,
    reference: float | Floats,
    value_error: float | Floats,
    reference_error: float | Floats,
    higher_is_better: bool,
) -> Floats:
    """Return the standard error of `ratio` by the delta method, from the standard errors of both metrics.

    With r = a / b: se(r)^2 = (se(a) / b)^2 + (r se(b) / b)^2. The two errors are taken as independent. Both cells are
    evaluated on the same set, where their errors are usually positively correlated, so the result is conservative. It
    covers neither the variation over seeds nor the bias of picking the best of many settings.
    """
    if higher_is_better:
        denominator, error_above, error_below = reference, value_error, reference_error
    else:
        denominator, error_above, error_below = value, reference_error, value_error
    bottom = np.asarray(denominator, np.float64)
    safe = np.where(bottom > 0, bottom, np.nan)
    above = np.asarray(error_above, np.float64) / safe
    below = ratio(value, reference, higher_is_better) * np.asarray(error_below, np.float64) / safe
    return np.asarray(np.hypot(above, below), np.float64)


def gain_share(
    value: float | Floats, reference: float | Floats, constant: float | Floats, higher_is_better: bool
) -> Floats:
    """Return the gain of `value` as a share of the gain of `reference`; NaN if the latter is not positive."""
    return ratio(gain(value, constant, higher_is_better), gain(reference, constant, higher_is_better), True)


def gain_share_error(
    value: float | Floats,
    reference: float | Floats,
    value_error: float | Floats,
    reference_error: float | Floats,
    constant: float | Floats,
    higher_is_better: bool,
) -> Floats:
    """Return the standard error of `gain_share` by the delta method, from the standard errors of both metrics.

    The constant baseline is a number of the data and taken as exact. Otherwise as `ratio_error`.
    """
    above, below = (gain(metric, constant, higher_is_better) for metric in (value, reference))
    return ratio_error(above, below, value_error, reference_error, True)


def ratio_of_means(values: Floats, reference: Floats, higher_is_better: bool) -> tuple[float, float]:
    """Return the ratio of the mean metrics, above 1 if `values` are better, and its standard error.

    The error is that of the linearised ratio (delta method) over paired seeds: with r = mean(a) / mean(b), it is the
    standard error of the mean of (a - r b) / mean(b). Both are NaN if the denominator is not positive.
    """
    above, below = (values, reference) if higher_is_better else (reference, values)
    found = float(ratio(float(np.mean(values)), float(np.mean(reference)), higher_is_better))
    residuals = above - found * below
    with np.errstate(invalid="ignore"):
        error = np.std(residuals, ddof=1) / np.sqrt(values.size) / np.mean(below)
    return found, float(error) if np.isfinite(found) else float("nan")


def gain_share_of_means(
    values: Floats, reference: Floats, constant: float, higher_is_better: bool
) -> tuple[float, float]:
    """Return the gain of the mean metric as a share of the reference's, and its standard error over paired seeds.

    Both are NaN if the reference has no gain, or the constant baseline is not known.
    """
    above, below = (gain(metrics, constant, higher_is_better) for metrics in (values, reference))
    return ratio_of_means(above, below, True)


def error_of_smallest(values: Floats, errors: Floats) -> float:
    """Return the standard deviation of the minimum of independent normal values with these means and deviations.

    Near ties it is smaller or larger than that of any single value. Computed by the trapezoid rule over the minimum's
    survival function S: its mean is a + int S, its second moment about a is 2 int (x - a) S, for an a below all values.
    Rounded to ten digits, so that it is the same on every processor.
    """
    if len(values) == 1 or np.isnan(errors).any():
        return float(errors[np.argmin(values)])
    return _error_of_smallest(tuple(values.tolist()), tuple(errors.tolist()))


@lru_cache(maxsize=65_536)
def _error_of_smallest(means: tuple[float, ...], deviations: tuple[float, ...]) -> float:
    """Return what `error_of_smallest` does; cached, as a search writes its table many times."""
    values, errors = np.array(means), np.array(deviations)
    low = float(np.min(values - 9 * errors))
    high = float(np.min(values + 9 * errors))
    if high <= low:
        return 0.0
    step = (high - low) / _POINTS
    inside = 1e-12 * (high - low)
    survival = [
        math.prod(
            0.5 * math.erfc((k * step + low - value) / (error * math.sqrt(2)))
            if error > 0
            else float(k * step + low < value - inside)
            for value, error in zip(means, deviations, strict=True)
        )
        for k in range(_POINTS + 1)
    ]
    ends = (survival[0] + survival[-1]) / 2
    mean = step * (math.fsum(survival) - ends)
    moment = 2 * step * (math.fsum(k * step * s for k, s in enumerate(survival)) - (high - low) * survival[-1] / 2)
    return float(f"{math.sqrt(max(0.0, moment - mean * mean)):.10g}")

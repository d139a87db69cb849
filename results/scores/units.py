"""Units of differences between two cells: the GRU's gain, the other cell's metric, or the metric's own unit.

A difference is told as a share of the GRU's gain over the constant baseline, as the score is. Where that gain is within
its noise, or the baseline is not stored, as in runs of earlier versions, it is a share of the other cell's metric. Of a
metric that may be negative (nats of real values) nothing is a share: the difference is told as it is.
"""

import math

import numpy as np

from results.scores.ratio import Floats, direction
from results.store.store import Store
from tasks.metrics import METRICS

EVEN_MARGIN = 0.02
"""Largest difference of cells that are even, as a share of the GRU's gain over the constant baseline."""

METRIC_MARGIN = 0.01
"""The same as a share of the other cell's metric."""

LEAST_GAIN = 4.0
"""Smallest gain of the GRU, in its standard errors, that is a unit for differences."""


_NEGATIVE = "SELECT DISTINCT task FROM trials WHERE metric = ? AND (validation < 0 OR test < 0)"


class Unit(str):
    """Unit of a difference: `gain`, `metric`, or the unit of a metric, such as `nats per step`.

    A string, so that tables and JSON show it as it is.
    """

    __slots__ = ()

    @property
    def is_share(self) -> bool:
        """True if differences are shares, which are shown in percent."""
        return self in (GAIN, METRIC)

    @property
    def scale(self) -> float:
        """Factor from a difference to the number that is shown."""
        return 100.0 if self.is_share else 1.0

    @property
    def margin(self) -> float:
        """Largest difference of cells that are even; 0 for a metric's own unit, in which no pair is shown to be so."""
        return {GAIN: EVEN_MARGIN, METRIC: METRIC_MARGIN}.get(self, 0.0)

    def digits(self, width: float) -> int:
        """Return the decimals of shown numbers whose interval has this width: further digits would be noise."""
        shown = self.scale * width
        if shown >= 1.0 or self.is_share:
            return 0 if shown >= 20.0 else 1 if shown >= 1.0 else 2
        return min(8, 1 - math.floor(math.log10(shown))) if shown > 0.0 else 4

    def number(self, difference: float, digits: int, sign: str = "-") -> str:
        """Return a difference as the number that is shown; with the sign `+`, positive numbers have one too."""
        text = f"{self.scale * difference:{sign}.{digits}f}"
        return text.lstrip("+-") if float(text) == 0 else text

    def after_number(self, other: str) -> str:
        """Return what follows a number: `% of the GRU's gain`, `% of the LSTM's metric`, `nats per step`.

        Args:
            other: name of the cell that is compared with, as a sentence has it.
        """
        whose = {GAIN: "the GRU's gain", METRIC: f"the {other}'s metric"}.get(self)
        return f"% of {whose}" if whose else str(self)


GAIN = Unit("gain")
"""The GRU's gain over the constant baseline."""

METRIC = Unit("metric")
"""The metric of the cell that is compared with."""


def mean_and_error(values: Floats) -> tuple[float, float]:
    """Return the mean of one metric or several, and its standard error over them, which is 0 for one."""
    error = float(np.std(values, ddof=1)) / np.sqrt(values.size) if values.size > 1 else 0.0
    return float(np.mean(values)), float(error)


def unit_gain(value: float, error: float, constant: float, higher_is_better: bool) -> float | None:
    """Return the gain of the GRU over the constant baseline if it is a unit for differences, else None.

    It is one if it is above `LEAST_GAIN` standard errors, and above 0. Shares of a smaller gain would have an error of
    their own that no interval shows, and any size.

    Args:
        value: metric of the GRU, or its mean.
        error: its standard error; 0 or NaN if it is not known.
        constant: metric of the constant baseline on the same data.
        higher_is_better: direction of the metric.
    """
    found = direction(higher_is_better) * (value - constant)
    least = 0.0 if np.isnan(error) else LEAST_GAIN * error
    return float(found) if found > max(least, 0.0) else None


def signed_units(store: Store) -> dict[str, Unit]:
    """Return the unit of the metric of each task where it may be negative.

    A run says which tasks these are. Of one that was made before it did, a task counts if its metric may be negative
    for some kind of output, and some trial has such a value.

    Raises:
        StoreError: the store cannot be read.
    """
    if store.signed is not None:
        return {task: Unit(unit) for task, unit in store.signed.items()}
    found = {}
    for metric in (one for one in METRICS.values() if one.signed):
        for (task,) in store.typed(_NEGATIVE, {"task": str}, (metric.name,)):
            found[task] = Unit(metric.unit)
    return found

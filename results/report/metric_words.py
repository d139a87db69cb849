"""Metrics in words with their units, for the axes and the headings of the report."""

from tasks.metrics import METRICS

_ARROWS = {True: "\N{UPWARDS ARROW}", False: "\N{DOWNWARDS ARROW}"}


def metric_words(metric: str) -> str:
    """Return a metric with its unit, if its name does not say that: `cross entropy (nats per symbol)`."""
    words, unit = metric.replace("_", " "), unit_words(metric)
    return words if unit == words else f"{words} ({unit})"


def unit_words(metric: str) -> str:
    """Return what the numbers of a metric are: its unit, or its name where that is a share, such as an accuracy."""
    known = METRICS.get(metric)
    return metric.replace("_", " ") if known is None or known.higher_is_better else known.unit


def heading_words(metric: str, higher: bool | None) -> str:
    """Return the unit of a metric with an arrow towards the better values, for the heading of a column."""
    return f"{unit_words(metric)} {_ARROWS[higher]}" if higher is not None else unit_words(metric)

"""Score of a cell: the smallest, over the ranked tasks, of its share of the reference cell's result.

A run has one kind of share (`ScoreKind`), the field `score` in the section `search` of its profile: the ratio of the
metrics, which is the score of Jozefowicz et al. 2015, section 3.1, or the share of the gain over the constant baseline.
`results.scores.ratio` has both, for metrics of either direction.
"""

import math
from collections.abc import Iterable

import numpy as np

from results.scores.ratio import (
    Floats,
    gain_share,
    gain_share_error,
    gain_share_of_means,
    ratio,
    ratio_error,
    ratio_of_means,
)
from results.store.errors import StoreError, damaged
from results.store.store import Store
from results.store.toml import parse_toml
from results.store.words import ScoreKind


def score(shares: Iterable[float | None]) -> float | None:
    """Return the smallest share, or None if one is missing or there is none."""
    found = list(shares)
    known = [value for value in found if value is not None]
    return min(known) if known and len(known) == len(found) else None


def scores(shares: Floats) -> Floats:
    """Return the score of each row of `shares` (cells, tasks); NaN where a share is missing."""
    return np.asarray(shares.min(axis=1), np.float64)


def share(
    kind: ScoreKind, value: float | Floats, reference: float | Floats, constant: float | Floats, higher_is_better: bool
) -> Floats:
    """Return a metric's share of the reference's; NaN if there is nothing to divide by.

    Args:
        kind: kind of the share.
        value: metric of the cell, or of several cells.
        reference: metric of the reference cell.
        constant: metric of the constant baseline on the same data; NaN if it is not known. A ratio does not use it.
        higher_is_better: direction of the metric.
    """
    if kind is ScoreKind.RATIO:
        return ratio(value, reference, higher_is_better)
    return gain_share(value, reference, constant, higher_is_better)


def share_error(
    kind: ScoreKind,
    value: float | Floats,
    reference: float | Floats,
    value_error: float | Floats,
    reference_error: float | Floats,
    constant: float | Floats,
    higher_is_better: bool,
) -> Floats:
    """Return the standard error of `share`, from the standard errors of both metrics, taken as independent."""
    if kind is ScoreKind.RATIO:
        return ratio_error(value, reference, value_error, reference_error, higher_is_better)
    return gain_share_error(value, reference, value_error, reference_error, constant, higher_is_better)


def share_of_means(
    kind: ScoreKind, values: Floats, reference: Floats, constant: float, higher_is_better: bool
) -> tuple[float, float]:
    """Return the mean metric's share of the reference's mean, and its standard error over paired seeds.

    Args:
        kind: kind of the share.
        values: metrics of the cell, one for each seed.
        reference: metrics of the reference cell on the same seeds.
        constant: metric of the constant baseline on the same data; NaN if it is not known.
        higher_is_better: direction of the metric.
    """
    if kind is ScoreKind.RATIO:
        return ratio_of_means(values, reference, higher_is_better)
    return gain_share_of_means(values, reference, constant, higher_is_better)


def finite_share(
    kind: ScoreKind, value: float, reference: float, constant: float, higher_is_better: bool
) -> float | None:
    """Return the share of one metric, or None if there is nothing to divide by."""
    found = float(share(kind, value, reference, constant, higher_is_better))
    return found if math.isfinite(found) else None


def score_kind(store: Store) -> ScoreKind:
    """Return the kind of score of a run; the ratio for runs made before there were two kinds.

    Raises:
        StoreError: the stored profile is invalid.
    """
    try:
        section = parse_toml(store.profile).get("search", {})
        return ScoreKind(section.get("score", ScoreKind.RATIO))
    except (ValueError, AttributeError) as error:
        raise StoreError(damaged(store.path, f"invalid profile: {error}")) from error


def constants_of(store: Store, split: str) -> dict[str, float]:
    """Return the metric of each task's constant baseline on a split; without those that the run did not store."""
    return {task: splits[split] for task, splits in store.constants.items() if split in splits}


def chance_of(store: Store) -> dict[str, float]:
    """Return the validation metric of each task below which a trial is given up: the constant, in an older run."""
    return constants_of(store, "validation") | store.chance


def ceilings_of(store: Store, split: str) -> dict[str, float]:
    """Return the best metric possible on a split, of each task whose ceiling is known."""
    return {task: splits[split] for task, splits in store.ceilings.items() if split in splits}

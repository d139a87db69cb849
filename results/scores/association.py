"""Effect of having something, from cells that come in families, with an interval that allows for the families.

The *effect* is the coefficient of a least-squares fit of the cells' values on having it (1 or 0), with an intercept for
each group: the mean difference between cells with and without it, within a group. A group in which all cells have it,
or none has, says nothing about the effect. Such groups are left out of all counts.

Cells of one family are no independent data, so only families can tell an effect from chance. The variance is that of
the jackknife over families (MacKinnon, Nielsen and Webb 2023, "Cluster-robust inference: a guide to empirical
practice", CV3 around the full estimate): the sum over families of the squared change of the effect when the family is
left out. It does not understate the variance (Hansen 2025, "Jackknife standard errors for clustered regression").

A family can hold most of the cells. Then the variance itself rests on few differences, however many families there are.
So the degrees of freedom of Student's t are those of the variance as a sum of squares (Bell and McCaffrey 2002, after
Satterthwaite): with A the matrix that maps the values to the changes, and B = A A', they are trace(B)^2 / trace(B^2) if
values are independent and equally noisy. For two groups of m cells, each cell its own family, they are 2 (m - 1), as in
the t-test. They are near 1 if one family is nearly all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from results.scores.ratio import Floats

LEAST_FREEDOM = 2.0
"""Fewest degrees of freedom for an effect: below, one family or two are nearly all that is known of it."""


@dataclass(frozen=True)
class Effect:
    """Estimated effect with its 95 % interval and two-sided p value.

    Attributes:
        effect: the coefficient.
        low, high: ends of the interval.
        p: p value.
        freedom: degrees of freedom of the interval.
    """

    effect: float
    low: float
    high: float
    p: float
    freedom: float


UNTOLD = Effect(np.nan, np.nan, np.nan, np.nan, np.nan)
"""Effect that the data cannot tell from chance."""


def association(y: Floats, has: Floats, group: Sequence[str], family: Sequence[str]) -> Effect | None:
    """Return the coefficient of `has` in a least-squares fit of y with an intercept for each group.

    Args:
        y: values (n,).
        has: 1.0 or 0.0 for each value.
        group: what has an intercept of its own, for each value.
        family: the cluster of each value.

    Returns:
        The effect, or None if the data cannot tell it from chance: it is not identified without one of the families,
        the degrees of freedom are too few, or no value varies.
    """
    frame = pd.DataFrame({"y": y, "has": has, "group": list(group), "family": list(family)})
    # The weight of a value depends on its group, family and kind alone: one row (s of them) stands for all such cells.
    rows = frame.groupby(["group", "family", "has"], sort=True)["y"].agg(["size", "sum"]).reset_index()
    size, sums = rows["size"].to_numpy(np.float64), rows["sum"].to_numpy(np.float64)
    kind, groups = rows["has"].to_numpy(np.float64), pd.get_dummies(rows["group"]).to_numpy(np.float64)
    codes, names = pd.factorize(rows["family"])
    left = np.where(codes == np.arange(len(names))[:, None], 0.0, size)  # (families, s): without each family
    whole, without = _weights(kind, groups, size), _weights(kind, groups, left)
    if whole is None or without is None:
        return None
    maps = without - whole
    products = (maps * size) @ maps.T
    freedom = float(np.trace(products) ** 2 / np.sum(products**2))
    effect, error = float(whole @ sums), float(np.linalg.norm(maps @ sums))
    if freedom < LEAST_FREEDOM or not error > 1e-12 * max(1.0, float(np.abs(y).max())):
        return None
    width = float(stats.t.ppf(0.975, freedom)) * error
    p = 2.0 * float(stats.t.sf(abs(effect) / error, freedom))
    return Effect(effect, effect - width, effect + width, p, freedom)


def _weights(kind: Floats, groups: Floats, size: Floats) -> Floats | None:
    """Return the weight in the coefficient of each value of a row (..., s), or None if one is not identified.

    Args:
        kind: 1.0 or 0.0 (s,).
        groups: 1.0 where a row is in a group (s, groups).
        size: number of values of each row (..., s); 0 for those that are left out.
    """
    count = size @ groups
    mean = np.divide((size * kind) @ groups, count, out=np.zeros_like(count), where=count > 0)
    centred = np.where(size > 0, kind - mean @ groups.T, 0.0)
    spread = np.sum(size * centred**2, axis=-1, keepdims=True)
    return None if (spread < 1e-9).any() else centred / spread

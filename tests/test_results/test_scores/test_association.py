"""Effects within families: against refits by statsmodels, and their intervals cover what was planted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from results.scores.association import association
from results.scores.ratio import Floats
from results.store.store import Store
from results.store.words import Origin
from search.cells.notation.formula import parse_formula
from search.cells.structures import structures
from tests.paths import ROOT


def draw(rng: np.random.Generator, n: int = 60) -> tuple[Floats, Floats, list[str], list[str]]:
    has = (rng.random(n) < 0.4).astype(float)
    group = [str(name) for name in rng.choice(["gru", "lstm"], n)]
    family = [f"{name}{rng.integers(6)}" for name in group]
    return rng.normal(size=n) + 0.5 * has + [name == "gru" for name in group], has, group, family


def refit(y: Floats, has: Floats, group: list[str]) -> float:
    """Return the coefficient by statsmodels; a group that has no value left has no intercept."""
    return float(sm.OLS(y, np.column_stack([has, pd.get_dummies(pd.Series(group)).to_numpy(float)])).fit().params[0])


def test_the_interval_is_that_of_refits_without_each_family() -> None:
    rng = np.random.default_rng(60)
    for _ in range(3):
        y, has, group, family = draw(rng, 40)
        found = association(y, has, group, family)
        effect = refit(y, has, group)

        def changes(values: Floats, has: Floats = has, group: list[str] = group, of: list[str] = family) -> Floats:
            kept = [np.array([one != name for one in of]) for name in sorted(set(of))]
            left = [refit(values[k], has[k], [g for g, stays in zip(group, k, strict=True) if stays]) for k in kept]
            return np.array(left) - refit(values, has, group)

        error = float(np.sqrt(np.sum(changes(y) ** 2)))
        maps = np.array([changes(unit) for unit in np.eye(len(y))]).T
        scale = np.linalg.eigvalsh(maps @ maps.T)  # of the independent squares that the variance is a sum of
        freedom = scale.sum() ** 2 / np.sum(scale**2)
        width = stats.t.ppf(0.975, freedom) * error
        assert found is not None
        assert found.effect == pytest.approx(effect)
        assert found.freedom == pytest.approx(freedom)
        assert (found.low, found.high) == pytest.approx((effect - width, effect + width))
        assert found.p == pytest.approx(2 * stats.t.sf(abs(effect / error), freedom))


def test_with_families_of_one_cell_the_error_is_that_of_white_and_mackinnon() -> None:
    """HC3 of statsmodels is the jackknife over single values."""
    y, has, group, _ = draw(np.random.default_rng(61))
    found = association(y, has, group, [str(k) for k in range(len(y))])
    design = np.column_stack([has, pd.get_dummies(pd.Series(group)).to_numpy(float)])
    error = sm.OLS(y, design).fit(cov_type="HC3").bse[0]
    assert found is not None
    assert found.high - found.effect == pytest.approx(stats.t.ppf(0.975, found.freedom) * error)


def test_two_equal_groups_have_the_freedom_of_the_t_test() -> None:
    y, has = np.random.default_rng(62).normal(size=14), np.repeat([0.0, 1.0], 7)
    found = association(y, has, ["r"] * 14, [str(k) for k in range(14)])
    assert found is not None
    assert found.freedom == pytest.approx(12)


def test_groups_that_have_it_in_all_cells_or_in_none_change_nothing() -> None:
    y, has, group, family = draw(np.random.default_rng(63))
    found = association(y, has, group, family)
    more = np.concatenate([y, np.linspace(5.0, 9.0, 40)])
    held = np.concatenate([has, np.ones(20), np.zeros(20)])
    others = [f"{name}{k}" for name in ("all", "none") for k in range(20)]
    same = association(more, held, group + ["all"] * 20 + ["none"] * 20, family + others)
    assert found is not None
    assert same is not None
    assert astuple(same) == pytest.approx(astuple(found))


def test_what_one_family_holds_is_not_told_from_chance() -> None:
    """All cells with it but one are of a family that is nearly all cells, as in a search that follows one lineage."""
    rng = np.random.default_rng(64)
    has = np.concatenate([rng.random(1000) < 0.5, [True, False, False, True, False, False]]).astype(float)
    family = ["large"] * 1000 + list("abcdef")
    assert association(rng.normal(size=1006), has, ["r"] * 1006, family) is None
    assert association(rng.normal(size=1006), has, ["r"] * 1006, [str(k) for k in range(1006)]) is not None


def test_an_effect_that_the_data_do_not_identify_is_none() -> None:
    y, family = np.arange(8.0), list("abcdefgh")
    assert association(y, np.repeat([1.0, 0.0], 4), ["r"] * 4 + ["s"] * 4, family) is None
    assert association(y, np.tile([1.0, 0.0], 4), ["r"] * 8, ["a"] * 8) is None
    assert association(np.zeros(8), np.tile([1.0, 0.0], 4), ["r"] * 8, family) is None
    assert association(y, np.eye(8)[0], ["r"] * 8, family) is None  # one cell alone has it


@pytest.fixture(scope="module")
def evening() -> Iterator[dict[str, tuple[str | None, frozenset[str], bool]]]:
    """Yield the parent of each cell of a published search, its motifs, and whether it was found."""
    with Store.open(ROOT / "results" / "published" / "evening", readonly=True) as store:
        trained = {cell for (cell,) in store.typed("SELECT DISTINCT cell FROM trials WHERE repeat = 0", {"cell": str})}
        yield {
            row.id: (row.parent, structures(parse_formula(row.formula)), row.origin == Origin.FOUND)
            for row in store.cells()
            if row.id in trained or row.origin != Origin.FOUND
        }


MOTIFS = ("z * a + (1 - z) * b", "sigmoid on the candidate", "no gate", "one gate", "a state that is added to itself")


@pytest.mark.parametrize(
    ("drift", "spread", "noise"),
    [
        pytest.param(0.0, 0.0, 1.0, marks=pytest.mark.slow),
        pytest.param(0.5, 0.0, 0.5, marks=pytest.mark.slow),
        pytest.param(0.3, 0.5, 0.5, marks=pytest.mark.slow),
    ],
)
def test_intervals_cover_the_planted_effect(
    evening: dict[str, tuple[str | None, frozenset[str], bool]], drift: float, spread: float, noise: float
) -> None:
    """The families and motifs are those of a search. A child's value is its parent's plus drift, and a cell's is noisy.

    With `spread`, the planted effect of 1 differs from family to family.
    """
    rng = np.random.default_rng(65)
    lines: dict[str, list[str]] = {}

    def line(cell: str) -> list[str]:
        if cell not in lines:
            parent = evening[cell][0]
            lines[cell] = [cell] if parent is None or parent not in evening else [*line(parent), cell]
        return lines[cell]

    cells = [cell for cell, (_, _, found) in evening.items() if found]
    group, family = [line(cell)[0] for cell in cells], [line(cell)[1] for cell in cells]
    places = {cell: k for k, cell in enumerate(evening)}
    ancestry = np.zeros((len(cells), len(evening)))
    for k, cell in enumerate(cells):
        ancestry[k, [places[one] for one in line(cell)]] = 1.0
    codes, names = pd.factorize(pd.Series(family))
    covered: dict[str, list[bool]] = {motif: [] for motif in MOTIFS}
    for _ in range(200):
        base = ancestry @ rng.normal(scale=drift, size=len(evening)) + noise * rng.normal(size=len(cells))
        for motif in MOTIFS:
            has = np.array([motif in evening[cell][1] for cell in cells], float)
            planted = rng.normal(1.0, spread, len(names))[codes]
            found = association(base + planted * has, has, group, family)
            assert found is not None, motif
            covered[motif].append(found.low < 1.0 < found.high)
    shares = {motif: float(np.mean(hits)) for motif, hits in covered.items()}
    assert min(shares.values()) >= 0.9, shares
    assert 0.93 <= np.mean(list(shares.values())) <= 0.99, shares

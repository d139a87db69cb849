"""The published comparisons of search methods: verdicts from their incumbents, and the numbers in the docs."""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from search.cli.main import run
from search.compare.plan import read_plan
from tests.paths import ROOT

FOLDER = ROOT / "results" / "published" / "methods"
CHANCE = ROOT / "results" / "published" / "random-or-local"
PAGE = (ROOT / "docs" / "compare.md").read_text()


@pytest.fixture(scope="module")
def finals() -> dict[str, np.ndarray]:
    """Confirmed score of the last incumbent of each search, by method, in the order of the seeds."""
    rows = pd.read_csv(FOLDER / "incumbents.csv", dtype={"cell": str})
    last = rows.sort_values("compute", kind="stable").groupby(["method", "seed"])["confirmed"].last()
    return {str(method): own.to_numpy() for method, own in last.groupby("method")}


def p_value(differences: np.ndarray) -> float:
    """Share of the 2^n sign flips whose mean is at least as far from 0."""
    flips = np.array(list(itertools.product((1.0, -1.0), repeat=len(differences))))
    means = np.abs(flips @ differences)
    return float((means >= abs(differences.sum()) * (1 - 1e-12)).mean())


def test_the_plan_is_the_declared_one() -> None:
    plan, declared = read_plan(FOLDER / "plan.toml"), read_plan(ROOT / "docs" / "plans" / "methods-found.toml")
    assert plan.methods == declared.methods
    for name in ("seeds", "trainings", "confirm", "measured", "pairs", "standard", "profile"):
        assert getattr(plan, name) == getattr(declared, name), name


@pytest.mark.exact
@pytest.mark.parametrize("folder", [FOLDER, CHANCE], ids=["methods", "random-or-local"])
def test_the_searches_follow_from_plan_and_seeds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Replays all 108 searches, which takes two minutes."""
    assert run(["verify", str(folder)]) == 0, capsys.readouterr().out


def test_the_verdicts_follow_from_the_table_of_incumbents(finals: dict[str, np.ndarray]) -> None:
    pairs = pd.read_csv(FOLDER / "pairs.csv")
    pairs = pairs[pairs["measure"] == "final"]
    assert len(pairs) == 36
    assert {len(own) for own in finals.values()} == {12}
    found = [p_value(finals[row.method] - finals[row.other]) for row in pairs.itertuples()]  # type: ignore[index]
    np.testing.assert_allclose(pairs["p"], found, rtol=1e-9)
    np.testing.assert_allclose(pairs["p_adjusted"], multipletests(found, method="holm")[1], rtol=1e-9)
    for row, p in zip(pairs.itertuples(), pairs["p_adjusted"], strict=True):
        sign = np.sign((finals[str(row.method)] - finals[str(row.other)]).mean())
        assert row.verdict == ("undecided" if p > 0.05 else "better" if sign > 0 else "worse")


def test_the_numbers_of_the_page_are_those_of_the_tables(finals: dict[str, np.ndarray]) -> None:
    methods = pd.read_csv(FOLDER / "methods.csv").set_index("method")
    section = PAGE.split("\n### Does a search")[0].splitlines()
    lines = [line.strip("|").split("|") for line in section if re.match(r"\| `\w+`, (stages|halving)", line)]
    rows = [tuple(part.strip() for part in line) for line in lines]
    assert len(rows) == len(methods) == 9
    for words, final, reach, against in rows:
        name = words.replace("`", "").replace(", from the atlas", "-atlas").replace(", ", "-")
        low, middle, high = np.percentile(finals[name], [25, 50, 75])
        assert final == f"{middle:.3f} ({low:.3f} to {high:.3f})"
        row = methods.loc[name]
        assert reach == ("" if np.isnan(row["reach_share"]) else f"{row['reach_share']:.2f}")
        if name == "paper-stages":
            assert not against
            continue
        interval = f"{row['difference']:+.3f} ({row['difference_low']:+.3f} to {row['difference_high']:+.3f})"
        p = row["p_adjusted"]
        shown = f"{p:.4f}" if 0.0495 < p < 0.05 else f"{p:.2g}"
        assert against == f"{interval}, {shown}: {row['verdict']}"


def test_the_plan_against_chance_is_the_declared_one() -> None:
    plan, declared = read_plan(CHANCE / "plan.toml"), read_plan(ROOT / "docs" / "plans" / "random-or-local.toml")
    assert plan.methods == declared.methods
    for name in ("seeds", "trainings", "confirm", "measured", "pairs", "standard", "profile"):
        assert getattr(plan, name) == getattr(declared, name), name


def test_the_verdicts_against_chance_follow_from_the_table_of_incumbents() -> None:
    pairs = pd.read_csv(CHANCE / "pairs.csv")
    rows = pd.read_csv(CHANCE / "incumbents.csv", dtype={"cell": str}).sort_values("compute", kind="stable")
    last = rows.groupby(["method", "seed"])["confirmed"].last().unstack("method")
    assert len(last) == 36
    rng = np.random.default_rng(0)
    found = pairs[pairs["measure"] == "final"]
    for row in found.itertuples():
        differences = (last[row.method] - last[row.other]).to_numpy()
        assert row.difference == pytest.approx(differences.mean())
        assert row.p_normal == pytest.approx(stats.ttest_1samp(differences, 0.0).pvalue)
        means = rng.choice([1.0, -1.0], (200_000, 36)) @ differences  # 2^36 are too many
        share = (np.abs(means) >= abs(differences.sum()) * (1 - 1e-12)).mean()
        assert row.p == pytest.approx(share, abs=4 * np.sqrt(share / 100_000))
    np.testing.assert_allclose(found["p_adjusted"], multipletests(found["p"], method="holm")[1])

    curves = pd.read_csv(CHANCE / "comparison.csv")
    local = curves[curves["method"] == "local-halving"]
    for allocation in ("stages", "halving"):
        own = pairs[pairs["method"] == f"random-{allocation}"].set_index("measure")
        cells = []
        for measure in ("final", "area"):
            one = own.loc[measure]
            interval = f"{-one['difference']:+.3f} ({-one['high']:+.3f} to {-one['low']:+.3f})"
            p = "< 0.001" if one["p_adjusted"] < 0.001 else f"{one['p_adjusted']:.2g}"
            cells.append(f"{interval}, {p}: {OPPOSITE[str(one['verdict'])]}")
        assert f"| `random`, {allocation} | {cells[0]} | {cells[1]} |" in PAGE
    final = curves[curves["method"] == "random-stages"]["median"].iloc[-1]
    below = local.loc[local["median"] < final, "trainings"].max()  # and above ever after
    reached = local.loc[local["trainings"] > below, "trainings"].min()
    assert f"from {reached:.0f} of the 40 trainings on" in " ".join(PAGE.split())

    known = pd.read_csv(FOLDER / "incumbents.csv", dtype={"cell": str})
    before = set(zip(known["cell"], known["confirmed"], strict=True))
    ends = rows.groupby(["method", "seed"]).last()
    again = sum(pair in before for pair in zip(ends["cell"], ends["confirmed"], strict=True))
    assert f"{again} of the {len(ends)} final scores" in PAGE


OPPOSITE = {"better": "worse", "worse": "better", "undecided": "undecided"}

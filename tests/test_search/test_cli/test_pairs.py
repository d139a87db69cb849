"""`gatesearch pairs`: tests of chosen cells, against SciPy and statsmodels on the published trials."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t, ttest_rel
from statsmodels.stats.multitest import multipletests

from search.cells.library import named_cell
from tests.paths import ROOT
from tests.test_search.test_cli.conftest import Gatesearch

PUBLISHED = ROOT / "results" / "published"
ATLAS = PUBLISHED / "atlas"
"""Every published cell, each retrained on six seeds."""


def metrics(cell: str, task: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the test metrics of a published cell on the seeds of the first round, from the tidy trials."""
    trials = pd.read_parquet(ATLAS / "trials.parquet")
    own = trials[(trials["name"] == cell) & (trials["task"] == task) & trials["repeat"].between(1, 6)]
    return own.sort_values("repeat")["test"].to_numpy(np.float64)


def test_the_tests_are_those_of_scipy_corrected_by_statsmodels(gatesearch: Gatesearch) -> None:
    said = gatesearch("pairs", str(ATLAS), "ugrnn", "rhn-3", "--against", "gru", "--against", "xml=g-lstm-4", "--csv")
    assert (said.status, said.err) == (0, "")
    found = pd.read_csv(io.StringIO(said.out), float_precision="round_trip")
    pairs = list(zip(found["cell"], found["other"], found["task"], strict=True))
    tasks = ("arithmetic", "xml", "language", "music")
    expected = [(cell, other, task) for cell in ("ugrnn", "rhn-3") for other in ("gru", "g-lstm-4") for task in tasks]
    assert pairs == [(cell, other, task) for cell, other, task in expected if other == "gru" or task == "xml"]
    raw = []
    for row in found.to_dict("records"):
        own, other = metrics(row["cell"], row["task"]), metrics(row["other"], row["task"])
        sign = 1.0 if row["task"] in ("arithmetic", "xml") else -1.0
        raw.append(ttest_rel(own, other).pvalue)
        assert row["value"] == pytest.approx(own.mean())
        assert row["other_value"] == pytest.approx(other.mean())
        # The interval has the mean difference in its middle, in units of the GRU's gain.
        ends = np.array([row["low"], row["difference"], row["high"]])
        differences = sign * (own - other)
        reach = t.ppf(0.975, 5) * differences.std(ddof=1) / np.sqrt(6)
        unit = differences.mean() / row["difference"]
        assert ends * unit == pytest.approx(differences.mean() + np.array([-reach, 0.0, reach]))
        assert unit > 0
    assert found["p"].tolist() == pytest.approx(multipletests(raw, method="holm")[1].tolist())
    decided = [name for name, p in zip(found["verdict"], found["p"], strict=True) if p < 0.05]
    assert set(decided) <= {"better", "worse"}
    assert found["other_id"][0] == f"g{named_cell('gru').graph.id}"


def test_the_unit_is_the_grus_gain_over_the_constant_baseline(gatesearch: Gatesearch) -> None:
    (row,) = json.loads(gatesearch("pairs", str(ATLAS), "tanh", "--against", "xml=gru", "--json").out)
    table = pd.read_csv(ATLAS / "leaderboard_full.csv").set_index("name")
    gains = table["xml_gain"].to_dict()
    assert row["difference"] == pytest.approx(gains["tanh"] - gains["gru"])


def test_the_default_is_the_gru_and_the_lstm_but_not_a_cell_with_itself(gatesearch: Gatesearch) -> None:
    rows = json.loads(gatesearch("pairs", str(ATLAS), "gru", "ugrnn", "--task", "xml", "--json").out)
    assert [(row["cell"], row["other"]) for row in rows] == [("gru", "lstm"), ("ugrnn", "gru"), ("ugrnn", "lstm")]
    reversed_ = json.loads(gatesearch("pairs", str(ATLAS), "--pair", "lstm,gru", "--task", "xml", "--json").out)
    assert reversed_[0]["value"] == rows[0]["other_value"]


def test_seeds_that_chose_a_cell_do_not_judge_it(gatesearch: Gatesearch) -> None:
    evening = PUBLISHED / "evening"
    table = pd.read_csv(evening / "leaderboard_full.csv")
    found = table[(table["origin"] == "found") & (table["evidence"] == "retrained")]["id"].iloc[0]
    rows = json.loads(gatesearch("pairs", str(evening), found, "mut1", "--against", "gru", "--json").out)
    own, named = (row for row in rows if row["task"] == "xml")
    # The store has an earlier canonical form, in which the id of mut1 is another one.
    ids = [found, table.set_index("name")["id"].to_dict()["mut1"]]
    assert [own["cell_id"], named["cell_id"]] == ids
    assert ids[1] != f"g{named_cell('mut1').graph.id}"
    assert (own["verdict"], own["p"]) == ("not tested", None)
    assert own["low"] < own["difference"] < own["high"]
    assert named["p"] is not None
    alone = json.loads(gatesearch("pairs", str(evening), "mut1", "--against", "gru", "--json").out)
    assert named["p"] == next(row["p"] for row in alone if row["task"] == "xml")  # one family without the found cell
    estimated = table[(table["evidence"] == "search") & (table["stage"] == "complete")]["id"].iloc[0]
    (row,) = json.loads(gatesearch("pairs", str(evening), estimated, "--against", "xml=gru", "--json").out)
    assert (row["verdict"], row["seeds"], row["low"]) == ("search estimate", 0, None)


def test_the_table_fits_the_terminal_and_says_what_it_shows(
    gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = gatesearch("pairs", str(ATLAS), "ugrnn").out.splitlines()
    assert wide[0].split() == ["cell", "against", "arithmetic", "xml", "language", "music"]
    assert wide[-1].startswith("Differences in % of the GRU's gain over the constant baseline, above 0 if the cell is ")
    assert "over 6 seeds" in wide[-1]
    assert "by 8 paired t-tests with Holm's correction" in wide[-1]
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    narrow = gatesearch("pairs", str(ATLAS), "ugrnn").out
    assert "…" not in narrow
    assert len([line for line in narrow.splitlines() if "ugrnn" in line]) == 8


def test_a_file_and_markdown(gatesearch: Gatesearch, here: Path) -> None:
    said = gatesearch("pairs", str(ATLAS), "ugrnn", "--format", "markdown", "-o", "pairs.md")
    assert (said.status, said.out) == (0, "written to pairs.md\n")
    lines = Path("pairs.md").read_text().splitlines()
    assert [cell.strip() for cell in lines[0].strip("|").split("|")][:2] == ["cell", "against"]
    assert len(lines) == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "no cell is given; name cells after the run, or two of them by --pair CELL,OTHER"),
        (["--against", "gru"], "--against gru needs cells to compare with it; name them after the run"),
        (["ugrnn", "--against", "reading=gru"], "--against has 'reading'; the tasks of this run are"),
        (["ugrnn", "--task", "reading"], "--task has 'reading'; the tasks of this run are"),
        (["ugrnn", "--against", "ugrnn"], "'ugrnn' and 'ugrnn' are the same cell; give two different ones"),
        (["--pair", "ugrnn"], "--pair has 'ugrnn'; use CELL,OTHER, as in --pair janet,lstm"),
        (["ugrnn", "--csv", "--json"], "--format, --csv and --json say csv and json; leave one out"),
        (["grv"], "grv"),
    ],
)
def test_what_cannot_be_compared_is_one_line(options: list[str], words: str, gatesearch: Gatesearch) -> None:
    said = gatesearch("pairs", str(ATLAS), *options)
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert words in said.err


def test_a_cell_that_the_run_does_not_have(gatesearch: Gatesearch, here: Path) -> None:
    (here / "own.cell").write_text("h' = tanh(linear(x) + 0.5 * linear(h) + tanh(linear(x)))")
    said = gatesearch("pairs", str(ATLAS), "own.cell")
    assert said.status == 2
    assert f"run {str(ATLAS)!r} has no cell 'own.cell'; name a cell of `gatesearch leaderboard" in said.err

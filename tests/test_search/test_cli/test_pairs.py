"""`gatesearch pairs`: tests of chosen cells, against SciPy and statsmodels on the published trials."""

import io
import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t, ttest_rel
from statsmodels.stats.multitest import multipletests

from results.store.database import FILE
from results.tables.pair_columns import COLUMNS
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
    monkeypatch.setenv("COLUMNS", "40")
    folded = gatesearch("pairs", str(ATLAS), "ugrnn", "--against", "gru", "--task", "language").out
    assert "…" not in folded
    mean = json.loads(gatesearch("pairs", str(ATLAS), "ugrnn", "--against", "language=gru", "--json").out)[0]
    for name in ("difference", "low", "high"):
        assert f"{100 * mean[name]:+.1f}" in folded


def test_each_two_cells_are_one_test_whichever_is_named_first(gatesearch: Gatesearch) -> None:
    def tests(*words: str) -> list[tuple[str, str, float]]:
        rows = json.loads(gatesearch("pairs", str(ATLAS), *words, "--task", "xml", "--json").out)
        return [(row["cell"], row["other"], row["p"]) for row in rows]

    two, once = tests("gru", "lstm"), tests("--pair", "gru,lstm")
    assert two == once == tests("--pair", "gru,lstm", "--pair", "lstm,gru", "--task", "xml")
    assert [row[:2] for row in once] == [("gru", "lstm")]
    assert [row[:2] for row in tests("--pair", "lstm,gru", "--pair", "gru,lstm")] == [("lstm", "gru")]


def test_a_simulated_run_is_marked_in_every_form(gatesearch: Gatesearch, simulated: Path) -> None:
    words = ("pairs", str(simulated), "tanh")
    made_up = "SIMULATED: every number is made up, no cell was trained."
    assert made_up in gatesearch(*words).out.splitlines()
    assert gatesearch(*words, "--format", "markdown").out.splitlines()[-1].startswith(made_up)
    assert pd.read_csv(io.StringIO(gatesearch(*words, "--csv").out))["simulated"].all()
    assert {row["simulated"] for row in json.loads(gatesearch(*words, "--json").out)} == {True}
    trained = gatesearch("pairs", str(ATLAS), "tanh")
    assert "SIMULATED" not in trained.out


def test_a_run_that_has_not_ended_is_told_in_every_form(gatesearch: Gatesearch, simulated: Path, here: Path) -> None:
    run = str(shutil.copytree(simulated, here / "going"))
    assert gatesearch("pairs", run, "tanh", "--json").err == ""
    with sqlite3.connect(Path(run) / FILE) as connection:
        connection.execute("UPDATE run SET information = json_remove(information, '$.finished')")
    words = "the run has not ended, so this may change"
    for form in ("csv", "json"):
        said = gatesearch("pairs", run, "tanh", "--format", form)
        assert said.err == f"warning: {words}\n"
    said = gatesearch("pairs", run, "tanh")
    assert (said.err, words in said.out.replace("The", "the")) == ("", True)


def test_what_has_no_result_is_named(gatesearch: Gatesearch, simulated: Path, here: Path) -> None:
    run = str(shutil.copytree(simulated, here / "part"))
    with sqlite3.connect(Path(run) / FILE) as connection:
        connection.execute("DELETE FROM trials WHERE cell = ? AND task = 'xml'", (named_cell("tanh").graph.id,))
    said = gatesearch("pairs", run, "tanh", "lstm", "--against", "gru", "--json")
    assert said.status == 0
    assert said.err == "warning: tanh against gru has no result on xml, and is left out there\n"
    rows = [(row["cell"], row["task"]) for row in json.loads(said.out)]
    assert sorted(rows) == [("lstm", "arithmetic"), ("lstm", "xml"), ("tanh", "arithmetic")]
    said = gatesearch("pairs", run, "lstm", "--pair", "tanh,gru", "--task", "xml")
    assert (said.status, said.out) == (2, "")
    assert said.err == (
        f"gatesearch: run {run!r} has no result of 'tanh' on xml; name another cell or task; `gatesearch leaderboard "
        f"{run}` shows what it has\n"
    )
    said = gatesearch("pairs", run, "gru", "mut1", "--pair", "gru,lstm")
    assert (said.status, said.out) == (2, "")
    assert said.err == (f"gatesearch: run {run!r} has no cell 'mut1'; name one of `gatesearch leaderboard {run}`\n")


def test_a_formula_names_a_cell_and_its_equals_sign_no_task(gatesearch: Gatesearch) -> None:
    srn = "h' = tanh(linear(x) + linear(h))"
    gru = named_cell("gru").formula
    by_formula = gatesearch("pairs", str(ATLAS), srn, "--against", gru, "--against", "xml=lstm", "--csv")
    by_name = gatesearch("pairs", str(ATLAS), "tanh", "--against", "gru", "--against", "xml=lstm", "--csv")
    assert (by_formula.status, by_formula.out) == (0, by_name.out)

    forget = named_cell("lstm-b").formula
    assert "(x, bias=1)" in forget  # a comma of its own
    by_formula = gatesearch("pairs", str(ATLAS), "--pair", f"{forget},{gru}", "--csv")
    by_name = gatesearch("pairs", str(ATLAS), "--pair", "lstm-b,gru", "--csv")
    assert (by_formula.status, by_formula.out) == (0, by_name.out)


def test_the_help_lists_the_columns(gatesearch: Gatesearch) -> None:
    lines = [line.strip() for line in gatesearch("pairs", "--help").out.splitlines()]
    assert all(any(line.startswith(f"{name} ") for line in lines) for name in COLUMNS)


def test_a_file_and_markdown(gatesearch: Gatesearch, here: Path) -> None:
    for name in ("pairs.md", "pairs.json", "pairs.csv", "pairs.TXT"):
        said = gatesearch("pairs", str(ATLAS), "ugrnn", "-o", name)
        assert (said.status, said.out) == (0, f"written to {name}\n")
    lines = Path("pairs.md").read_text().splitlines()
    assert [cell.strip() for cell in lines[0].strip("|").split("|")][:2] == ["cell", "against"]
    assert len(lines) == 6
    rows = json.loads(Path("pairs.json").read_text())
    assert list(pd.read_csv("pairs.csv").columns) == list(rows[0]) == list(COLUMNS)
    assert Path("pairs.TXT").read_text().startswith("cell   against")
    assert gatesearch("pairs", str(ATLAS), "ugrnn", "--json", "-o", "pairs.data").status == 0
    assert json.loads(Path("pairs.data").read_text()) == rows


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
        (
            ["ugrnn", "--task", "xml", "--against", "music=gru"],
            "--against has 'music=gru', but --task leaves it out; add --task music, or drop --task",
        ),
        (["ugrnn", "-o", "p.md", "--csv"], "--output 'p.md' says the format markdown, but the options say csv; leave"),
        (["ugrnn", "-o", "p.tsv"], "--output 'p.tsv' ends in none of .csv, .json, .md, .txt, which say the format"),
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
    assert f"run {str(ATLAS)!r} has no cell 'own.cell'; name one of `gatesearch leaderboard" in said.err

"""`gatesearch compare-runs`: two runs side by side."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from search.cells.ids import without_letter
from tests.paths import ROOT
from tests.test_search.test_cli.conftest import Gatesearch


@pytest.fixture
def pair(here: Path, simulated: Path, gatesearch: Gatesearch) -> tuple[Path, Path]:
    """A simulated run of the tiny profile, and another one of eight proposals with another seed."""
    shutil.copytree(simulated, here / "runs" / "done")
    options = ["--profile", "tiny.toml", "--workers", "0", "--simulate", "--seed", "5", "--proposals", "8"]
    assert gatesearch("search", "other", *options).status == 0
    return here / "runs" / "done", here / "runs" / "other"


def test_a_run_and_its_copy_are_the_same(gatesearch: Gatesearch, here: Path, finished: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(finished, here / "runs" / name)
    said = gatesearch("compare-runs", "one", "two")
    assert (said.status, said.err) == (0, "")
    lines = said.out.splitlines()
    assert "profile: the same" in lines
    assert "data: the same" in lines
    assert "environment: the same processor, commit and versions" in lines
    found = json.loads(gatesearch("compare-runs", "one", "two", "--json").out)
    with closing(sqlite3.connect(here / "runs" / "one" / "run.sqlite")) as store:
        ((trials,),) = store.execute("SELECT count(*) FROM trials")
    shared = found["trials"]
    assert (shared["shared"], shared["equal"], shared["other_state"]) == (trials, trials, 0)
    assert f"trials: {trials} with the same cell, task, setting and random seed; {trials} of them equal" in said.out
    assert {row["difference"] for row in found["cells"]} <= {0.0, None}
    assert found["trials"]["paused"] == 0
    assert found["a"] | {"name": ""} | {"run": ""} == found["b"] | {"name": ""} | {"run": ""} | {
        "changed": found["a"]["changed"],
        "verdict": found["a"]["verdict"],
    }


def test_what_two_runs_differ_in_is_named(gatesearch: Gatesearch, pair: tuple[Path, Path]) -> None:
    said = gatesearch("compare-runs", "done", "other")
    assert said.status == 0
    assert ["search.proposals", "6", "8"] in [line.split() for line in said.out.splitlines()]
    assert ["seed", "0", "5"] in [line.split() for line in said.out.splitlines()]
    assert "A is simulated: its numbers are made up" in said.out
    found = json.loads(gatesearch("compare-runs", "done", "other", "--json").out)
    assert found["profile"] == {"search.proposals": {"a": 6, "b": 8}}
    tables = [pd.read_csv(folder / "leaderboard_full.csv").set_index("id") for folder in pair]
    both = [cell for cell in tables[0].index if cell in tables[1].index]
    assert [row["id"] for row in found["cells"]] == both
    for row in found["cells"]:
        own, other = (table.loc[row["id"]] for table in tables)
        if row["difference"] is not None:
            assert row["difference"] == pytest.approx(other["score"] - own["score"])
        if row["difference_se"] is not None:
            assert row["difference_se"] ** 2 == pytest.approx(own["score_se"] ** 2 + other["score_se"] ** 2)
    best = tables[0][tables[0]["origin"] == "found"].iloc[0]
    assert without_letter(found["a"]["best_found"]["id"]) == without_letter(str(best.name))
    assert found["a"]["best_found"]["score"] == pytest.approx(best["score"])


def test_a_task_is_compared_by_its_metric(gatesearch: Gatesearch, pair: tuple[Path, Path]) -> None:
    found = json.loads(gatesearch("compare-runs", "done", "other", "--task", "xml", "--json").out)
    tables = [pd.read_csv(folder / "leaderboard_full.csv").set_index("id") for folder in pair]
    values = [row["value_a"] for row in found["cells"]]
    assert values == sorted(values, reverse=True)
    assert (found["metric"], found["higher_is_better"]) == ("accuracy", True)
    for row in found["cells"]:
        assert row["value_a"] == pytest.approx(tables[0].loc[row["id"], "xml_test"])
        assert row["value_b"] == pytest.approx(tables[1].loc[row["id"], "xml_test"])
    said = gatesearch("compare-runs", "done", "other", "--task", "music")
    assert said.status == 2
    assert said.err == "gatesearch: --task has 'music'; the tasks that both runs rank are xml, arithmetic\n"


def test_metrics_of_other_kinds_are_not_subtracted(gatesearch: Gatesearch, here: Path) -> None:
    text = (here / "tiny.toml").read_text()
    section = (
        text[text.index("[tasks.xml]") :].split("[tasks.arithmetic]")[0].replace("[tasks.xml]", "[tasks.language]")
    )
    for name, metric in (("words", "cross_entropy"), ("exact", "accuracy")):
        options = (
            f'options = {{ vocabulary = 50, max_tokens = 4000, max_evaluation_tokens = 900, ranked_by = "{metric}" }}'
        )
        own = "\n".join(options if line.startswith("options") else line for line in section.splitlines())
        (here / f"{name}.toml").write_text(text[: text.index("[tasks.xml]")] + own)
        assert gatesearch("search", name, "--profile", f"{name}.toml", "--workers", "0", "--simulate").status == 0
    said = gatesearch("compare-runs", "words", "exact", "--task", "language")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "'words' ranks it by cross_entropy and 'exact' by accuracy, which cannot be compared" in said.err
    same = gatesearch("compare-runs", "words", "words", "--task", "language")
    assert "test cross_entropy of language, lower is better; best in A first:" in same.out


@pytest.mark.slow
def test_cells_of_an_earlier_canonical_form_are_the_same_cells(gatesearch: Gatesearch) -> None:
    """The published stores have two forms, in which some published cells have other ids."""
    atlas, baselines = (ROOT / "results" / "published" / name for name in ("atlas", "baselines"))
    found = json.loads(gatesearch("compare-runs", str(atlas), str(baselines), "--json").out)
    names = set(pd.read_csv(baselines / "leaderboard_full.csv")["name"])
    assert {row["name"] for row in found["cells"]} == names & set(pd.read_csv(atlas / "leaderboard_full.csv")["name"])
    assert "mut1" in names


def test_other_data_are_warned_about(gatesearch: Gatesearch, pair: tuple[Path, Path]) -> None:
    with closing(sqlite3.connect(pair[1] / "run.sqlite")) as store:
        ((text,),) = store.execute("SELECT information FROM run")
        information = json.loads(text)
        information["data"]["xml"] = "0" * 64
        information["commit"] = "abcdef123456"
        store.execute("UPDATE run SET information = ?", (json.dumps(information),))
        store.commit()
    said = gatesearch("compare-runs", "done", "other")
    assert "warning: the data of xml differ, so that the values there are not comparable" in said.out
    assert "abcdef123456 in B" in said.out


def test_no_error_is_cut_off_in_a_narrow_terminal(
    gatesearch: Gatesearch, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal to rich
    monkeypatch.setenv("COLUMNS", "80")
    said = gatesearch("compare-runs", "done", "other")
    rows = said.out[said.out.index("best in A first") :]
    assert "±" in rows
    assert "…" not in rows


def test_runs_that_share_no_task_are_refused(gatesearch: Gatesearch, here: Path, simulated: Path) -> None:
    shutil.copytree(simulated, here / "runs" / "done")
    text = (here / "tiny.toml").read_text()
    start, end = text.index("[tasks.xml]"), len(text)
    music = text[start:end].split("[tasks.arithmetic]")[0].replace("[tasks.xml]", "[tasks.music]")
    music = music.replace("options = { min_letters = 1, max_letters = 2, validation = 400, test = 400 }\n", "")
    (here / "music.toml").write_text(text[:start] + music)
    options = ["--profile", "music.toml", "--workers", "0", "--simulate"]
    assert gatesearch("search", "rolls", *options).status == 0
    said = gatesearch("compare-runs", "done", "rolls")
    assert said.status == 2
    assert "'done' ranks xml, arithmetic and 'rolls' ranks music, so that nothing can be compared" in said.err

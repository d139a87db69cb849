"""`--json`: the same facts as in the other forms, for programs."""

import io
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.test_search.test_cli.conftest import Gatesearch
from tests.tiny import PLAN


def strict(text: str) -> object:
    """Parse JSON as other languages do, which know neither NaN nor Infinity."""

    def refuse(name: str) -> object:
        raise AssertionError(name)

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def run(here: Path, simulated: Path) -> str:
    shutil.copytree(simulated, here / "runs" / "done")
    return "done"


def test_the_leaderboard_has_the_rows_of_the_csv_and_the_verdict(gatesearch: Gatesearch, run: str) -> None:
    found = strict(gatesearch("leaderboard", run, "--json").out)
    assert isinstance(found, dict)
    table = pd.read_csv(io.StringIO(gatesearch("leaderboard", run, "--csv").out), float_precision="round_trip")
    rows = pd.DataFrame(found["rows"])
    assert list(rows.columns) == list(table.columns)
    for name in ("id", "score", "xml_test", "xml_test_se", "arithmetic_vs_gru"):
        assert [None if pd.isna(value) else value for value in rows[name]] == [
            None if pd.isna(value) else value for value in table[name]
        ]
    printed = " ".join(gatesearch("leaderboard", run).out.split())
    assert printed.startswith(found["verdict"]["text"])


def test_a_search_and_finalists_end_in_what_the_leaderboard_has(gatesearch: Gatesearch, here: Path) -> None:
    options = ("--profile", "tiny.toml", "--simulate", "--workers", "0", "--proposals", "2")
    said = gatesearch("search", "night", *options, "--json")
    found, table = strict(said.out), strict(gatesearch("leaderboard", "night", "--json").out)
    assert isinstance(found, dict)
    assert {name: found[name] for name in ("verdict", "rows")} == table
    assert (found["run"], found["folder"]) == ("night", str(here / "runs" / "night"))
    assert said.err.startswith("run night in ")
    quiet = gatesearch("finalists", "night", "--workers", "0", "--json", "-q")
    assert strict(quiet.out) == found


def test_rows_that_are_chosen_and_families_are_json_too(gatesearch: Gatesearch, run: str) -> None:
    found = strict(gatesearch("leaderboard", run, "--json", "--baselines", "--top", "2").out)
    assert isinstance(found, dict)
    assert [row["origin"] for row in found["rows"]] == ["baseline", "baseline"]
    families = strict(gatesearch("leaderboard", run, "--format", "json", "--families").out)
    assert isinstance(families, dict)
    assert families["rows"][0]["family"]
    said = gatesearch("leaderboard", run, "--json", "--csv")
    assert (said.status, said.err) == (2, "gatesearch: --json and --csv are mutually exclusive; leave one out\n")


def test_the_checks_of_verify_are_those_that_are_printed(gatesearch: Gatesearch, run: str) -> None:
    said = gatesearch("verify", run, "--json")
    found = strict(said.out)
    assert (said.status, said.err) == (0, "")
    assert isinstance(found, list)
    printed = gatesearch("verify", run).out.splitlines()
    names = [check["name"] for check in found]
    assert [line[: len(name)] for line, name in zip(printed, names, strict=True)] == names
    assert {check["ok"] for check in found} <= {True, None}


def test_a_failed_check_is_false_and_the_status_is_1(gatesearch: Gatesearch, here: Path, run: str) -> None:
    path = here / "runs" / run / "leaderboard.csv"
    path.write_text(path.read_text().replace("gru", "grv"))
    said = gatesearch("verify", run, "--json")
    found = strict(said.out)
    assert isinstance(found, list)
    assert said.status == 1
    assert [check["name"] for check in found if check["ok"] is False] == ["table"]


def test_the_facts_on_a_cell_are_those_that_are_printed(gatesearch: Gatesearch, run: str) -> None:
    found = strict(gatesearch("show", "mut1", "--units", "64", "--json").out)
    assert isinstance(found, dict)
    (listed,) = [
        cell
        for cell in json.loads(gatesearch("cells", "--family", "found-by-search", "--json").out)
        if cell["name"] == "mut1"
    ]
    assert found["published"] == listed
    printed = gatesearch("show", "mut1", "--units", "64").out
    assert f"matrix products       {found['matrix_products']} per step" in printed
    assert f"parameters            {found['parameters']:,} per layer of 64 units" in printed
    assert (found["states"], found["nearest"], found["lineage"]) == (["h"], None, [])
    said = gatesearch("show", "mut1", "--json", "--kernels")
    assert (said.status, said.err) == (2, "gatesearch: --json and --kernels are mutually exclusive; leave one out\n")


def test_a_found_cell_has_its_nearest_named_cell_and_its_lineage(gatesearch: Gatesearch, run: str) -> None:
    rows = json.loads(gatesearch("leaderboard", run, "--json").out)["rows"]
    cell = next(row["id"] for row in rows if row["origin"] == "found")
    found = strict(gatesearch("show", cell, "--run", run, "--json").out)
    assert isinstance(found, dict)
    assert (found["id"], found["run"], found["published"]) == (cell, run, None)
    printed = " ".join(gatesearch("show", cell, "--run", run).out.split())
    assert found["nearest"]["difference"] in printed
    assert found["lineage"]
    for step in found["lineage"]:
        assert f"{step['cell']} from {' and '.join(step['parents'])} (proposal {step['proposal']}):" in printed


def test_a_trained_trial_is_an_object_and_progress_is_no_output(gatesearch: Gatesearch, here: Path) -> None:
    options = ["gru", "xml", "--profile", "tiny.toml", "--seed", "3"]
    said = gatesearch("train", *options, "--json")
    found = strict(said.out)
    assert isinstance(found, dict)
    assert said.status == 0
    assert "validation accuracy" in said.err
    printed = gatesearch("train", *options).out
    assert f"test {found['test']:.4f} ± {found['test_se']:.4f}" in printed
    assert f"{found['metric']}: validation {found['validation']:.4f} ± " in printed
    assert f"{found['baseline']} {found['constant_baseline']:.4f} on validation)" in printed
    assert [point["step"] for point in found["curve"]] == [5, 10]
    assert max(point["validation"] for point in found["curve"]) == found["validation"]
    assert (found["seed"], found["metric"], found["repeats_the_run"]) == (3, "accuracy", None)


def test_a_trial_that_diverged_has_null_and_status_2(gatesearch: Gatesearch, here: Path) -> None:
    (here / "wild.cell").write_text("h' = 1000 * linear(x) + 1000 * linear(h)")
    options = [
        "wild.cell",
        "arithmetic",
        "--profile",
        "tiny.toml",
        "--learning-rate",
        "1000000",
        "--max-norm",
        "1000000",
    ]
    said = gatesearch("train", *options, "--json")
    found = strict(said.out)
    assert isinstance(found, dict)
    assert (said.status, found["state"], found["test"]) == (2, "diverged", None)
    assert "the trial diverged" in said.err


def test_the_runs_trial_trained_again_says_whether_it_is_equal(
    gatesearch: Gatesearch, here: Path, finished: Path
) -> None:
    found = strict(gatesearch("train", "gru", "xml", "--run", str(finished), "--json").out)
    assert isinstance(found, dict)
    assert (found["repeats_the_run"], found["seed"]) == (True, None)
    changed = strict(gatesearch("train", "gru", "xml", "--run", str(finished), "--seed", "9", "--json").out)
    assert isinstance(changed, dict)
    assert changed["repeats_the_run"] is None


def test_a_comparison_is_an_object_with_the_rows_of_its_tables(gatesearch: Gatesearch, here: Path) -> None:
    (here / "plan.toml").write_text(PLAN)
    said = gatesearch("compare", "plan.toml", "--workers", "0", "--simulate", "--json")
    found = strict(said.out)
    assert isinstance(found, dict)
    assert said.status == 0
    assert "4 of 4" in said.err
    folder = here / "runs" / "plan"
    assert found["folder"] == str(folder)
    for name in ("methods", "pairs"):
        table = pd.read_csv(folder / f"{name}.csv", float_precision="round_trip")
        rows = pd.DataFrame(found[name])
        assert list(rows.columns) == list(table.columns)
        for column in table.columns:
            assert [None if pd.isna(value) else value for value in rows[column]] == [
                None if pd.isna(value) else value for value in table[column]
            ]
    assert all(line in said.err for line in found["verdict"])

"""`gatesearch runs`, and the latest run where a command is given none."""

import io
import json
import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from results.store.store import Store
from results.store.words import COMPLETE, Evidence, Origin
from tests.test_search.test_cli.conftest import Gatesearch, Said


def test_runs_are_listed_with_state_progress_best_cell_and_size(
    gatesearch: Gatesearch, here: Path, simulated: Path
) -> None:
    shutil.copytree(simulated, here / "runs" / "done")
    said = gatesearch("runs")
    assert (said.status, said.err) == (0, "")
    heading, row = said.out.splitlines()
    assert heading.split()[:2] == ["name", "state"]
    assert row.split()[:6] == ["done", "finished,", "simulated", "6", "of", "6"]
    (run,) = json.loads(gatesearch("runs", "--json").out)
    table = pd.read_csv(simulated / "leaderboard_full.csv")
    best = table[(table["origin"] == Origin.FOUND) & table["rank"].notna()].iloc[0]
    assert Evidence(best["evidence"]).is_retrained
    assert (run["name"], run["state"], run["proposals"], run["simulated"]) == ("done", "finished", 6, True)
    assert run["folder"] == str(here / "runs" / "done")
    assert (run["best_cell"], run["best_evidence"]) == (best["id"], best["evidence"])
    assert (run["best_score"], run["best_score_se"]) == (best["score"], best["score_se"])
    assert f"{best['cell']} {best['score']:.4f}\N{PLUS-MINUS SIGN}{best['score_se']:.4f} " in row


def test_a_table_that_is_not_of_all_trials_gives_no_best_cell(
    gatesearch: Gatesearch, here: Path, simulated: Path
) -> None:
    run = shutil.copytree(simulated, here / "runs" / "done")
    with Store.open(simulated, readonly=True) as store:
        rows = [row for row in store.proposals() if row.score and row.cell and row.outcome == COMPLETE]
        best = max(row.score for row in rows if row.score and store.cell(str(row.cell)).origin == Origin.FOUND)
    trials = pd.read_parquet(run / "trials.parquet")
    trials.iloc[1:].to_parquet(run / "trials.parquet", index=False)
    (line,) = json.loads(gatesearch("runs", "--json").out)
    assert (line["best_score"], line["best_score_se"], line["best_evidence"]) == (best, None, "search")
    assert f"({best:.4f})" in gatesearch("runs").out
    (run / "trials.parquet").unlink()
    assert json.loads(gatesearch("runs", "--json").out) == [line | {"size_bytes": _size(run)}]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_a_narrow_terminal_shows_whole_columns_and_names_the_others(
    gatesearch: Gatesearch, here: Path, simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(simulated, here / "runs" / "done")
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal to rich
    monkeypatch.setenv("COLUMNS", "200")
    wide = gatesearch("runs").out
    assert "size" in wide
    monkeypatch.setenv("COLUMNS", "60")
    heading, row, *lines = (re.sub(r"\x1b\[[\d;]*m", "", line) for line in gatesearch("runs").out.splitlines())
    note = " ".join(lines)
    assert heading.split()[:2] == ["name", "state"]
    assert row.split()[0] == "done"
    assert max(len(line.rstrip()) for line in (heading, row)) <= 60
    assert note.startswith("not shown: ")
    hidden = note.removeprefix("not shown: ").partition(";")[0].split(", ")
    assert not set(hidden) & set(heading.split())
    assert "size" in hidden


def test_a_path_without_a_folder_stays_a_path_in_the_commands_that_are_named(
    gatesearch: Gatesearch, here: Path, simulated: Path
) -> None:
    shutil.copytree(simulated, here / "night")
    shutil.copytree(simulated, here / "runs" / "night")
    assert "`gatesearch finalists ./night " in " ".join(gatesearch("leaderboard", "./night").out.split())
    assert "`gatesearch finalists night " in " ".join(gatesearch("leaderboard", "night").out.split())


def test_without_runs_the_remedy_is_named(gatesearch: Gatesearch) -> None:
    assert "start one with: gatesearch search" in gatesearch("runs").out
    assert json.loads(gatesearch("runs", "--json").out) == []


def test_a_run_that_cannot_be_read_is_listed_and_told(gatesearch: Gatesearch, here: Path, simulated: Path) -> None:
    shutil.copytree(simulated, here / "runs" / "done")
    (here / "runs" / "bad").mkdir()
    (here / "runs" / "bad" / "run.sqlite").write_bytes(b"x" * 4096)
    (here / "runs" / "empty").mkdir()
    (here / "runs" / "empty" / "run.sqlite").touch()
    said = gatesearch("runs")
    assert said.status == 0
    *lines, empty = said.out.splitlines()
    assert re.fullmatch(r"empty +unreadable +\d+ s ago +0\.0 MB *", empty)  # not since 1970
    said = Said(0, "\n".join(lines), said.err)
    assert [line.split()[:2] for line in said.out.splitlines()[1:]] == [["bad", "unreadable"], ["done", "finished,"]]
    assert "warning: " in said.err
    assert "not a database" in said.err


@pytest.mark.parametrize(
    "command",
    [
        "leaderboard",
        "finalists",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("findings", "verify", "report", "ask")),
    ],
)
def test_a_command_without_a_run_says_that_it_takes_the_latest(
    gatesearch: Gatesearch, here: Path, simulated: Path, command: str
) -> None:
    shutil.copytree(simulated, here / "runs" / "older")
    shutil.copytree(simulated, here / "runs" / "newer")
    os.utime(here / "runs" / "older" / "run.sqlite", (1e9, 1e9))
    options = {"finalists": ["--workers", "0"], "report": ["--no-gradients"]}.get(command, [])
    said = gatesearch(command, *options)
    assert said.err.splitlines()[0] == "run newer, the latest"
    assert said.out.removeprefix("run newer, the latest\n") == gatesearch(command, "newer", *options).out


def test_pairs_publish_and_compare_runs_take_the_latest_too(
    gatesearch: Gatesearch, here: Path, simulated: Path
) -> None:
    for age, name in enumerate(("new", "old", "oldest")):
        shutil.copytree(simulated, here / "runs" / name)
        os.utime(here / "runs" / name / "run.sqlite", (1e9 - age, 1e9 - age))
    said = gatesearch("pairs", "lstm", "--against", "gru")
    assert (said.err, said.out) == ("run new, the latest\n", gatesearch("pairs", "new", "lstm", "--against", "gru").out)
    assert gatesearch("publish", "kept").err.startswith("run new, the latest\ngatesearch: run 'new' is simulated")
    said = gatesearch("publish", "old")  # a run, and no folder
    assert said.err == "gatesearch: 'old' is a run, and no folder is given; use gatesearch publish RUN FOLDER\n"
    for given, told, two in (
        ([], "runs old and new, the latest two\n", ["old", "new"]),
        (["oldest"], "run new, the latest\n", ["oldest", "new"]),
        (["runs/new"], "run old, the latest besides runs/new\n", ["new", "old"]),
    ):
        said = gatesearch("compare-runs", *given, "--json")
        record = json.loads(said.out)
        assert (said.err, [record["a"]["name"], record["b"]["name"]]) == (told, two)


def test_cells_are_told_to_the_latest_run_but_a_new_run_needs_a_name(
    gatesearch: Gatesearch, here: Path, simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("gru"))
    said = gatesearch("tell", "--profile", "tiny.toml")
    assert (said.status, "needs a name" in said.err) == (2, True)
    shutil.copytree(simulated, here / "runs" / "night")
    assert gatesearch("tell").err.startswith("run night, the latest\ngatesearch: run 'night' proposes its cells")


@pytest.mark.parametrize("command", [["leaderboard"], ["search", "--resume"]])
def test_without_any_run_a_command_names_the_remedy(gatesearch: Gatesearch, here: Path, command: list[str]) -> None:
    said = gatesearch(*command)
    assert said.status == 2
    assert said.err == (
        f"gatesearch: there is no run in {here / 'runs'}; start one with gatesearch search, or give its path\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        *("leaderboard RUN", "findings RUN", "pairs RUN gru", "report RUN", "finalists RUN", "ask RUN", "verify RUN"),
        *("publish RUN new", "compare-runs kept RUN", "export gru --run RUN", "show gru --run RUN"),
        *("train gru xml --run RUN", "search RUN --resume", "tell RUN"),
    ],
)
def test_a_run_that_is_not_there_is_one_message_of_every_command(
    line: str, gatesearch: Gatesearch, here: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("gru"))
    shutil.copytree(finished, here / "runs" / "kept")
    other = {"search": "start it without --resume", "tell": "name a profile to start it"}.get(line.split()[0])
    said = gatesearch(*line.replace("RUN", "nowhere").split())
    found = f"there is no run 'nowhere' in {here / 'runs'}; available: kept"
    assert (said.status, said.err) == (2, f"gatesearch: {found}{f'; or {other}' if other else ''}\n")
    said = gatesearch(*line.replace("RUN", "away/from").split())
    found = "there is no run in 'away/from': run.sqlite is missing; check the path"
    assert said.status == 2
    if not line.startswith("tell"):  # which would make it there
        assert said.err == f"gatesearch: {found}{f', or {other}' if other else ''}\n"
    assert [path.name for path in (here / "runs").iterdir()] == ["kept"]
    assert not (here / "away").exists()


def test_the_help_of_a_command_looks_for_no_run(gatesearch: Gatesearch) -> None:
    said = gatesearch("leaderboard", "--help")
    assert (said.status, said.err) == (0, "")
    assert "[RUN]" in said.out

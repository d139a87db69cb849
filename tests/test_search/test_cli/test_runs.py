"""`gatesearch runs`, and the latest run where a command is given none."""

import json
import shutil
from pathlib import Path

from results.store.store import Store
from results.store.words import COMPLETE, Origin
from tests.test_search.test_cli.conftest import Gatesearch


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
    with Store.open(simulated, readonly=True) as store:
        rows = [row for row in store.proposals() if row.score and row.cell and row.outcome == COMPLETE]
        best = max(row.score for row in rows if row.score and store.cell(str(row.cell)).origin == Origin.FOUND)
    assert (run["name"], run["state"], run["proposals"], run["simulated"]) == ("done", "finished", 6, True)
    assert run["folder"] == str(here / "runs" / "done")
    assert run["best_score"] == best
    assert f"({best:.4f})" in row


def test_without_runs_the_remedy_is_named(gatesearch: Gatesearch) -> None:
    assert "start one with: gatesearch search" in gatesearch("runs").out
    assert json.loads(gatesearch("runs", "--json").out) == []


def test_a_run_that_cannot_be_read_is_listed_and_told(gatesearch: Gatesearch, here: Path, simulated: Path) -> None:
    shutil.copytree(simulated, here / "runs" / "done")
    (here / "runs" / "bad").mkdir()
    (here / "runs" / "bad" / "run.sqlite").write_bytes(b"x" * 4096)
    said = gatesearch("runs")
    assert said.status == 0
    assert [line.split()[:2] for line in said.out.splitlines()[1:]] == [["bad", "unreadable"], ["done", "finished,"]]
    assert "warning: " in said.err
    assert "not a database" in said.err

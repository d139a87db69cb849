"""`gatesearch verify`: a sound run passes with status 0, a run that was tampered with fails with 1, and says where."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.test_search.test_cli.conftest import Gatesearch


@pytest.fixture
def copy(finished: Path, here: Path) -> Path:
    """A copy of the finished run, in this test's folder of runs."""
    shutil.copytree(finished, here / "runs" / "done")
    return here / "runs" / "done"


def words(out: str) -> dict[str, str]:
    """Return the outcome of each check, by its name."""
    return {line.split()[0]: line.split()[1] for line in out.splitlines()}


def test_a_finished_run_holds_and_so_do_its_trials(gatesearch: Gatesearch, copy: Path) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir() if not path.name.endswith(("-shm", "-wal"))}
    said = gatesearch("verify", "done", "--retrain", "3")
    assert (said.status, said.err) == (0, "")
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines[:7]] == [
        *("store", "ids", "lineage", "profile", "table", "data", "replay")
    ]
    assert all(" ok " in line for line in lines)
    assert sum(line.endswith("equal to the last bit") for line in lines) == 3
    after = {path.name: path.read_bytes() for path in copy.iterdir() if not path.name.endswith(("-shm", "-wal"))}
    assert after == before


@pytest.mark.slow
def test_a_simulated_run_is_verified_in_the_same_way(gatesearch: Gatesearch, here: Path) -> None:
    arguments = ("search", "made-up", "--profile", "quick", "--simulate", "--proposals", "40", "--workers", "0")
    assert gatesearch(*arguments).status == 0
    said = gatesearch("verify", "made-up", "--retrain", "20")
    assert (said.status, said.err) == (0, "")
    assert said.out.count("equal to the last bit") == 20


def test_a_decision_that_was_not_made_fails(gatesearch: Gatesearch, copy: Path) -> None:
    with closing(sqlite3.connect(copy / "run.sqlite")) as connection, connection:
        connection.execute("UPDATE evaluations SET passed = 1 - passed WHERE proposal = 0")
    said = gatesearch("verify", str(copy))
    assert (said.status, said.err) == (1, "")
    assert words(said.out)["replay"] == "FAILED"
    assert words(said.out)["store"] == "ok"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("seed = seed + 1", "seed is stored as"),
        ("setting = '{}'", "invalid setting key '{}'"),
        ("curve = '[[1,2.0,3.0]]'", "curve was stored as"),
    ],
)
def test_finalists_that_were_tampered_with_fail(gatesearch: Gatesearch, copy: Path, change: str, words: str) -> None:
    with closing(sqlite3.connect(copy / "run.sqlite")) as connection, connection:
        assert connection.execute(f"UPDATE trials SET {change} WHERE repeat = 1 AND task = 'xml'").rowcount > 0
        if change.startswith("setting"):  # part of the key that other metrics refer to
            connection.execute(f"UPDATE measures SET {change} WHERE repeat = 1 AND task = 'xml'")
    said = gatesearch("verify", "done", "--retrain", "1000")
    assert (said.status, said.err) == (1, "")
    assert words in said.out


def test_a_store_that_is_not_sound_is_not_searched_again(gatesearch: Gatesearch, copy: Path) -> None:
    with closing(sqlite3.connect(copy / "run.sqlite")) as connection, connection:
        connection.execute("UPDATE trials SET curve = '['")
    said = gatesearch("verify", "done")
    assert (said.status, said.err) == (1, "")
    assert len(said.out.splitlines()) == 1
    assert said.out.startswith("store")


def test_data_that_have_changed_are_said(gatesearch: Gatesearch, copy: Path) -> None:
    with closing(sqlite3.connect(copy / "run.sqlite")) as connection, connection:
        connection.execute("UPDATE run SET information = json_set(information, '$.data.xml', 'other')")
    said = gatesearch("verify", "done")
    assert said.status == 1
    assert words(said.out)["data"] == "FAILED"
    assert "the data of xml differ from those that the run trained on" in said.out


def test_a_run_that_is_not_there_is_one_line(gatesearch: Gatesearch) -> None:
    said = gatesearch("verify", "nowhere")
    assert said.status == 2
    assert said.err.startswith("gatesearch: there is no run 'nowhere'")
    assert len(said.err.splitlines()) == 1


def test_a_store_that_somebody_else_wrote_fails_its_checks_and_no_command_over_it(
    gatesearch: Gatesearch, copy: Path
) -> None:
    with closing(sqlite3.connect(copy / "run.sqlite")) as connection:
        connection.execute("UPDATE trials SET validation = 'high'")
        connection.commit()
    said = gatesearch("verify", "done")
    assert (said.status, said.err) == (1, "")
    assert words(said.out) == {"store": "FAILED"}
    for line in (["leaderboard"], ["findings"], ["report", "--no-gradients"], ["finalists", "--workers", "0"]):
        refused = gatesearch(line[0], "done", *line[1:])
        assert (refused.status, refused.out, refused.err.count("\n")) == (2, "", 1)
        assert "validation is 'high', which is not a finite number" in refused.err

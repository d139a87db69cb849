"""Runs that change while the dashboard looks: their pages follow, and their folders stay as they are."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from results.dashboard.listening import PORT
from results.dashboard.server import Dashboard
from results.store.errors import ResultsError
from results.store.records import ProposalRow
from results.store.store import Store
from results.store.words import COMPLETE
from tests.test_results.rows import TASKS, fill, make_baseline, make_cell, make_store, make_trial, random_run
from tests.test_results.test_dashboard.asking import Asker, listing

PROFILE = "[search]\nproposals = 40\n"


def add_found(store: Store, index: int) -> None:
    """Add a found cell that passed all tasks, with one trial on each."""
    cell = f"{index:x}" * 16
    store.add_cell(make_cell(cell, proposal=index))
    store.record(None, [make_trial(cell, task, proposal=index) for task in TASKS])
    store.add_proposal(ProposalRow(index, "propose", cell, None, COMPLETE, 0.5 + index / 100))


@pytest.fixture
def started(runs: Path) -> Path:
    """A run with the GRU and one found cell."""
    with make_store(runs / "live", PROFILE, started="2026-01-01T00:00:00Z") as store:
        store.add_cell(make_baseline("gru"))
        store.record(None, [make_trial(make_baseline("gru").id, task) for task in TASKS])
        add_found(store, 1)
    return runs / "live"


def test_a_run_that_goes_on_is_shown_within_a_refresh(asker: Asker, started: Path) -> None:
    assert "stopped" in asker.ask("/runs/live/status").text
    with Store.open(started) as store, store.lock():
        said = asker.ask("/runs/live/status").text
        assert "running" in said
        assert "1 of 40 proposals, 4 trials" in said
        add_found(store, 2)
        assert "2 of 40 proposals, 6 trials" in asker.ask("/runs/live/status").text
        assert "2 of 40" in asker.ask("/parts/runs").text
        first = asker.wait("/runs/live/board", lambda answer: "g22222222" in answer.text)
        assert 'data-cell="' + "2" * 16 in first.text
        add_found(store, 3)
        store.record(None, [make_trial("3" * 16, setting=5, state="diverged", reason="the loss is not finite")])
        assert "1 trial diverged or failed, most often: " in asker.ask("/runs/live/status").text
        asker.wait("/runs/live/board", lambda answer: "g33333333" in answer.text)


def test_the_best_cell_gets_its_standard_error_from_the_table(asker: Asker, runs: Path) -> None:
    with make_store(runs / "ranked") as store:
        fill(store, *random_run(np.random.default_rng(3)))
    asker.wait("/parts/runs", lambda answer: 'class="error">&plusmn;' in answer.text)


def test_nothing_is_written_into_a_run(asker: Asker, runs: Path, started: Path) -> None:
    with make_store(runs / "ranked") as store:
        fill(store, *random_run(np.random.default_rng(1)))
    before = listing(runs)
    assert not any(name.endswith(("-wal", "-shm")) for name in before)
    for name in ("live", "ranked"):
        asker.ask(f"/runs/{name}/status")
        board = asker.wait(f"/runs/{name}/board", lambda answer: "<table data-sortable" in answer.text)
        assert 'id="curves"' in board.text
        asker.ask(f"/runs/{name}/cells/{make_baseline('gru').id}")
    asker.ask("/parts/runs")
    assert listing(runs) == before


def test_a_search_that_writes_is_not_kept_waiting_and_its_log_is_read(asker: Asker, started: Path) -> None:
    with Store.open(started) as store, store.lock():
        add_found(store, 2)
        before = set(listing(started))
        assert "run.sqlite-wal" in before
        asker.ask("/parts/runs")
        asker.wait("/runs/live/board", lambda answer: "g22222222" in answer.text)
        for index in range(3, 9):
            add_found(store, index)
            assert f"{index} of 40" in asker.ask("/runs/live/status").text
        assert set(listing(started)) == before


def test_a_run_that_comes_is_damaged_or_goes_is_one_line_and_the_others_stay(
    asker: Asker, runs: Path, started: Path
) -> None:
    assert "other" not in asker.ask("/parts/runs").text
    shutil.copytree(started, runs / "other")
    assert '<a href="/runs/other">' in asker.ask("/parts/runs").text
    whole = (runs / "other" / "run.sqlite").read_bytes()
    (runs / "other" / "run.sqlite").write_bytes(whole[: len(whole) // 2])
    said = asker.wait("/parts/runs", lambda answer: "unreadable" in answer.text).text
    assert "run.sqlite: " in said
    assert "unreadable" in asker.ask("/runs/other/status").text
    assert asker.ask("/runs/other/board").status == 200
    shutil.rmtree(runs / "other")
    assert "it was deleted, renamed or moved" in asker.ask("/parts/runs").text
    assert "it was deleted, renamed or moved" in asker.ask("/runs/other/status").text
    assert "1 of 40" in asker.ask("/runs/live/status").text


def test_a_run_of_a_newer_version_says_so(asker: Asker, runs: Path, started: Path) -> None:
    connection = sqlite3.connect(started / "run.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    said = asker.ask("/parts/runs").text
    assert "schema version 99" in said
    assert "use the gatesearch that wrote it" in said


def test_a_run_whose_table_cannot_be_made_says_why(asker: Asker, runs: Path, started: Path) -> None:
    connection = sqlite3.connect(started / "run.sqlite")
    connection.execute("UPDATE trials SET steps = 'many'")
    connection.commit()
    connection.close()
    said = asker.wait("/runs/live/board", lambda answer: 'class="problem"' in answer.text).text
    assert "run.sqlite" in said
    assert asker.ask("/parts/runs").status == 200


def test_the_usual_port_or_the_next_is_taken_and_a_given_one_must_be_free(runs: Path) -> None:
    with Dashboard(lambda store: TASKS) as first, Dashboard(lambda store: TASKS) as second:
        assert PORT <= first.port < second.port
        with pytest.raises(ResultsError, match=rf"port {first.port} of 127.0.0.1 cannot be listened on \(Address"):
            Dashboard(lambda store: TASKS, port=first.port)

"""Overviews of runs: states, counts, the best found cell, and stores that cannot be read."""

import os
from pathlib import Path

import pytest

from results.store.overview import RunState, is_driven, overview
from results.store.records import CellRow, ProposalRow
from results.store.store import Store
from results.store.words import COMPLETE, Origin, ProposalKind

PROFILE = "[search]\nproposals = 40\n"


def made(folder: Path, strategy: str = "paper", profile: str = PROFILE) -> Store:
    return Store.create(folder, name="run", seed=0, profile=profile, strategy=strategy, window=1, information={})


def add(store: Store, index: int, kind: ProposalKind, origin: Origin, score: float | None, cell: str) -> None:
    store.add_cell(CellRow(cell, "h' = tanh(x)", None, None, (), origin, index, 3, 1, 1))
    outcome = COMPLETE if score is not None else "stopped at xml"
    store.add_proposal(ProposalRow(index, kind, cell, None, outcome, score))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run with a given cell, two new ones, and a promotion of the better one."""
    path = tmp_path / "run"
    with made(path) as store:
        add(store, -1, ProposalKind.BASELINE, Origin.BASELINE, 1.0, "aa" * 8)
        add(store, 0, ProposalKind.PROPOSE, Origin.FOUND, 0.9, "bb" * 8)
        add(store, 1, ProposalKind.PROPOSE, Origin.FOUND, None, "cc" * 8)
        store.add_proposal(ProposalRow(2, ProposalKind.PROMOTE, "bb" * 8, None, COMPLETE, 0.95))
    return path


def test_given_cells_and_promotions_are_no_proposals_and_the_best_cell_is_a_found_one(folder: Path) -> None:
    size = sum(file.stat().st_size for file in folder.iterdir())
    shown = overview(folder)
    assert (shown.proposals, shown.planned, shown.trials, shown.failed_trials) == (2, 40, 0, 0)
    assert (shown.best_cell, shown.best_score) == ("bb" * 8, 0.95)
    assert shown.as_json()["best_cell"] == "g" + "bb" * 8
    assert shown.size_bytes == size


def test_a_run_is_running_while_a_process_holds_its_lock_and_then_stopped_or_finished(folder: Path) -> None:
    assert overview(folder).state is RunState.STOPPED
    with Store.open(folder) as store:
        with store.lock():
            assert overview(folder).state is RunState.RUNNING
            assert not store.is_driven_by_another
            with Store.open(folder, readonly=True) as reader:
                assert reader.is_driven_by_another
        assert not store.is_driven_by_another
        assert not is_driven(folder)
        store.mark(finished="2026-01-01T00:00:00Z")
    assert overview(folder).state is RunState.FINISHED


def test_cells_told_from_outside_have_no_planned_number(tmp_path: Path) -> None:
    made(tmp_path / "told", strategy="outside").close()
    assert overview(tmp_path / "told").planned is None


@pytest.mark.parametrize("profile", ["", "search = 1", "[search]\nproposals = true", "[[["])
def test_a_profile_without_a_number_of_proposals_plans_none(tmp_path: Path, profile: str) -> None:
    made(tmp_path / "odd", profile=profile).close()
    assert overview(tmp_path / "odd").planned is None


def test_a_damaged_store_is_shown_as_unreadable_with_the_reason(folder: Path) -> None:
    (folder / "run.sqlite").write_bytes(b"no database" * 100)
    os.utime(folder / "run.sqlite", (1e9, 1e9))
    shown = overview(folder)
    assert (shown.state, shown.proposals, shown.best_cell, shown.changed) == (RunState.UNREADABLE, None, None, 1e9)
    assert shown.error is not None
    assert "run.sqlite" in shown.error

"""Speeds and times of a run by a clock of the test."""

from pathlib import Path

import pytest

from results.dashboard import watcher
from results.dashboard.watcher import Watcher
from results.store.records import ProposalRow
from results.store.store import Store
from tests.test_results.rows import HALVING, make_baseline, make_store, make_trial

GRU = make_baseline("gru").id
START = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [START]
    monkeypatch.setattr("results.dashboard.watcher.time.time", lambda: now[0])
    return now


def add(store: Store, first: int, number: int) -> None:
    for k in range(first, first + number):
        store.record(None, [make_trial(GRU, setting=k), make_trial(GRU, "music", setting=k)])
        store.add_proposal(ProposalRow(k, "propose", None, GRU, "no valid child", None))


def test_speed_is_that_since_the_start_and_then_that_of_the_last_minutes(runs: Path, clock: list[float]) -> None:
    looker = Watcher()
    with make_store(runs / "run", "[search]\nproposals = 40\n", started="2026-01-01T00:00:00Z") as store, store.lock():
        store.add_cell(make_baseline("gru"))
        add(store, 0, 4)
        clock[0] = START + 30
        (line,) = looker.lines()
        assert (line.trials_per_minute, line.proposals_per_minute, line.left_seconds) == (None, None, None)
        clock[0] = START + 80
        (line,) = looker.lines()  # since the start: the samples span less than a minute
        assert (line.trials_per_minute, line.proposals_per_minute) == (6.0, 3.0)
        assert line.left_seconds == 36 / 3 * 60
        clock[0] = START + 150
        add(store, 4, 8)
        (line,) = looker.lines()  # over the two minutes since the first sample
        assert (line.trials_per_minute, line.proposals_per_minute) == (8.0, 4.0)
        assert line.left_seconds == 28 / 4 * 60
        assert line.share == 12 / 40
    (line,) = looker.lines()
    assert (line.state, line.trials_per_minute, line.left_seconds) == ("stopped", None, None)


def test_a_resumed_run_counts_the_trials_since_then(runs: Path, clock: list[float]) -> None:
    resumed = [{"started": "2026-01-01T01:00:00Z", "trials_before": 6}]
    with make_store(runs / "run", "[search]\nproposals = 40\n", started="2026-01-01T00:00:00Z") as store, store.lock():
        store.add_cell(make_baseline("gru"))
        add(store, 0, 5)
        store.mark(resumed=resumed)
        clock[0] = START + 3600 + 120
        (line,) = Watcher().lines()
        assert line.facts.began == START + 3600
        assert (line.trials_per_minute, line.proposals_per_minute, line.left_seconds) == (2.0, None, None)


def test_with_rungs_nothing_is_left_to_be_said(runs: Path, clock: list[float]) -> None:
    profile = HALVING.replace("[search]", "[search]\nproposals = 40")
    with make_store(runs / "run", profile, started="2026-01-01T00:00:00Z") as store, store.lock():
        store.add_cell(make_baseline("gru"))
        add(store, 0, 4)
        clock[0] = START + 120
        (line,) = Watcher().lines()
        assert line.proposals_per_minute == 2.0
        assert line.left_seconds is None


def test_a_store_is_read_only_when_it_has_changed(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_store(runs / "run") as store:
        store.add_cell(make_baseline("gru"))
    looker = Watcher()
    first = looker.lines()

    def read(_: Path) -> None:
        raise AssertionError("the store is read")

    monkeypatch.setattr(watcher, "_read", read)
    assert looker.lines() == first

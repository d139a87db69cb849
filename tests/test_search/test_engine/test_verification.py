"""A replay agrees with what a search did, and with nothing else; retrained trials agree with what was stored."""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from results.publication.consistency import Check
from results.store.store import FILE, Store
from search.engine.verification import Key, replay, retrain_sample
from search.workers.job import Job
from tests.test_search.test_engine.searches import PROFILE, TASKS, make_store, run
from tests.test_search.test_workers.executors import KilledError, Killing


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    run(folder)
    return folder


def changed(done: Path, folder: Path, *statements: str) -> Store:
    """Return a copy of the run, changed by SQL statements."""
    shutil.copytree(done, folder, dirs_exist_ok=True)
    with closing(sqlite3.connect(folder / FILE)) as connection:
        connection.executescript(";".join(statements))
    return Store.open(folder, readonly=True)


def replayed(store: Store) -> Check:
    return replay(store, PROFILE, TASKS).check


def retrained(store: Store, count: int, seed: int = 0) -> list[Check]:
    return list(retrain_sample(store, TASKS, replay(store, PROFILE, TASKS).jobs, count, seed))


def measured(store: Store) -> dict[Key, Job]:
    """Return the jobs of the trials that have metrics: a trial that diverged has none to be changed."""
    keys = {(row.cell, row.task, row.setting, row.repeat) for row in store.trials() if row.validation is not None}
    jobs = {key: job for key, job in replay(store, PROFILE, TASKS).jobs.items() if key in keys}
    assert len(jobs) >= 3
    return jobs


def test_a_replay_gives_every_row_of_the_run_and_trains_nothing(
    done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.workers.job.train_trial", None)
    outcomes: list[int] = []
    with changed(done, tmp_path) as store:
        found = replay(store, PROFILE, TASKS, on_outcome=lambda: outcomes.append(1))
        trials, proposals = len(store.trials()), len(store.proposals())
        given = sum(cell.origin == "baseline" for cell in store.cells())
    assert found.check.ok, found.check
    words = f"over its {trials} trials, gives every row of {given} given cells and {PROFILE.search.proposals} proposals"
    assert words in found.check.detail
    assert len(found.jobs) == trials
    assert len(outcomes) == proposals


@pytest.mark.parametrize("jobs", [0, 3, 20, 45])
def test_a_replay_of_a_run_that_was_stopped_goes_as_far_as_that_came(jobs: int, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        run(tmp_path, Killing(TASKS, 1, jobs))
    with make_store(tmp_path) as store:
        found = replayed(store)
        assert len(store.trials()) == jobs
    assert found.ok, found
    assert "the unfinished search, replayed over" in found.detail


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE evaluations SET passed = 1 - passed WHERE proposal = 3", r"evaluation of proposal 3, .*: passed is"),
        ("UPDATE proposals SET score = score + 1e-12 WHERE score IS NOT NULL", "score is stored as"),
        ('UPDATE proposals SET rejections = \'{"x":9}\' WHERE "index" = 5', "proposal 5: rejections"),
        ("DELETE FROM evaluations WHERE proposal = 2", "is not stored, but the search .* produces it"),
        ("UPDATE trials SET seed = seed + 1", "is stored, but the search .* does not produce it"),
        ("UPDATE trials SET repeat = 7 WHERE task = 'xml'", "is not stored, but the search .* produces it"),
        ("UPDATE cells SET mutations = '[\"by hand\"]' WHERE parent IS NOT NULL", "mutations is stored as"),
        ("UPDATE run SET seed = 1", "the search with this seed and profile"),
        ("UPDATE trials SET validation = 0.99, higher_is_better = 1 WHERE task = 'xml'", "is stored, but the search"),
    ],
)
def test_what_the_search_did_not_do_is_found(done: Path, tmp_path: Path, statement: str, words: str) -> None:
    with changed(done, tmp_path, statement) as store:
        found = replayed(store)
    assert found.ok is False
    assert re.search(words, found.detail), found.detail
    assert "\n" not in found.detail


def test_trials_trained_again_are_equal_to_the_last_bit(done: Path, tmp_path: Path) -> None:
    with changed(done, tmp_path) as store:
        first, again, others = retrained(store, 4), retrained(store, 4), retrained(store, 4, seed=1)
        everything = retrained(store, 10_000)
        assert len(everything) == len(store.trials())
    assert [check.name for check in first] == [check.name for check in again]
    assert [check.name for check in first] != [check.name for check in others]
    assert all(check.ok and check.detail.endswith("equal to the last bit") for check in everything)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("curve", "'[[1,2.0,3.0]]'"),
        ("test", "test + 1e-12"),
        ("steps", "steps + 1"),
        ("units", "units * 2"),
    ],
)
def test_a_figure_that_training_does_not_give_is_found(done: Path, tmp_path: Path, column: str, value: str) -> None:
    # None of these enters a decision, so only training again can tell.
    with changed(done, tmp_path, f"UPDATE trials SET {column} = {value}") as store:
        assert replayed(store).ok
        checks = list(retrain_sample(store, TASKS, measured(store), 3, 0))
    assert all(check.ok is False and check.detail.startswith(f"{column} was stored as") for check in checks), checks


OTHER = 'UPDATE environments SET description = replace(description, \'"cpu":"\', \'"cpu":"other \')'


def test_elsewhere_figures_may_differ_a_little_and_it_is_said(done: Path, tmp_path: Path) -> None:
    with changed(done, tmp_path / "equal", OTHER) as store:
        equal = retrained(store, 2)
    assert all(check.ok and "equal to the last bit; trained under cpu other" in check.detail for check in equal)
    with changed(done, tmp_path / "equal") as store:
        jobs = measured(store)
    with changed(done, tmp_path / "near", OTHER, "UPDATE trials SET validation = validation * 1.001") as store:
        checks = list(retrain_sample(store, TASKS, jobs, 3, 0))
    assert all(check.ok and "; trained under cpu other" in check.detail for check in checks), checks
    with changed(done, tmp_path / "far", OTHER, "UPDATE trials SET validation = validation * 1.5 + 1") as store:
        checks = [check for check in retrain_sample(store, TASKS, jobs, 6, 0) if "diverged" not in check.detail]
    assert len(checks) >= 3
    assert all(check.ok is False for check in checks), checks


def test_settings_of_a_later_version_leave_the_replay_undecided(done: Path, tmp_path: Path) -> None:
    with changed(done, tmp_path, "UPDATE trials SET setting = replace(setting, '}', ',\"version\":3}')") as store:
        found = replayed(store)
    assert found.ok is None
    assert "has version 3; this gatesearch reads up to 2, so update it" in found.detail


def test_a_malformed_setting_fails_the_replay(done: Path, tmp_path: Path) -> None:
    with changed(done, tmp_path, "UPDATE trials SET setting = replace(setting, '}', ',\"depth\":2}')") as store:
        found = replayed(store)
    assert found.ok is False
    assert "is not in canonical form: the store is corrupt" in found.detail


def test_another_metric_that_training_does_not_give_is_found(done: Path, tmp_path: Path) -> None:
    with changed(done, tmp_path / "other", "UPDATE measures SET test = test + 1e-12 WHERE task = 'xml'") as store:
        assert len(store.measures(task="xml")) > 0
        checks = retrained(store, 10_000)
    wrong = [check for check in checks if not check.ok]
    assert {check.name.split()[-1] for check in wrong} == {"xml"}
    assert all(check.detail.startswith("others was stored as") for check in wrong)

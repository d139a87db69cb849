"""Searches with halving that really train: killed at any moment, resumed, replayed, and trained again."""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from results.publication.consistency import Check
from results.store.store import FILE, Store
from results.store.words import COMPLETE, ProposalKind, TrialState
from search.cells.notation.formula import parse_formula
from search.engine.budgets import stored_budget
from search.engine.verification import replay, retrain_sample
from search.profiles.sections import HalvingSection, Profile
from search.profiles.training_sections import ScheduleSection
from search.training.settings import Setting
from search.training.weights import is_same, retrain_trial
from search.workers.environment import environment_id
from search.workers.executor import LocalExecutor
from tests.test_search.test_engine.searches import PROFILE, TASKS, Rows, make_store, run
from tests.test_search.test_workers.executors import KilledError, Killing, Shuffled

SCHEDULE = ScheduleSection(batch=4, unroll=8, epoch_steps=100, epochs=3, halvings=1, chance_epochs=100)
HALVING = replace(
    PROFILE,
    search=replace(PROFILE.search, allocation="halving", proposals=18, window=4, paired=True),
    halving=HalvingSection(rungs=3, settings=(1, 1, 2), seeds=2),
    tasks={name: replace(section, schedule=SCHEDULE) for name, section in PROFILE.tasks.items()},
)
MARKS = (33, 100)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    """Folder and rows of an undisturbed run. Only read or copy the folder."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, run(folder, profile=HALVING)[0]


def test_candidates_are_trained_to_their_rungs_and_no_further(whole: tuple[Path, Rows]) -> None:
    _, rows = whole
    proposals = [row for row in rows["proposals"] if row.index >= 0]
    reached: dict[str, list[str]] = {}
    for row in proposals:
        if row.cell is not None:
            reached.setdefault(row.cell, []).append(row.outcome)
    known = {row.cell for row in rows["proposals"] if row.index < 0}
    assert sum(row.kind == ProposalKind.PROMOTE for row in proposals) >= 6
    assert sum(row.kind == ProposalKind.PROPOSE for row in proposals) == 18
    assert any(endings[-2:] == [COMPLETE, COMPLETE] for endings in reached.values())  # trained on further seeds
    for row in rows["trials"]:
        if row.cell in known or row.repeat != 0 or row.task == "memorization":
            continue
        steps = (*MARKS, SCHEDULE.budget().steps, SCHEDULE.budget().steps)
        assert row.steps <= steps[len(reached[row.cell]) - 1]
        if row.state == TrialState.PAUSED:
            assert row.steps in MARKS
            assert [point[0] for point in row.curve] == [step for step in (33, 100) if step <= row.steps]
    further = [row for row in rows["trials"] if row.repeat < 0]
    assert {row.repeat for row in further} == {-1, -2}
    assert len({(row.task, row.repeat, row.seed) for row in further}) == 2  # one ranked task, the same seeds for all
    paired = [row for row in rows["trials"] if row.repeat == 0 and row.task == "xml"]
    assert len({row.seed for row in paired}) == 1


@pytest.mark.parametrize("first", [9])
def test_a_killed_run_ends_with_the_rows_of_an_undisturbed_one(
    first: int, whole: tuple[Path, Rows], tmp_path: Path
) -> None:
    for jobs in (first, 7, 11):
        with pytest.raises(KilledError):
            run(tmp_path, Killing(TASKS, first + jobs, jobs), HALVING)
    found, progress = run(tmp_path, Shuffled(TASKS, first), HALVING)
    assert found == whole[1]
    assert progress.promotions == sum(row.kind == ProposalKind.PROMOTE for row in found["proposals"])
    assert not (tmp_path / "checkpoints").exists()
    assert 0 < progress.restored < progress.work_done
    again = run(tmp_path, profile=HALVING)[1]  # all of it is restored, so none of it is work of this session
    assert again.restored == pytest.approx(again.work_done) == pytest.approx(progress.work_done)


def test_a_run_that_was_extended_is_that_of_its_two_numbers(whole: tuple[Path, Rows], tmp_path: Path) -> None:
    longer = replace(HALVING, search=replace(HALVING.search, proposals=24))
    shutil.copytree(whole[0], tmp_path / "a")
    with make_store(tmp_path / "a") as store:
        assert store.drained == (18,)
    found, _ = run(tmp_path / "a", profile=longer)
    again, _ = run(tmp_path / "a", profile=longer)
    assert found == again
    with make_store(tmp_path / "a") as store:
        assert store.drained == (18, 24)
        assert replay(store, longer, TASKS).check.ok


def check(store: Store, profile: Profile = HALVING) -> None:
    found = replay(store, profile, TASKS)
    assert found.check.ok, found.check
    assert found.jobs
    for result in retrain_sample(store, TASKS, found.jobs, 12, 0):
        assert result.ok, result


def test_a_replay_gives_every_row_and_trials_trained_again_are_equal(whole: tuple[Path, Rows]) -> None:
    with Store.open(whole[0], readonly=True) as store:
        check(store)


@pytest.mark.parametrize("jobs", [5, 40])
def test_an_unfinished_run_is_replayed_as_far_as_it_came(jobs: int, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        run(tmp_path, Killing(TASKS, 1, jobs), HALVING)
    with make_store(tmp_path) as store:
        check(store)


def test_a_trial_that_began_anew_elsewhere_has_the_result_of_its_evaluation(
    whole: tuple[Path, Rows], tmp_path: Path
) -> None:
    """A promoted trial whose curve has another value at its first rung, as after a resume on another processor."""
    folder = tmp_path / "run"
    shutil.copytree(whole[0], folder)

    def change(statement: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(folder / FILE)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def replayed() -> Check:
        with Store.open(folder, readonly=True) as store:
            return replay(store, HALVING, TASKS).check

    trials = change(
        "SELECT t.rowid, t.curve, e.best FROM trials t JOIN evaluations e USING (cell, task) "
        "WHERE t.repeat = 0 AND t.steps > ? AND e.proposal >= 0 AND e.settings = 1 ORDER BY t.rowid, e.proposal",
        MARKS[0],
    )
    row, curve = next(
        (row, curve)
        for row, curve, best in ((row, json.loads(text), best) for row, text, best in trials)
        if (curve[0][0], curve[0][2]) == (MARKS[0], best)
    )
    curve[0][2] += 0.001
    change("UPDATE trials SET curve = ? WHERE rowid = ?", json.dumps(curve), row)
    assert replayed().ok is False

    ((description,),) = change("SELECT description FROM environments")
    other = json.dumps(json.loads(description) | {"cpu": "another"})
    change("INSERT INTO environments VALUES (?, ?)", environment_id(other), other)
    change("UPDATE trials SET environment = ? WHERE rowid = ?", environment_id(other), row)
    found = replayed()
    assert found.ok, found.detail
    assert "; 1 result of a rung is as evaluated, up to 0." in found.detail
    curve[0][2] *= 1.2  # more than another processor's rounding makes of it
    change("UPDATE trials SET curve = ? WHERE rowid = ?", json.dumps(curve), row)
    assert replayed().ok is False


def test_a_stored_trial_is_repeated_with_its_measurements_at_rungs(whole: tuple[Path, Rows]) -> None:
    with Store.open(whole[0], readonly=True) as store:
        rows = [row for row in store.trials(task="xml", curves=True) if row.state == TrialState.OK and row.repeat == 0]
        row = max(rows, key=lambda row: sum(step % SCHEDULE.epoch_steps != 0 for step, _, _ in row.curve))
        assert [step for step, _, _ in row.curve if step % SCHEDULE.epoch_steps] == [MARKS[0]]
        graph, budget = parse_formula(store.cell(row.cell).formula), stored_budget(HALVING, row)
    trained = retrain_trial(graph, TASKS["xml"], Setting.from_key(row.setting), budget, row.seed, None)
    assert is_same(trained.result, row.curve, row.validation)
    beyond = retrain_trial(graph, TASKS["xml"], Setting.from_key(row.setting), budget, row.seed, 1.0)
    assert beyond.result.state is TrialState.AT_CHANCE


def test_losing_the_checkpoints_changes_no_result(
    whole: tuple[Path, Rows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.engine.checkpoints.Checkpoints.get", lambda *_: None)
    assert run(tmp_path, LocalExecutor(TASKS), HALVING)[0] == whole[1]

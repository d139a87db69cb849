"""Searches whose score is the share of the GRU's gain: what they store, and that nothing but the store decides."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from results.scores.score import chance_of
from results.store.records import TrialRow
from results.store.store import FILE, Store
from results.store.words import MEMORIZATION, ProposalKind, ScoreKind, TrialState
from search.cells.library import LIBRARY
from search.core.errors import SearchError
from search.engine.provenance import data_check
from search.engine.run import resume_search, run_search
from search.engine.verification import replay
from search.profiles.sections import FinalistsSection, Profile, Role
from search.training.simulation import Simulation
from search.training.trial import TrialResult
from search.workers.executor import LocalExecutor
from search.workers.job import Job
from tasks.series import Series
from tasks.task import Split, Task
from tests.test_search.test_engine.searches import PROFILE, TASKS
from tests.test_search.test_workers.executors import Sabotaged

GAIN = replace(
    PROFILE,
    search=replace(PROFILE.search, score=ScoreKind.GAIN),
    finalists=FinalistsSection(cells=2, repeats=2),
    tasks={name: replace(PROFILE.tasks[name], role=Role.RANKED, threshold=0.9) for name in ("xml", "chords")},
)
GRU = LIBRARY["gru"].graph.id


def load(profile: Profile) -> Mapping[str, Task]:
    return TASKS


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gain") / "run"
    run_search(folder, GAIN, seed=3, simulation=Simulation(), load=load, executor=LocalExecutor(TASKS))
    return folder


def best(trials: list[TrialRow], cell: str, task: str) -> float | None:
    """Return the best validation metric of a given cell's own trials, by a plain loop."""
    values = [
        trial.validation
        for trial in trials
        if (trial.cell, trial.task, trial.repeat) == (cell, task, 0)
        and (trial.proposal is not None and trial.proposal < 0)
        and trial.validation is not None
    ]
    if not values:
        return None
    return max(values) if task == "xml" else min(values)


def frequencies(task: Task, split: Split) -> np.ndarray:
    """Return how often each symbol or note is a target in the loss mask, as a share of the steps."""
    counts, steps = np.zeros(task.output_size), 0
    for batch in task.evaluation(split, 8, 64):
        for target in batch.targets[batch.loss_mask > 0]:
            if target.ndim:
                counts += target
            else:
                counts[target] += 1
            steps += 1
    return counts / steps


def test_a_run_stores_the_constant_baselines_of_both_splits_when_it_starts(done: Path) -> None:
    with Store.open(done, readonly=True) as store:
        constants = store.constants
    assert set(constants) == {"memorization", "xml", "chords"}
    for split in (Split.VALIDATION, Split.TEST):
        assert constants["xml"][split] == pytest.approx(frequencies(TASKS["xml"], split).max())
        p = frequencies(TASKS["chords"], split)
        assert constants["chords"][split] == pytest.approx(-(p * np.log(p) + (1 - p) * np.log(1 - p)).sum())
    assert constants["xml"]["validation"] != constants["xml"]["test"]


def test_scores_and_thresholds_are_shares_of_the_gru_s_gain(done: Path) -> None:
    with Store.open(done, readonly=True) as store:
        trials, proposals, evaluations = store.trials(), store.proposals(), store.evaluations()
        constants = {task: splits["validation"] for task, splits in store.constants.items()}

    def share(task: str, value: float) -> float:
        reference = best(trials, GRU, task)
        assert reference is not None
        return (value - constants[task]) / (reference - constants[task])

    scored = 0
    for row in proposals:
        if row.kind == ProposalKind.BASELINE and row.cell is not None:
            bests = {task: best(trials, row.cell, task) for task in ("xml", "chords")}
            shares = [share(task, value) for task, value in bests.items() if value is not None]
            assert row.score == (pytest.approx(min(shares)) if len(shares) == 2 else None)
            scored += row.score is not None
    assert scored >= 2
    judged = [row for row in evaluations if row.proposal >= 0 and row.task in ("xml", "chords") and row.best]
    assert judged
    for visit in judged:
        assert visit.best is not None
        assert visit.ratio == pytest.approx(share(visit.task, visit.best))
        if visit.threshold is not None:
            assert visit.passed is (visit.ratio is not None and visit.ratio > 0.9)
    assert {visit.passed for visit in judged} == {True, False}


def test_a_replay_reads_the_constants_from_the_store_and_not_from_the_data(done: Path) -> None:
    with Store.open(done, readonly=True) as store:
        found = replay(store, GAIN, TASKS).check
        assert found.ok, found
        other = {**TASKS, "xml": replace(TASKS["xml"], validation=700, test=900)}  # type: ignore[type-var]
        assert other["xml"].constant_baseline() != TASKS["xml"].constant_baseline()
        assert replay(store, GAIN, other).check.ok


def test_constants_that_the_data_do_not_give_are_found(done: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with closing(sqlite3.connect(done / FILE)) as old, closing(sqlite3.connect(tmp_path / "run" / FILE)) as new:
        old.backup(new)
    with Store.open(tmp_path / "run") as store:
        assert data_check(store, TASKS).ok
        constants = store.constants
        store.mark(constants=constants | {"xml": constants["xml"] | {"test": 0.5}})
        check = data_check(store, TASKS)
        assert check.ok is False
        assert check.detail.startswith("the constant baseline of xml (test) is 0.5 in the store, but 0.")
        store.mark(constants=constants | {"xml": constants["xml"] | {"validation": 0.0}})
        assert replay(store, GAIN, TASKS).check.ok is False


def test_a_resumed_search_makes_the_same_rows(done: Path, tmp_path: Path) -> None:
    class Interrupted(LocalExecutor):
        left = 40

        def next(self) -> tuple[int, TrialResult]:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().next()

    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run_search(folder, GAIN, seed=3, simulation=Simulation(), load=load, executor=Interrupted(TASKS))
    resume_search(folder, load=load, executor=LocalExecutor(TASKS))
    with Store.open(done, readonly=True) as whole, Store.open(folder, readonly=True) as resumed:
        assert resumed.proposals() == whole.proposals()
        assert resumed.evaluations() == whole.evaluations()
        assert resumed.constants == whole.constants


def test_without_a_gain_of_the_gru_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    constant = TASKS["xml"].constant_baseline()
    result = TrialResult(TrialState.OK, "made up", validation=constant, validation_se=0.01, test=0.2, test_se=0.01)
    executor = Sabotaged(TASKS, GRU, result, "xml")
    with pytest.raises(
        SearchError, match=r"^the GRU's best accuracy on 'xml' is 0\.\d+, no better than the con"
    ) as error:
        run_search(tmp_path / "run", GAIN, simulation=Simulation(), load=load, executor=executor)
    assert "raise epochs, epoch_steps or baseline_settings of 'xml' in the profile" in str(error.value)
    ratio = replace(GAIN, search=replace(GAIN.search, score=ScoreKind.RATIO, proposals=0))
    run_search(
        tmp_path / "ratio", ratio, simulation=Simulation(), load=load, executor=Sabotaged(TASKS, GRU, result, "xml")
    )


def made_up(job: Job, task: Task) -> TrialResult:
    """Return a result far above the constant baseline, and note the job's level of chance."""
    value = 1.0 if task.metric.higher_is_better else task.constant_baseline() - 1.0
    return TrialResult(TrialState.OK, "made up", validation=value, validation_se=0.01, test=value, test_se=0.01)


class Noting(LocalExecutor):
    """Notes the level of chance of each job, by task."""

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        super().__init__(tasks)
        self.chances: dict[str, set[float]] = {}

    def next(self) -> tuple[int, TrialResult]:
        waiting = self._queue.pop(0)
        job = waiting.job
        self.chances.setdefault(job.task, set()).add(job.chance)
        return waiting.number, made_up(job, self._tasks[job.task])


def test_trials_are_given_up_at_the_level_that_the_run_has_stored(tmp_path: Path) -> None:
    file = tmp_path / "walk.csv"
    pd.DataFrame({"x": np.cumsum(np.random.default_rng(0).normal(size=400))}).to_csv(file, index=False)
    tasks = {MEMORIZATION: TASKS[MEMORIZATION], "series": Series(data=str(file))}
    section = replace(GAIN.tasks["xml"], options={"data": str(file)})
    profile = replace(GAIN, search=replace(GAIN.search, proposals=3), tasks={"series": section})
    for name, simulation in ("run", None), ("simulated", Simulation()):
        folder, executor = tmp_path / name, Noting(tasks)
        run_search(folder, profile, simulation=simulation, load=lambda profile: tasks, executor=executor)
        with Store.open(folder) as store:
            walk = tasks["series"]
            assert walk.chance_level() > walk.constant_baseline() == store.constants["series"]["validation"]
            level = walk.constant_baseline() if simulation else walk.chance_level()
            assert executor.chances["series"] == {level}  # of the search and of its finalists
            assert chance_of(store)["series"] == level
            if not simulation:
                assert data_check(store, tasks).ok
                jobs = replay(store, profile, tasks).jobs
                assert {job.chance for job in jobs.values() if job.task == "series"} == {level}
                store.mark(chance=store.chance | {"series": 3.0})
                assert data_check(store, tasks).detail.startswith("trials on series are given up at 3 in the store")
                store.mark(chance={})  # as a run of an earlier version
                assert chance_of(store)["series"] == walk.constant_baseline()

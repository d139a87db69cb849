"""Executors: the order of jobs, failures that stay results, and Ray workers that give the rows of one process."""

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from results.store.words import TrialState
from search.cells.library import LIBRARY
from search.core.errors import SearchError
from search.core.keys import trial_seed
from search.profiles.sections import Profile
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.trial import train_trial
from search.workers.environment import own_environment
from search.workers.executor import LocalExecutor, RayExecutor, make_executor
from search.workers.job import Job, run_job
from tests.test_search.small import Deadly, Patient, Unreadable, small_task
from tests.test_search.test_engine.test_engine import PROFILE, TASKS, run

XML = small_task("xml")
PATIENT = Patient(validation=600, test=900)
SETTING = Setting(1.0, 0.5, 5.0, 1, 6_000)
BUDGET = Budget(batch=4, unroll=8, epoch_steps=3, epochs=1)


def make_job(seed: int = 0) -> Job:
    return Job(LIBRARY["gru"].graph, "xml", SETTING, BUDGET, seed, 0.1)


def test_jobs_of_the_earliest_proposal_come_first_and_then_those_submitted_first() -> None:
    executor = LocalExecutor({"xml": XML})
    tickets = [executor.submit(make_job(seed), priority) for seed, priority in enumerate((5, 2, 5, 2, -1))]
    assert len(set(tickets)) == 5
    assert [executor.next()[0] for _ in range(5)] == [tickets[k] for k in (4, 1, 3, 0, 2)]


def test_a_ticket_belongs_to_its_job() -> None:
    executor = LocalExecutor({"xml": XML})
    seeds = {executor.submit(make_job(seed), -seed): seed for seed in range(3)}
    for _ in range(3):
        ticket, result = executor.next()
        expected = train_trial(LIBRARY["gru"].graph, XML, SETTING, BUDGET, seeds[ticket], constant_baseline=0.1)
        assert replace(result, seconds=0.0, environment=None) == replace(expected, seconds=0.0)
        assert result.environment == own_environment()


def test_whatever_goes_wrong_in_a_job_is_a_failed_trial_with_its_reason() -> None:
    result = run_job(replace(make_job(), budget=replace(BUDGET, batch=-1)), XML)
    assert result.state is TrialState.FAILED
    assert result.reason.startswith(("ValueError: ", "IndexError: ", "TaskError: "))
    assert "\n" not in result.reason
    assert result.validation is None


def test_a_closed_executor_has_no_jobs_left() -> None:
    executor = make_executor({"xml": XML}, 0, None)
    assert isinstance(executor, LocalExecutor)
    executor.submit(make_job(), 0)
    executor.close()
    with pytest.raises(IndexError):
        executor.next()


def test_one_process_trains_with_one_thread() -> None:
    torch.set_num_threads(2)
    LocalExecutor({"xml": XML})
    assert torch.get_num_threads() == 1


@pytest.mark.filterwarnings("ignore")  # Ray's own: sockets and files that its processes leave to the collector
def test_ray_workers_give_the_rows_of_one_process_and_outlive_a_deadly_trial(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    deadly, doomed = deadly_profile(), LIBRARY["tanh"].graph.id
    # The trial of tanh whose random numbers begin so kills its process, whenever it is tried.
    grid = deadly.grid_of(deadly.tasks["deadly"])
    seed = trial_seed(0, doomed, "deadly", grid.settings[0].key, 0)
    task = Deadly(validation=600, test=600, doomed=np.random.default_rng(seed).random(), marks=str(marks))
    unreadable_task, pids = Unreadable(validation=600, test=600), tmp_path / "pids"
    patient_task = Patient(validation=600, test=900, pids=str(pids))
    tasks = {**TASKS, "deadly": task, "unreadable": unreadable_task, "patient": patient_task}
    executor = make_executor(tasks, 2, None)
    assert isinstance(executor, RayExecutor)
    try:
        found, _ = run(tmp_path / "ray", executor)
        with_death, progress = run(tmp_path / "deadly", executor, deadly, tasks=tasks)
        ticket = executor.submit(replace(make_job(), task="unreadable"), 0)
        unreadable = executor.next()
        executor.submit(replace(make_job(), task="patient"), 0)
        with killer(pids):
            _, patient = executor.next()
        with pytest.raises(SearchError, match=r"^Ray on this machine cannot be reached: .*"):
            make_executor(tasks, 1, None)  # there is one already
    finally:
        executor.close()
        gc.collect()
    assert found == run(tmp_path / "local")[0]
    assert unreadable[0] == ticket
    assert unreadable[1].state is TrialState.FAILED
    assert unreadable[1].reason.startswith("a worker cannot read the trial: ")
    assert "no such luck" in unreadable[1].reason
    assert len(pids.read_text().splitlines()) == 3
    assert replace(patient, seconds=0.0) == replace(run_job(replace(make_job(), task="patient"), PATIENT), seconds=0.0)
    assert marks.read_text() == "xxx"
    trials = {(row.cell, row.task, row.setting): row for row in with_death["trials"]}
    dead = trials.pop((doomed, "deadly", grid.settings[0].key))
    assert (dead.state, dead.validation) == ("failed", None)
    assert dead.reason == "given up after 3 tries: its process ended with exit status 1"
    assert all(row.state != "failed" for row in trials.values())
    assert progress.proposals_done == deadly.search.proposals == len(with_death["proposals"]) - 3


@contextmanager
def killer(pids: Path) -> Iterator[None]:
    """Kills the process that trains a `Patient` trial when it waits first, and its worker when it waits again."""

    def kill() -> None:
        for number, column in ((1, 0), (2, 1)):
            while not pids.exists() or len(lines := pids.read_text().splitlines(keepends=True)) < number:
                time.sleep(0.02)
            os.kill(int(lines[-1].split()[column]), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    yield
    thread.join()


def deadly_profile() -> Profile:
    """A search over the deadly task alone, all settings on every baseline."""
    section = replace(PROFILE.tasks["xml"], baseline_settings="all", parameters=(9_000,))
    search = replace(PROFILE.search, proposals=2)
    grid = replace(PROFILE.grid, scales=(1.0,), layers=(1,))
    return replace(PROFILE, search=search, tasks={"deadly": section}, grid=grid)

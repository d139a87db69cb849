"""Executors: the order of jobs, failures that stay results, and Ray workers that give the rows of one process."""

import gc
import os
import signal
import sys
import threading
import time
import warnings
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
from search.training.stepper import NativeStepper
from search.training.trial import TrialResult, train_trial
from search.workers.environment import own_environment
from search.workers.executor import LocalExecutor, RayExecutor, make_executor
from search.workers.job import Job, run_job
from tasks.registry import load_task
from tasks.task import Batch, Task
from tests.test_search.small import Deadly, Patient, Unreadable
from tests.test_search.test_engine.searches import PROFILE, TASKS, run
from tests.test_search.test_workers.jobs import BUDGET, SETTING, XML, make_job


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
        expected = train_trial(LIBRARY["gru"].graph, XML, SETTING, BUDGET, seeds[ticket], chance=0.1)
        assert replace(result, seconds=0.0, environment=None) == replace(expected, seconds=0.0)
        assert result.environment == own_environment()


def test_whatever_goes_wrong_in_a_job_is_a_failed_trial_with_its_reason() -> None:
    result = run_job(replace(make_job(), budget=replace(BUDGET, batch=-1)), XML)
    assert result.state is TrialState.FAILED
    assert result.reason.startswith(("ValueError: ", "IndexError: ", "TaskError: "))
    assert "\n" not in result.reason
    assert result.validation is None


HALVES = replace(BUDGET, marks=(1, 2))


def paused_job(until: int | None, checkpoint: bytes | None = None) -> Job:
    return replace(make_job(), budget=HALVES, until=until, checkpoint=checkpoint)


def test_a_job_pauses_and_another_continues_it_from_the_checkpoint_of_its_result() -> None:
    executor = LocalExecutor({"xml": XML})

    def result(job: Job) -> TrialResult:
        executor.submit(job, 0)
        return executor.next()[1]

    whole = result(paused_job(None))
    first = result(paused_job(1))
    assert (first.state, first.steps) == (TrialState.PAUSED, 1)
    second = result(paused_job(2, first.checkpoint))
    last = result(paused_job(None, second.checkpoint))
    assert replace(second, seconds=0.0, checkpoint=None) == replace(whole.at(2), seconds=0.0)
    assert replace(last, seconds=0.0) == replace(whole, seconds=0.0)


def test_a_checkpoint_of_another_environment_is_not_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    """With other versions the rest of the trial would be rounded otherwise than its beginning."""
    first = run_job(paused_job(1), XML)
    trained: list[int] = []
    train = NativeStepper.train

    def counted(self: NativeStepper, batch: Batch, rate: float, max_norm: float) -> object:
        trained.append(1)
        return train(self, batch, rate, max_norm)

    monkeypatch.setattr(NativeStepper, "train", counted)
    run_job(paused_job(None, first.checkpoint), XML)
    assert len(trained) == 2
    monkeypatch.setattr("search.workers.job.own_environment", lambda: '{"cpu": "another"}')
    run_job(paused_job(None, first.checkpoint), XML)
    assert len(trained) == 2 + 3


def test_a_pause_where_validation_is_not_measured_is_a_failed_trial() -> None:
    result = run_job(replace(paused_job(None), until=5), XML)
    assert result.state is TrialState.FAILED
    assert result.reason.startswith("ValueError: a trial cannot pause at step 5: ")


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


def deadly_profile() -> Profile:
    """Return a search over the deadly task alone, all settings on every baseline."""
    section = replace(PROFILE.tasks["xml"], baseline_settings="all", parameters=(9_000,))
    search = replace(PROFILE.search, proposals=2)
    grid = replace(PROFILE.grid, scales=(1.0,), layers=(1,))
    return replace(PROFILE, search=search, tasks={"deadly": section}, grid=grid)


DOOMED = LIBRARY["tanh"].graph.id
DOOMED_SETTING = deadly_profile().grid_of(deadly_profile().tasks["deadly"]).settings[0].key

USERS_TASK = """
from users_helper import VOCABULARY
from tasks.generated import GeneratedTask, Sample

class Copied(GeneratedTask):
    name = "copied"
    vocabulary = VOCABULARY

    def samples(self, rng):
        while True:
            yield Sample("".join(rng.choice(list(VOCABULARY), size=4)) * 2, counts_from=4)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what the tasks below write, with the module of a user's task."""
    folder = tmp_path_factory.mktemp("users")
    (folder / "users_task.py").write_text(USERS_TASK)
    (folder / "users_helper.py").write_text("VOCABULARY = 'abcd'\n")
    return folder


@pytest.fixture(scope="module")
def tasks(folder: Path) -> dict[str, Task]:
    """The tasks of all tests of Ray workers, since Ray is started once."""
    # The trial of tanh whose random numbers begin so kills its process, whenever it is tried.
    doomed = np.random.default_rng(trial_seed(0, DOOMED, "deadly", DOOMED_SETTING, 0)).random()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        copied = load_task("users_task:Copied", validation=200, test=200)
    return {
        **TASKS,
        "deadly": Deadly(validation=600, test=600, doomed=doomed, marks=str(folder / "marks")),
        "unreadable": Unreadable(validation=600, test=600),
        "patient": Patient(validation=600, test=900, pids=str(folder / "pids")),
        "copied": copied,
    }


@pytest.fixture(scope="module")
def ray(tasks: dict[str, Task]) -> Iterator[RayExecutor]:
    """An executor with two Ray workers."""
    executor = make_executor(tasks, 2, None)
    assert isinstance(executor, RayExecutor)
    yield executor
    executor.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own: sockets and files that its processes leave to the collector
        gc.collect()


def trained(executor: RayExecutor, job: Job) -> TrialResult:
    """Train one job."""
    ticket = executor.submit(job, 0)
    found, result = executor.next()
    assert found == ticket
    return result


@pytest.mark.ray
def test_ray_workers_give_the_rows_of_one_process(ray: RayExecutor, tmp_path: Path) -> None:
    profile = replace(PROFILE, search=replace(PROFILE.search, proposals=5))
    assert run(tmp_path / "ray", ray, profile)[0] == run(tmp_path / "local", profile=profile)[0]


@pytest.mark.slow
@pytest.mark.ray
def test_a_search_outlives_a_trial_that_kills_its_process(
    ray: RayExecutor, tasks: dict[str, Task], folder: Path, tmp_path: Path
) -> None:
    profile = deadly_profile()
    stored, progress = run(tmp_path / "deadly", ray, profile, tasks=tasks)
    assert (folder / "marks").read_text() == "xxx"
    trials = {(row.cell, row.task, row.setting): row for row in stored["trials"]}
    dead = trials.pop((DOOMED, "deadly", DOOMED_SETTING))
    assert (dead.state, dead.validation) == ("failed", None)
    assert dead.reason == "given up after 3 tries: its process ended with exit status 1"
    assert all(row.state != "failed" for row in trials.values())
    assert progress.proposals_done == profile.search.proposals == len(stored["proposals"]) - 3


@pytest.mark.ray
def test_a_task_that_a_worker_cannot_read_is_a_failed_trial_with_its_reason(ray: RayExecutor) -> None:
    result = trained(ray, make_job(task="unreadable"))
    assert result.state is TrialState.FAILED
    assert result.reason == "the task failed: a worker cannot read it: RuntimeError: no such luck"


@pytest.mark.ray
def test_a_users_task_is_imported_from_its_own_folder(ray: RayExecutor, tasks: dict[str, Task], folder: Path) -> None:
    assert str(folder) not in sys.path
    result = trained(ray, make_job(task="copied"))
    assert replace(result, seconds=0.0) == replace(run_job(make_job(task="copied"), tasks["copied"]), seconds=0.0)
    assert result.validation is not None


@pytest.mark.slow
@pytest.mark.ray
def test_a_trial_is_tried_again_when_its_process_or_its_ray_worker_is_killed(ray: RayExecutor, folder: Path) -> None:
    pids = folder / "pids"
    with killer(pids):
        result = trained(ray, make_job(task="patient"))
    assert len(pids.read_text().splitlines()) == 3
    unharmed = run_job(make_job(task="patient"), Patient(validation=600, test=900))
    assert replace(result, seconds=0.0) == replace(unharmed, seconds=0.0)


@pytest.mark.slow
@pytest.mark.ray
def test_a_worker_process_that_does_not_start_ends_the_search_and_is_no_trials_failure(
    ray: RayExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = (
        r"^workers failed: a worker process does not start: stopped since it took more than .* GiB of memory; "
        r"fix the cause, then rerun with --resume$"
    )
    with monkeypatch.context() as patch:
        patch.setattr(ray, "_limits", (600.0, 2**20))  # less than any Python needs
        with pytest.raises(SearchError, match=message):
            trained(ray, make_job())
    assert trained(ray, make_job()).state is TrialState.OK


@pytest.mark.ray
def test_a_process_is_on_one_cluster_at_a_time(ray: RayExecutor, tasks: dict[str, Task]) -> None:
    message = "^Ray on this machine cannot be reached: this process is connected to a cluster; leave it first$"
    with pytest.raises(SearchError, match=message):
        make_executor(tasks, 1, None)


@contextmanager
def killer(pids: Path) -> Iterator[None]:
    """Kill the process that trains a `Patient` trial when it waits first, and its worker when it waits again."""

    def kill() -> None:
        for number, column in ((1, 0), (2, 1)):
            while not pids.exists() or len(lines := pids.read_text().splitlines(keepends=True)) < number:
                time.sleep(0.02)
            os.kill(int(lines[-1].split()[column]), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    yield
    thread.join()

"""Process isolation: results come through unchanged, and what a trial does to its process stays there."""

import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from search.core.limits import Limits
from search.training.trial import TrialResult
from search.workers.isolation import IsolatedTrainer, Stopped
from search.workers.job import Job, run_job
from search.workers.packing import pack_task
from tasks.task import Task
from tests.test_search.small import Wicked
from tests.test_search.test_workers.test_executor import BUDGET, XML, make_job


@pytest.fixture
def trainer() -> Iterator[IsolatedTrainer]:
    trainer = IsolatedTrainer(Limits(stalled_seconds=3.0, memory_bytes=2**30))
    yield trainer
    trainer.close()


def train(trainer: IsolatedTrainer, task: Task, job: Job) -> TrialResult | Stopped:
    found = trainer.run(pickle.dumps(job), task.name, lambda: pack_task(task))
    return found if isinstance(found, Stopped) else pickle.loads(found)  # noqa: S301 - our own bytes


def test_a_trial_that_crashes_or_hangs_or_takes_all_memory_is_given_up_and_the_next_is_trained(
    trainer: IsolatedTrainer, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    endless = replace(make_job(), budget=replace(BUDGET, epoch_steps=1_000_000))
    assert train(trainer, Wicked(validation=600, test=900, marks=str(marks)), endless) == Stopped(
        "given up after 3 tries: its process was ended by SIGSEGV; stopped since there was no step of training in "
        "3 seconds; stopped since it took more than 1 GiB of memory"
    )
    assert marks.read_text() == "xxx"
    assert psutil.Process().children() == []
    for seed in (1, 2):
        found = train(trainer, XML, make_job(seed))
        assert isinstance(found, TrialResult)
        assert replace(found, seconds=0.0) == replace(run_job(make_job(seed), XML), seconds=0.0)
    (process,) = psutil.Process().children()
    trainer.close()
    assert not process.is_running()

"""Process isolation: results come through unchanged, and what a trial does to its process stays there."""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from search.core.limits import Limits
from search.training.trial import TrialResult
from search.workers import worker_main
from search.workers.isolation import StartError, Stopped, WorkerProcess
from search.workers.job import Job, run_job
from search.workers.packing import pack_task
from tasks.task import Task
from tests.paths import ROOT
from tests.test_search.small import Wicked
from tests.test_search.test_workers.jobs import BUDGET, XML, make_job


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    worker = WorkerProcess(Limits(stalled_seconds=3.0, memory_bytes=2**30))
    yield worker
    worker.close()


def train(worker: WorkerProcess, task: Task, job: Job) -> TrialResult | Stopped:
    found = worker.run(pickle.dumps(job), task.name, lambda: pack_task(task))
    return found if isinstance(found, Stopped) else pickle.loads(found)  # noqa: S301 - our own bytes


@pytest.mark.slow
def test_a_trial_that_crashes_or_hangs_or_takes_all_memory_is_given_up_and_the_next_is_trained(
    worker: WorkerProcess, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    endless = replace(make_job(), budget=replace(BUDGET, epoch_steps=1_000_000))
    assert train(worker, Wicked(validation=600, test=900, marks=str(marks)), endless) == Stopped(
        "given up after 3 tries: its process was ended by SIGSEGV; stopped since there was no step of training in "
        "3 seconds; stopped since it took more than 1 GiB of memory"
    )
    assert marks.read_text() == "xxx"
    assert psutil.Process().children() == []
    for seed in (1, 2):
        found = train(worker, XML, make_job(seed))
        assert isinstance(found, TrialResult)
        assert replace(found, seconds=0.0) == replace(run_job(make_job(seed), XML), seconds=0.0)
    (process,) = psutil.Process().children()
    worker.close()
    assert not process.is_running()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import sys; sys.exit('first line\\nno such library\\n\\n')", "no such library"),
        ("raise SystemExit(3)", "its process ended with exit status 3"),
        ("import os; os.kill(os.getpid(), 9)", "its process was ended by SIGKILL"),
    ],
)
def test_a_process_that_does_not_start_is_told_with_its_last_words_and_leaves_nothing(
    worker: WorkerProcess, program: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_main, "_START", program)
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for _ in range(2):
        with pytest.raises(StartError, match=f"^a worker process does not start: {reason}$"):
            train(worker, XML, make_job())
    assert psutil.Process().children() == []
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.skipif(sys.platform != "linux", reason="states of processes are read as Linux tells them")
@pytest.mark.slow
def test_the_time_in_which_a_worker_process_is_stopped_does_not_count(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import os, signal, time; from multiprocessing.connection import Connection; import sys; "
        "connection = Connection(int(sys.argv[3])); connection.send_bytes(b''); "
        "[connection.recv_bytes() for _ in range(3)]; os.kill(os.getpid(), signal.SIGSTOP); "
        "connection.send_bytes(b'result'); time.sleep(60)"
    )
    monkeypatch.setattr(worker_main, "_START", program)
    worker.limits = replace(worker.limits, stalled_seconds=1.0)
    threading.Timer(4.0, lambda: psutil.Process().children()[0].resume()).start()
    assert worker.run(b"job", "task", lambda: b"task") == b"result"


def test_a_worker_process_has_neither_pythonpath_nor_the_working_directory_on_its_path(
    worker: WorkerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "working").mkdir()
    monkeypatch.chdir(tmp_path / "working")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), "", str(ROOT)]))
    found = tmp_path / "found"
    program = worker_main._START.replace("main()", "from search.core.import_path import use_own_packages")
    program += f"use_own_packages(); open({str(found)!r}, 'w').write('\\n'.join(sys.path))"
    monkeypatch.setattr(worker_main, "_START", program)
    with pytest.raises(StartError):
        train(worker, XML, make_job())
    path = found.read_text().split("\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-P", "-c", r"import sys; print(*sys.path, sep='\n')"]
    own = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    assert path == [entry for entry in own if entry != str(ROOT)] + [str(ROOT)]

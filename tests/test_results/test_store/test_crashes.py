"""Killed processes, full disks and read-only folders, in real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from results.store.errors import StoreError
from results.store.store import Store
from tests.paths import ROOT
from tests.test_results.rows import GRU, make_baseline, make_evaluation, make_store, make_trial

PRELUDE = """
import os, resource, signal, sys, time
from itertools import count
from pathlib import Path
from results.store.errors import StoreError
from results.store.store import Store
from tests.test_results.rows import GRU, make_baseline, make_evaluation, make_trial
folder = Path(sys.argv[1])
"""


@contextmanager
def python(script: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the script in a process that is killed at the end."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with make_store(tmp_path / "run") as store:
        store.add_cell(make_baseline("gru"))
    return tmp_path / "run"


def test_killed_just_before_a_commit_leaves_whole_evaluations(run: Path) -> None:
    script = """
store = Store.open(folder)
store.record(make_evaluation(GRU, proposal=0), [make_trial(GRU, setting=k) for k in range(5)])
# A cache of a few pages, so that much of the transaction is in the log on disk when the end comes.
store.select("PRAGMA cache_size = 4")
def die(statement):
    if statement == "COMMIT":
        os.kill(os.getpid(), signal.SIGKILL)
store._connection.set_trace_callback(die)
curve = tuple((step, step / 7, step / 9) for step in range(100))
store.record(make_evaluation(GRU, proposal=1), [make_trial(GRU, setting=k, curve=curve) for k in range(5, 205)])
"""
    with python(script, run) as process:
        assert process.wait(60) == -signal.SIGKILL
    assert (run / "run.sqlite-wal").stat().st_size > 500_000
    for readonly in (True, False):
        with Store.open(run, readonly=readonly) as store:
            assert len(store.trials()) == 5
            assert [evaluation.proposal for evaluation in store.evaluations()] == [0]
    with Store.open(run) as store:
        store.record(make_evaluation(GRU, proposal=1), [make_trial(GRU, setting=9)])
        assert len(store.trials()) == 6


def test_killed_anywhere_leaves_whole_evaluations(run: Path) -> None:
    script = """
store = Store.open(folder)
for k in count(len(store.evaluations())):
    store.record(make_evaluation(GRU, proposal=k), [make_trial(GRU, setting=10 * k + i) for i in range(7)])
    print(k, flush=True)
"""
    told = 0
    for rounds in (1, 30, 200):
        with python(script, run) as process:
            assert process.stdout is not None
            for _ in range(rounds):
                told = int(process.stdout.readline())
            process.kill()
        with Store.open(run) as store:
            evaluations = [evaluation.proposal for evaluation in store.evaluations()]
            settings = Counter(json.loads(trial.setting)["learning_rate"] // 10 for trial in store.trials())
            assert evaluations == list(range(len(evaluations)))
            assert len(evaluations) > told
            assert settings == dict.fromkeys(evaluations, 7)


def test_a_second_driver_waits_for_the_first_to_die(run: Path) -> None:
    script = """
with Store.open(folder).lock():
    print("locked", flush=True)
    time.sleep(600)
"""
    with python(script, run) as process, Store.open(run) as store:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(StoreError, match="is being driven by another process"), store.lock():
            pass
        process.kill()
        process.wait()
        with store.lock():
            store.mark(driven=True)
        assert store.information["driven"] is True


def test_a_disk_that_fills_up_keeps_what_was_recorded(run: Path) -> None:
    script = """
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
store = Store.open(folder)
try:
    for k in count():
        store.record(make_evaluation(GRU, proposal=k), [make_trial(GRU, setting=10 * k + i) for i in range(7)])
except StoreError as error:
    print(k)
    print(error)
    print(len(store.trials()))
"""
    with python(script, run) as process:
        recorded, message, trials = process.communicate(timeout=60)[0].splitlines()
    assert int(recorded) > 3
    assert int(trials) == 7 * int(recorded)
    assert message.startswith(f"{run / 'run.sqlite'}: the disk")
    assert "--resume" in message
    with Store.open(run) as store:
        assert len(store.evaluations()) == int(recorded)
        assert len(store.trials()) == 7 * int(recorded)
        store.record(make_evaluation(GRU, proposal=10**6), [make_trial(GRU, setting=-1)])


def test_a_folder_that_may_not_be_written_can_be_read() -> None:
    # Root may write anywhere, so as root the process becomes nobody; hence a folder that nobody can reach.
    folder = Path(tempfile.mkdtemp())
    try:
        with make_store(folder) as store:
            store.add_cell(make_baseline("gru"))
            store.record(make_evaluation(GRU), [make_trial(GRU)])
        folder.chmod(0o555)
        for entry in folder.iterdir():
            entry.chmod(0o444)
        script = """
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
with Store.open(folder, readonly=True) as store:
    print(store.name, len(store.trials()), store.cell(GRU[:4]).name)
def attempt(action):
    try:
        action()
    except StoreError as error:
        print(error)
def write():
    with Store.open(folder) as store:
        store.mark(driven=True)
def drive():
    with Store.open(folder, readonly=True) as store, store.lock():
        print("driving")
attempt(write)
attempt(drive)
"""
        with python(script, folder) as process:
            lines = process.communicate(timeout=60)[0].splitlines()
        assert process.returncode == 0
        assert lines[0] == f"{folder.name} 1 gru"
        assert len(lines) == 3
        assert lines[1].startswith(f"{folder / 'run.sqlite'}: it ")
        assert "permissions" in lines[1]
        assert lines[2].startswith(f"{folder / 'run.lock'}: the system refused it (Permission denied); check the path")
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)

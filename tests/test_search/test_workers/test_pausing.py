"""Ctrl-Z stops the processes of a search with it, whatever group they are in."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from search.workers.pausing import pausing

PROGRAM = """
import subprocess, sys, time
from search.workers.pausing import pausing
with pausing():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
    print("ready", flush=True)
    while True:
        time.sleep(0.05)
"""


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="states of processes are read as Linux tells them")
def test_processes_of_other_groups_stop_and_continue_with_the_process() -> None:
    # A group of its own in this session, as a shell gives one to each job.
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, process_group=0)
    family: list[psutil.Process] = []
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
        for _ in range(2):
            os.killpg(process.pid, signal.SIGTSTP)
            wait_until(lambda: all(p.status() == psutil.STATUS_STOPPED for p in family))
            os.killpg(process.pid, signal.SIGCONT)
            wait_until(lambda: all(p.status() != psutil.STATUS_STOPPED for p in family))
    finally:
        for one in reversed(family):
            one.kill()
        process.kill()
        process.communicate()
    assert len(family) == 2


def test_the_handler_is_that_of_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTSTP)
    with pausing():
        assert signal.getsignal(signal.SIGTSTP) != before
    assert signal.getsignal(signal.SIGTSTP) == before

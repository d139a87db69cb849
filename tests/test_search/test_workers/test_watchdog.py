"""A process that foreign code holds for ever is ended with one line."""

import signal
import subprocess
import sys

import pytest

from search.workers.watchdog import watchdog
from tests.paths import ROOT

STUCK = """
import ctypes
from search.workers.watchdog import watchdog
with watchdog(2, "the 'line'; $HOME"):
    ctypes.PyDLL(None).sleep(300)  # which keeps Python's lock
"""


@pytest.mark.slow
def test_a_process_that_is_stuck_with_pythons_lock_ends_with_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGKILL, "", "the 'line'; $HOME\n")


def test_what_ends_in_time_is_left_alone() -> None:
    with watchdog(60, "never said"):
        pass

"""Machine code reads and writes nothing outside of its arrays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.test_search.test_kernels.hosts import require_host
from tests.test_search.test_kernels.vocabulary import GUARDED

HERE = Path(__file__).parent


@pytest.mark.slow
def test_machine_code_touches_nothing_outside_of_its_arrays() -> None:
    require_host()
    mutants = 8
    run = subprocess.run(
        [sys.executable, "-W", "error", HERE.parent / "guarded_run.py", str(mutants)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (run.returncode, run.stdout) == (0, f"ran {mutants + 6 + len(GUARDED)}\n" * 2), run.stderr


def test_the_guards_do_catch_an_access_beyond_the_end() -> None:
    program = "from guarded_run import *; t = guarded(True, 16); ctypes.memset(t.data_ptr() + 64, 0, 1)"
    run = subprocess.run([sys.executable, "-c", program], cwd=HERE.parent, env={"PYTHONPATH": str(ROOT)}, timeout=60)
    assert run.returncode < 0  # ended by a signal

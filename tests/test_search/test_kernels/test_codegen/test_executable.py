"""A process that may not execute memory of its own trains in plain PyTorch, and says so."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from search.kernels.codegen.executable import may_execute
from tests.paths import ROOT

REFUSING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/mman.h>
int mprotect(void *start, size_t size, int protection) {
    if (protection & PROT_EXEC) { errno = EACCES; return -1; }
    return ((int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "mprotect"))(start, size, protection);
}
"""
"""Library that is loaded before the C library, and refuses what a hardened system does."""


def test_this_machine_may_execute_memory() -> None:
    assert may_execute()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None or sys.platform != "linux", reason="needs gcc and LD_PRELOAD")
def test_without_executable_memory_a_cell_trains_in_plain_pytorch_and_the_command_says_so(tmp_path: Path) -> None:
    (tmp_path / "refusing.c").write_text(REFUSING)
    library = tmp_path / "refusing.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, tmp_path / "refusing.c", "-ldl"], check=True)
    command = [sys.executable, "-m", "gatesearch", "train", "tanh", "xml", "--epochs", "1", "--epoch-steps", "2"]
    environment = os.environ | {"LD_PRELOAD": str(library), "COLUMNS": "200"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        "no machine code of cells: this process may not make memory executable; they run in plain PyTorch, "
        "many times slower"
    ) in done.stdout

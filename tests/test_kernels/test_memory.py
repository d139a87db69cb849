"""No read or write outside of an array, scratch memory that is reused, and paths where there is no machine code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from search.cells.library import LIBRARY
from search.kernels import compiled as compiled_module
from search.kernels.compiled import compiled
from search.kernels.machine import host
from search.kernels.memory import pad, scratch
from search.kernels.recurrence import backend_for, run_layer
from search.kernels.reference import run_reference

if TYPE_CHECKING:
    from tests.test_kernels.conftest import Draw, Evaluate

HERE = Path(__file__).parent


@pytest.mark.parametrize("side", ["end", "start"])
def test_machine_code_touches_nothing_outside_of_its_arrays(side: str) -> None:
    if host() is None:
        return  # nothing to hold: this machine gets no machine code
    mutants = 8
    run = subprocess.run(
        [sys.executable, "-W", "error", HERE / "guarded.py", side, str(mutants)],
        cwd=HERE.parents[1],
        env={"PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (run.returncode, run.stdout) == (0, f"ran {mutants + 5}\n"), run.stderr


def test_the_guards_do_catch_an_access_beyond_the_end() -> None:
    program = "from guarded import *; t = guarded(True, 16); ctypes.memset(t.data_ptr() + 64, 0, 1)"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=HERE, env={"PYTHONPATH": str(HERE.parents[1])}, timeout=60
    )
    assert run.returncode < 0  # ended by a signal


def test_scratch_memory_is_kept_as_long_as_it_is_enough() -> None:
    first = scratch(1000)
    assert scratch(10) == scratch(1000) == first


def test_padding_copies_only_what_is_no_whole_vector() -> None:
    whole, part = torch.ones(2, 16), torch.ones(2, 15)
    assert pad(whole, 16) is whole
    assert pad(part, 16)[:, 15].tolist() == [0.0, 0.0]
    assert torch.equal(pad(part, 16)[:, :15], part)


def test_where_llvm_rejects_the_text_torch_runs_the_cell(
    monkeypatch: pytest.MonkeyPatch, draw: Draw, evaluate: Evaluate
) -> None:
    graph = LIBRARY["lstm"].graph
    arguments = draw(graph)
    compiled.cache_clear()
    monkeypatch.setattr(compiled_module, "module_text", lambda *_: "this is no LLVM")
    try:
        assert backend_for(graph, arguments[2]) == "eager"
        found, expected = (evaluate(path, graph, arguments) for path in (run_layer, run_reference))
    finally:
        compiled.cache_clear()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


def test_double_precision_gets_no_machine_code() -> None:
    graph = LIBRARY["lstm"].graph
    assert backend_for(graph, torch.zeros(1, 1, 1, dtype=torch.float64)) == "eager"
    assert backend_for(graph, torch.zeros(1, 1, 1)) == ("eager" if host() is None else "llvm")

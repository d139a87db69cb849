"""No read or write outside of an array, scratch memory that is reused, and paths where there is no machine code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from search.cells.library import LIBRARY
from search.kernels.codegen.host import host
from search.kernels.recurrence import backend_for, run_layer
from search.kernels.reference import run_reference
from search.kernels.runtime import compiled as compiled_module
from search.kernels.runtime.compiled import compiled
from search.kernels.runtime.memory import pad, scratch
from tests.paths import ROOT

if TYPE_CHECKING:
    from tests.test_search.test_kernels.conftest import Draw, Evaluate

HERE = Path(__file__).parent


@pytest.mark.parametrize("side", ["end", "start"])
def test_machine_code_touches_nothing_outside_of_its_arrays(side: str) -> None:
    if host() is None:
        return  # nothing to hold: this machine gets no machine code
    mutants = 8
    run = subprocess.run(
        [sys.executable, "-W", "error", HERE.parent / "guarded.py", side, str(mutants)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (run.returncode, run.stdout) == (0, f"ran {mutants + 5}\n"), run.stderr


def test_the_guards_do_catch_an_access_beyond_the_end() -> None:
    program = "from guarded import *; t = guarded(True, 16); ctypes.memset(t.data_ptr() + 64, 0, 1)"
    run = subprocess.run([sys.executable, "-c", program], cwd=HERE.parent, env={"PYTHONPATH": str(ROOT)}, timeout=60)
    assert run.returncode < 0  # ended by a signal


def test_scratch_memory_is_kept_as_long_as_it_is_enough() -> None:
    first = scratch(1000)
    assert scratch(10) == scratch(1000) == first


def test_padding_copies_only_what_is_no_whole_vector() -> None:
    whole, part = torch.ones(2, 16), torch.ones(2, 15)
    assert pad(whole, 16) is whole
    assert pad(part, 16)[:, 15].tolist() == [0.0, 0.0]
    assert torch.equal(pad(part, 16)[:, :15], part)


def saved_bytes(run: Callable[[], object]) -> int:
    """What autograd keeps for the backward of what `run` computes, each storage once."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        run()
    return sum(kept.values())


@pytest.mark.parametrize("name", ["lstm", "gru", "gru-after", "mut1", "mut2", "mut3"])
def test_no_more_is_kept_for_the_backward_than_torchs_lstm_keeps(name: str, draw: Draw) -> None:
    weight, bias, x, states = draw(LIBRARY[name].graph, units=64, batch=20, steps=50)
    peer = torch.nn.LSTM(64, 64)
    ours = saved_bytes(lambda: run_layer(LIBRARY[name].graph, weight, bias, x, states))
    assert 0 < ours <= saved_bytes(lambda: peer(x))


def test_every_process_computes_the_same_bits_on_any_number_of_threads() -> None:
    program = """
import sys, hashlib, torch
from search.cells.library import LIBRARY
from search.kernels.recurrence import run_layer
torch.set_num_threads(int(sys.argv[1]))
g = torch.Generator().manual_seed(0)
draw = lambda *shape: torch.randn(*shape, generator=g).mul_(0.1).requires_grad_()
arguments = draw(8, 96, 96), draw(8, 96), draw(9, 20, 96)
states = draw(20, 96), draw(20, 96)
outputs, last = run_layer(LIBRARY["lstm"].graph, *arguments, states)
found = [outputs.detach(), *torch.autograd.grad(outputs.square().sum(), [*arguments, *states])]
print(hashlib.sha256(b"".join(t.contiguous().numpy().tobytes() for t in found)).hexdigest())
"""
    runs = [
        subprocess.run(
            [sys.executable, "-c", program, threads],
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for threads in ("1", "2")
    ]
    assert len(runs[0]) == 65
    assert runs[0] == runs[1]


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

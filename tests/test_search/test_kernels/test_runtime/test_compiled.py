"""Machine code for other CPUs than this one has, as far as this one runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.kernels.codegen.host import Host, host
from search.kernels.recurrence import backend_for, run_layer
from search.kernels.reference import run_reference
from search.kernels.runtime import compiled as compiled_module
from search.kernels.runtime.compiled import compiled

if TYPE_CHECKING:
    from tests.test_search.test_kernels.conftest import Draw, Evaluate


def narrower() -> list[Host]:
    """This machine with shorter vectors, and an older CPU that it can stand in for."""
    here = host()
    if here is None:
        return []
    older = [Host(8, 16, "haswell", "")] if here.width == 16 else []
    return [*older, Host(4, here.registers, here.cpu, here.features)]


@pytest.mark.parametrize("machine", narrower(), ids=lambda machine: f"{machine.cpu}-{machine.width}")
def test_any_vector_width_equals_the_reference(
    machine: Host, monkeypatch: pytest.MonkeyPatch, draw: Draw, evaluate: Evaluate, mutants: list[GateGraph]
) -> None:
    compiled.cache_clear()
    monkeypatch.setattr(compiled_module, "host", lambda: machine)
    graphs = [*(LIBRARY[name].graph for name in ("lstm", "gru", "mut1")), *mutants[:5]]
    try:
        for graph in graphs:
            for units, batch in ((19, 13), (32, 2), (4, 1)):
                arguments = draw(graph, units=units, batch=batch)
                assert backend_for(graph, arguments[2]) == "llvm"
                expected = evaluate(run_reference, graph, arguments)
                for name, value in evaluate(run_layer, graph, arguments).items():
                    torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-4)
    finally:
        compiled.cache_clear()


def test_no_more_than_so_many_cells_are_kept() -> None:
    assert compiled.cache_parameters()["maxsize"] == compiled_module.CACHED_CELLS
    first = compiled(LIBRARY["tanh"].graph)
    assert compiled(LIBRARY["tanh"].graph) is first

"""Exported modules keep their numbers through torch.jit.script, a file of it, and torch.compile."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters

from search.cells.export.module import export_module
from search.cells.library import STUDY
from tests.test_search.test_cells.test_export.loading import Load, load
from tests.test_search.test_cells.test_export.unusual import FORMULAS

__all__ = ["load"]

T, B, H, L = 5, 3, 8, 2
DEPRECATED = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def called(module: Any, *arguments: Any) -> list[Tensor]:
    """Return the outputs and the states of a call, one after the other."""
    output, states = module(*arguments)
    return [output, *((states,) if isinstance(states, Tensor) else states)]


def assert_equal(found: list[Tensor], expected: list[Tensor]) -> None:
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted, equal_nan=True)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


@DEPRECATED
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.exact if name in STUDY and name not in ("lstm", "mut3") else ())
        for name in FORMULAS
        if not name.startswith("sprinkled") or name.endswith(("1", "2"))
    ],
)
def test_torch_jit_script_compiles_layers_and_steps_of_every_kind(name: str, load: Load) -> None:
    torch.manual_seed(0)
    module = load(export_module(FORMULAS[name], "cell"))
    cell, step = module.Cell(H, H, L), module.CellCell(H, H)
    scripted = torch.jit.script(cell)
    x = drawn(T, B, H)
    expected = called(cell, x)
    assert_equal(called(scripted, x), expected)
    states = cell(x)[1]
    assert_equal(called(scripted, drawn(T + 4, B, H), states), called(cell, drawn(T + 4, B, H), states))
    assert_equal(called(scripted, x[:, 0]), called(cell, x[:, 0]))
    assert_equal(flat(torch.jit.script(step)(x[0])), flat(step(x[0])))


def flat(states: Any) -> list[Tensor]:
    return [states] if isinstance(states, Tensor) else list(states)


@DEPRECATED
@pytest.mark.parametrize("name", ["lstm", "gru", "eleven states"])
def test_a_script_is_stored_and_loaded_and_goes_both_ways(name: str, load: Load) -> None:
    cell = load(export_module(FORMULAS[name], "cell", bidirectional=True)).Cell(H, H, 1, batch_first=True)
    assert cell.bidirectional
    stored = io.BytesIO()
    torch.jit.save(torch.jit.script(cell), stored)
    stored.seek(0)
    loaded: Any = torch.jit.load(stored)  # type: ignore[no-untyped-call]
    assert_equal(called(loaded, drawn(B, T, H)), called(cell, drawn(B, T, H)))


@DEPRECATED
def test_a_script_refuses_what_the_module_refuses(load: Load) -> None:
    scripted = torch.jit.script(load(export_module(FORMULAS["lstm"], "cell")).Cell(6, H))
    for arguments, message in (
        ((drawn(T, B, 7),), "input has shape .5, 3, 7.; .* the last of input_size 6"),
        ((drawn(T, B, 6), (drawn(1, B, H), drawn(1, 1, H))), "a state has shape .1, 1, 8.; it must be .1, 3, 8."),
        ((drawn(0, B, 6),), "input has no steps"),
    ):
        with pytest.raises(torch.jit.Error, match=message):
            scripted(*arguments)


@DEPRECATED
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["lstm", "block-diagonal matrices", "layer norms"])
@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_torch_compile_takes_the_whole_in_one_graph_and_keeps_outputs_and_gradients(
    name: str, backend: str, load: Load
) -> None:
    torch.manual_seed(0)
    cell = load(export_module(FORMULAS[name], "cell")).Cell(H, H, L, dtype=torch.float64)
    compiled = torch.compile(cell, fullgraph=True, backend=backend)
    x = drawn(T, B, H).double()
    found, expected = called(compiled, x), called(cell, x)
    assert_equal(found, expected)
    weights = list(cell.parameters())
    assert_equal(
        list(torch.autograd.grad(found[0].square().sum(), weights)),
        list(torch.autograd.grad(expected[0].square().sum(), weights)),
    )


@DEPRECATED
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("backend", "bidirectional"),
    [
        pytest.param("eager", False, marks=pytest.mark.slow),
        pytest.param("eager", True, marks=pytest.mark.exact),
        pytest.param("inductor", False, marks=pytest.mark.exact),
        pytest.param("inductor", True, marks=pytest.mark.exact),
    ],
)
def test_without_gradients_torch_compile_takes_any_length_and_batch_in_a_few_graphs(
    backend: str, bidirectional: bool, load: Load
) -> None:
    """With them the same function gives those of the module: Inductor's of a scan after a scan would be wrong."""
    torch.compiler.reset()
    counters["stats"].clear()
    torch.manual_seed(0)
    cell = load(export_module(FORMULAS["lstm"], "cell")).Cell(H, H, L, bidirectional=bidirectional, dtype=torch.float64)
    compiled = torch.compile(cell, fullgraph=True, backend=backend)
    shapes = [(5, 3), (7, 2), (1, 1), (29, 4), (3, 1), (1, 6), (100, 2), (2, 5), (11, 3), (13, 7), (17, 2)]
    with torch.no_grad():
        for steps, batch in shapes:
            x = drawn(steps, batch, H).double()
            assert_equal(called(compiled, x), called(cell, x))
    assert counters["stats"]["unique_graphs"] <= 6  # one, several; and PyTorch compiles a size of 1 for itself
    weights = list(cell.parameters())
    x = drawn(T, B, H).double()
    found, expected = (torch.autograd.grad(part(x)[0].square().sum(), weights) for part in (compiled, cell))
    assert_equal(list(found), list(expected))


@DEPRECATED
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiled_steps_train_on_any_length_without_compiling_again(backend: str, load: Load) -> None:
    torch.compiler.reset()
    torch.manual_seed(0)
    module = load(export_module(FORMULAS["lstm"], "cell"))
    cell, peer = (module.Cell(H, H, L, bidirectional=True, dtype=torch.float64) for _ in range(2))
    peer.load_state_dict(cell.state_dict())
    for layer in cell.layers:
        layer.step = torch.compile(layer.step, fullgraph=True, backend=backend)
    assert cell.state_dict().keys() == peer.state_dict().keys()
    for steps in (T, 1, 7, 12):
        if steps == 7:
            counters["stats"].clear()
        x = drawn(steps, B, H).double()
        found, expected = called(cell, x), called(peer, x)
        assert_equal(found, expected)
        assert_equal(
            *(
                list(torch.autograd.grad(results[0].square().sum(), list(one.parameters())))
                for one, results in ((cell, found), (peer, expected))
            )
        )
    assert counters["stats"]["unique_graphs"] == 0

"""Machine code of a cell: cached, described by its program, and absent where LLVM cannot make it."""

import pytest

from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.kernels.codegen.cell import SEGMENTS
from search.kernels.plan.adjoint import BufferKind
from search.kernels.runtime import compiled as compiled_module
from search.kernels.runtime.compiled import CompiledCell, compile_cell
from search.training.model import SequenceModel
from search.training.stepper import Backend, stepper_for
from tasks.interface import Interface
from tasks.task import Output
from tests.test_search.test_kernels.hosts import require_host


def code_of(name: str) -> CompiledCell:
    require_host()
    code = compile_cell(LIBRARY[name].graph)
    assert code is not None
    return code


def test_a_cell_is_compiled_once_and_a_limited_number_is_kept() -> None:
    assert code_of("tanh") is code_of("tanh")
    assert compile_cell.cache_parameters()["maxsize"] == compiled_module.CACHED_CELLS


def test_every_segment_has_an_address_of_its_own() -> None:
    addresses = code_of("gru").addresses
    assert tuple(addresses) == SEGMENTS
    assert len(set(addresses.values())) == len(SEGMENTS)
    assert 0 not in addresses.values()


def test_a_number_of_columns_is_rounded_up_to_whole_vectors() -> None:
    code = code_of("tanh")
    width = code.host.width
    assert [code.pad(n) for n in (1, width, width + 1)] == [width, width, 2 * width]


def test_biases_of_a_gate_add_to_one_sum_and_an_unread_one_to_none() -> None:
    lstm = code_of("lstm")
    counts = [list(lstm.sums_of_biases).count(s) for s in range(5)]
    assert counts == [2, 2, 2, 2, 0]
    unread = compile_cell(parse_formula("g = linear(x); h' = tanh(linear(h))"))
    assert unread is not None
    assert unread.sums_of_biases.tolist() == [1, 0]
    partly = compile_cell(parse_formula("h' = tanh(linear(x, bias=False) + linear(h)) * linear(x)"))
    assert partly is not None
    assert sorted(partly.sums_of_biases.tolist()) == [0, 1]


def test_a_table_lists_the_weights_and_then_the_addresses_of_the_segments_buffers() -> None:
    code = code_of("tanh")  # before: sum0 = matrix0 x
    values = {(BufferKind.X, 0): 50, (BufferKind.SUM, 0): 60}
    assert code.table("before", (1, 2, 3, 4, 5, 6), values, {}) == [1, 2, 3, 4, 5, 6, 50, 60]
    gradients = {(BufferKind.X, 0): 70, (BufferKind.SUM, 0): 80}
    assert set(code.table("before_backward", (1, 2, 3, 4, 5, 6), values, gradients)[6:]) == {80, 70, 50}


def test_a_segment_without_work_has_no_table() -> None:
    code = compile_cell(parse_formula("h' = tanh(linear(h))"))
    assert code is not None
    assert code.table("before", (1, 2, 3, 4, 5, 6), {}, {}) == []


def test_the_code_by_symbol_is_another_one() -> None:
    code, by_symbol = (compile_cell(LIBRARY["tanh"].graph, which) for which in (False, True))
    assert code is not None
    assert by_symbol is not None
    assert (code.by_symbol, by_symbol.by_symbol) == (False, True)
    assert not code.program.tables
    assert by_symbol.program.tables
    assert code.addresses != by_symbol.addresses


def test_a_model_whose_cell_llvm_rejects_is_trained_by_the_eager_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    require_host()
    graph = LIBRARY["lstm"].graph
    compile_cell.cache_clear()
    monkeypatch.setattr(compiled_module, "cell_text", lambda *_: "this is no LLVM")
    try:
        assert compile_cell(graph) is None
        assert stepper_for(SequenceModel(graph, 16, 1, Interface.same(Output.SYMBOLS, 5))).backend is Backend.EAGER
    finally:
        compile_cell.cache_clear()


def test_a_machine_without_a_host_gets_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_cell.cache_clear()
    monkeypatch.setattr(compiled_module, "host", lambda: None)
    try:
        assert compile_cell(LIBRARY["lstm"].graph) is None
    finally:
        compile_cell.cache_clear()

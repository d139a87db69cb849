"""Memory of a model: an arena that grows, and addresses of buffers that do not overlap."""

from __future__ import annotations

import itertools

import pytest
import torch

from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.kernels.codegen.update import CONTROL
from search.kernels.optimisers import OptimiserName, Updates
from search.kernels.parameters import LayerParameters
from search.kernels.plan.adjoint import BufferKind
from search.kernels.plan.build import program_of
from search.kernels.plan.program import Program
from search.kernels.runtime.buffers import (
    Arena,
    ModelBuffers,
    Parameters,
    gradient_addresses,
    gradient_floats,
    table_addresses,
    table_floats,
    value_addresses,
    value_floats,
)
from search.kernels.runtime.compiled import compile_cell
from search.training.model import SequenceModel
from search.training.stepper import NativeStepper, stepper_for
from tasks.interface import Interface
from tasks.task import Output
from tests.test_search.test_kernels.hosts import require_host
from tests.test_search.test_kernels.vocabulary import VOCABULARY

T, B, H = 5, 3, 16
ROW = 4 * B * H


def test_a_block_stays_where_it_is_as_long_as_it_is_large_enough() -> None:
    arena = Arena()
    first = arena.allocate("a", 1000)
    assert arena.allocate("a", 10) == arena.allocate("a", 1000) == first
    assert arena["a"].data_ptr() == first
    assert arena.bytes_held() == 4000
    arena.allocate("a", 1001)
    arena.allocate("b", 1)
    assert arena.bytes_held() == 4004 + 4
    assert len(arena["a"]) == 1001


def test_a_block_is_filled_when_it_is_new_and_not_again() -> None:
    arena = Arena()
    arena.allocate("a", 3, 2.5)
    assert arena["a"].tolist() == [2.5, 2.5, 2.5]
    arena["a"][0] = 7.0
    arena.allocate("a", 2, 2.5)
    assert arena["a"].tolist() == [7.0, 2.5, 2.5]
    arena.allocate("a", 4, 1.0)
    assert arena["a"].tolist() == [1.0] * 4


def test_a_block_with_slack_has_so_many_numbers_more_than_are_asked_for() -> None:
    arena = Arena()
    arena.slack = 8
    first = arena.allocate("a", 100, 1.0)
    assert arena.allocate("a", 100) == first
    assert arena["a"].tolist() == [1.0] * 108


@pytest.mark.parametrize(("formula", "vectors"), [("h' = tanh(linear(x))", 0), ("h' = tanh(linear(x, groups=2))", 1)])
def test_only_models_with_block_diagonal_matrices_have_slack(formula: str, vectors: int) -> None:
    host = require_host()
    model = SequenceModel(parse_formula(formula).canonical(), H, 1, Interface.same(Output.SYMBOLS, 5))
    stepper = stepper_for(model)
    assert isinstance(stepper, NativeStepper)
    assert stepper.native.buffers.arena.slack == vectors * host.width


CELLS = {name: LIBRARY[name].graph for name in ("lstm", "gru", "mut1")} | {
    "sunk": parse_formula("c' = tanh(linear(x) + linear(c)); h' = sigmoid(linear(c'))").canonical(),
    "delayed": parse_formula("h' = tanh(linear(q) + p * x) + h; p' = sigmoid(linear(x)); q' = p").canonical(),
    "norms": parse_formula(VOCABULARY["norm read in all phases"]).canonical(),
}


def assert_apart(blocks: list[tuple[int, int]]) -> None:
    """Assert that blocks (address, bytes) do not overlap."""
    for (start, size), (following, _) in itertools.pairwise(sorted(blocks)):
        assert start + size <= following


@pytest.mark.parametrize("name", CELLS)
def test_values_lie_in_their_blocks_without_overlap(name: str) -> None:
    graph, program = CELLS[name], program_of(CELLS[name])
    x, states, sums, values = 1 << 20, 2 << 20, 3 << 20, 4 << 20
    found = value_addresses(program, (x, states, sums, values), graph.states, T, B, H)
    assert found[BufferKind.X, 0] == x
    for k in range(graph.states):  # the states before the first step come first, those after step t are t + 1 rows on
        assert found[BufferKind.OLD, k] == states + k * (T + 1) * ROW
        assert found[BufferKind.NEW, k] == found[BufferKind.OLD, k] + ROW
    assert [found[BufferKind.SUM, s] for s in range(program.sums)] == [sums + s * T * ROW for s in range(program.sums)]
    assert [found[BufferKind.VALUE, v] for v in range(program.values)] == [
        values + v * T * ROW for v in range(program.values)
    ]
    scales = values + program.values * T * ROW  # a number for each row
    assert [found[BufferKind.SCALE, n] for n in range(program.norms)] == [
        scales + n * 4 * T * B for n in range(program.norms)
    ]
    assert len(found) == 1 + 2 * graph.states + program.sums + program.values + program.norms


def gradient_blocks(program: Program, states: int) -> list[tuple[int, int]]:
    """Return the blocks of gradients: x, output, states, sums and values."""
    addresses = {k: (3 + k) << 20 for k in range(states)}
    found = gradient_addresses(program, 1 << 20, addresses, 10 << 20, 2 << 20, T, B, H)
    blocks = [(found[BufferKind.X, 0], T * ROW), (found[BufferKind.OUTPUT, 0], T * ROW)]
    for k in range(states):
        tracked = k in program.tracked
        assert found[BufferKind.OLD, k] == addresses[k]
        assert found[BufferKind.NEW, k] - addresses[k] == (ROW if tracked else 0)
        blocks.append((addresses[k], ((T + 1) if tracked else 2) * ROW))
    blocks += [(found[BufferKind.SUM, s], T * ROW) for s in range(program.sums)]
    return blocks + [
        (found[BufferKind.VALUE, v], (1 if v in program.scratch else T) * ROW) for v in range(program.values)
    ]


@pytest.mark.parametrize("name", CELLS)
def test_gradients_lie_apart_and_those_of_sums_and_values_fill_their_memory(name: str) -> None:
    program = program_of(CELLS[name])
    blocks = gradient_blocks(program, CELLS[name].states)
    assert_apart(blocks)
    inner = [(start, size) for start, size in blocks if start >= 10 << 20]
    assert sum(size for _, size in inner) == 4 * gradient_floats(program, T, B, H)
    assert max(start + size for start, size in inner) == (10 << 20) + 4 * gradient_floats(program, T, B, H)


@pytest.mark.parametrize("name", CELLS)
def test_by_symbol_tables_and_arrays_fill_their_memory_without_overlap(name: str) -> None:
    graph, program = CELLS[name], program_of(CELLS[name], by_symbol=True)
    states, sums, values = 2 << 20, 3 << 20, 4 << 20
    stepped = value_addresses(program, (1 << 20, states, sums, values), graph.states, T, B, H)
    floats = value_floats(program, graph.states, T, B, H)
    rows = 7 + program.longest_delay * B
    tables = table_addresses(program, 5 << 20, 6 << 20, rows, H)
    assert tables.pop((BufferKind.X, 0)) == 5 << 20
    for k in program.delayed:
        assert tables.pop((BufferKind.OLD, k)) == tables[BufferKind.NEW, k]
        assert (BufferKind.OLD, k) not in stepped
    blocks = [(at, 4 * rows * H) for at in tables.values()]
    assert_apart(blocks)
    assert max(start + size for start, size in blocks) == (6 << 20) + 4 * table_floats(program, rows, H)
    lengths = {BufferKind.OLD: (T + 1) * ROW, BufferKind.SUM: T * ROW, BufferKind.VALUE: T * ROW}
    lengths[BufferKind.SCALE] = 4 * T * B  # a number for each row, behind the values
    for kinds, first, size in zip(
        ((BufferKind.OLD,), (BufferKind.SUM,), (BufferKind.VALUE, BufferKind.SCALE)),
        (states, sums, values),
        floats,
        strict=True,
    ):
        found = [(at, lengths[kind]) for (kind, _), at in stepped.items() if kind in kinds]
        assert_apart(found)
        assert sum(length for _, length in found) == 4 * size
        assert all(first <= at and at + length <= first + 4 * size for at, length in found)
    assert not set(tables) & set(stepped)
    assert {key[1] for key in tables | stepped if key[0] is BufferKind.SUM} == set(range(program.sums))
    assert {key[1] for key in tables | stepped if key[0] is BufferKind.VALUE} == set(range(program.values))


def test_sizes_of_a_model_are_those_of_its_parameters() -> None:
    host = require_host()
    code = compile_cell(LIBRARY["gru"].graph)
    assert code is not None
    layers = 3
    cell = (LayerParameters(torch.zeros(6, H, H), torch.zeros(6, H)),) * layers
    entry, readout, bias = torch.zeros(17, H), torch.zeros(17, H), torch.zeros(17)
    parameters = Parameters(torch.zeros(1), entry, torch.zeros(0), cell, readout, bias, torch.zeros(0))
    updates = Updates(OptimiserName.SGD, parameters.flat)
    model = ModelBuffers(code, parameters, parameters, True, "symbols", updates)
    assert (model.layers, model.units, model.input_size, model.output_size) == (layers, H, 17, 17)
    assert model.padded_output_size == -(-17 // host.width) * host.width
    assert (len(model.control), len(model.results), len(model.count)) == (CONTROL, 3, 1)

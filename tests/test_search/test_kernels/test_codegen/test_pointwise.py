"""Pointwise stages in machine code against the same stages in numpy."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from search.cells.graph import GateGraph
from search.cells.library import STUDY
from search.cells.notation.formula import parse_formula
from search.kernels.codegen.host import Host
from search.kernels.codegen.pointwise import FIRST_ROW, numbers_of, stage_text
from search.kernels.plan.adjoint import Buffer, BufferKind, Stage, backward_stage, forward_stage, gradient
from search.kernels.runtime.jit import MachineCode
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import Floats, compile_text
from tests.test_search.test_kernels.stages import inputs_of, run_stage


def run_compiled(code: MachineCode, name: str, stage: Stage, memory: dict[Buffer, Floats]) -> None:
    """Run a compiled stage on the arrays in `memory`."""
    arrays = [memory[buffer] for buffer in stage.buffers()]
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * len(arrays))(code.address(name))
    function(arrays[0].size, *(array.ctypes.data for array in arrays))


def stages_of(graph: GateGraph) -> list[Stage]:
    """Return the pointwise part of a cell as one forward and one backward stage."""
    inputs = inputs_of(graph)
    targets = [(i, Buffer(BufferKind.NEW, n)) for n, i in enumerate(graph.outputs)]
    incoming: dict[int, list[Buffer]] = {}
    for i, buffer in targets:
        incoming.setdefault(i, []).append(gradient(buffer))
    written = {gradient(buffer) for _, buffer in targets}
    return [forward_stage(graph, inputs, targets), backward_stage(graph, inputs, inputs, incoming, written)]


@pytest.mark.parametrize("host", HOSTS)
def test_stages_of_cells_and_mutants_equal_numpys(host: Host, mutants: list[GateGraph]) -> None:
    rng = np.random.default_rng(0)
    graphs = [*(cell.graph for cell in STUDY.values()), *mutants[:10]]
    stages = [stage for graph in graphs for stage in stages_of(graph) if stage.stores]
    code = compile_text("\n".join(stage_text(f"stage{n}", stage, host) for n, stage in enumerate(stages)), host)
    for n, stage in enumerate(stages):
        exact = {buffer: rng.normal(size=3 * host.width) for buffer in stage.buffers()}
        memory = {buffer: values.astype(np.float32) for buffer, values in exact.items()}
        exact = {buffer: values.astype(np.float64) for buffer, values in memory.items()}
        run_compiled(code, f"stage{n}", stage, memory)
        run_stage(stage, exact)
        for buffer, values in exact.items():
            np.testing.assert_allclose(memory[buffer], values, rtol=1e-4, atol=1e-5, err_msg=f"stage {n}: {buffer}")


@pytest.mark.parametrize("host", HOSTS)
def test_a_stage_leaves_what_follows_its_arrays(host: Host) -> None:
    stage = stages_of(parse_formula("h' = tanh(x) * h"))[0]
    code = compile_text(stage_text("stage", stage, host), host)
    count = 2 * host.width
    memory = {buffer: np.full(count + 1, 0.5, np.float32) for buffer in stage.buffers()}
    whole = memory[Buffer(BufferKind.NEW)]
    run_compiled(code, "stage", stage, {buffer: values[:count] for buffer, values in memory.items()})
    np.testing.assert_allclose(whole[:count], np.tanh(0.5) * 0.5, rtol=1e-6)
    assert whole[count] == 0.5


@pytest.mark.parametrize("host", HOSTS)
def test_rows_named_by_number_are_read_and_their_gradients_added_to(host: Host) -> None:
    """x is read by one array of numbers, the second state by another, the first state always in its first row."""
    graph = parse_formula("h' = x * h + tanh(c) * x; c' = c * h")
    x, h, c = (Buffer(kind, k) for kind, k in ((BufferKind.X, 0), (BufferKind.OLD, 0), (BufferKind.OLD, 1)))
    access = {x: 0, h: FIRST_ROW, c: 3}
    rng = np.random.default_rng(0)
    numbers = {0: np.array([4, 1, 1, 0, 4]), 3: np.array([2, 2, 0, 1, 2])}
    for n, stage in enumerate(stages_of(graph)):
        assert numbers_of(stage, access) == [0, 3]
        code = compile_text(stage_text("stage", stage, host, access), host)
        memory = {buffer: rng.normal(size=(5, 2 * host.width)).astype(np.float32) for buffer in stage.buffers()}
        expected = {buffer: values.astype(np.float64) for buffer, values in memory.items()}
        for r in range(5):
            rows = {x: numbers[0][r], h: 0, c: numbers[3][r]}
            rows |= {gradient(buffer): row for buffer, row in rows.items()}
            one = {buffer: values[rows.get(buffer, r)].copy() for buffer, values in expected.items()}
            run_stage(stage, one)
            for buffer, _ in stage.stores:
                added = expected[buffer][rows[buffer]] if buffer in rows else 0.0
                expected[buffer][rows.get(buffer, r)] = one[buffer] + added
        pointers = [ctypes.c_void_p] * (2 + len(memory))
        function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, *pointers)(code.address("stage"))
        given = [array.ctypes.data for array in (*numbers.values(), *(memory[b] for b in stage.buffers()))]
        function(5, 2 * host.width, *given)
        for buffer, values in expected.items():
            np.testing.assert_allclose(memory[buffer], values, rtol=1e-4, atol=1e-5, err_msg=f"stage {n}: {buffer}")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("name", "slope"), [("relu", 0.0), ("leaky_relu", 0.01)])
def test_rectifiers_and_their_backward_take_zero_and_nan_as_pytorch_does(name: str, slope: float, host: Host) -> None:
    forward, backward = stages_of(parse_formula(f"h' = {name}(x) + h"))
    code = compile_text("\n".join([stage_text("f", forward, host), stage_text("b", backward, host)]), host)
    x = np.zeros(host.width, np.float32)
    x[:4] = [-2.0, 0.0, 3.0, np.nan]
    new, d_new, d_x = (Buffer(BufferKind.NEW), Buffer(BufferKind.NEW, 0, True), Buffer(BufferKind.X, 0, True))
    memory: dict[Buffer, Floats] = {
        buffer: np.zeros(host.width, np.float32) for stage in (forward, backward) for buffer in stage.buffers()
    }
    memory[Buffer(BufferKind.X)] = x
    memory[d_new][:] = 1.0
    run_compiled(code, "f", forward, memory)
    run_compiled(code, "b", backward, memory)
    np.testing.assert_allclose(memory[new][:4], [-2.0 * slope, 0.0, 3.0, np.nan], rtol=1e-6)
    np.testing.assert_allclose(memory[d_x][:3], [slope, slope, 1.0], rtol=1e-6)

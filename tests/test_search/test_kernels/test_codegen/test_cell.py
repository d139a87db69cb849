"""Segments of cells in machine code against equations written out in numpy."""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt
import pytest

from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.kernels.codegen.cell import SEGMENTS, cell_text
from search.kernels.codegen.gemm import panel_columns
from search.kernels.codegen.host import Host
from search.kernels.plan.adjoint import Buffer, BufferKind
from search.kernels.plan.build import program_of
from search.kernels.runtime.jit import MachineCode
from search.kernels.runtime.library import publish_kernels
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import Floats

T, B = 5, 3


def panels(host: Host, weight: Floats) -> Floats:
    """Lay out matrices (K, H, H) in panels of columns, zeros beyond the last."""
    matrices, units, _ = weight.shape
    width = panel_columns(host)
    count = -(-units // width)
    padded = np.zeros((matrices, units, count * width), np.float32)
    padded[:, :, :units] = weight
    return np.ascontiguousarray(padded.reshape(matrices, units, count, width).transpose(0, 2, 1, 3))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("padding", [0, 1, 3])
@pytest.mark.parametrize("sizes", [[3, 3, 3, 3, 3], [3, 3, 2, 2, 1], [2, 2, 2, 1, 1]])
def test_forward_and_backward_of_the_plain_network_are_those_of_its_equations(
    sizes: list[int], padding: int, host: Host
) -> None:
    """h' = tanh(W0 x + b0 + W1 h + b1): the buffers of each segment, over all steps, and by hand the chain rule.

    Rows are padded to whole vectors, with NaN. So are the rows of sequences that have ended, which nothing writes.
    """
    units = 3 * host.width - padding

    def rows(*shape: int, fill: float = np.nan) -> Floats:
        found = np.full((*shape, 3 * host.width), np.nan, np.float32)
        found[..., :units] = fill
        return found

    def drawn(*shape: int) -> Floats:
        found = rows(*shape)
        found[..., :units] = rng.normal(size=(*shape, units))
        return found

    rng = np.random.default_rng(0)
    program = program_of(LIBRARY["tanh"].graph)
    publish_kernels(host)
    code = MachineCode(cell_text(program, host), host)
    weight = (rng.normal(size=(2, units, units)) / units**0.5).astype(np.float32)
    bias = drawn()  # b0 + b1, what the sum starts from
    x, d_output = drawn(T, B), drawn(T, B)
    batch_sizes = np.array(sizes, np.int64)
    ended = np.arange(B) >= batch_sizes[:, None]  # (T, B)
    x[ended] = d_output[ended] = np.nan
    states = rows(T + 1, B)
    states[0] = drawn(B)
    d_weight, d_bias = np.zeros_like(weight), rows(fill=0.0)  # which are added to
    d_x, d_sum, d_state = rows(T, B), rows(T, B), rows(2, B, fill=0.0)
    arrays: dict[Buffer, npt.NDArray[np.float32]] = {
        Buffer(BufferKind.X): x,
        Buffer(BufferKind.OLD): states,
        Buffer(BufferKind.NEW): states[1:],
        Buffer(BufferKind.SUM): np.full_like(x, np.nan),
        Buffer(BufferKind.X, gradient=True): d_x,
        Buffer(BufferKind.SUM, gradient=True): d_sum,
        Buffer(BufferKind.OLD, gradient=True): d_state,
        Buffer(BufferKind.NEW, gradient=True): d_state,
        Buffer(BufferKind.OUTPUT, gradient=True): d_output,
    }
    assert program.tracked == frozenset()
    packed = {False: panels(host, np.ascontiguousarray(weight.transpose(0, 2, 1))), True: panels(host, weight)}
    starts = {False: bias, True: rows(fill=0.0)}
    for name in SEGMENTS:
        backward = name.endswith("backward")
        given = [packed[backward], starts[backward], d_weight, d_bias]
        given += [arrays[buffer] for buffer in getattr(program, name).buffers]
        table = np.array([array.ctypes.data for array in given], np.int64)
        table = np.insert(table, 4, [0, batch_sizes.ctypes.data])  # no symbols
        function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 3)(code.address(name))
        function(table.ctypes.data, T, B, units)

    w0, w1 = weight.astype(np.float64)
    x, bias, states, d_output, d_x, d_sum, d_state, d_bias = (
        array[..., :units] for array in (x, bias, states, d_output, d_x, d_sum, d_state, d_bias)
    )
    h = [states[0].astype(np.float64)]
    for t in range(T):
        h.append(np.tanh(x[t] @ w0.T + h[t] @ w1.T + bias))  # NaN where x is
    np.testing.assert_allclose(states, h, rtol=1e-4, atol=1e-5)
    carried, sums = np.zeros((B, units)), np.full((T, B, units), np.nan)
    for t in reversed(range(T)):
        now = slice(sizes[t])
        sums[t, now] = (d_output[t, now] + carried[now]) * (1 - h[t + 1][now] ** 2)
        carried[now] = sums[t, now] @ w1
    np.testing.assert_allclose(d_sum, sums, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(d_x, sums @ w0, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(d_state[0], carried, rtol=1e-4, atol=1e-5)
    before = np.array(h[:-1])
    np.testing.assert_allclose(d_weight[0], sums[~ended].T @ x[~ended], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(d_weight[1], sums[~ended].T @ before[~ended], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(d_bias, sums[~ended].sum(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("width", [4, 8, 16])
def test_a_segment_calls_each_operation_and_a_repeated_stage_is_compiled_once(width: int) -> None:
    host = Host(width, 32, "", "")
    for name in ("lstm", "gru", "mut1"):
        program = program_of(LIBRARY[name].graph)
        text = cell_text(program, host)
        segments = [getattr(program, name) for name in SEGMENTS]
        operations = [o for s in segments for part in s.parts for o in part.operations]
        gradients = sum(len(s.matrices) + len(s.sums) for s in segments)
        assert text.count("  call void @") == len(operations) + gradients
        assert text.count("define void @") == len(SEGMENTS) + text.count("_stage0(i64 %count") + text.count(
            "_stage1(i64 %count"
        ) + text.count("_stage2(i64 %count")


def test_a_cell_without_matrices_has_no_products() -> None:
    text = cell_text(program_of(parse_formula("h' = tanh(x) * h")), Host(8, 16, "", ""))
    assert "call void @gatesearch_gemm" not in text


def test_only_cells_that_need_them_have_code_for_norms_and_blocks_and_stages_by_rows() -> None:
    """A norm has a gain and an offset, which a stage by rows applies."""
    formulas = {"h' = norm(x) + h": {"norm", "rows"}, "h' = linear(x, groups=2) + h": {"blocks"}}
    formulas |= {"h' = param(1) * x + h": {"rows"}, "h' = tanh(linear(x) + linear(h))": set()}
    marks = {"norm": "@norm(", "blocks": "@blocks_gemm(", "rows": "i64 %stride"}
    for formula, expected in formulas.items():
        text = cell_text(program_of(parse_formula(formula)), Host(8, 16, "", ""))
        assert {name for name, mark in marks.items() if mark in text} == expected

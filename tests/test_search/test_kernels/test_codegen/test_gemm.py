"""The matrix product and the packing of its right matrix, against numpy in double precision."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from search.kernels.codegen.gemm import panel_columns
from search.kernels.codegen.host import Host
from search.kernels.codegen.library import CALL_GEMM, CALL_PACK
from search.kernels.runtime.library import kernel_library
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import Floats, call


def pack(host: Host, weights: npt.NDArray[np.float32], *, transposed: bool = False) -> Floats:
    """Pack matrices (count, K, N), or each one transposed, in panels: (count, panels, K, columns)."""
    count, rows, columns = weights.shape
    strides = (1, columns) if transposed else (columns, 1)
    if transposed:
        rows, columns = columns, rows
    width = panel_columns(host)
    panels = -(-columns // width)
    packed = np.full((count, panels, rows, width), np.nan, np.float32)
    call(kernel_library(host).addresses[CALL_PACK], count, rows, columns, panels, *strides, weights, packed)
    return packed


def numbers(rng: np.random.Generator, *shape: int) -> Floats:
    return rng.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("host", HOSTS)
def test_a_panel_holds_its_columns_and_zeros_beyond_the_last(host: Host) -> None:
    width = panel_columns(host)
    weights = numbers(np.random.default_rng(0), 3, 5, width + 3)
    packed = pack(host, weights)
    np.testing.assert_array_equal(packed[:, 0], weights[:, :, :width])
    np.testing.assert_array_equal(packed[:, 1, :, :3], weights[:, :, width:])
    assert not packed[:, 1, :, 3:].any()


@pytest.mark.parametrize("host", HOSTS)
def test_packing_transposed_is_packing_the_transpose(host: Host) -> None:
    weights = numbers(np.random.default_rng(0), 2, 16, 7)
    turned = np.ascontiguousarray(weights.transpose(0, 2, 1))
    np.testing.assert_array_equal(pack(host, weights, transposed=True), pack(host, turned))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 6, 9, 10, 11, 14, 24])
def test_products_of_any_number_of_rows_equal_numpys(rows: int, host: Host) -> None:
    """All heights of blocks occur; K below, at and above one pass of 256; a last panel of one vector."""
    rng = np.random.default_rng(rows)
    gemm = kernel_library(host).addresses[CALL_GEMM]
    for inner in (1, 7, 256, 257, 600):
        for vectors in (1, 2, 3):
            columns = vectors * host.width
            left, right = numbers(rng, rows, inner), numbers(rng, 1, inner, columns)
            start, result = numbers(rng, columns), np.full((rows, columns), np.nan, np.float32)
            width = panel_columns(host)
            call(
                gemm, rows, columns, inner, left, inner, 1, pack(host, right), inner * width, width, start, 0, result,
                columns,
            )  # fmt: skip
            exact = left.astype(np.float64) @ right[0].astype(np.float64) + start
            np.testing.assert_allclose(result, exact, rtol=1e-5, atol=2e-6 * inner)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("rows", [1, 5, 10, 17])
def test_a_last_vector_that_is_not_whole_leaves_what_is_beyond_it_alone(rows: int, host: Host) -> None:
    """Rows of N numbers without gaps: of the start, of the result, and a start that is the result."""
    rng = np.random.default_rng(rows)
    gemm, width = kernel_library(host).addresses[CALL_GEMM], panel_columns(host)
    for columns in range(1, 3 * host.width + 1):
        inner = int(rng.choice([1, 9, 300]))
        left, start = numbers(rng, rows, inner), numbers(rng, rows, columns)
        right = np.full((inner, 3 * host.width), np.nan, np.float32)  # rows of whole vectors: NaN in the padding
        right[:, :columns] = numbers(rng, inner, columns)
        memory = np.full(rows * columns + host.width, 7.0, np.float32)
        result = memory[: rows * columns].reshape(rows, columns)
        exact = left.astype(np.float64) @ right[:, :columns]
        for times, (first, stride) in enumerate([(start, columns), (result, columns)], 1):
            call(
                gemm, rows, columns, inner, left, inner, 1, right, width, 3 * host.width, first, stride, result,
                columns,
            )  # fmt: skip
            np.testing.assert_allclose(result, start + times * exact, rtol=1e-5, atol=4e-6 * inner)
        assert (memory[rows * columns :] == 7.0).all()


@pytest.mark.parametrize("host", HOSTS)
def test_a_result_may_be_its_own_start(host: Host) -> None:
    rng = np.random.default_rng(0)
    columns, width = 2 * host.width, panel_columns(host)
    left, right, result = numbers(rng, 7, 300), numbers(rng, 1, 300, columns), numbers(rng, 7, columns)
    expected = result + left.astype(np.float64) @ right[0]
    call(
        kernel_library(host).addresses[CALL_GEMM], 7, columns, 300, left, 300, 1, pack(host, right), 300 * width,
        width, result, columns, result, columns,
    )  # fmt: skip
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("host", HOSTS)
def test_a_left_matrix_read_along_its_columns_is_transposed_and_a_right_one_need_not_be_packed(host: Host) -> None:
    """The gradient of a weight: (rows, M).T @ (rows, N)."""
    rng = np.random.default_rng(0)
    columns, rows = 3 * host.width, 35
    left, right = numbers(rng, rows, 12), numbers(rng, rows, columns)
    zeros, result = np.zeros(columns, np.float32), np.full((12, columns), np.nan, np.float32)
    call(
        kernel_library(host).addresses[CALL_GEMM], 12, columns, rows, left, 1, 12, right, panel_columns(host), columns,
        zeros, 0, result, columns,
    )  # fmt: skip
    np.testing.assert_allclose(result, left.astype(np.float64).T @ right, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("host", HOSTS)
def test_one_number_as_left_matrix_adds_up_the_rows_of_the_right_one(host: Host) -> None:
    """The gradient of a bias: strides of 0 repeat the number."""
    right = numbers(np.random.default_rng(0), 21, host.width)
    one, zeros = np.ones(1, np.float32), np.zeros(host.width, np.float32)
    result = np.full(host.width, np.nan, np.float32)
    call(
        kernel_library(host).addresses[CALL_GEMM], 1, host.width, 21, one, 0, 0, right, panel_columns(host), host.width,
        zeros, 0, result, host.width,
    )  # fmt: skip
    np.testing.assert_allclose(result, right.sum(0, dtype=np.float64), rtol=1e-5, atol=1e-6)

"""The normalisation of rows and its backward in machine code, against numpy in double precision."""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt
import pytest

from search.cells.operations import NORM_EPSILON
from search.kernels.codegen.host import Host
from search.kernels.codegen.norm import NORM, NORM_GRADIENT, NORM_GRADIENT_ADDED, norm_text
from search.kernels.runtime.jit import MachineCode
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import Floats


def compiled(host: Host) -> MachineCode:
    """Compile the functions, made visible from outside of their module."""
    text = norm_text(host).replace("define internal", "define")
    return MachineCode(f"{text}\nattributes #0 = {{ {host.attributes} }}\n", host)


def run(code: MachineCode, name: str, columns: int, *arrays: Floats) -> None:
    """Run a function over the rows of the first array."""
    rows, stride = arrays[0].shape
    kinds = [ctypes.c_int64] * 3 + [ctypes.c_void_p] * len(arrays)
    function = ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(code.address(name))
    function(rows, columns, stride, *(array.ctypes.data for array in arrays))


def padded(rows: npt.NDArray[np.float64], host: Host) -> Floats:
    """Return rows in single precision with NaN up to whole vectors."""
    found = np.full((len(rows), -(-rows.shape[1] // host.width) * host.width), np.nan, np.float32)
    found[:, : rows.shape[1]] = rows
    return found


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("columns", [1, 2, 3, 4, 7, 8, 15, 16, 17, 48, 131])
def test_rows_are_normalised_over_their_columns_and_gradients_follow(columns: int, host: Host) -> None:
    """Rows far from zero included; the padding, which is NaN, has no effect."""
    rng = np.random.default_rng(columns)
    code = compiled(host)
    rows, d = (rng.normal(size=(5, columns)) for _ in range(2))
    rows[1] += 10.0
    rows[2] *= 1e-3
    source, result, incoming = padded(rows, host), padded(rows, host), padded(d, host)
    scale = np.full(5, np.nan, np.float32)
    run(code, NORM, columns, source, result, scale)
    exact = source[:, :columns].astype(np.float64)
    expected_scale = 1 / np.sqrt(exact.var(1) + NORM_EPSILON)
    expected = (exact - exact.mean(1, keepdims=True)) * expected_scale[:, None]
    np.testing.assert_allclose(scale, expected_scale, rtol=1e-4)
    np.testing.assert_allclose(result[:, :columns], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(source[:, :columns], rows.astype(np.float32))

    products = d - d.mean(1, keepdims=True) - expected * (d * expected).mean(1, keepdims=True)
    gradient = expected_scale[:, None] * products
    least = 2e-6 * float(expected_scale.max())
    for name, before in ((NORM_GRADIENT, 0.0), (NORM_GRADIENT_ADDED, 3.0)):
        found = padded(np.full((5, columns), 3.0), host)
        run(code, name, columns, result, scale, incoming, found)
        np.testing.assert_allclose(found[:, :columns], before + gradient, rtol=1e-3, atol=least)


@pytest.mark.parametrize("host", HOSTS)
def test_a_row_may_be_overwritten_by_its_normalised_values_and_gradients_by_theirs(host: Host) -> None:
    rng = np.random.default_rng(0)
    code = compiled(host)
    columns = 2 * host.width - 1
    rows, d = (padded(rng.normal(size=(3, columns)), host) for _ in range(2))
    apart, scale, d_apart = np.empty_like(rows), np.empty(3, np.float32), np.empty_like(rows)
    run(code, NORM, columns, rows, apart, scale)
    run(code, NORM_GRADIENT, columns, apart, scale, d, d_apart)
    run(code, NORM, columns, rows, rows, scale)
    run(code, NORM_GRADIENT, columns, rows, scale, d, d)
    np.testing.assert_array_equal(rows[:, :columns], apart[:, :columns])
    np.testing.assert_array_equal(d[:, :columns], d_apart[:, :columns])

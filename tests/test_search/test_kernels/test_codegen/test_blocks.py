"""Products with block-diagonal matrices in machine code, against numpy in double precision."""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt
import pytest

from search.kernels.codegen.blocks import BLOCKS_GEMM, BLOCKS_GRADIENT, blocks_text
from search.kernels.codegen.gemm import GEMM, panel_columns
from search.kernels.codegen.host import Host
from search.kernels.codegen.library import CALL_PACK, KERNELS
from search.kernels.runtime.jit import MachineCode
from search.kernels.runtime.library import kernel_library
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import Floats, call


def compiled(host: Host) -> MachineCode:
    """Compile the functions, made visible from outside of their module, with the product that they call."""
    kinds = ", ".join("ptr" if kind == "p" else "i64" for kind in KERNELS[GEMM])
    text = blocks_text(host).replace("define internal", "define")
    return MachineCode(
        f"declare void @{GEMM}{host.width}({kinds})\n{text}\nattributes #0 = {{ {host.attributes} }}\n", host
    )


def run(code: MachineCode, name: str, *arguments: int | npt.NDArray[np.float32]) -> None:
    kinds = [ctypes.c_int64 if isinstance(a, int) else ctypes.c_void_p for a in arguments]
    function = ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(code.address(name))
    function(*(a if isinstance(a, int) else a.ctypes.data for a in arguments))


def rows_of(rng: np.random.Generator, rows: int, units: int, host: Host) -> Floats:
    """Return rows with NaN up to whole vectors, and a vector of NaN behind the last one."""
    stride = -(-units // host.width) * host.width
    found = np.full(rows * stride + host.width, np.nan, np.float32)[: rows * stride].reshape(rows, stride)
    found[:, :units] = rng.normal(size=(rows, units))
    return found


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("groups", "size"), [(2, 1), (3, 5), (4, 8), (2, 16), (2, 33), (6, 3), (1, 20)])
def test_each_block_multiplies_its_own_columns(groups: int, size: int, host: Host) -> None:
    rng = np.random.default_rng(0)
    kernels, code = kernel_library(host), compiled(host)
    units, rows = groups * size, 7
    blocks = rng.normal(size=(groups, size, size)).astype(np.float32)
    panels = -(-size // panel_columns(host))
    packed = np.full((groups, panels, size, panel_columns(host)), np.nan, np.float32)
    call(kernels.addresses[CALL_PACK], groups, size, size, panels, 1, size, blocks, packed)
    source, d = (rows_of(rng, rows, units, host) for _ in range(2))
    start, added = (rows_of(rng, r, units, host) for r in (1, rows))
    stride = source.shape[1]
    whole = np.zeros((units, units))
    for g, block in enumerate(blocks):
        whole[g * size : (g + 1) * size, g * size : (g + 1) * size] = block
    product = source[:, :units].astype(np.float64) @ whole.T
    for first, row_stride in ((start, 0), (added, stride)):
        found = added.copy() if row_stride else np.full_like(source, np.nan)
        expected = product + first[:, :units]
        begin = start if row_stride == 0 else found
        run(code, BLOCKS_GEMM, groups, rows, size, stride, source, packed, begin, row_stride, found)
        np.testing.assert_allclose(found[:, :units], expected, rtol=1e-4, atol=1e-5)
        assert np.isnan(found[:, units:]).all()  # the padding is left alone

    gradient = np.full_like(blocks, 0.5)
    run(code, BLOCKS_GRADIENT, groups, rows, size, stride, d, source, gradient)
    full = d[:, :units].astype(np.float64).T @ source[:, :units].astype(np.float64)
    for g in range(groups):
        at = slice(g * size, (g + 1) * size)
        np.testing.assert_allclose(gradient[g], 0.5 + full[at, at], rtol=1e-4, atol=1e-5)

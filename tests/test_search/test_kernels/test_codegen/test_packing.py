"""Packing of matrices of any shape, number by number."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from search.kernels.codegen.gemm import panel_columns
from search.kernels.codegen.host import Host
from search.kernels.codegen.library import CALL_PACK
from search.kernels.runtime.library import kernel_library
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import call


@pytest.mark.parametrize("host", HOSTS)
def test_each_number_is_at_its_row_of_its_panel_and_nothing_else_is_written(host: Host) -> None:
    width = panel_columns(host)
    sizes = (1, 2, 7, host.width - 1, host.width, host.width + 1, width, width + 1, 3 * width - 1)
    function = kernel_library(host).addresses[CALL_PACK]
    for count, (rows, columns) in zip(itertools.cycle((1, 3)), itertools.product(sizes, sizes), strict=False):
        values = 1.0 + np.arange(count * rows * columns, dtype=np.float32)
        panels = -(-columns // width)
        size = count * panels * rows * width
        for row_stride, column_stride in ((columns, 1), (1, rows)):
            expected = np.zeros((count, panels, rows, width), np.float32)
            for matrix, row, column in itertools.product(range(count), range(rows), range(columns)):
                at = matrix * rows * columns + row * row_stride + column * column_stride
                expected[matrix, column // width, row, column % width] = values[at]
            packed = np.full(size + width, -1.0, np.float32)
            call(function, count, rows, columns, panels, row_stride, column_stride, values, packed)
            np.testing.assert_array_equal(packed[:size], expected.ravel(), err_msg=f"{rows} x {columns}")
            assert (packed[size:] == -1.0).all()

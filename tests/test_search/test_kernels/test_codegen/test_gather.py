"""Gather and scatter against numpy's indexing."""

import numpy as np
import pytest

from search.kernels.codegen.host import Host
from search.kernels.codegen.library import CALL_GATHER, CALL_SCATTER
from search.kernels.runtime.library import kernel_library
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import call


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("vectors", [1, 3])
def test_gather_copies_the_rows_that_are_numbered(vectors: int, host: Host) -> None:
    rng = np.random.default_rng(0)
    columns = vectors * host.width
    table, rows = rng.normal(size=(5, columns)).astype(np.float32), np.full((9, columns), np.nan, np.float32)
    numbers = rng.integers(5, size=9)
    call(kernel_library(host).addresses[CALL_GATHER], len(numbers), columns, numbers, table, rows)
    np.testing.assert_array_equal(rows, table[numbers])


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("vectors", [1, 3])
def test_scatter_adds_rows_in_order_also_to_a_row_that_is_numbered_twice(vectors: int, host: Host) -> None:
    rng = np.random.default_rng(1)
    columns = vectors * host.width
    table, rows = (rng.normal(size=(n, columns)).astype(np.float32) for n in (4, 30))
    numbers = rng.integers(3, size=30)  # row 3 stays
    expected = table.copy()
    np.add.at(expected, numbers, rows)
    last = table[3].copy()
    call(kernel_library(host).addresses[CALL_SCATTER], len(numbers), columns, numbers, table, rows)
    np.testing.assert_array_equal(table, expected)
    np.testing.assert_array_equal(table[3], last)

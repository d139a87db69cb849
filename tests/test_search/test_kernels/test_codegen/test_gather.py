"""Gather and scatter against numpy's indexing."""

import numpy as np
import pytest

from search.kernels.codegen.host import Host
from search.kernels.codegen.library import CALL_GATHER, CALL_SCATTER
from search.kernels.runtime.library import kernel_library
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import Floats, call


def columns_of(host: Host) -> list[tuple[int, int, int]]:
    """Return numbers of columns, each with a stride of the table and one of the rows."""
    whole = [(n, n, n) for n in (host.width, 3 * host.width)]
    return [*whole, *((n, n + a, n + b) for n in (1, host.width - 1, 2 * host.width + 1) for a, b in ((0, 5), (3, 0)))]


def rows_of(rng: np.random.Generator, rows: int, columns: int, stride: int) -> tuple[Floats, Floats]:
    """Return memory without a gap after the last row, NaN between the rows, and its rows."""
    memory = np.full(rows * stride, np.nan, np.float32)
    found = memory.reshape(rows, stride)[:, :columns]
    found[...] = rng.normal(size=(rows, columns))
    return memory, found


@pytest.mark.parametrize("host", HOSTS)
def test_gather_copies_the_rows_that_are_numbered_and_touches_nothing_between_them(host: Host) -> None:
    rng = np.random.default_rng(0)
    for columns, table_stride, row_stride in columns_of(host):
        (table, entries), (rows, found) = rows_of(rng, 5, columns, table_stride), rows_of(rng, 9, columns, row_stride)
        numbers = rng.integers(5, size=9)
        gather = kernel_library(host).addresses[CALL_GATHER]
        call(gather, len(numbers), columns, numbers, table, table_stride, rows, row_stride)
        np.testing.assert_array_equal(found, entries[numbers])
        assert np.isnan(rows.reshape(9, row_stride)[:, columns:]).all()


@pytest.mark.parametrize("host", HOSTS)
def test_scatter_adds_rows_in_order_also_to_a_row_that_is_numbered_twice(host: Host) -> None:
    rng = np.random.default_rng(1)
    for columns, table_stride, row_stride in columns_of(host):
        (table, found), (rows, added) = rows_of(rng, 4, columns, table_stride), rows_of(rng, 30, columns, row_stride)
        numbers = rng.integers(3, size=30)  # row 3 stays
        expected = found.copy()
        np.add.at(expected, numbers, added)
        scatter = kernel_library(host).addresses[CALL_SCATTER]
        call(scatter, len(numbers), columns, numbers, table, table_stride, rows, row_stride)
        np.testing.assert_array_equal(found, expected)
        assert np.isnan(table.reshape(4, table_stride)[:, columns:]).all()

"""Checks, loss mask, clearing and copying in machine code against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from search.kernels.codegen.host import Host
from search.kernels.codegen.memory import CHECK, CHECK_ENDED, CLEAR, CLEAR_ENDED, COPY, COPY_ROWS, SELECT
from search.kernels.runtime.library import kernel_library
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import call

pytestmark = pytest.mark.parametrize("host", HOSTS)


def test_a_number_out_of_range_is_noticed_if_the_mask_has_it(host: Host) -> None:
    check = kernel_library(host).addresses[CHECK]
    numbers, mask = np.arange(7), np.ones(7, np.float32)
    assert call(check, numbers, mask, 7, 7) == 0
    assert call(check, numbers, mask, 7, 6) == 1
    assert call(check, numbers - 1, mask, 7, 7) == 1
    mask[6] = 0.0
    assert call(check, numbers, mask, 7, 6) == 0


def test_rows_in_the_mask_are_listed_and_counted(host: Host) -> None:
    mask = (np.random.default_rng(0).random(50) < 0.5).astype(np.float32)
    index, count, results = np.full(50, -1), np.zeros(1, np.int64), np.zeros(3)
    select = kernel_library(host).addresses[SELECT]
    assert call(select, mask, 50, index, count, results) == 0
    expected = np.flatnonzero(mask)
    assert count[0] == results[2] == len(expected)
    np.testing.assert_array_equal(index[: len(expected)], expected)
    for wrong in (0.5, 2.0, -1.0, np.nan, np.inf, 1e-40):
        mask[17] = wrong
        assert call(select, mask, 50, index, count, results) == 1


def test_memory_is_cleared_and_copied_to_the_byte(host: Host) -> None:
    memory, source = np.full(40, 7, np.uint8), np.arange(40, dtype=np.uint8)
    addresses = kernel_library(host).addresses
    call(addresses[CLEAR], 24, memory)
    assert memory.tolist() == [0] * 24 + [7] * 16
    call(addresses[COPY], 12, source, memory)
    assert memory.tolist() == [*range(12), *[0] * 12, *[7] * 16]


def test_rows_of_sequences_that_have_ended_are_cleared(host: Host) -> None:
    rows, sizes = np.ones((4, 3, 5), np.float32), np.array([3, 2, 2, 1])
    call(kernel_library(host).addresses[CLEAR_ENDED], 4, 3, 5, sizes, rows)
    expected = np.arange(3) < sizes[:, None]
    np.testing.assert_array_equal(rows, expected[..., None].repeat(5, 2))


def test_a_mask_behind_the_end_of_a_sequence_is_noticed(host: Host) -> None:
    check, sizes = kernel_library(host).addresses[CHECK_ENDED], np.array([3, 2, 2, 1])
    for step in range(4):
        for column in range(3):
            mask = np.zeros((4, 3), np.float32)
            mask[step, column] = 1.0
            assert call(check, 4, 3, sizes, mask) == (column >= sizes[step])


@pytest.mark.parametrize("strides", [(5, 5), (7, 5), (5, 16)])
def test_rows_are_copied_between_strides(strides: tuple[int, int], host: Host) -> None:
    left, right = strides
    source, target = np.arange(4 * left, dtype=np.float32).reshape(4, left), np.full((4, right), -1.0, np.float32)
    call(kernel_library(host).addresses[COPY_ROWS], 4, 5, source, left, target, right)
    np.testing.assert_array_equal(target[:, :5], source[:, :5])
    assert (target[:, 5:] == -1.0).all()

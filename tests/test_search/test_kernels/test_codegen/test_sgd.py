"""Checks, loss mask, clipping and update in machine code against numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from search.kernels.codegen.host import Host
from search.kernels.codegen.sgd import CHECK, CLEAR, COPY, COPY_ROWS, SELECT, SGD
from search.kernels.runtime.library import kernel_library
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import Floats, call

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


def sgd(
    host: Host, gradient: Floats, parameters: Floats, rate: float, max_norm: float, nats: float = 1.0, batch: int = 4
) -> npt.NDArray[np.float64]:
    """Take a step that changes `parameters`, and return the results."""
    control, results = np.array([rate, max_norm]), np.array([nats, 0.0, 0.0])
    inverse = np.array([1 / batch], np.float32)
    call(kernel_library(host).addresses[SGD], gradient, parameters, len(parameters), control, inverse, results)
    return results


@pytest.mark.parametrize("size", [1, 3, 16, 37, 1000])
@pytest.mark.parametrize("max_norm", [1e9, 0.5])
def test_a_step_moves_down_the_clipped_gradient(size: int, max_norm: float, host: Host) -> None:
    rng = np.random.default_rng(size)
    gradient, parameters = (rng.normal(size=size).astype(np.float32) for _ in range(2))
    norm = float(np.linalg.norm(gradient.astype(np.float64)))
    expected = parameters - 0.1 * min(1.0, max_norm / norm) * gradient.astype(np.float64)
    results = sgd(host, gradient, parameters, 0.1, max_norm)
    assert results[1] == pytest.approx(norm, rel=1e-6)
    np.testing.assert_allclose(parameters, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("nats", [np.nan, np.inf, 1e39])
def test_a_loss_that_is_not_finite_in_single_precision_changes_nothing(nats: float, host: Host) -> None:
    parameters = np.ones(20, np.float32)
    results = sgd(host, np.ones(20, np.float32), parameters, 0.1, 1.0, nats)
    assert (parameters == 1.0).all()
    assert not np.isfinite(results[0])


@pytest.mark.parametrize("entry", [np.nan, np.inf, 1e20])  # the square of the last one is beyond single precision
def test_a_gradient_norm_that_is_not_finite_changes_nothing(entry: float, host: Host) -> None:
    gradient, parameters = np.zeros(20, np.float32), np.ones(20, np.float32)
    gradient[19] = entry
    results = sgd(host, gradient, parameters, 0.1, 1.0)
    assert (parameters == 1.0).all()
    assert not np.isfinite(results[1])


def test_a_gradient_of_zeros_changes_nothing(host: Host) -> None:
    parameters = np.ones(20, np.float32)
    assert sgd(host, np.zeros(20, np.float32), parameters, 0.1, 1.0)[1] == 0.0
    assert (parameters == 1.0).all()


def test_memory_is_cleared_and_copied_to_the_byte(host: Host) -> None:
    memory, source = np.full(40, 7, np.uint8), np.arange(40, dtype=np.uint8)
    addresses = kernel_library(host).addresses
    call(addresses[CLEAR], 24, memory)
    assert memory.tolist() == [0] * 24 + [7] * 16
    call(addresses[COPY], 12, source, memory)
    assert memory.tolist() == [*range(12), *[0] * 12, *[7] * 16]


@pytest.mark.parametrize("strides", [(5, 5), (7, 5), (5, 16)])
def test_rows_are_copied_between_strides(strides: tuple[int, int], host: Host) -> None:
    left, right = strides
    source, target = np.arange(4 * left, dtype=np.float32).reshape(4, left), np.full((4, right), -1.0, np.float32)
    call(kernel_library(host).addresses[COPY_ROWS], 4, 5, source, left, target, right)
    np.testing.assert_array_equal(target[:, :5], source[:, :5])
    assert (target[:, 5:] == -1.0).all()

"""Masks of dropout: hashes by a plain loop, statistics, and machine code against PyTorch."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
import torch

from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.kernels.codegen.dropout import DROPOUT
from search.kernels.codegen.host import Host
from search.kernels.dropout import Dropout, recurrent_matrices
from search.kernels.runtime.library import kernel_library
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import call


def lowbias32(x: int) -> int:
    """Return the hash as it is published, with Python's integers."""
    x ^= x >> 16
    x = x * 0x7FEB352D % 2**32
    x ^= x >> 15
    x = x * 0x846CA68B % 2**32
    return x ^ (x >> 16)


def test_a_mask_is_a_hash_of_the_number_and_the_keys() -> None:
    dropout = Dropout(0.3, False, 7)
    keys = np.array([123456789, 4_000_000_000], np.int64)
    expected = [lowbias32(lowbias32(i ^ 123456789) ^ 4_000_000_000) < 0.7 * 2**32 for i in range(60)]
    mask = dropout.mask(keys, 5, 12)
    assert mask.shape == (5, 12)
    np.testing.assert_array_equal(mask.ravel().numpy() > 0, expected)
    np.testing.assert_allclose(mask[mask > 0].numpy(), 1 / 0.7, rtol=1e-6)


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.8])
def test_masks_leave_out_the_rate_and_are_independent(rate: float) -> None:
    """Shares of numbers, and of neighbours in a row, a column and the next step that are both left out."""
    dropout = Dropout(rate, False, 3)
    masks = np.stack([dropout.mask(dropout.keys(step, 1)[0], 100, 64).numpy() == 0 for step in range(20)])
    error = 5 * sqrt(rate * (1 - rate) / masks.size)
    assert masks.mean() == pytest.approx(rate, abs=error)
    pairs = masks[:, :, 1:] & masks[:, :, :-1], masks[:, 1:] & masks[:, :-1], masks[1:] & masks[:-1]
    for both in pairs:
        assert both.mean() == pytest.approx(rate**2, abs=8 * sqrt(rate**2 / both.size))


def test_keys_differ_by_seed_step_and_place_and_never_change() -> None:
    seen = {tuple(key) for seed in range(3) for step in range(4) for key in Dropout(0.5, True, seed).keys(step, 2)}
    assert len(seen) == 3 * 4 * 5
    assert Dropout(0.5, False, 1).keys(2, 1).tolist() == KNOWN
    assert len(Dropout(0.5, False, 1).keys(2, 3)) == 4


KNOWN = [[3085732410, 2029375811], [2147176769, 363700378]]
"""Keys of a seed and a step: stored trials are trained again from them."""


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("columns", [1, 4, 13, 16, 37])
@pytest.mark.parametrize("groups", [1, 3])
def test_machine_code_keeps_the_same_numbers(columns: int, groups: int, host: Host) -> None:
    dropout, rows = Dropout(0.4, groups > 1, 5), 6
    (keys, *_) = dropout.keys(9, 1)
    rng = np.random.default_rng(0)
    source, target = (rng.normal(size=(groups * rows, columns + extra)).astype(np.float32) for extra in (3, 2))
    before = target.copy()
    numbers = dropout.threshold, int(dropout.scale.view(np.int32))
    address = kernel_library(host).addresses[DROPOUT]
    call(address, groups, rows, columns, 0, source, columns + 3, target, columns + 2, keys, *numbers)
    expected = torch.from_numpy(source[:, :columns]) * dropout.mask(keys, rows, columns).repeat(groups, 1)
    np.testing.assert_array_equal(target[:, :columns], expected.numpy())
    np.testing.assert_array_equal(target[:, columns:], before[:, columns:])
    assert (target[:, :columns] == 0).any() or columns == 1
    later = source.copy()
    call(address, 1, 1, columns, 2 * columns, later, 0, later, 0, keys, *numbers)  # in place, the third row of the mask
    np.testing.assert_array_equal(
        later[0, :columns], source[0, :columns] * dropout.mask(keys, rows, columns)[2].numpy()
    )


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("h' = tanh(linear(x) + linear(h))", ({1}, set())),
        ("c' = tanh(linear(x)); h' = sigmoid(linear(c')) * h", (set(), set())),
        ("h' = tanh(linear(x, groups=2) + linear(sigmoid(linear(x)) * h, groups=2))", (set(), {1})),
    ],
)
def test_recurrent_matrices_are_those_that_read_a_state(formula: str, expected: tuple[set[int], set[int]]) -> None:
    graph = parse_formula(formula).canonical()
    found = recurrent_matrices(graph)
    assert tuple(len(part) for part in found) == tuple(len(part) for part in expected)
    lstm = recurrent_matrices(LIBRARY["lstm"].graph.canonical())
    assert (len(lstm[0]), len(lstm[1])) == (4, 0)

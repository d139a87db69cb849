"""Readout and loss against PyTorch in double precision: sums, metrics and gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.nn import functional

from search.kernels.codegen.gemm import panel_columns
from search.kernels.codegen.host import Host
from search.kernels.codegen.loss import ARGUMENTS, HEADS, TRAINING_ARGUMENTS, loss_function
from search.kernels.runtime.library import kernel_library
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import Floats, call

BATCH = 3
"""Gradients are those of the summed loss divided by this."""


@dataclass
class Found:
    """Sum of nats, nats and the two scores by row, and gradients (zeros if none are computed)."""

    nats: float
    by_row: Floats
    first: Floats
    second: Floats
    d_outputs: Floats
    d_readout: Floats
    d_bias: Floats
    d_scale: Floats


def panels(host: Host, matrix: Floats) -> Floats:
    """Lay out (K, N) in panels of columns, zeros beyond the last."""
    width = panel_columns(host)
    count = -(-matrix.shape[1] // width)
    padded = np.zeros((matrix.shape[0], count * width), np.float32)
    padded[:, : matrix.shape[1]] = matrix
    return np.ascontiguousarray(padded.reshape(-1, count, width).transpose(1, 0, 2))


def run(
    host: Host, outputs: Floats, weight: Floats, bias: Floats, targets: npt.NDArray[np.generic],
    index: npt.NDArray[np.int64], block: int, *, train: bool, head: str = "symbols", log_scale: Floats | None = None,
) -> Found:  # fmt: skip
    """Call a loss function with memory full of NaN; gradients of parameters are added to zeros."""
    (rows, units), size = outputs.shape, len(weight)
    padded = -(-size // host.width) * host.width
    start = np.full(padded, -np.inf if HEADS[head].symbols else 0.0, np.float32)
    start[:size] = bias
    vectors = -(-block // host.width) * host.width
    by_row = -(-max(len(index), 1) // vectors) * vectors
    stride = -(-units // host.width) * host.width
    sizes = (block * stride, block * padded, by_row, by_row, by_row, vectors)
    scratch = [np.full(n, np.nan, np.float32) for n in sizes]
    scales = [np.empty(0, np.float32) if log_scale is None else log_scale, np.full(2 * padded, np.nan, np.float32)]
    results = np.full(3, np.nan)
    found = [np.zeros(shape, np.float32) for shape in ((rows, stride), (size, units), padded, padded)]
    if train:
        found[0].fill(np.nan)
    given = np.full((rows, stride), np.nan, np.float32)
    given[:, :units] = outputs
    arguments = [
        np.array([len(index)]), index, given, panels(host, weight.T), start, targets, *scratch, *scales, results, block,
        units, size, padded, rows,
    ]  # fmt: skip
    assert len(arguments) == len(ARGUMENTS)
    if train:
        inverse, zeros, one = (np.array(v, np.float32) for v in ([1 / BATCH], np.zeros(stride), [1.0]))
        arguments += [panels(host, weight), inverse, zeros, one, *found]
        assert len(arguments) == len(TRAINING_ARGUMENTS)
    assert call(kernel_library(host).addresses[loss_function(head, train)], *arguments) == 0
    assert np.isnan(results[1:]).all()
    found[0] = found[0][:, :units]
    return Found(results[0].item(), *(part[: len(index)] for part in scratch[2:5]), *found)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    ("size", "rows", "masked", "block"), [(2, 1, 1, 16), (28, 40, 33, 16), (29, 40, 33, 16), (300, 50, 50, 48)]
)
def test_sums_and_gradients_are_pytorchs(host: Host, head: str, size: int, rows: int, masked: int, block: int) -> None:
    rng = np.random.default_rng(size)
    units = 2 * host.width + (size % 3 - 1)  # 1, 0 and -1 beyond whole vectors
    outputs, weight, bias = (rng.normal(size=s).astype(np.float32) for s in ((rows, units), (size, units), size))
    index = np.sort(rng.permutation(rows)[:masked])
    targets: npt.NDArray[np.generic] = rng.normal(size=(rows, size)).astype(np.float32)
    if head == "multi-label":
        targets = (rng.random((rows, size)) < 0.3).astype(np.float32)
    elif head == "symbols":
        targets = rng.integers(size, size=rows)
    log_scale = rng.normal(0.0, 0.3, size=size).astype(np.float32) if HEADS[head].scaled else None
    given = (outputs, weight, bias, np.zeros(size, np.float32) if log_scale is None else log_scale)
    *exact, logarithms = (torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in given)
    logits = functional.linear(*exact)[index]
    chosen = torch.tensor(targets[index])
    match head:
        case "symbols":
            nats = functional.cross_entropy(logits, chosen, reduction="none")
        case "multi-label":
            nats = functional.binary_cross_entropy_with_logits(logits, chosen.double(), reduction="none").sum(1)
        case "gaussian":
            nats = functional.gaussian_nll_loss(
                logits, chosen.double(), (2.0 * logarithms).exp().expand_as(logits), full=True, reduction="none"
            ).sum(1)
        case _:
            nats = 0.5 * functional.mse_loss(logits, chosen.double(), reduction="none").sum(1)
    wanted = torch.autograd.grad(nats.sum() / BATCH, (*exact, logarithms), allow_unused=True)
    gradients = [np.zeros(size) if g is None else g.numpy() for g in wanted]
    score, training = (
        run(host, outputs, weight, bias, targets, index, block, train=t, head=head, log_scale=log_scale)
        for t in (False, True)
    )
    for found in (score, training):
        assert found.nats == pytest.approx(nats.sum().item(), rel=1e-5, abs=2e-6)
        np.testing.assert_allclose(found.by_row, nats.detach().numpy(), rtol=1e-5, atol=1e-5)
    if HEADS[head].symbols:
        np.testing.assert_array_equal(score.first, logits.argmax(1))
    elif HEADS[head].real:
        errors = (logits - chosen).detach().numpy()
        np.testing.assert_allclose(score.first, np.square(errors).sum(1), rtol=1e-5)
        np.testing.assert_allclose(score.second, np.abs(errors).sum(1), rtol=1e-5)
    assert not score.d_outputs.any()
    for name, value, expected in zip(
        ("outputs", "readout", "bias", "scale"),
        (training.d_outputs, training.d_readout, training.d_bias[:size], training.d_scale[:size]), gradients,
        strict=True,
    ):  # fmt: skip
        least = max(1e-5, 1e-6 * float(np.abs(expected).max()))  # sums of large terms may be small
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=least, err_msg=name)
    assert not training.d_bias[size:].any()
    assert not training.d_scale[size:].any()
    assert not np.delete(training.d_outputs, index, 0).any()


@pytest.mark.parametrize("host", HOSTS)
def test_the_prediction_is_the_first_of_equal_largest_logits(host: Host) -> None:
    size = 2 * host.width + 3
    bias = np.zeros(size, np.float32)
    bias[[2, host.width + 1, size - 1]] = 1.0
    targets = np.arange(size)
    outputs, weight = np.zeros((size, host.width), np.float32), np.zeros((size, host.width), np.float32)
    found = run(host, outputs, weight, bias, targets, targets.copy(), 16, train=False)
    np.testing.assert_array_equal(found.first, 2)


@pytest.mark.parametrize("host", HOSTS)
def test_the_loss_of_equal_logits_is_the_logarithm_of_their_number(host: Host) -> None:
    outputs, weight = np.ones((5, host.width), np.float32), np.zeros((1000, host.width), np.float32)
    found = run(host, outputs, weight, np.zeros(1000, np.float32), np.arange(5), np.arange(5), 16, train=False)
    assert found.nats == pytest.approx(5 * np.log(1000), rel=1e-6)


@pytest.mark.parametrize("host", HOSTS)
def test_a_target_without_any_probability_costs_its_distance_and_not_infinity(host: Host) -> None:
    outputs, weight = np.ones((1, host.width), np.float32), np.zeros((2, host.width), np.float32)
    bias = np.array([200.0, 0.0], np.float32)
    found = run(host, outputs, weight, bias, np.array([1]), np.array([0]), 16, train=True)
    assert found.nats == pytest.approx(200.0)
    np.testing.assert_allclose(found.d_bias[:2], [1 / BATCH, -1 / BATCH], rtol=1e-6)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("train", [False, True])
def test_nan_stays_nan(host: Host, train: bool) -> None:
    outputs, weight = np.ones((4, host.width), np.float32), np.ones((9, host.width), np.float32)
    weight[7, 1] = np.nan
    zeros = np.zeros(9, np.float32)
    for head in HEADS:
        targets = np.arange(4) if HEADS[head].symbols else np.zeros((4, 9), np.float32)
        found = run(host, outputs, weight, zeros, targets, np.arange(4), 16, train=train, head=head, log_scale=zeros)
        assert np.isnan(found.nats)


@pytest.mark.parametrize("host", HOSTS)
def test_no_row_in_the_mask_gives_zeros(host: Host) -> None:
    outputs, weight = np.ones((4, host.width), np.float32), np.ones((9, host.width), np.float32)
    found = run(host, outputs, weight, np.zeros(9, np.float32), np.arange(4), np.empty(0, np.int64), 16, train=True)
    assert found.nats == 0.0
    assert not any(g.any() for g in (found.d_outputs, found.d_readout, found.d_bias))

"""The readout's own loss against what PyTorch computes, values and gradients."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from search.training.readout import Pool, softmax_nats


def problem(rows: int, units: int, symbols: int, spread: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows * symbols)
    outputs, weight = (torch.randn(n, units, generator=generator) * spread for n in (rows, symbols))
    bias = torch.randn(symbols, generator=generator)
    targets = torch.randint(symbols, (rows,), generator=generator)
    return outputs.requires_grad_(), weight.requires_grad_(), bias.requires_grad_(), targets


@pytest.mark.parametrize(
    ("rows", "units", "symbols", "spread"), [(1, 1, 2, 1.0), (7, 3, 300, 0.3), (40, 16, 1000, 5.0)]
)
def test_nats_and_gradients_are_those_of_cross_entropy(rows: int, units: int, symbols: int, spread: float) -> None:
    outputs, weight, bias, targets = problem(rows, units, symbols, spread)
    exact = [t.detach().double().requires_grad_() for t in (outputs, weight, bias)]
    expected = functional.cross_entropy(functional.linear(*exact), targets, reduction="sum")
    found = softmax_nats(outputs, weight, bias, targets)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    (found / 20).backward()  # type: ignore[no-untyped-call]
    (expected / 20).backward()  # type: ignore[no-untyped-call]
    for tensor, reference in zip((outputs, weight, bias), exact, strict=True):
        assert tensor.grad is not None
        assert reference.grad is not None
        torch.testing.assert_close(tensor.grad.double(), reference.grad, rtol=1e-4, atol=1e-5)


def test_a_target_without_any_probability_costs_its_distance_and_not_infinity() -> None:
    weight = torch.tensor([[200.0], [0.0]], requires_grad=True)
    nats = softmax_nats(torch.ones(1, 1, requires_grad=True), weight, torch.zeros(2), torch.tensor([1]))
    assert nats.item() == pytest.approx(200.0)


def test_two_steps_at_once_do_not_share_memory() -> None:
    first, second = problem(9, 4, 300, 0.5), problem(9, 4, 300, 0.9)
    alone = []
    for step in (first, second):
        softmax_nats(*step).backward()  # type: ignore[no-untyped-call]
        assert step[0].grad is not None
        alone.append(step[0].grad.clone())
        step[0].grad = None
    losses = [softmax_nats(*step) for step in (first, second)]
    for loss in losses:
        loss.backward()  # type: ignore[no-untyped-call]
    for step, gradient in zip((first, second), alone, strict=True):
        assert step[0].grad is not None
        assert torch.equal(step[0].grad, gradient)


def test_nan_stays_nan() -> None:
    outputs, weight, bias, targets = problem(5, 3, 300, 1.0)
    with torch.no_grad():
        weight[17, 1] = float("nan")
    assert softmax_nats(outputs, weight, bias, targets).isnan()


def test_the_pool_gives_back_what_is_large_enough_and_keeps_only_so_much() -> None:
    pool = Pool(most=2)
    matrices = [pool.take(10, size) for size in (1, 3, 2)]
    addresses = [matrix.data_ptr() for matrix in matrices]
    for matrix in matrices:
        pool.give(matrix)
    smaller = pool.take(4, 5)  # fits into the two larger ones, and takes the smaller of these
    assert smaller.shape == (4, 5)
    assert smaller.data_ptr() == addresses[2]
    assert pool.take(6, 5).data_ptr() == addresses[1]

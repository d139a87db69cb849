"""Clipping and the updates of all optimisers in machine code, against numpy, their eager form and torch.optim."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from search.kernels.codegen.host import Host
from search.kernels.codegen.update import CONTROL, UPDATES
from search.kernels.optimisers import OPTIMISERS, OptimiserName, Updates
from search.kernels.runtime.library import kernel_library
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import Floats, call

pytestmark = pytest.mark.parametrize("host", HOSTS)
NAMES = list(OptimiserName)
SIZES = [1, 3, 16, 37, 1000]


def step(
    host: Host, updates: Updates, gradient: Floats, parameters: Floats, rate: float, max_norm: float,
    nats: float = 1.0, batch: int = 4,
) -> npt.NDArray[np.float64]:  # fmt: skip
    """Take a step that changes `parameters` and the moments, and return the results."""
    control, results = np.zeros(CONTROL), np.array([nats, 0.0, 0.0])
    numbers = updates.numbers(rate)
    control[0], control[1 : 1 + len(numbers)] = max_norm, numbers
    inverse, parts = np.array([1 / batch], np.float32), updates.parts()
    call(
        kernel_library(host).addresses[UPDATES[updates.name]], gradient, parameters, len(parameters), control, inverse,
        results, updates.moments.numpy(), parts, len(parts),
    )  # fmt: skip
    return results


def of(name: OptimiserName, size: int, dtype: torch.dtype = torch.float32) -> Updates:
    """Return an optimiser whose weight decay, if it has one, applies to two parts of the parameters."""
    decayed = (slice(size // 5, size // 3), slice(size // 2, size))
    return Updates(name, torch.zeros(size, dtype=dtype), 0.3 if OPTIMISERS[name].decays else 0.0, decayed)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("max_norm", [1e9, 0.5])
def test_a_step_moves_down_the_clipped_gradient(size: int, max_norm: float, host: Host) -> None:
    rng = np.random.default_rng(size)
    gradient, parameters = (rng.normal(size=size).astype(np.float32) for _ in range(2))
    norm = float(np.linalg.norm(gradient.astype(np.float64)))
    expected = parameters - 0.1 * min(1.0, max_norm / norm) * gradient.astype(np.float64)
    results = step(host, of(OptimiserName.SGD, size), gradient, parameters, 0.1, max_norm)
    assert results[1] == pytest.approx(norm, rel=1e-6)
    np.testing.assert_allclose(parameters, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("nats", [np.nan, np.inf, 1e39])
def test_a_loss_that_is_not_finite_in_single_precision_changes_nothing(
    nats: float, name: OptimiserName, host: Host
) -> None:
    parameters, updates = np.ones(20, np.float32), of(name, 20)
    results = step(host, updates, np.ones(20, np.float32), parameters, 0.1, 1.0, nats)
    assert (parameters == 1.0).all()
    assert not updates.moments.any()
    assert not np.isfinite(results[0])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("entry", [np.nan, np.inf, 1e20])  # the square of the last one is beyond single precision
def test_a_gradient_norm_that_is_not_finite_changes_nothing(entry: float, name: OptimiserName, host: Host) -> None:
    gradient, parameters, updates = np.zeros(20, np.float32), np.ones(20, np.float32), of(name, 20)
    gradient[19] = entry
    results = step(host, updates, gradient, parameters, 0.1, 1.0)
    assert (parameters == 1.0).all()
    assert not updates.moments.any()
    assert not np.isfinite(results[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_of_zeros_changes_what_decays_alone(name: OptimiserName, host: Host) -> None:
    parameters = np.ones(20, np.float32)
    assert step(host, of(name, 20), np.zeros(20, np.float32), parameters, 0.1, 1.0)[1] == 0.0
    expected = np.ones(20, np.float32)
    if OPTIMISERS[name].decays:
        expected[4:6] = expected[10:] = 1.0 - 0.1 * 0.3
    np.testing.assert_allclose(parameters, expected, rtol=1e-6)


TORCH: dict[OptimiserName, Callable[[list[dict[str, object]]], torch.optim.Optimizer]] = {
    OptimiserName.SGD: lambda groups: torch.optim.SGD(groups, lr=0.01),
    OptimiserName.ADAM: lambda groups: torch.optim.Adam(groups, lr=0.01),
    OptimiserName.ADAMW: lambda groups: torch.optim.AdamW(groups, lr=0.01),
}


def torch_steps(name: OptimiserName, decayed: Sequence[slice], start: Tensor, gradients: Tensor) -> Tensor:
    """Return the parameters after PyTorch's optimiser has taken a step for each gradient, clipped to norm 1."""
    size = len(start)
    kept = np.ones(size, bool)
    for part in decayed:
        kept[part] = False
    both = [torch.nn.Parameter(start[torch.from_numpy(mask)].clone()) for mask in (~kept, kept)]
    groups: list[dict[str, object]] = [{"params": [p]} for p in both]
    if OPTIMISERS[name].decays:
        groups[0]["weight_decay"], groups[1]["weight_decay"] = 0.3, 0.0
    optimiser = TORCH[name](groups)
    for gradient in gradients:
        clipped = gradient * min(1.0, 1.0 / max(float(gradient.norm()), 1e-30))
        for parameter, mask in zip(both, (~kept, kept), strict=True):
            parameter.grad = clipped[torch.from_numpy(mask)]
        optimiser.step()
    found = torch.empty_like(start)
    found[torch.from_numpy(~kept)], found[torch.from_numpy(kept)] = both[0].data, both[1].data
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES)
def test_200_steps_are_those_of_torch_optim(size: int, name: OptimiserName, host: Host) -> None:
    """Gradients of all sizes: some are clipped, some are tiny, and some are zero."""
    rng = np.random.default_rng(size)
    scales = 10.0 ** rng.integers(-4, 2, size=(200, 1))
    gradients = torch.from_numpy(rng.normal(size=(200, size)) * scales * (rng.random((200, size)) < 0.9))
    gradients = gradients.float().double()  # the same numbers in both precisions
    start = torch.from_numpy(rng.normal(size=size)).float().double()
    exact, machine = of(name, size, torch.float64), of(name, size)
    expected = torch_steps(name, exact.decayed, start, gradients)
    values, parameters = start.clone(), start.float().numpy()
    for gradient in gradients:
        exact.apply(values, gradient, min(1.0, 1.0 / max(float(gradient.norm()), 1e-30)), 0.01)
        step(host, machine, gradient.float().numpy(), parameters, 0.01, 1.0)
        machine.steps += 1
    torch.testing.assert_close(values, expected, rtol=1e-6, atol=1e-9)
    assert (values - start).abs().max() > 0.005  # it has gone far
    np.testing.assert_allclose(parameters, expected.numpy(), rtol=1e-4, atol=1e-6)


def test_every_optimiser_has_machine_code(host: Host) -> None:
    assert UPDATES.keys() == OPTIMISERS.keys() == set(OptimiserName)
    for name, optimiser in OPTIMISERS.items():
        assert len(optimiser.numbers(0.1, 1, 0.0)) < CONTROL, name

"""LSTM variants with an exponential gate against plain loops with exponentials, a normaliser and a stabiliser.

The library writes them with softplus and two states. The loops here are the papers': a sum c of values and a sum n of
weights, both scaled by exp(-m) so that they stay finite. They start from n = exp(log_n), c = q n and m = 0.
"""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, exp, sigmoid, tanh
from torch.nn.functional import linear, logsigmoid, softplus

from tests.published import BATCH, UNITS, Equations, Weights, check_published, starts_of

States = tuple[Tensor, ...]
Gates = Callable[[Weights, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""Value z, log of its weight, and log of the factor of the old sums, from the weights, x and h."""


def _stabilised(z: Tensor, log_i: Tensor, log_f: Tensor, q: Tensor, log_n: Tensor) -> tuple[Tensor, Tensor]:
    """Return the average c / n and the log of n after a step of the stabilised form, from the same before it."""
    c, n, m = q * exp(log_n), exp(log_n), torch.zeros_like(log_n)
    new_m = torch.maximum(log_f + m, log_i)
    f, i = exp(log_f + m - new_m), exp(log_i - new_m)
    c, n = f * c + i * z, f * n + i
    return c / n, torch.log(n) + new_m


def _product(matrix: Tensor, value: Tensor) -> Tensor:
    """Return the product with a matrix, or of each head's part of the value with the head's block."""
    if matrix.dim() == 2:
        return linear(value, matrix)
    parts = value.chunk(len(matrix), 1)
    return torch.cat([linear(part, block) for part, block in zip(parts, matrix, strict=True)], 1)


def _sums(w: Weights, x: Tensor, h: Tensor) -> list[Tensor]:
    pairs = zip(w.matrices[::2], w.matrices[1::2], w.biases, strict=True)
    return [_product(of_x, x) + _product(of_h, h) + bias for of_x, of_h, bias in pairs]


def _slstm(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, q, log_n = states
    z, i, f, o = _sums(w, x, h)
    q, log_n = _stabilised(tanh(z), i, logsigmoid(f), q, log_n)
    return sigmoid(o) * q, q, log_n


def _slstm_exp(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, q, log_n = states
    z, f, i, o = _sums(w, x, h)
    q, log_n = _stabilised(tanh(z), i, f, q, log_n)
    return sigmoid(o) * q, q, log_n


def _rwa(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, q, log_n = states
    wu, wg, ug, wa, ua = w.matrices
    bu, bg = w.biases
    u, g, a = linear(x, wu, bu), linear(x, wg, bg) + linear(h, ug), linear(x, wa) + linear(h, ua)
    q, log_n = _stabilised(u * tanh(g), a, torch.zeros_like(a), q, log_n)
    return tanh(q), q, log_n


def _rda(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, q, log_n = states
    wu, wg, ug, wa, ua, wf, uf = w.matrices
    bu, bg, ba, bf = w.biases
    u, g = linear(x, wu, bu), linear(x, wg, bg) + linear(h, ug)
    a, f = linear(x, wa, ba) + linear(h, ua), linear(x, wf, bf) + linear(h, uf)
    numerator = q * exp(log_n) * sigmoid(f) + u * tanh(g) * exp(a)
    denominator = exp(log_n) * sigmoid(f) + exp(a)
    return tanh(numerator / denominator), numerator / denominator, torch.log(denominator)


CELLS = [
    ("slstm", _slstm),
    ("slstm-heads", _slstm),
    ("slstm-exp", _slstm_exp),
    ("rwa", _rwa),
    ("rda", _rda),
]


@pytest.mark.parametrize(("name", "equations"), CELLS)
def test_a_cell_computes_its_papers_equations(name: str, equations: Equations) -> None:
    check_published(name, equations)


@pytest.mark.parametrize(("name", "equations"), CELLS)
def test_zero_states_are_a_normaliser_of_1(name: str, equations: Equations) -> None:
    zero = torch.zeros(BATCH, UNITS, dtype=torch.float64)
    check_published(name, equations, states=(zero, zero, zero))


def test_over_2000_steps_the_softplus_form_is_the_stabilised_form_with_its_states_carried() -> None:
    generator = torch.Generator().manual_seed(1)
    c, n, m, q, log_n = (torch.full((4, 5), start, dtype=torch.float64) for start in (0.0, 1.0, 0.0, 0.0, 0.0))
    for _ in range(2000):
        z, i, f = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64) * 3
        new_m = torch.maximum(logsigmoid(f) + m, i)
        keep, write = exp(logsigmoid(f) + m - new_m), exp(i - new_m)
        c, n, m = keep * c + write * z, keep * n + write, new_m
        s = log_n - softplus(-f) - i
        q, log_n = sigmoid(s) * q + (1 - sigmoid(s)) * z, i + softplus(s)
        torch.testing.assert_close(q, c / n, rtol=0, atol=1e-11)
        torch.testing.assert_close(log_n, torch.log(n) + m, rtol=0, atol=1e-11)


def test_the_clamps_of_xlstm_and_flashrnn_change_nothing() -> None:
    """Compare the forms without clamp, with both gates at most 1, and with the normaliser at least 1, from n = 0."""
    generator = torch.Generator().manual_seed(2)
    c, n, m = (torch.zeros(shape, dtype=torch.float64) for shape in ((3, 4, 5), (3, 4, 5), (4, 5)))
    for step in range(200):
        z, i, f = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64) * 3
        new_m = i if step == 0 else torch.maximum(logsigmoid(f) + m, i)
        keep, write, m = exp(logsigmoid(f) + m - new_m), exp(i - new_m), new_m
        keeps = torch.stack([keep, torch.clamp(keep, max=1), keep])
        writes = torch.stack([write, torch.clamp(write, max=1), write])
        c, n = keeps * c + writes * z, keeps * n + writes
        n = torch.cat([n[:2], torch.clamp(n[2:], min=1)])
        torch.testing.assert_close(c[1:] / n[1:], (c[:1] / n[:1]).expand(2, 4, 5), rtol=0, atol=1e-12)


def test_slstm_starts_its_forget_bias_evenly_spaced_from_3_to_6() -> None:
    for name in ("slstm", "slstm-heads"):
        torch.testing.assert_close(starts_of(name, units=16).biases[2], torch.linspace(3, 6, 16))


def test_slstm_with_heads_starts_without_recurrence_and_with_blocks() -> None:
    matrices = starts_of("slstm-heads", units=16).matrices
    assert {tuple(blocks.shape) for blocks in matrices} == {(4, 4, 4)}
    assert all(blocks.eq(0).all() for blocks in matrices[1::2])
    assert all(blocks.ne(0).all() for blocks in matrices[0::2])

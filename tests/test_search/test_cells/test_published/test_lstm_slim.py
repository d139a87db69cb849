"""LSTM variants with fewer parameters against plain loops written from their papers' equations."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, sigmoid, tanh
from torch.nn.functional import linear

from tests.published import Weights, check_published, starts_of

States = tuple[Tensor, ...]
Gates = Callable[[Weights, Tensor], Sequence[Tensor | float]]
"""Gates i, f and o from the weights and h."""


def _matrix_and_bias(w: Weights, h: Tensor) -> Sequence[Tensor]:
    return [sigmoid(linear(h, u, b)) for u, b in zip(w.matrices[:3], w.biases[:3], strict=True)]


def _matrix(w: Weights, h: Tensor) -> Sequence[Tensor]:
    return [sigmoid(linear(h, u)) for u in w.matrices[:3]]


def _bias(w: Weights, h: Tensor) -> Sequence[Tensor]:
    return [sigmoid(b).expand_as(h) for b in w.vectors]


def _factor(w: Weights, h: Tensor) -> Sequence[Tensor]:
    return [sigmoid(u * h) for u in w.vectors[:3]]


def _factor_and_bias(w: Weights, h: Tensor) -> Sequence[Tensor]:
    return [sigmoid(w.vectors[2 * k] * h + w.vectors[2 * k + 1]) for k in range(3)]


def _factor_4a(w: Weights, h: Tensor) -> Sequence[Tensor | float]:
    return sigmoid(w.vectors[0] * h), 0.96, 1.0


def _factor_5a(w: Weights, h: Tensor) -> Sequence[Tensor | float]:
    return sigmoid(w.vectors[0] * h + w.vectors[1]), 0.96, 1.0


def _fixed(w: Weights, h: Tensor) -> Sequence[float]:
    return 1.0, 0.4, 1.0


@pytest.mark.parametrize(
    ("name", "gates", "full"),
    [
        ("slim-lstm1", _matrix_and_bias, True),
        ("slim-lstm2", _matrix, True),
        ("slim-lstm3", _bias, True),
        ("slim-lstm4", _factor, True),
        ("slim-lstm4a", _factor_4a, True),
        ("slim-lstm5", _factor_and_bias, True),
        ("slim-lstm5a", _factor_5a, True),
        ("slim-lstm6", _fixed, True),
        ("slim-lstm10", _factor, False),
        ("slim-lstm11", _factor_and_bias, False),
    ],
)
def test_a_simplified_lstm_computes_its_papers_equations(name: str, gates: Gates, full: bool) -> None:
    def step(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
        h, c = states
        i, f, o = gates(w, h)
        if full:
            new = tanh(linear(x, w.matrices[-2], w.biases[-1]) + linear(h, w.matrices[-1]))
        else:
            new = tanh(linear(x, w.matrices[-1], w.biases[-1]) + w.vectors[-1] * h)
        c = f * c + i * new
        return o * tanh(c), c

    check_published(name, step)


def test_indy_lstm_computes_its_papers_equations() -> None:
    def step(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
        h, c = states
        i, f, o, new = (
            linear(x, matrix, bias) + vector * h
            for matrix, bias, vector in zip(w.matrices, w.biases, w.vectors, strict=True)
        )
        c = sigmoid(f) * c + sigmoid(i) * tanh(new)
        return sigmoid(o) * tanh(c), c

    check_published("indy-lstm", step)


def test_biases_that_are_gates_start_at_0() -> None:
    assert all(bias.eq(0).all() for bias in starts_of("slim-lstm3").vectors)
    factors_and_biases = starts_of("slim-lstm11", units=100).vectors
    assert all(bias.eq(0).all() for bias in factors_and_biases[1:6:2])
    assert all(0.08 < factor.abs().max() <= 0.1 for factor in [*factors_and_biases[0:6:2], factors_and_biases[6]])


def test_indy_lstm_starts_its_factors_between_1_and_minus_1() -> None:
    w = starts_of("indy-lstm", units=100)
    assert all(0.9 < factor.abs().max() <= 1 for factor in w.vectors)
    assert torch.stack(w.vectors).mean().abs() < 0.12
    assert [round(bias.mean().item()) for bias in w.biases] == [0, 1, 0, 0]

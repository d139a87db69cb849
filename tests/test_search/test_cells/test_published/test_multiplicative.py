"""Cells that multiply projections against plain loops written from their papers' equations or their authors' code."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, relu, sigmoid, tanh

from search.cells.library import FAMILIES
from tests.products import Product, products
from tests.published import Equations, Weights, check_published, starts_of

States = tuple[Tensor, ...]


def _mrnn(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    """Take a step whose recurrent matrix is that of the input: U diag(V x) W, instead of a factored product."""
    (h,) = states
    factor_x, factor_h, input_product, _ = products(w, "-- b-")
    out = torch.stack([w.matrices[3] @ torch.diag(factor) @ w.matrices[1] for factor in factor_x(x)])
    assert factor_h(h).shape == h.shape
    return (tanh(input_product(x) + torch.einsum("bij,bj->bi", out, h)),)


def _mi_rnn_simple(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    """Scale the rows of the recurrent matrix by the input's projection: diag(W x) U h + b."""
    (h,) = states
    (wx, u), (b,) = w.matrices, w.vectors
    rows = (x @ wx.T)[:, :, None] * u
    return (tanh(torch.einsum("bij,bj->bi", rows, h) + b),)


def _integrations(w: Weights) -> list[tuple[Product, Product, Tensor, Tensor, Tensor, Tensor]]:
    matrices = list(products(w, "-" * len(w.matrices)))
    vectors = iter(w.vectors)
    return [
        (wx, uz, next(vectors), next(vectors), next(vectors), next(vectors))
        for wx, uz in zip(matrices[::2], matrices[1::2], strict=True)
    ]


def _integrate(parts: tuple[Product, Product, Tensor, Tensor, Tensor, Tensor], x: Tensor, z: Tensor) -> Tensor:
    w, u, alpha, beta1, beta2, b = parts
    wx, uz = w(x), u(z)
    return alpha * wx * uz + beta1 * uz + beta2 * wx + b


def _mi_rnn(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (parts,) = _integrations(w)
    return (tanh(_integrate(parts, x, states[0])),)


def _mi_gru(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (h,) = states
    reset, update, new = _integrations(w)
    r, u = sigmoid(_integrate(reset, x, h)), sigmoid(_integrate(update, x, h))
    return (u * h + (1 - u) * tanh(_integrate(new, x, r * h)),)


def _mi_lstm(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    i, f, j, o = (_integrate(parts, x, h) for parts in _integrations(w))
    c = c * sigmoid(f) + sigmoid(i) * tanh(j)
    return tanh(c) * sigmoid(o), c


def _mlstm(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    """Take a step of chainer's LSTM from the sum of the input's and the factor's projections."""
    h, c = states
    factor_in, mult_in, *lstm = products(w, "-- b- b- b- b-")
    mult_out = mult_in(h) * factor_in(x)
    a, i, f, o = (lstm[k](x) + lstm[k + 1](mult_out) for k in range(0, 8, 2))
    c = tanh(a) * sigmoid(i) + sigmoid(f) * c
    return sigmoid(o) * tanh(c), c


def _mlstm_2016(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    factor, intermediates, hidden_x, hidden_m, *gates = products(w, "-- -- b- b- b-")
    (bias,) = w.vectors
    mult = factor(x) * intermediates(h)
    write, keep, read = (sigmoid(gates[k](x) + gates[k + 1](mult)) for k in range(0, 6, 2))
    c = (hidden_x(x) + hidden_m(mult)) * write + c * keep
    return tanh(c * read + bias), c


def _mogrifier_lstm(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    *rounds, ix, ih, fx, fh, jx, jh, ox, oh = products(w, "bbbbb b- b- b- b-")
    for i, product in enumerate(rounds, start=1):
        if i % 2 == 1:
            x = 2 * sigmoid(product(h)) * x
        else:
            h = 2 * sigmoid(product(x)) * h
    c = sigmoid(fx(x) + fh(h)) * c + sigmoid(ix(x) + ih(h)) * tanh(jx(x) + jh(h))
    return sigmoid(ox(x) + oh(h)) * tanh(c), c


def _intersection_rnn(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    """Take a step of TensorFlow's IntersectionRNNCell, whose constant of 1 is in the bias here."""
    _, h = states
    p = list(products(w, "b- b- b- b-"))
    gh, h_act, gy, y_act = (p[k](x) + p[k + 1](h) for k in range(0, 8, 2))
    gh, gy = sigmoid(gh), sigmoid(gy)
    return gy * x + (1 - gy) * relu(y_act), gh * h + (1 - gh) * tanh(h_act)


EQUATIONS: dict[str, Equations] = {
    "mrnn": _mrnn,
    "mi-rnn-simple": _mi_rnn_simple,
    "mi-rnn": _mi_rnn,
    "mi-gru": _mi_gru,
    "mi-lstm": _mi_lstm,
    "mlstm": _mlstm,
    "mlstm-2016": _mlstm_2016,
    "mogrifier-lstm": _mogrifier_lstm,
    "intersection-rnn": _intersection_rnn,
}


def test_every_cell_of_the_family_has_its_equations_here() -> None:
    assert {cell.name for cell in FAMILIES["multiplicative"]} == set(EQUATIONS)


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_cell_computes_its_equations(name: str) -> None:
    check_published(name, EQUATIONS[name])


@pytest.mark.parametrize(("name", "sums"), [("mi-rnn", 1), ("mi-gru", 3), ("mi-lstm", 4)])
def test_vectors_of_an_integration_start_at_the_means_of_the_second_source(name: str, sums: int) -> None:
    """alpha at 1, both betas at 0.5, the bias at 0."""
    assert [set(vector.tolist()) for vector in starts_of(name).vectors] == [{1.0}, {0.5}, {0.5}, {0.0}] * sums


def test_mlstm_starts_its_forget_bias_around_1() -> None:
    a, i, f, o = starts_of("mlstm", units=64).biases
    assert f.sub(1).abs().max() <= 1 / 8
    assert max(b.abs().max() for b in (a, i, o)) <= 1 / 8


def test_the_intersection_rnn_starts_with_its_gates_open_for_what_was_there() -> None:
    gate_h, h, gate_y, y = starts_of("intersection-rnn", units=64).biases
    assert max(b.sub(1).abs().max() for b in (gate_h, gate_y)) <= 1 / 8
    assert max(b.abs().max() for b in (h, y)) <= 1 / 8

"""LSTM and its variants against plain loops written from their papers' equations."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, sigmoid, tanh
from torch.nn.functional import linear

from search.cells.library import LIBRARY
from tests.published import Equations, Weights, check_published, starts_of

States = tuple[Tensor, ...]


def _vanilla(gates: str, w: Weights, x: Tensor, h: Tensor) -> list[Tensor]:
    """Return the sums of the gates of an LSTM whose every product has a bias, or every product of x."""
    matrices, biases = iter(w.matrices), iter(w.biases)
    both = len(w.biases) == len(w.matrices)
    return [
        linear(x, next(matrices), next(biases)) + linear(h, next(matrices), next(biases) if both else None)
        for _ in gates
    ]


def _lstm(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    i, f, g, o = _vanilla("ifgo", w, x, h)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def _lstm_tanh_o(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    i, f, g, o = _vanilla("ifgo", w, x, h)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return tanh(o) * tanh(c), c


def _without_f(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    i, g, o = _vanilla("igo", w, x, h)
    c = c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def _without_i(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    f, g, o = _vanilla("fgo", w, x, h)
    c = sigmoid(f) * c + tanh(g)
    return sigmoid(o) * tanh(c), c


def _without_o(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    i, f, g = _vanilla("ifg", w, x, h)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return tanh(c), c


def _of_1997(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    y, s = states
    i, o, net = _vanilla("ioc", w, x, y)
    s = s + sigmoid(i) * (4 / (1 + torch.exp(-net)) - 2)
    return sigmoid(o) * (2 / (1 + torch.exp(-s)) - 1), s


def _niaf(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    y, c = states
    z, i, f, o = _vanilla("zifo", w, x, y)
    c = z * sigmoid(i) + c * sigmoid(f)
    return tanh(c) * sigmoid(o), c


def _noaf(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    y, c = states
    z, i, f, o = _vanilla("zifo", w, x, y)
    c = tanh(z) * sigmoid(i) + c * sigmoid(f)
    return c * sigmoid(o), c


def _cifg(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    y, c = states
    z, i, o = _vanilla("zio", w, x, y)
    f = 1 - sigmoid(i)
    c = tanh(z) * sigmoid(i) + c * f
    return tanh(c) * sigmoid(o), c


def _fgr(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    y, i, f, o, c = states
    matrices, biases = iter(w.matrices), iter(w.biases)

    def product(*values: Tensor) -> Tensor:
        return sum((linear(v, next(matrices)) for v in values), next(biases))

    z = tanh(product(x, y))
    new_i, new_f, new_o = (sigmoid(product(x, y, i, f, o)) for _ in range(3))
    c = z * new_i + c * new_f
    return tanh(c) * new_o, new_i, new_f, new_o, c


def _simplified(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    f, g = _vanilla("fg", w, x, h)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * tanh(g)
    return tanh(c), c


def _janet(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (c,) = states
    s, g = _vanilla("sg", w, x, c)
    return (sigmoid(s) * c + (1 - sigmoid(s - 1)) * tanh(g),)


def _ur(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    f, r, u, o = _vanilla("fruo", w, x, h)
    f, r = sigmoid(f), sigmoid(r)
    upper, lower = 1 - (1 - f) ** 2, f**2
    g = r * upper + (1 - r) * lower
    c = g * c + (1 - g) * tanh(u)
    return sigmoid(o) * tanh(c), c


def _capped(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    j, o, f, i = _vanilla("jofi", w, x, h)
    c = sigmoid(f) * c + torch.minimum(1 - sigmoid(f), sigmoid(i)) * tanh(j)
    return sigmoid(o) * tanh(c), c


def _orthogonal(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    i, g, f, o = _vanilla("igfo", w, x, h)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


@pytest.mark.parametrize(
    ("name", "equations"),
    [
        ("lstm", _lstm),
        ("lstm-tanh-o", _lstm_tanh_o),
        ("lstm-f", _without_f),
        ("lstm-i", _without_i),
        ("lstm-o", _without_o),
        ("lstm-b", _lstm),
        ("lstm-ob", _lstm),
        ("lstm-1997", _of_1997),
        ("lstm-niaf", _niaf),
        ("lstm-noaf", _noaf),
        ("lstm-cifg", _cifg),
        ("lstm-fgr", _fgr),
        ("simplified-lstm", _simplified),
        ("janet", _janet),
        ("janet-chrono", _janet),
        ("lstm-chrono", _lstm),
        ("ur-lstm", _ur),
        ("lstm-capped", _capped),
        ("lstm-orthogonal", _orthogonal),
    ],
)
def test_a_cell_computes_its_papers_equations(name: str, equations: Equations) -> None:
    check_published(name, equations)


def test_the_lstm_of_1997_keeps_new_values_below_2_and_outputs_below_1() -> None:
    assert "g = 4 * sigmoid(" in LIBRARY["lstm-1997"].formula
    w = Weights([torch.zeros(2, 2)] * 6, [torch.full((2,), 50.0)] * 3, [])
    h, c = _of_1997(w, torch.zeros(1, 2), (torch.zeros(1, 2), torch.zeros(1, 2)))
    assert c.tolist() == [[2.0, 2.0]]
    torch.testing.assert_close(h, torch.tanh(torch.ones(1, 2)))


def test_chrono_starts_forget_biases_at_logs_of_1_to_t_less_1_and_input_biases_opposite() -> None:
    input_bias, forget_bias, new, output = starts_of("lstm-chrono", units=200).biases
    assert forget_bias.min() >= 0
    assert forget_bias.max() <= torch.tensor(99.0).log()
    assert forget_bias.exp().mean().item() == pytest.approx(50, abs=6)  # the mean of U(1, 99), 200 draws
    torch.testing.assert_close(input_bias, -forget_bias)
    assert max(new.abs().max(), output.abs().max()) <= 200**-0.5
    (gate, _) = starts_of("janet-chrono", units=200).biases
    assert gate.exp().mean().item() == pytest.approx(50, abs=6)


def test_janet_starts_its_forget_bias_around_1() -> None:
    gate, new = starts_of("janet", units=64).biases
    assert gate.sub(1).abs().max() <= 64**-0.5
    assert new.abs().max() <= 64**-0.5


def test_ur_lstm_starts_its_forget_gate_spread_evenly_and_its_refine_gate_opposite() -> None:
    units = 400
    forget, refine, _, _ = starts_of("ur-lstm", units=units).biases
    gates = forget.double().sigmoid().sort().values
    assert gates.min() >= 1 / units - 1e-6
    assert gates.max() <= 1 - 1 / units + 1e-6
    distance = (gates - torch.linspace(0, 1, units, dtype=torch.float64)).abs().max()
    assert distance < 0.1  # Kolmogorov-Smirnov distance of 400 even draws
    torch.testing.assert_close(refine, -forget)


def test_the_orthogonal_lstm_starts_each_recurrent_matrix_orthogonal() -> None:
    w = starts_of("lstm-orthogonal", units=16)
    for recurrent in w.matrices[1::2]:
        torch.testing.assert_close(recurrent @ recurrent.T, torch.eye(16), rtol=0, atol=1e-5)
    assert not torch.equal(w.matrices[1], w.matrices[3])
    assert w.biases[2].sub(1).abs().max() <= 16**-0.5

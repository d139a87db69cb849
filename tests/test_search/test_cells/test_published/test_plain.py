"""Cells without gates against plain loops of their papers' equations. Dimensions: B sequences, H units."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from search.cells.published.plain import CELLS
from tests.published import Weights, check_published, starts_of

States = tuple[Tensor, ...]
Step = Callable[[Weights, Tensor, States], States]


def elman(w: Weights, x: Tensor, states: States) -> States:
    (a, b), (bias_a, bias_b) = w.matrices, w.biases
    return (torch.tanh(x @ a.T + bias_a + states[0] @ b.T + bias_b),)


def rnnlm(w: Weights, x: Tensor, states: States) -> States:
    """Mikolov et al. 2010, section 2: s(t) = f(U w(t) + W s(t - 1)) with the logistic function."""
    u, r = w.matrices
    return (1 / (1 + torch.exp(-(x @ u.T + states[0] @ r.T))),)


def rectified(w: Weights, x: Tensor, states: States) -> States:
    (a, b), (bias,) = w.matrices, w.biases
    return ((x @ a.T + states[0] @ b.T + bias).clamp(min=0),)


def identity_added(w: Weights, x: Tensor, states: States) -> States:
    """Hu et al. 2018: h = ReLU(W x + (U + I) h + b)."""
    (a, b), (bias,) = w.matrices, w.biases
    return (torch.relu(x @ a.T + states[0] @ (b + torch.eye(len(b), dtype=b.dtype)).T + bias),)


def residual(w: Weights, x: Tensor, states: States) -> States:
    """Flax's SimpleCell: the carry is added to the sum before the activation."""
    (a, b), (bias,) = w.matrices, w.biases
    carry = x @ a.T + bias + states[0] @ b.T
    carry = carry + states[0]
    return (torch.tanh(carry),)


def one_bias(w: Weights, x: Tensor, states: States) -> States:
    (a, b), (bias,) = w.matrices, w.biases
    return (torch.tanh(x @ a.T + states[0] @ b.T + bias),)


def jordan(w: Weights, x: Tensor, states: States) -> States:
    """Hidden layer from the input and the old output, output from the hidden layer."""
    (w_h, u_h, w_y), (b_h, b_y) = w.matrices, w.biases
    hidden = torch.tanh(x @ w_h.T + states[0] @ u_h.T + b_h)
    return (torch.tanh(hidden @ w_y.T + b_y),)


def leaky(w: Weights, x: Tensor, states: States) -> States:
    """Yang et al. 2019: r' = (1 - dt / tau) r + dt / tau f(W_rec r + W_in u + b) with dt = 20 ms, tau = 100 ms."""
    (w_in, w_rec), (b,) = w.matrices, w.biases
    alpha = 20 / 100
    return ((1 - alpha) * states[0] + alpha * torch.log1p(torch.exp(x @ w_in.T + states[0] @ w_rec.T + b)),)


def rates(w: Weights, x: Tensor, states: States) -> States:
    """Song et al. 2016: currents x' = (1 - a) x + a (W_rec r + W_in u + b), rates r = [x]_+; r is the output."""
    (w_in, w_rec), (b,) = w.matrices, w.biases
    alpha, current = 1 / 5, states[1]
    current = (1 - alpha) * current + alpha * (current.clamp(min=0) @ w_rec.T + x @ w_in.T + b)
    return current.clamp(min=0), current


def fastrnn(w: Weights, x: Tensor, states: States) -> States:
    """Kusupati et al. 2018: h' = sigmoid(alpha) tanh(W x + U h + b) + sigmoid(beta) h."""
    (a, u), (b,), (alpha, beta) = w.matrices, w.biases, w.vectors
    candidate = torch.tanh(x @ a.T + states[0] @ u.T + b)
    return (torch.sigmoid(beta) * states[0] + torch.sigmoid(alpha) * candidate,)


def independent(activation: Callable[[Tensor], Tensor]) -> Step:
    """Li et al. 2018, equation 4: h = sigma(W x + u * h + b)."""

    def step(w: Weights, x: Tensor, states: States) -> States:
        (a,), (b,), (u,) = w.matrices, w.biases, w.vectors
        return (activation(x @ a.T + u * states[0] + b),)

    return step


def independent_normalised(w: Weights, x: Tensor, states: States) -> States:
    """Haste: tanh of the normalised input with gain and bias, plus the scaled state."""
    (a,), (gamma, bias, scale) = w.matrices, w.vectors
    wx = torch.nn.functional.layer_norm(x @ a.T, (len(gamma),), weight=gamma) + bias
    return (torch.tanh(wx + states[0] * scale),)


def scrn(w: Weights, x: Tensor, states: States) -> States:
    """Mikolov et al. 2014, equations 4 to 6: context s, hidden layer q, and the output before the softmax."""
    b, p, a, r, u, v = w.matrices
    alpha = 0.95
    _, s, q = states
    s = (1 - alpha) * (x @ b.T) + alpha * s
    q = torch.sigmoid(s @ p.T + x @ a.T + q @ r.T)
    return q @ u.T + s @ v.T, s, q


def momentum(w: Weights, x: Tensor, states: States) -> States:
    """Nguyen et al. 2020: v' = mu v + eps W x; h' = tanh(U h + v')."""
    (a, u), (b,) = w.matrices, w.biases
    v = 0.6 * states[1] + 0.6 * (x @ a.T)
    return torch.tanh(states[0] @ u.T + b + v), v


def plrnn(w: Weights, x: Tensor, states: States) -> States:
    """Koppe et al. 2019: z' = A z + W relu(z) + h + C s, A diagonal."""
    (off_diagonal, c), (h,), (a,) = w.matrices, w.biases, w.vectors
    return (states[0] @ torch.diag(a) + torch.relu(states[0]) @ off_diagonal.T + h + x @ c.T,)


def shallow(w: Weights, x: Tensor, states: States) -> States:
    """Hess et al. 2023: z' = A z + W1 relu(W2 z + h2) + h1 + C s."""
    (w2, w1, c), (h2, h1), (a,) = w.matrices, w.biases, w.vectors
    return (a * states[0] + torch.relu(states[0] @ w2.T + h2) @ w1.T + h1 + x @ c.T,)


def clipped(w: Weights, x: Tensor, states: States) -> States:
    """Hess et al. 2023: z' = A z + W1 (relu(W2 z + h2) - relu(W2 z)) + h1 + C s."""
    (w2, w1, c), (h1,), (h2, a) = w.matrices, w.biases, w.vectors
    w2z = states[0] @ w2.T
    return (a * states[0] + (torch.relu(w2z + h2) - torch.relu(w2z)) @ w1.T + h1 + x @ c.T,)


def minion(w: Weights, x: Tensor, states: States) -> States:
    """Zyarah and Kudithipudi 2025: reset and update gates of the GRU are the numbers theta and lambda."""
    (a, u), (b,) = w.matrices, w.biases
    theta = lam = 0.5
    candidate = torch.tanh(x @ a.T + b + (theta * states[0]) @ u.T)
    return (lam * states[0] + (1 - lam) * candidate,)


EQUATIONS: dict[str, Step] = {
    "tanh": elman,
    "rnn-sigmoid": rnnlm,
    "rnn-relu": rectified,
    "irnn": rectified,
    "rin": identity_added,
    "rnn-residual": residual,
    "rnn-orthogonal": one_bias,
    "jordan": jordan,
    "leaky-rnn": leaky,
    "rate-rnn": rates,
    "fastrnn": fastrnn,
    "indrnn": independent(torch.relu),
    "indrnn-tanh": independent(torch.tanh),
    "indrnn-layer-norm": independent_normalised,
    "scrn": scrn,
    "momentum-rnn": momentum,
    "plrnn": plrnn,
    "plrnn-shallow": shallow,
    "plrnn-clipped": clipped,
    "miru-2": minion,
}


def test_every_cell_of_the_family_has_its_equations_here() -> None:
    assert list(EQUATIONS) == [cell.name for cell in CELLS]


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_cell_computes_its_equations(name: str) -> None:
    check_published(name, EQUATIONS[name])


def test_softplus_of_the_leaky_network_is_that_of_torch() -> None:
    value = torch.linspace(-5, 5, 11, dtype=torch.float64)
    torch.testing.assert_close(torch.log1p(torch.exp(value)), softplus(value))


def test_irnn_starts_as_the_identity_and_the_leaky_network_as_half_of_it() -> None:
    for name, factor in (("irnn", 1.0), ("leaky-rnn", 0.5)):
        of_x, of_h = starts_of(name, units=16).matrices
        assert torch.equal(of_h, factor * torch.eye(16))
        assert of_x.abs().max() <= 16**-0.5
        assert of_x.std() > 0.1


@pytest.mark.parametrize("name", ["rnn-orthogonal", "rnn-residual"])
def test_orthogonal_starts(name: str) -> None:
    of_h = starts_of(name, units=16).matrices[1]
    torch.testing.assert_close(of_h @ of_h.T, torch.eye(16), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "low", "high"), [("indrnn", 0, 1), ("indrnn-tanh", -1, 1), ("indrnn-layer-norm", -0.5, 0.5)]
)
def test_factors_of_independent_units_start_uniformly(name: str, low: float, high: float) -> None:
    factors = starts_of(name, units=4096).vectors[-1]
    assert low <= factors.min() < low + 0.01
    assert high - 0.01 < factors.max() <= high
    assert factors.std().item() == pytest.approx((high - low) / math.sqrt(12), rel=0.05)


def test_fastrnn_starts_as_a_slow_unit() -> None:
    starts = starts_of("fastrnn", units=64)
    alpha, beta = starts.vectors
    assert (alpha == -3).all()
    assert (beta == 3).all()
    assert (starts.biases[0] - 1).abs().max() <= 64**-0.5

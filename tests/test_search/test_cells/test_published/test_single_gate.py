"""Cells with one gate against plain loops of their papers' equations. Dimensions: B sequences, H units."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from search.cells.library import FAMILIES
from tests.published import Weights, check_published, starts_of

States = tuple[Tensor, ...]
Step = Callable[[Weights, Tensor, States], States]


def sigmoid(value: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-value))


def update_gate(w: Weights, x: Tensor, states: States) -> States:
    """Collins et al. 2016: h = g h + (1 - g) c."""
    (h,), (wg, ug, wc, uc), (bg, bc) = states, w.matrices, w.biases
    both = torch.cat([x, h], 1)
    g = sigmoid(both @ torch.cat([wg, ug], 1).T + bg)
    c = torch.tanh(both @ torch.cat([wc, uc], 1).T + bc)
    return (g * h + (1 - g) * c,)


def exponential_update_gate(w: Weights, x: Tensor, states: States) -> States:
    """Staroverov 2026: z = exp(-softplus(z~)), h' = z h + (1 - z) h~."""
    (h,), (wz, uz, wn, un), (bz, cz, bn, cn) = states, w.matrices, w.biases
    z_tilde = x @ wz.T + bz + h @ uz.T + cz
    z = torch.exp(-torch.log(1 + torch.exp(z_tilde)))
    return (z * h + (1 - z) * torch.tanh(x @ wn.T + bn + h @ un.T + cn),)


def minimal(h: Tensor, x: Tensor, f: Tensor, w: Tensor, u: Tensor, b: Tensor) -> States:
    """Zhou et al. 2016: the forget gate also resets; it weights the new value."""
    return ((1 - f) * h + f * torch.tanh(x @ w.T + (f * h) @ u.T + b),)


def mgu(w: Weights, x: Tensor, states: States) -> States:
    (h,), (wf, uf, wh, uh), (bf, bh) = states, w.matrices, w.biases
    return minimal(h, x, sigmoid(x @ wf.T + h @ uf.T + bf), wh, uh, bh)


def mgu1(w: Weights, x: Tensor, states: States) -> States:
    (h,), (uf, wh, uh), (bf, bh) = states, w.matrices, w.biases
    return minimal(h, x, sigmoid(h @ uf.T + bf), wh, uh, bh)


def mgu2(w: Weights, x: Tensor, states: States) -> States:
    (h,), (uf, wh, uh), (bh,) = states, w.matrices, w.biases
    return minimal(h, x, sigmoid(h @ uf.T), wh, uh, bh)


def mgu3(w: Weights, x: Tensor, states: States) -> States:
    (h,), (wh, uh), (bh,), (bf,) = states, w.matrices, w.biases, w.vectors
    return minimal(h, x, sigmoid(bf), wh, uh, bh)


def mgu_of_flax(w: Weights, x: Tensor, states: States) -> States:
    """Flax: n = tanh(W x + b + f (U h + b')), h' = (1 - f) n + f h."""
    (h,), (wf, uf, wn, un), (bf, bn, bh) = states, w.matrices, w.biases
    f = sigmoid(x @ wf.T + bf + h @ uf.T)
    n = torch.tanh(x @ wn.T + bn + f * (h @ un.T + bh))
    return ((1 - f) * n + f * h,)


def highway(depth: int) -> Step:
    """Zilly et al. 2017, section 3, with coupled gates: s' = (h - s) t + s, as in the authors' code."""

    def step(w: Weights, x: Tensor, states: States) -> States:
        (state,), matrices, biases = states, iter(w.matrices), iter(w.biases)
        for layer in range(depth):
            t, h = (
                (x @ next(matrices).T if layer == 0 else 0.0) + state @ next(matrices).T + next(biases)
                for _ in range(2)
            )
            state = (torch.tanh(h) - state) * sigmoid(t) + state
        return (state,)

    return step


def chaos_free(w: Weights, x: Tensor, states: States) -> States:
    """Laurent and von Brecht 2016: h = theta tanh(h) + eta tanh(W x)."""
    (h,), (v_theta, u_theta, v_eta, u_eta, a), (b_theta, b_eta) = states, w.matrices, w.biases
    theta = sigmoid(h @ u_theta.T + x @ v_theta.T + b_theta)
    eta = sigmoid(h @ u_eta.T + x @ v_eta.T + b_eta)
    return (theta * torch.tanh(h) + eta * torch.tanh(x @ a.T),)


def additive(h: Tensor, c: Tensor, x: Tensor, w: Weights) -> Tensor:
    """Lee et al. 2017: c = i (W x) + f c."""
    (wi, ui, wf, uf, wc), (bi, bf) = w.matrices, w.biases
    return sigmoid(x @ wi.T + h @ ui.T + bi) * (x @ wc.T) + sigmoid(x @ wf.T + h @ uf.T + bf) * c


def ran(w: Weights, x: Tensor, states: States) -> States:
    c = additive(states[0], states[1], x, w)
    return torch.tanh(c), c


def ran_identity(w: Weights, x: Tensor, states: States) -> States:
    return (additive(states[0], states[0], x, w),)


def minimal_rnn(w: Weights, x: Tensor, states: States) -> States:
    """Chen 2017: z = tanh(W x + b), u = sigmoid(U_h h + U_z z + b), h' = u h + (1 - u) z."""
    (h,), (wx, uh, uz), (bz, bu) = states, w.matrices, w.biases
    z = torch.tanh(x @ wx.T + bz)
    u = sigmoid(h @ uh.T + z @ uz.T + bu)
    return (u * h + (1 - u) * z,)


def light(w: Weights, x: Tensor, states: States) -> States:
    """Ye et al. 2024: the new value is tanh(W x)."""
    (h,), (wh, wf, uf), (bf,) = states, w.matrices, w.biases
    f = sigmoid(x @ wf.T + h @ uf.T + bf)
    return ((1 - f) * h + f * torch.tanh(x @ wh.T),)


def star(w: Weights, x: Tensor, states: States) -> States:
    """Turkoglu et al. 2021: K = sigmoid(W x + W h + b), h' = tanh((1 - K) h + K z)."""
    (h,), (wz, wk, uk), (bz, bk) = states, w.matrices, w.biases
    k, z = sigmoid(x @ wk.T + h @ uk.T + bk), torch.tanh(x @ wz.T + bz)
    return (torch.tanh((1 - k) * h + k * z),)


def star_of_the_authors(w: Weights, x: Tensor, states: States) -> States:
    (h,), (weights_obs, w_xh, w_hh), (bias_obs, bias_k) = states, w.matrices, w.biases
    f = torch.cat([x, h], 1) @ torch.cat([w_xh, w_hh], 1).T + bias_k
    j = x @ weights_obs.T + bias_obs
    beta = 1
    return (torch.tanh(sigmoid(f) * h + (1 - sigmoid(f - beta)) * torch.tanh(j)),)


def simple_gated(w: Weights, x: Tensor, states: States) -> States:
    """Zu and Wei 2020: f = sigmoid(W x + U h + b), i = 1 - f, h' = tanh(i (W x) + f h)."""
    (h,), (a, u), (b,) = states, w.matrices, w.biases
    f = sigmoid(x @ a.T + h @ u.T + b)
    i = 1 - f
    return (torch.tanh(i * (x @ a.T) + f * h),)


def twin_gates(activation: Callable[[Tensor], Tensor]) -> Step:
    """Zhang et al. 2018: i = sigmoid(p + q), f = sigmoid(p - q), h = i p + f h."""

    def step(w: Weights, x: Tensor, states: States) -> States:
        (h,), (a, u), (b, c) = states, w.matrices, w.biases
        p, q = x @ a.T + b, h @ u.T + c
        return (activation(sigmoid(p + q) * p + sigmoid(p - q) * h),)

    return step


def lightweight(activation: Callable[[Tensor], Tensor]) -> Step:
    """Zhang and Sennrich 2019: i = sigmoid(k + h), f = sigmoid(q - h), h' = g(i v + f h)."""

    def step(w: Weights, x: Tensor, states: States) -> States:
        (h,), biases = states, w.biases
        k, q, v = (x @ matrix.T + bias for matrix, bias in zip(w.matrices, biases, strict=True))
        return (activation(sigmoid(k + h) * v + sigmoid(q - h) * h),)

    return step


def identity(value: Tensor) -> Tensor:
    return value


def delta(w: Weights, x: Tensor, states: States) -> States:
    """Ororbia et al. 2017: d1 = alpha V h W x, d2 = beta1 V h + beta2 W x, z = tanh(d1 + d2 + b)."""
    (h,), (a, v), (alpha, beta1, beta2, b, b_r) = states, w.matrices, w.vectors
    wx, vh = x @ a.T, h @ v.T
    d1, d2 = alpha * vh * wx, beta1 * vh + beta2 * wx
    z, r = torch.tanh(d1 + d2 + b), sigmoid(wx + b_r)
    return ((1 - r) * z + r * h,)


def delta_normalised(w: Weights, x: Tensor, states: States) -> States:
    (h,), (a, u), (sx, bx, sr, br, b_r) = states, w.matrices, w.vectors
    wx, uh = layer_norm(x @ a.T, (len(sx),), sx, bx), layer_norm(h @ u.T, (len(sx),), sr, br)
    z, r = torch.tanh(uh * wx + (uh + wx)), sigmoid(wx + b_r)
    return ((1 - r) * z + r * h,)


def fastgrnn(w: Weights, x: Tensor, states: States) -> States:
    """Kusupati et al. 2018: h' = (zeta (1 - z) + nu) h~ + z h, zeta and nu through sigmoids."""
    (h,), (a, u), (bias_gate, bias_update, zeta, nu) = states, w.matrices, w.vectors
    pre = x @ a.T + h @ u.T
    z, c = sigmoid(pre + bias_gate), torch.tanh(pre + bias_update)
    return (z * h + (sigmoid(zeta) * (1 - z) + sigmoid(nu)) * c,)


def minion(w: Weights, x: Tensor, states: States) -> States:
    """Zyarah and Kudithipudi 2025: the GRU whose update gate is the number lambda."""
    (h,), (wr, ur, wh, uh), (br, bh) = states, w.matrices, w.biases
    r, lam = sigmoid(x @ wr.T + h @ ur.T + br), 0.5
    return (lam * h + (1 - lam) * torch.tanh(x @ wh.T + bh + (r * h) @ uh.T),)


EQUATIONS: dict[str, Step] = {
    "ugrnn": update_gate,
    "emgu": exponential_update_gate,
    "mgu": mgu,
    "mgu-flax": mgu_of_flax,
    "mgu1": mgu1,
    "mgu2": mgu2,
    "mgu3": mgu3,
    "rhn-3": highway(3),
    "rhn-5": highway(5),
    "rhn-10": highway(10),
    "cfn": chaos_free,
    "ran": ran,
    "ran-identity": ran_identity,
    "minimal-rnn": minimal_rnn,
    "lightru": light,
    "star": star,
    "star-chrono": star_of_the_authors,
    "sgrn": simple_gated,
    "atr": twin_gates(identity),
    "atr-tanh": twin_gates(torch.tanh),
    "lrn": lightweight(torch.tanh),
    "lrn-identity": lightweight(identity),
    "delta-rnn": delta,
    "delta-rnn-layer-norm": delta_normalised,
    "fastgrnn": fastgrnn,
    "miru-1": minion,
}


def test_every_cell_of_the_family_has_its_equations_here() -> None:
    assert list(EQUATIONS) == [cell.name for cell in FAMILIES["single_gate"]]


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_cell_computes_its_equations(name: str) -> None:
    check_published(name, EQUATIONS[name])


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("ugrnn", [1, 0]),
        ("mgu-flax", [1, 0, 0]),
        ("cfn", [1, -1]),
        ("rhn-3", [-2, 0, -2, 0, -2, 0]),
    ],
)
def test_biases_start_at_their_numbers_plus_the_usual_draw(name: str, numbers: list[float]) -> None:
    biases = starts_of(name, units=64).biases
    assert len(biases) == len(numbers)
    for bias, number in zip(biases, numbers, strict=True):
        assert (bias - number).abs().max() <= 64**-0.5
        assert bias.std() > 0.03


def test_star_of_the_authors_starts_for_784_steps_from_orthogonal_matrices() -> None:
    starts = starts_of("star-chrono", units=64)
    for matrix in starts.matrices:
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(64), rtol=0, atol=1e-5)
    gate = starts_of("star-chrono", units=1024).biases[1]
    assert gate.min() >= 0
    assert gate.max() <= math.log(784)
    steps = gate.exp()
    assert steps.mean().item() == pytest.approx((1 + 784) / 2, rel=0.05)
    assert steps.std().item() == pytest.approx(783 / math.sqrt(12), rel=0.05)


def test_vectors_start_as_published() -> None:
    for name, numbers in (("fastgrnn", [1, 1, 1, -4]), ("delta-rnn", [1, 1, 1, 0, 0]), ("mgu3", [0])):
        vectors = starts_of(name).vectors
        assert [set(vector.tolist()) for vector in vectors] == [{float(number)} for number in numbers]

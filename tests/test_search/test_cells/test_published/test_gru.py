"""The GRU and its variants against plain loops of their papers' equations. Dimensions: B sequences, H units."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import hardtanh, layer_norm

from search.cells.library import FAMILIES
from tests.published import Weights, check_published, starts_of

States = tuple[Tensor, ...]
Step = Callable[[Weights, Tensor, States], States]


def sigmoid(value: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-value))


def normed(value: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    return layer_norm(value, (len(gain),), gain, offset)


def before(w: Weights, x: Tensor, states: States) -> States:
    """Cho et al. 2014 (third version): the reset gate is applied before the matrix product."""
    (h,), (wr, ur, wz, uz, wn, un), b = states, w.matrices, w.biases
    r = sigmoid(x @ wr.T + b[0] + h @ ur.T + b[1])
    z = sigmoid(x @ wz.T + b[2] + h @ uz.T + b[3])
    candidate = torch.tanh(x @ wn.T + b[4] + (r * h) @ un.T + b[5])
    return (z * h + (1 - z) * candidate,)


def after(w: Weights, x: Tensor, states: States) -> States:
    """Cho et al. 2014 (first version), cuDNN and Keras: the reset gate is applied after the matrix product."""
    (h,), (wr, ur, wz, uz, wn, un), b = states, w.matrices, w.biases
    r = sigmoid(x @ wr.T + b[0] + h @ ur.T + b[1])
    z = sigmoid(x @ wz.T + b[2] + h @ uz.T + b[3])
    candidate = torch.tanh(x @ wn.T + b[4] + r * (h @ un.T + b[5]))
    return (z * h + (1 - z) * candidate,)


def dey_salem(h: Tensor, x: Tensor, r: Tensor, z: Tensor, w: Tensor, u: Tensor, b: Tensor) -> States:
    """Dey and Salem 2017: the rest of the GRU is that of the base model, z weights the new value."""
    return ((1 - z) * h + z * torch.tanh(x @ w.T + (r * h) @ u.T + b),)


def gru1(w: Weights, x: Tensor, states: States) -> States:
    (h,), (ur, uz, wn, un), (br, bz, bn) = states, w.matrices, w.biases
    return dey_salem(h, x, sigmoid(h @ ur.T + br), sigmoid(h @ uz.T + bz), wn, un, bn)


def gru2(w: Weights, x: Tensor, states: States) -> States:
    (h,), (ur, uz, wn, un), (bn,) = states, w.matrices, w.biases
    return dey_salem(h, x, sigmoid(h @ ur.T), sigmoid(h @ uz.T), wn, un, bn)


def gru3(w: Weights, x: Tensor, states: States) -> States:
    (h,), (wn, un), (bn,), (br, bz) = states, w.matrices, w.biases, w.vectors
    return dey_salem(h, x, sigmoid(br), sigmoid(bz), wn, un, bn)


def layer_normalised(w: Weights, x: Tensor, states: States) -> States:
    (h,), (wr, ur, wz, uz, wn, un), v = states, w.matrices, w.vectors
    r = sigmoid(normed(torch.cat([x, h], 1) @ torch.cat([wr, ur], 1).T, v[0], v[1]))
    z = sigmoid(normed(torch.cat([x, h], 1) @ torch.cat([wz, uz], 1).T, v[2], v[3]))
    candidate = torch.tanh(normed(x @ wn.T, v[4], v[5]) + r * normed(h @ un.T, v[6], v[7]))
    return ((1 - z) * h + z * candidate,)


def independent(w: Weights, x: Tensor, states: States) -> States:
    """Gonnet's IndyGRUCell: the GRU with diagonal recurrent matrices."""
    (h,), (wr, wz, wn), (br, bz, bn), (ur, uz, un) = states, w.matrices, w.biases, w.vectors
    r = sigmoid(x @ wr.T + h @ torch.diag(ur) + br)
    z = sigmoid(x @ wz.T + h @ torch.diag(uz) + bz)
    candidate = torch.tanh(x @ wn.T + (r * h) @ torch.diag(un) + bn)
    return (z * h + (1 - z) * candidate,)


def leaky(w: Weights, x: Tensor, states: States) -> States:
    (h,), (wr, ur, wu, uu, wn, un), (br, bu, bn) = states, w.matrices, w.biases
    alpha = 20 / 100
    r, u = sigmoid(x @ wr.T + h @ ur.T + br), sigmoid(x @ wu.T + h @ uu.T + bu)
    candidate = torch.tanh(x @ wn.T + (r * h) @ un.T + bn)
    return ((1 - alpha * u) * h + (alpha * u) * candidate,)


def light(w: Weights, x: Tensor, states: States) -> States:
    (h,), (wz, uz, wh, uh), (bz, bh) = states, w.matrices, w.biases
    z = sigmoid(x @ wz.T + bz + h @ uz.T)
    candidate = (x @ wh.T + bh + h @ uh.T).clamp(min=0)
    return (z * h + (1 - z) * candidate,)


def light_stabilised(w: Weights, x: Tensor, states: States) -> States:
    (h,), (wz, uz, wh, uh), (bz, bh), v = states, w.matrices, w.biases, w.vectors
    z = sigmoid(x @ wz.T + bz + normed(h @ uz.T, v[0], v[1]))
    candidate = torch.relu(x @ wh.T + bh + normed(h @ uh.T, v[2], v[3]))
    return (z * h + (1 - z) * candidate,)


def hard_sigmoid(value: Tensor) -> Tensor:
    """Keras before 3: 0.2 v + 0.5, cut off at 0 and 1."""
    return hardtanh(0.2 * value + 0.5, 0.0, 1.0)


def simple(w: Weights, x: Tensor, states: States) -> States:
    """Gao and Glowacka 2016: x_g = W_xh x + b, z_g = tanh(W_zxh (x_g h)), z_out = softplus(z_g h)."""
    (h,), (w_xh, w_zxh, w_xz, w_hz), (b, b_z) = states, w.matrices, w.biases
    z_g = torch.tanh(((x @ w_xh.T + b) * h) @ w_zxh.T)
    z_out = torch.log(1 + torch.exp(z_g * h))
    z_t = hard_sigmoid(x @ w_xz.T + h @ w_hz.T + b_z)
    return ((1 - z_t) * h + z_t * z_out,)


def deep_simple(w: Weights, x: Tensor, states: States) -> States:
    """Gao and Glowacka 2016: z_out = sigmoid(W_go (z_g h))."""
    (h,), (w_xh, w_zxh, w_go, w_xz, w_hz), (b, b_z) = states, w.matrices, w.biases
    z_g = torch.tanh(((x @ w_xh.T + b) * h) @ w_zxh.T)
    z_out = sigmoid((z_g * h) @ w_go.T)
    z_t = hard_sigmoid(x @ w_xz.T + h @ w_hz.T + b_z)
    return ((1 - z_t) * h + z_t * z_out,)


def exponential(w: Weights, x: Tensor, states: States) -> States:
    """Staroverov 2026: stabiliser m, gates as exponentials, sum c and normaliser n; h = c / n, l = m + log n."""
    h, log_normaliser = states
    wz, uz, wr, ur, wn, un = w.matrices
    bz, cz, br, cr, bn, cn = w.biases
    m, n, c = log_normaliser, torch.ones_like(h), h
    z_tilde = x @ wz.T + bz + h @ uz.T + cz
    r_tilde = x @ wr.T + br + h @ ur.T + cr
    h_tilde = torch.tanh(x @ wn.T + bn + h @ un.T + cn)
    new_m = torch.maximum(z_tilde + m, r_tilde)
    z, r = torch.exp(z_tilde + m - new_m), torch.exp(r_tilde - new_m)
    new_n, new_c = z * n + r, z * c + r * h_tilde
    return new_c / new_n, new_m + torch.log(new_n)


def bistable(w: Weights, x: Tensor, states: States) -> States:
    """Vecoven et al. 2021: a = 1 + tanh(U_a x + w_a h), c = sigmoid(U_c x + w_c h)."""
    (h,), (wa, wc, wh), (ba, bc), (ua, uc) = states, w.matrices, w.biases, w.vectors
    a = 1 + torch.tanh(x @ wa.T + ua * h + ba)
    c = sigmoid(x @ wc.T + uc * h + bc)
    return (c * h + (1 - c) * torch.tanh(x @ wh.T + a * h),)


def bistable_neuromodulated(w: Weights, x: Tensor, states: States) -> States:
    (h,), (wa, ua, wc, uc, wh), (ba, bc) = states, w.matrices, w.biases
    a = 1 + torch.tanh(x @ wa.T + h @ ua.T + ba)
    c = sigmoid(x @ wc.T + h @ uc.T + bc)
    return (c * h + (1 - c) * torch.tanh(x @ wh.T + a * h),)


def delayed(w: Weights, x: Tensor, states: States) -> States:
    """Erichson et al. 2022: h' = (1 - g) h + g (u + a z), z reads the state before h."""
    (h, older), m, b = states, w.matrices, w.biases
    u = torch.tanh(x @ m[0].T + h @ m[1].T + b[0])
    z = torch.tanh(x @ m[2].T + older @ m[3].T + b[1])
    g = sigmoid(x @ m[4].T + h @ m[5].T + b[2])
    a = sigmoid(x @ m[6].T + h @ m[7].T + b[3])
    return (1 - g) * h + g * (u + a * z), h


def content_adaptive(w: Weights, x: Tensor, states: States) -> States:
    """Chan et al. 2020, equations of the authors' code, with torch.lerp(h, n, l)."""
    (h,), (w_x, w_hn, w_hz, w_vz), (b_x, b_hn, b_hz, b_vz) = states, w.matrices, w.biases
    feature = x @ w_x.T + b_x
    n = torch.tanh(h @ w_hn.T + b_hn + feature)
    weight = sigmoid(feature) * sigmoid(h @ w_hz.T + b_hz + x @ w_vz.T + b_vz)
    return (torch.lerp(h, n, weight),)


def linear_enhanced(w: Weights, x: Tensor, states: States) -> States:
    """Meng and Zhang 2018, equations of the L-GRU with layer norm on its gates."""
    (h,), m, v = states, w.matrices, w.vectors
    r, r2, u = (sigmoid(normed(x @ m[2 * k].T + h @ m[2 * k + 1].T, v[2 * k], v[2 * k + 1])) for k in range(3))
    c = torch.tanh(x @ m[6].T + r * (h @ m[7].T + w.biases[0])) + r2 * (x @ m[8].T)
    return ((1 - u) * h + u * c,)


def deep_transition(w: Weights, x: Tensor, states: States) -> States:
    """Meng and Zhang 2018: an L-GRU, then four T-GRUs without input."""
    (state,) = linear_enhanced(w, x, states)
    for k in range(4):
        (w_r, w_z, w_n), v = w.matrices[9 + 3 * k : 12 + 3 * k], w.vectors[6 + 4 * k : 10 + 4 * k]
        r, z = sigmoid(normed(state @ w_r.T, v[0], v[1])), sigmoid(normed(state @ w_z.T, v[2], v[3]))
        state = (1 - z) * state + z * torch.tanh(r * (state @ w_n.T + w.biases[1 + k]))
    return (state,)


EQUATIONS: dict[str, Step] = {
    "gru": before,
    "gru-after": after,
    "gru-keras": after,
    "gru1": gru1,
    "gru2": gru2,
    "gru3": gru3,
    "gru-layer-norm": layer_normalised,
    "gru-indy": independent,
    "gru-leaky": leaky,
    "li-gru": light,
    "sli-gru": light_stabilised,
    "sgu": simple,
    "dsgu": deep_simple,
    "egru": exponential,
    "brc": bistable,
    "nbrc": bistable_neuromodulated,
    "tau-gru": delayed,
    "caru": content_adaptive,
    "l-gru": linear_enhanced,
    "dtmt": deep_transition,
}


def test_every_cell_of_the_family_has_its_equations_here() -> None:
    assert list(EQUATIONS) == [cell.name for cell in FAMILIES["gru"]]


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_cell_computes_its_equations(name: str) -> None:
    check_published(name, EQUATIONS[name])


def test_egru_from_zero_states_is_the_authors_loop_from_a_normaliser_of_one() -> None:
    zeros = [torch.zeros(3, 12, dtype=torch.float64) for _ in range(2)]
    check_published("egru", exponential, states=zeros)


def test_the_reset_gate_of_keras_and_of_the_light_gru_has_an_orthogonal_matrix() -> None:
    for name, of_h in (("gru-keras", (1, 3, 5)), ("li-gru", (1, 3)), ("sli-gru", (1, 3))):
        matrices = starts_of(name, units=16).matrices
        for k, matrix in enumerate(matrices):
            deviation = (matrix @ matrix.T - torch.eye(16)).abs().max()
            assert (deviation < 1e-5) == (k in of_h)


def test_gates_that_start_open() -> None:
    for name, biased in (("gru-indy", (0, 1)), ("gru-leaky", (0, 1))):
        biases = starts_of(name, units=64).biases
        for k, bias in enumerate(biases):
            assert (bias - (1.0 if k in biased else 0.0)).abs().max() <= 64**-0.5


def test_vectors_start_as_published() -> None:
    assert all((vector == 1).all() for vector in starts_of("brc").vectors)
    assert all((vector == 0).all() for vector in starts_of("gru3").vectors)
    for vector in starts_of("gru-indy", units=4096).vectors:
        assert -1 <= vector.min() < -0.99
        assert 0.99 < vector.max() <= 1

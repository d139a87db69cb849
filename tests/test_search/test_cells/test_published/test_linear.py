"""Gated linear recurrences against plain loops written from their papers' equations or their authors' code."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, exp, relu, sigmoid, tanh
from torch.nn.functional import layer_norm, silu, softplus

from search.cells.library import FAMILIES, LIBRARY, named_cell
from search.cells.notation.formula import parse_formula
from tests.products import products
from tests.published import Equations, Weights, check_published, starts_of

States = tuple[Tensor, ...]


def _t_rnn(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (h,) = states
    z, f = (a(x) for a in products(w, "bb"))
    f = sigmoid(f)
    return (f * h + (1 - f) * z,)


def _t_gru(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, before = states
    zx, zp, fx, fp, ox, op = products(w, "b- b- b-")
    z, f, o = zx(x) + zp(before), sigmoid(fx(x) + fp(before)), tanh(ox(x) + op(before))
    return f * h + z * o, x


def _t_lstm(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, c, before = states
    zx, zp, fx, fp, ox, op = products(w, "b- b- b-")
    z, f, o = zx(x) + zp(before), sigmoid(fx(x) + fp(before)), tanh(ox(x) + op(before))
    c = f * c + (1 - f) * z
    return c * o, c, x


def _gilr(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (h,) = states
    g, impulse = (a(x) for a in products(w, "bb"))
    return (sigmoid(g) * h + (1 - sigmoid(g)) * tanh(impulse),)


def _forget_mult(kept: Tensor, old: Tensor, new: Tensor) -> Tensor:
    """Return ForgetMult of the authors' QRNN code, whose F is one minus the paper's forget gate."""
    f = 1 - kept
    return f * new + (1 - f) * old


def _qrnn_f(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, before = states
    zx, zp, fx, fp = products(w, "b- b-")
    return _forget_mult(sigmoid(fx(x) + fp(before)), h, tanh(zx(x) + zp(before))), x


def _qrnn_fo(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, c, before = states
    zx, zp, fx, fp, ox, op = products(w, "b- b- b-")
    c = _forget_mult(sigmoid(fx(x) + fp(before)), c, tanh(zx(x) + zp(before)))
    return sigmoid(ox(x) + op(before)) * c, c, x


def _qrnn_fo_1(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, c = states
    z, f, o = (a(x) for a in products(w, "bbb"))
    c = _forget_mult(sigmoid(f), c, tanh(z))
    return sigmoid(o) * c, c


def _qrnn_ifo(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, c, before = states
    zx, zp, fx, fp, ix, ip, ox, op = products(w, "b- b- b- b-")
    c = sigmoid(fx(x) + fp(before)) * c + sigmoid(ix(x) + ip(before)) * tanh(zx(x) + zp(before))
    return sigmoid(ox(x) + op(before)) * c, c, x


def _sru_v1(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, c = states
    u1, u2, u0 = (a(x) for a in products(w, "bb-"))
    g1, g2 = sigmoid(u1), sigmoid(u2)
    c = (c - u0) * g1 + u0
    return (c - x) * g2 + x, c


def _sru_v1_tanh(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, c = states
    u1, u2, u0 = (a(x) for a in products(w, "bb-"))
    g1, g2 = sigmoid(u1), sigmoid(u2)
    c = (c - u0) * g1 + u0
    return (tanh(c) - x) * g2 + x, c


def _sru(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, c = states
    u0, u1, u2 = (a(x) for a in products(w, "-bb"))
    forget_w, reset_w = w.vectors
    fg, rg = sigmoid(u1 + forget_w * c), sigmoid(u2 + reset_w * c)
    c = (c - u0) * fg + u0
    scaled = x * (1 + 2 * exp(torch.zeros_like(x))).sqrt()  # the highway bias is zero
    return (c - scaled) * rg + scaled, c


def _gilr_lstm(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, s, c = states
    gate, impulse, *pairs = products(w, "bb b- b- b- b-")
    g = sigmoid(gate(x))
    s = g * s + (1 - g) * tanh(impulse(x))
    f, i, o, z = (pairs[k](s) + pairs[k + 1](x) for k in range(0, 8, 2))
    c = sigmoid(f) * c + sigmoid(i) * tanh(z)
    return sigmoid(o) * c, s, c


def _aft_simple(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    """Write the weighted mean as two running sums and a quotient."""
    _, mean, log_sum = states
    key, value, gate, project = products(w, "bb bb")
    weights = exp(log_sum) + exp(key(x))
    values = mean * exp(log_sum) + exp(key(x)) * value(x)
    return project(sigmoid(gate(x)) * values / weights), values / weights, weights.log()


def _lru(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    """Compute in complex numbers."""
    _, re, im = states
    b_re, b_im, c_re, c_im = (m.to(torch.complex128) for m in w.matrices)
    real, imaginary, gamma, d = w.vectors
    state = torch.complex(real, imaginary) * torch.complex(re, im)
    state = state + gamma * (x.to(torch.complex128) @ (b_re + 1j * b_im).T)
    return (state @ (c_re + 1j * c_im).T).real + d * x, state.real, state.imag


def _rwkv_4(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    """Repeat the author's stabilised step, with the decay by softplus; sums are kept over exp(pp)."""
    _, aa, pp, before = states
    bb = torch.ones_like(aa)
    mix_k, mix_v, mix_r, first, decay = w.vectors
    key, value, receptance, output = products(w, "----")
    k = key(x * mix_k + before * (1 - mix_k))
    v = value(x * mix_v + before * (1 - mix_v))
    r = sigmoid(receptance(x * mix_r + before * (1 - mix_r)))
    ww = first + k
    p = torch.maximum(pp, ww)
    e1, e2 = exp(pp - p), exp(ww - p)
    wkv = (e1 * aa + e2 * v) / (e1 * bb + e2)
    ww = pp - softplus(decay)
    p = torch.maximum(ww, k)
    e1, e2 = exp(ww - p), exp(k - p)
    aa, bb = e1 * aa + e2 * v, e1 * bb + e2
    return output(r * wkv), aa / bb, p + bb.log(), x


def _gated_linear_rnn(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, c = states
    z, i, o, out = products(w, "bbb b")
    input_gate = sigmoid(i(x))
    c = tanh(z(x)) * input_gate + c * (1 - input_gate)
    return out(tanh(c) * sigmoid(o(x))), c


def _gated_linear_rnn_untied(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, c = states
    z, i, f, o, out = products(w, "bbbb b")
    c = tanh(z(x)) * sigmoid(i(x)) + c * sigmoid(f(x))
    return out(tanh(c) * sigmoid(o(x))), c


def _gated_linear_rnn_recurrent(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, c = states
    zx, zc, ix, ic, ox, oc, out = products(w, "b- b- b- b")
    value, i, o = tanh(zx(x) + zc(c)), sigmoid(ix(x) + ic(c)), sigmoid(ox(x) + oc(c))
    c = value * i + c * (1 - i)
    return out(tanh(c) * o), c


def _hgrn(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, c = states
    value, gate, forget, out = products(w, "bbbb")
    *bound, gain, offset = w.vectors
    lower = sigmoid(bound[0]) if bound else torch.zeros(())
    kept = lower + (1 - lower) * sigmoid(forget(x))
    c = kept * c + (1 - kept) * silu(value(x))
    return out(layer_norm(c, c.shape[-1:], gain, offset) * silu(gate(x))), c


def _selective_ssm(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    """Discretise h'(t) = A h(t) + B x(t) by zero-order hold, for A = -1, B = 1 and a step by softplus."""
    (h,) = states
    (delta,) = products(w, "b")
    step, a, b = softplus(delta(x)), -1.0, 1.0
    a_bar = exp(step * a)
    b_bar = 1 / (step * a) * (exp(step * a) - 1) * step * b
    return (a_bar * h + b_bar * x,)


def _min_gru(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    """Compute minGRU with the gate's parameters negated, which makes it T-RNN."""
    (h,) = states
    hidden, gate = (a(x) for a in products(w, "bb"))
    return (torch.lerp(h, hidden, sigmoid(-gate)),)


def _positive(v: Tensor) -> Tensor:
    return torch.where(v >= 0, v + 0.5, sigmoid(v))


def _min_gru_positive(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (h,) = states
    hidden, gate = (a(x) for a in products(w, "bb"))
    return (torch.lerp(h, _positive(hidden), sigmoid(gate)),)


def _min_lstm(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (h,) = states
    f, i, hidden = (a(x) for a in products(w, "bbb"))
    f, i = sigmoid(f), sigmoid(i)
    return (h * (f / (f + i)) + hidden * (i / (f + i)),)


def _min_lstm_positive(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (h,) = states
    f, i, hidden = (a(x) for a in products(w, "bbb"))
    f, i = sigmoid(f), sigmoid(i)
    return (h * (f / (f + i)) + _positive(hidden) * (i / (f + i)),)


def _linoss_imex(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    """Apply the 2 x 2 transition matrices of the authors' scan, in complex numbers."""
    _, zr, zi, yr, yi = states
    b_re, b_im, c_re, c_im = (m.to(torch.complex128) for m in w.matrices)
    a_diag, steps, d = w.vectors
    a, dt = relu(a_diag), sigmoid(steps)
    bu = x.to(torch.complex128) @ (b_re + 1j * b_im).T
    z, y = torch.complex(zr, zi), torch.complex(yr, yi)
    z, y = z - dt * a * y + dt * bu, dt * z + (1 - dt**2 * a) * y + dt**2 * bu
    return (y @ (c_re + 1j * c_im).T).real + d * x, z.real, z.imag, y.real, y.imag


EQUATIONS: dict[str, Equations] = {
    "t-rnn": _t_rnn,
    "t-gru": _t_gru,
    "t-lstm": _t_lstm,
    "gilr": _gilr,
    "qrnn-f": _qrnn_f,
    "qrnn-fo": _qrnn_fo,
    "qrnn-fo-1": _qrnn_fo_1,
    "qrnn-ifo": _qrnn_ifo,
    "sru-v1": _sru_v1,
    "sru-v1-tanh": _sru_v1_tanh,
    "gilr-lstm": _gilr_lstm,
    "aft-simple": _aft_simple,
    "lru": _lru,
    "rwkv-4": _rwkv_4,
    "gated-linear-rnn": _gated_linear_rnn,
    "gated-linear-rnn-untied": _gated_linear_rnn_untied,
    "gated-linear-rnn-recurrent": _gated_linear_rnn_recurrent,
    "hgrn": _hgrn,
    "hgrn-bound": _hgrn,
    "selective-ssm": _selective_ssm,
    "min-gru-positive": _min_gru_positive,
    "min-lstm": _min_lstm,
    "min-lstm-positive": _min_lstm_positive,
    "linoss-imex": _linoss_imex,
    "sru": _sru,
}


def test_every_cell_of_the_family_has_its_equations_here() -> None:
    assert {cell.name for cell in FAMILIES["linear"]} == set(EQUATIONS)


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_cell_computes_its_equations(name: str) -> None:
    check_published(name, EQUATIONS[name])


def test_sru_starts_its_vectors_at_the_authors_range() -> None:
    """The authors draw them from U(-sqrt(3), sqrt(3)) and scale them by sqrt(0.5)."""
    forget, reset = starts_of("sru", units=400).vectors
    for vector in (forget, reset):
        assert 1.1 < vector.abs().max() <= 1.5**0.5
        assert vector.std().item() == pytest.approx(0.5**0.5, abs=0.1)
    assert not torch.equal(forget, reset)


def test_rwkv_4_starts_its_mixes_and_decays_evenly_over_the_units() -> None:
    mix_k, mix_v, mix_r, bonus, decay = starts_of("rwkv-4", units=9).vectors
    for mix in (mix_k, mix_v, mix_r):
        torch.testing.assert_close(mix, torch.arange(9) / 8)
    torch.testing.assert_close(bonus.exp(), torch.full((9,), 0.3), rtol=0, atol=1e-4)
    torch.testing.assert_close(decay, torch.arange(9) - 5.0)


def test_the_recurrent_gated_linear_rnn_starts_without_recurrence() -> None:
    w = starts_of("gated-linear-rnn-recurrent", units=16)
    assert [matrix.count_nonzero().item() == 0 for matrix in w.matrices] == [False, True] * 3 + [False]


def test_hgrn_starts_its_lower_bound_at_one_half() -> None:
    bound, gain, offset = starts_of("hgrn-bound", units=16).vectors
    torch.testing.assert_close(sigmoid(bound), torch.full((16,), 0.5))
    assert [set(gain.tolist()), set(offset.tolist())] == [{1}, {0}]


def test_lru_starts_inside_the_unit_circle() -> None:
    real, imaginary, gamma, d = starts_of("lru", units=400).vectors
    assert torch.complex(real, imaginary).abs().max() < 1
    assert set(gamma.tolist()) == {1}
    assert d.std().item() == pytest.approx(1, abs=0.15)


def test_linoss_starts_with_frequencies_and_steps_of_even_draws() -> None:
    a, steps, d = starts_of("linoss-imex", units=400).vectors
    for drawn in (a, steps):
        assert (drawn.min() >= 0) & (drawn.max() <= 1)
        assert drawn.mean().item() == pytest.approx(0.5, abs=0.06)
    assert d.std().item() == pytest.approx(1, abs=0.15)


def test_min_gru_is_t_rnn_with_its_gate_flipped() -> None:
    check_published("t-rnn", _min_gru)
    assert named_cell("min-gru") is LIBRARY["t-rnn"]
    written = parse_formula("z = sigmoid(linear(x)); n = linear(x); h' = (1 - z) * h + z * n")
    assert written.id == LIBRARY["t-rnn"].graph.id

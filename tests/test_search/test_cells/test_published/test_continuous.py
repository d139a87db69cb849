"""Cells from differential equations against plain loops written from their authors' code."""

from collections.abc import Sequence
from functools import partial

import pytest
import torch
from torch import Tensor, sigmoid, tanh
from torch.nn.functional import linear

from search.cells.library import FAMILIES
from tests.products import products
from tests.published import Equations, Weights, check_published, starts_of

States = tuple[Tensor, ...]


def _cornn(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    hy, hz = states
    i2h, h2h = w.matrices[0], torch.cat(w.matrices[1:], dim=1)
    dt, gamma, epsilon = 0.054, 4.9, 4.8
    inputs = linear(x, i2h, *w.biases)
    hz = hz + dt * (tanh(linear(torch.cat((hz, hy), dim=1), h2h) + inputs) - gamma * hy - epsilon * hz)
    return hy + dt * hz, hz


def _unicornn(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    hy, hz = states
    (lin,) = products(w, "b")
    c, u = w.vectors
    dt, alpha = 0.19, 30.65
    hz = hz - dt * sigmoid(c) * (tanh(u * hy + lin(x)) + alpha * hy)
    return hy + dt * sigmoid(c) * hz, hz


def _lem(w: Weights, x: Tensor, states: States, dt: float) -> Sequence[Tensor]:
    y, z = states
    i_dt1, h_dt1, i_dt2, h_dt2, i_y, h_y, transform_z, i_z = products(w, "bb bb bb bb")
    ms_dt_bar = dt * sigmoid(i_dt1(x) + h_dt1(y))
    ms_dt = dt * sigmoid(i_dt2(x) + h_dt2(y))
    z = (1 - ms_dt) * z + ms_dt * tanh(i_y(x) + h_y(y))
    return (1 - ms_dt_bar) * y + ms_dt_bar * tanh(transform_z(z) + i_z(x)), z


def _cfc_heads(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return both candidates and the time gate, whose two products of the authors' code add up to the cell's one."""
    backbone_bias, *heads = w.biases
    hidden = linear(torch.cat((x, h), dim=1), torch.cat(w.matrices[:2], dim=1), backbone_bias)
    hidden = 1.7159 * tanh(0.666 * hidden)
    ff1, ff2 = (tanh(linear(hidden, w.matrices[k], heads[k - 2])) for k in (2, 3))
    ts, time_a, bias_a = 1.0, 0.25 * w.matrices[4], 0.25 * heads[2]
    t_a, t_b = linear(hidden, time_a, bias_a), linear(hidden, w.matrices[4] - time_a, heads[2] - bias_a)
    return ff1, ff2, sigmoid(t_a * ts + t_b)


def _cfc(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    ff1, ff2, t_interp = _cfc_heads(w, x, states[0])
    return (ff1 * (1.0 - t_interp) + t_interp * ff2,)


def _cfc_no_gate(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    ff1, ff2, t_interp = _cfc_heads(w, x, states[0])
    return (ff1 + t_interp * ff2,)


def _momentum_lstm(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, *velocities, c = states
    mu, epsilon = 0.6, 0.6
    x2h, h2h = torch.cat(w.matrices[:4]), torch.cat(w.matrices[4:])
    velocity = mu * torch.cat(velocities, dim=1) + epsilon * linear(x, x2h, torch.cat(w.biases[:4]))
    gates = velocity + linear(h, h2h, torch.cat(w.biases[4:]))
    ingate, forgetgate, cellgate, outgate = gates.chunk(4, 1)
    c = c * sigmoid(forgetgate) + sigmoid(ingate) * tanh(cellgate)
    return sigmoid(outgate) * tanh(c), *velocity.chunk(4, 1), c


EQUATIONS: dict[str, Equations] = {
    "cornn": _cornn,
    "unicornn": _unicornn,
    "lem": partial(_lem, dt=1),
    "lem-slow": partial(_lem, dt=0.21),
    "cfc": _cfc,
    "cfc-no-gate": _cfc_no_gate,
    "momentum-lstm": _momentum_lstm,
}


def test_every_cell_of_the_family_has_its_equations_here() -> None:
    assert {cell.name for cell in FAMILIES["continuous"]} == set(EQUATIONS)


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_cell_computes_its_equations(name: str) -> None:
    check_published(name, EQUATIONS[name])


def test_unicornn_starts_its_vectors_in_the_authors_ranges() -> None:
    c, u = starts_of("unicornn", units=400).vectors
    assert 0.09 < c.abs().max() <= 0.1
    assert c.mean().abs() < 0.015
    assert (u.min() >= 0) & (u.max() <= 1)
    assert u.mean().item() == pytest.approx(0.5, abs=0.06)


def test_the_momentum_lstm_starts_both_of_its_forget_biases_around_1() -> None:
    means = [round(bias.mean().item()) for bias in starts_of("momentum-lstm", units=64).biases]
    assert means == [0, 1, 0, 0] * 2

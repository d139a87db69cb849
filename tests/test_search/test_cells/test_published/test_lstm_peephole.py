"""LSTM variants whose gates read the cell against plain loops written from their papers' equations."""

from collections.abc import Sequence

import pytest
from torch import Tensor, sigmoid, tanh
from torch.nn.functional import linear

from search.cells.library import LIBRARY
from tests.published import Equations, Weights, check_published, starts_of

States = tuple[Tensor, ...]


class _Reader:
    """Reader of a cell's matrices, biases and vectors, one after the other."""

    def __init__(self, w: Weights, x: Tensor, h: Tensor) -> None:
        self.matrices, self.biases, self.vectors = iter(w.matrices), iter(w.biases), iter(w.vectors)
        self.x, self.h = x, h

    def sums(self) -> Tensor:
        """Return W x + R y + b."""
        return linear(self.x, next(self.matrices), next(self.biases)) + linear(self.h, next(self.matrices))

    def gate(self, c: Tensor) -> Tensor:
        """Return the sigmoid of W x + R y + b + p * c."""
        return sigmoid(self.sums() + next(self.vectors) * c)

    def product(self, value: Tensor) -> Tensor:
        """Return the product with the next matrix."""
        return linear(value, next(self.matrices))


def _vanilla(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    y, c = states
    read = _Reader(w, x, y)
    z, i, f = tanh(read.sums()), read.gate(c), read.gate(c)
    c = z * i + c * f
    o = read.gate(c)
    return tanh(c) * o, c


def _nig(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    y, c = states
    read = _Reader(w, x, y)
    z, f = tanh(read.sums()), read.gate(c)
    c = z + c * f
    return tanh(c) * read.gate(c), c


def _nfg(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    y, c = states
    read = _Reader(w, x, y)
    z, i = tanh(read.sums()), read.gate(c)
    c = z * i + c
    return tanh(c) * read.gate(c), c


def _nog(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    y, c = states
    read = _Reader(w, x, y)
    z, i, f = tanh(read.sums()), read.gate(c), read.gate(c)
    c = z * i + c * f
    return tanh(c), c


def _niaf(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    y, c = states
    read = _Reader(w, x, y)
    z, i, f = read.sums(), read.gate(c), read.gate(c)
    c = z * i + c * f
    return tanh(c) * read.gate(c), c


def _noaf(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    y, c = states
    read = _Reader(w, x, y)
    z, i, f = tanh(read.sums()), read.gate(c), read.gate(c)
    c = z * i + c * f
    return c * read.gate(c), c


def _cifg(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    y, c = states
    read = _Reader(w, x, y)
    z, i = tanh(read.sums()), read.gate(c)
    f = 1 - i
    c = z * i + c * f
    return tanh(c) * read.gate(c), c


def _fgr(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    y, i, f, c, o = states
    wz, rz, rii, rfi, roi, rif, rff, rof, rio, rfo, roo, wi, ri, wf, rf, wo, ro = w.matrices
    bz, bi, bf, bo = w.biases
    pi, pf, po = w.vectors
    z = tanh(linear(x, wz, bz) + linear(y, rz))
    gates_i = linear(i, rii) + linear(f, rfi) + linear(o, roi)
    gates_f = linear(i, rif) + linear(f, rff) + linear(o, rof)
    gates_o = linear(i, rio) + linear(f, rfo) + linear(o, roo)
    i = sigmoid(linear(x, wi, bi) + linear(y, ri) + pi * c + gates_i)
    f = sigmoid(linear(x, wf, bf) + linear(y, rf) + pf * c + gates_f)
    c = z * i + c * f
    o = sigmoid(linear(x, wo, bo) + linear(y, ro) + po * c + gates_o)
    return tanh(c) * o, i, f, c, o


def _full(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    read = _Reader(w, x, h)
    i = sigmoid(read.sums() + read.product(c))
    f = sigmoid(read.sums() + read.product(c))
    c = f * c + i * tanh(read.sums())
    o = sigmoid(read.sums() + read.product(c))
    return o * tanh(c), c


def _projected(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    r, c = states
    read = _Reader(w, x, r)
    i, f = read.gate(c), read.gate(c)
    c = f * c + i * tanh(read.sums())
    m = read.gate(c) * tanh(c)
    return read.product(m), c


def _working_memory(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    read = _Reader(w, x, h)
    g = tanh(read.sums())
    i = sigmoid(read.sums() + tanh(read.product(c)))
    f = sigmoid(read.sums() + tanh(read.product(c)))
    c = f * c + i * g
    o = sigmoid(read.sums() + tanh(read.product(c)))
    return o * tanh(c), c


def _residual(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    read = _Reader(w, x, h)
    i, f = read.gate(c), read.gate(c)
    c = f * c + i * tanh(read.sums())
    o = read.gate(c)
    m = read.product(tanh(c))
    return o * (m + read.product(x)), c


def _element_wise(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, c = states
    wz, wf, wo, uo = w.matrices
    bz, bf, bo = w.biases
    vz, vf = w.vectors
    z = tanh(linear(x, wz, bz) + vz * c)
    f = sigmoid(linear(x, wf, bf) + vf * c)
    c = c * f + (1 - f) * z
    return c * sigmoid(linear(x, wo, bo) + linear(c, uo)), c


@pytest.mark.parametrize(
    ("name", "equations"),
    [
        ("lstm-peephole", _vanilla),
        ("lstm-nig-peephole", _nig),
        ("lstm-nfg-peephole", _nfg),
        ("lstm-nog-peephole", _nog),
        ("lstm-niaf-peephole", _niaf),
        ("lstm-noaf-peephole", _noaf),
        ("lstm-cifg-peephole", _cifg),
        ("lstm-fgr-peephole", _fgr),
        ("lstm-peephole-full", _full),
        ("lstmp", _projected),
        ("wmc-lstm", _working_memory),
        ("res-lstm", _residual),
        ("e-lstm", _element_wise),
    ],
)
def test_a_cell_computes_its_papers_equations(name: str, equations: Equations) -> None:
    check_published(name, equations)


@pytest.mark.parametrize(
    "name", sorted(name for name in LIBRARY if "peephole" in name and name != "lstm-peephole-full")
)
def test_peepholes_start_small(name: str) -> None:
    vectors = starts_of(name, units=100).vectors
    assert len(vectors) == LIBRARY[name].formula.count("param") > 0
    for vector in vectors:
        assert 0.08 < vector.abs().max() <= 0.1

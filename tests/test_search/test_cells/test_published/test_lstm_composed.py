"""LSTM variants of more parts against plain loops written from their papers' equations."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, sigmoid, tanh
from torch.nn.functional import layer_norm, linear

from tests.published import Equations, Weights, check_published, starts_of

States = tuple[Tensor, ...]


class _Reader:
    """Reader of a cell's matrices, biases and vectors, one after the other."""

    def __init__(self, w: Weights) -> None:
        self.matrices, self.biases, self.vectors = iter(w.matrices), iter(w.biases), iter(w.vectors)

    def gate(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the sum W x + U h + b."""
        return linear(x, next(self.matrices), next(self.biases)) + linear(h, next(self.matrices))

    def lstm(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return h and c after a step of an LSTM with gates in the order i, g, f, o."""
        i, g, f, o = (self.gate(x, h) for _ in range(4))
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        return sigmoid(o) * tanh(c), c

    def norm(self, value: Tensor) -> Tensor:
        """Return the layer norm of a value with a gain and offset of its own."""
        return layer_norm(value, value.shape[-1:], next(self.vectors), next(self.vectors), eps=1e-5)


def _projected(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    read = _Reader(w)
    i, f, g, o = (read.gate(x, h) for _ in range(4))
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return linear(sigmoid(o) * tanh(c), next(read.matrices)), c


def _grouped(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    groups = len(w.matrices[0])
    parts: list[list[Tensor]] = [[], [], [], []]
    for k, (part_x, part_h) in enumerate(zip(x.chunk(groups, 1), h.chunk(groups, 1), strict=True)):
        for gate in range(4):
            parts[gate].append(linear(part_x, w.matrices[2 * gate][k]) + linear(part_h, w.matrices[2 * gate + 1][k]))
    i, f, j, o = (torch.cat(part, 1) + bias for part, bias in zip(parts, w.biases, strict=True))
    c = sigmoid(f) * c + sigmoid(i) * tanh(j)
    return sigmoid(o) * tanh(c), c


def _layernorm(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    read = _Reader(w)
    i, g, f, o = (read.norm(read.gate(x, h)) for _ in range(4))
    c = c * sigmoid(f + 1.0) + sigmoid(i) * tanh(g)
    return tanh(read.norm(c)) * sigmoid(o), c


def _layernorm_state(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, c = states
    read = _Reader(w)
    i, j, f, o = (read.norm(linear(x, next(read.matrices)) + linear(h, next(read.matrices))) for _ in range(4))
    c = read.norm(c * sigmoid(f + 1.0) + sigmoid(i) * tanh(j))
    return tanh(c) * sigmoid(o), c


def _nested(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h, inner, outer = states
    read = _Reader(w)
    i, j, f, o = (read.gate(x, h) for _ in range(4))
    inner_x, inner_h = sigmoid(i) * j, sigmoid(f) * outer
    new_outer, new_inner = read.lstm(inner_x, inner_h, inner)
    return sigmoid(o) * tanh(new_outer), new_inner, new_outer


def _fast_slow(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    fast, slow_cell, slow, fast_cell = states
    read = _Reader(w)
    fast, fast_cell = read.lstm(x, fast, fast_cell)
    slow, slow_cell = read.lstm(fast, slow, slow_cell)
    fast, fast_cell = read.lstm(slow, fast, fast_cell)
    return fast, slow_cell, slow, fast_cell


def _fast_slow_4(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    fast, slow_cell, slow, fast_cell = _fast_slow(w, x, states)
    matrices, biases = iter(w.matrices[24:]), iter(w.biases[12:])
    for _ in range(2):
        f, i, g, o = (linear(fast, next(matrices), next(biases)) for _ in range(4))
        fast_cell = sigmoid(f) * fast_cell + sigmoid(i) * tanh(g)
        fast = sigmoid(o) * tanh(fast_cell)
    return fast, slow_cell, slow, fast_cell


def _memory_controller(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    _, c, v = states
    read = _Reader(w)
    f, i, o, m, n = (read.gate(x, v) for _ in range(5))
    c = sigmoid(f) * c + sigmoid(i) * tanh(n)
    return sigmoid(o) * tanh(c), c, sigmoid(m) * tanh(c)


@pytest.mark.parametrize(
    ("name", "equations"),
    [
        ("lstm-projected", _projected),
        ("g-lstm-2", _grouped),
        ("g-lstm-4", _grouped),
        ("layernorm-lstm", _layernorm),
        ("layernorm-lstm-state", _layernorm_state),
        ("nested-lstm", _nested),
        ("fs-lstm-2", _fast_slow),
        ("fs-lstm-4", _fast_slow_4),
        ("mc-lstm", _memory_controller),
    ],
)
def test_a_cell_computes_its_papers_equations(name: str, equations: Equations) -> None:
    check_published(name, equations)


def test_norms_start_with_gains_of_1_and_offsets_of_0() -> None:
    vectors = starts_of("layernorm-lstm", units=8).vectors
    assert len(vectors) == 10
    assert all(gain.eq(1).all() for gain in vectors[::2])
    assert all(offset.eq(0).all() for offset in vectors[1::2])


def test_each_group_has_a_matrix_of_its_own() -> None:
    w = starts_of("g-lstm-4", units=16)
    assert {tuple(blocks.shape) for blocks in w.matrices} == {(4, 4, 4)}
    assert [bias.mean().round().item() for bias in w.biases] == [0, 1, 0, 0]

"""The reference against torch's own cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from search.cells.notation.formula import parse_formula
from search.kernels.reference import run_reference

if TYPE_CHECKING:
    from tests.test_search.test_kernels.conftest import Draw

PEERS = {  # gates in torch's order, so that matrices 0, 2, ... stack to weight_ih and 1, 3, ... to weight_hh
    "tanh": (torch.nn.RNN, "h' = tanh(linear(x) + linear(h))"),
    "lstm": (
        torch.nn.LSTM,
        "i = sigmoid(linear(x) + linear(h)); f = sigmoid(linear(x) + linear(h)); g = tanh(linear(x) + linear(h));"
        "o = sigmoid(linear(x) + linear(h)); c' = f * c + i * g; h' = o * tanh(c')",
    ),
    "gru-after": (
        torch.nn.GRU,
        "r = sigmoid(linear(x) + linear(h)); z = sigmoid(linear(x) + linear(h)); n = tanh(linear(x) + r * linear(h));"
        "h' = (1 - z) * n + z * h",
    ),
}


@pytest.mark.parametrize("name", PEERS)
def test_named_cells_equal_torch_in_values_states_and_gradients(name: str, draw: Draw) -> None:
    kind, formula = PEERS[name]
    graph = parse_formula(formula)
    parameters, x, states = draw(graph, units=7, batch=3, steps=5, dtype=torch.float64)
    weight, bias = parameters.weights, parameters.biases
    peer = kind(7, 7).double()
    with torch.no_grad():
        for target, part in (("ih", 0), ("hh", 1)):
            getattr(peer, f"weight_{target}_l0").copy_(weight[part::2].flatten(0, 1))
            getattr(peer, f"bias_{target}_l0").copy_(bias[part::2].flatten())

    initial = tuple(s.unsqueeze(0) for s in states)
    outputs, last = peer(x, initial if name == "lstm" else initial[0])
    peer_last = [s[0] for s in last] if name == "lstm" else [last[0]]
    found, found_last = run_reference(graph, parameters, x, states)
    torch.testing.assert_close(found, outputs)
    torch.testing.assert_close(list(found_last), peer_last)

    (outputs.square().sum() + sum(s.sum() for s in peer_last)).backward()
    expected = [x.grad, *(s.grad for s in states)]
    ours = torch.autograd.grad(found.square().sum() + sum(s.sum() for s in found_last), [weight, bias, x, *states])
    for target, part in (("ih", 0), ("hh", 1)):
        torch.testing.assert_close(ours[0][part::2].flatten(0, 1), getattr(peer, f"weight_{target}_l0").grad)
        torch.testing.assert_close(ours[1][part::2].flatten(), getattr(peer, f"bias_{target}_l0").grad)
    torch.testing.assert_close(list(ours[2:]), expected)

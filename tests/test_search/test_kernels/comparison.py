"""Corner cases of cells, and the comparison of results with the reference."""

from __future__ import annotations

from torch import Tensor

ODD = {
    "no matrix": "h' = tanh(x) * h",
    "output is the input": "h' = x",
    "output is another state": "c' = tanh(linear(x) + linear(c)); h' = c",
    "state from x alone": "c' = tanh(linear(x)); h' = c * linear(h)",
    "unread hidden state": "c' = x; h' = tanh(linear(h) + x)",
    "sunk output": "c' = tanh(linear(x) + linear(c)); h' = sigmoid(linear(c') + linear(tanh(x))) * c",
    "swapped states": "c' = h; h' = tanh(linear(c) + linear(h) + x)",
    "two states of one value": "n = tanh(linear(x) + linear(c)); h' = n; c' = n + h",
    "matrix of a new state": "c' = tanh(linear(x) + linear(h)); h' = linear(c') + c",
    "chain of matrices": "h' = linear(linear(linear(h) + linear(linear(x))))",
    "matrix read twice": "g = linear(h); h' = (linear(x) + g) * sigmoid(g)",
    "matrix of a matrix of x": "v = linear(x); h' = linear(v) * h - v",
    "leaky activations": "c' = leaky_relu(linear(x) + linear(c)); h' = leaky_relu(c' - leaky_relu(x)) * linear(h)",
    "output is a matrix": "h' = linear(x) + linear(h)",
}
"""Formulas at the corners of what a valid graph may be."""


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float, what: str) -> None:
    """Assert equality within a tolerance relative to the largest entry of each tensor, or to 1."""
    for name, value in expected.items():
        assert found[name].shape == value.shape, (what, name)
        if value.numel():
            error = (found[name] - value).abs().max().item() / max(1.0, value.abs().max().item())
            assert error <= tolerance, (what, name, error)

"""Structures of cells, on the named cells and on formulas made for them."""

from __future__ import annotations

import numpy as np
import pytest

from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.cells.structures import structures
from tests.test_search.test_cells.shapes import padded, renumbered

NAMED = {
    "gru": {"one state", "two gates", "z * a + (1 - z) * b"},
    "lstm": {"two states", "three gates"},
    "lstm-o": {"two states", "two gates", "tanh on the output"},
    "mut1": {"one state", "two gates", "z * a + (1 - z) * b", "a gate without a state"},
    "mut2": {"one state", "two gates", "z * a + (1 - z) * b", "raw x in a gate"},
    "tanh": {"one state", "no gate", "tanh on the output"},
}


@pytest.mark.parametrize("name", NAMED)
def test_named_cells_have_the_structures_that_one_sees_in_their_formulas(name: str) -> None:
    assert structures(LIBRARY[name].graph) == NAMED[name]


GATED = "r = sigmoid(linear(x) + linear(h)); z = sigmoid(linear(x) + linear(h)); "
MADE = {
    "raw x in the candidate": GATED + "n = tanh(x + linear(r * h)); h' = z * h + (1 - z) * n",
    "raw state in the candidate": GATED + "n = tanh(linear(x) - h + linear(r * h)); h' = z * h + (1 - z) * n",
    "relu on the candidate": GATED + "n = relu(linear(x) + linear(r * h)); h' = z * h + (1 - z) * n",
    "no activation on the candidate": GATED + "n = linear(x) + linear(r * h); h' = z * h + (1 - z) * n",
    "a gate without x": "z = sigmoid(linear(h)); h' = z * h + (1 - z) * tanh(linear(x))",
    "raw state in a gate": "z = sigmoid(linear(x) + h); h' = z * h + (1 - z) * tanh(linear(x))",
    "a product in the sum of a gate": "z = sigmoid(linear(x) + x * h); h' = z * h + (1 - z) * tanh(linear(x))",
    "a matrix of a gate that starts at the identity": "z = sigmoid(linear(x, 1.1)); h' = z * h + tanh(linear(x))",
    "a matrix of a matrix": "h' = tanh(linear(linear(x)) + linear(h))",
    "a matrix that is read twice": "w = linear(x); h' = tanh(w + linear(h)) * w",
    "a state that is added to itself": "h' = h + tanh(linear(x))",
    "a learned factor": "h' = tanh(linear(x) + param(1) * h)",
    "layer norm": "h' = tanh(norm(linear(x) + linear(h)))",
    "a matrix in blocks": "h' = tanh(linear(x) + linear(h, groups=2))",
    "three states or more": "c' = x + c; d' = c + d; h' = tanh(linear(c) + linear(d))",
    "four gates or more": " + ".join(["h' = x"] + ["sigmoid(linear(x)) * h"] * 4),
}


@pytest.mark.parametrize("name", MADE)
def test_a_structure_is_seen_where_it_was_put_and_not_in_the_gru(name: str) -> None:
    graph = parse_formula(MADE[name])
    assert name in structures(graph)
    assert name not in structures(LIBRARY["gru"].graph)
    rng = np.random.default_rng(50)
    assert structures(padded(renumbered(graph, rng), rng)) == structures(graph)

"""Sizes of cells, counted by hand and by torch.nn."""

from __future__ import annotations

import pytest
from torch import nn

from search.cells.library import LIBRARY
from search.cells.measure import measure
from search.cells.notation.formula import parse_formula


@pytest.mark.parametrize(("name", "layer"), [("tanh", nn.RNN), ("lstm", nn.LSTM), ("gru-after", nn.GRU)])
def test_named_cells_have_as_many_parameters_as_torchs_layers(name: str, layer: type[nn.Module]) -> None:
    size = measure(LIBRARY[name].graph)
    expected = sum(parameter.numel() for parameter in layer(12, 12).parameters())
    assert size.parameters(12) == expected


def test_pointwise_operations_of_the_lstm_are_those_of_its_equations() -> None:
    # Four sums into gates and candidate, four activations; two products and a sum for c', tanh and a product for h'.
    size = measure(LIBRARY["lstm"].graph)
    assert (size.states, size.products, size.pointwise) == (2, 8, 13)


def test_dead_and_repeated_parts_are_not_counted() -> None:
    written = parse_formula("c' = linear(c); v = linear(x); h' = tanh(v + h) * tanh(h + v) + h")
    size = measure(written)
    assert (size.states, size.products, size.pointwise) == (1, 1, 4)

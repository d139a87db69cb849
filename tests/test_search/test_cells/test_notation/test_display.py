"""Formulas for people: parsing them gives the cell back, complements are factored, a GRU has its gates' names."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings

from search.cells.graph import MAX_NODES, GateGraph
from search.cells.library import LIBRARY, STUDY, display_formula
from search.cells.notation.display import format_display
from search.cells.notation.formula import MAX_CHARACTERS, format_formula, parse_formula
from search.cells.operations import Node, Op
from search.cells.patterns import private_complement
from tests.test_search.test_cells.shapes import MUTANTS, graphs, mutants, renumbered


def assert_read_back(graph: GateGraph) -> str:
    text = display_formula(graph)
    assert parse_formula(text).id == graph.id, text
    generic = format_display(graph)
    again = parse_formula(generic)
    assert again.id == graph.id, generic
    assert format_display(again) == generic
    assert max(len(text), len(generic)) <= MAX_CHARACTERS
    return generic


def test_mutants_are_read_back_as_the_same_cell_with_every_private_complement_factored() -> None:
    rng = np.random.default_rng(28)
    factored = 0
    for graph in mutants(rng, MUTANTS):
        text = assert_read_back(renumbered(graph, rng))
        complements = sum(private_complement(graph, i) is not None for i in range(len(graph)))
        assert text.count("(1 - ") == complements, text
        factored += complements > 0
    assert factored > MUTANTS / 20


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(graphs())
def test_any_graph_is_read_back_as_the_same_cell(graph: GateGraph) -> None:
    assert_read_back(graph)


def test_the_largest_graphs_are_read_back() -> None:
    chain = [Node((Op.SUB, Op.MUL, Op.ADD)[i % 3], (i, i + 1)) for i in range(MAX_NODES - 2)]
    assert_read_back(GateGraph((Node(Op.INPUT), Node(Op.STATE), *chain), (MAX_NODES - 1,)))
    nodes = [Node(Op.INPUT), Node(Op.STATE)]
    while len(nodes) < MAX_NODES - 1:  # (1 - ... (1 - (1 - h) * x) ... * x), nested 127 times
        nodes += [Node(Op.MUL, (len(nodes) - 1, 0)), Node(Op.SUB, (0, len(nodes)))]
    assert_read_back(GateGraph(tuple(nodes), (len(nodes) - 1,)))


@pytest.mark.parametrize("name", STUDY)
def test_a_named_cell_is_shown_as_its_authors_write_it(name: str) -> None:
    stored = format_formula(LIBRARY[name].graph)
    assert display_formula(parse_formula(stored)) == LIBRARY[name].formula
    assert_read_back(LIBRARY[name].graph)


def test_the_letters_of_the_library_are_those_of_the_field() -> None:
    for name in ("gru", "gru-after", "mut1", "mut2", "mut3"):
        assert re.findall(r"^(\w+'?) =", LIBRARY[name].formula, re.MULTILINE)[-2:] == ["n", "h'"]
        assert set(re.findall(r"^(\w+'?) =", LIBRARY[name].formula, re.MULTILINE)) == {"r", "z", "n", "h'"}
    assert re.findall(r"^(\w+'?) = (\w+)", LIBRARY["lstm"].formula, re.MULTILINE)[:4] == [
        ("i", "sigmoid"), ("f", "sigmoid"), ("g", "tanh"), ("o", "sigmoid")
    ]  # fmt: skip


SHOWN = {
    "a GRU whose candidate is relu": (
        LIBRARY["gru"].formula.replace("tanh", "relu"),
        "r = sigmoid(linear(x) + linear(h))\nn = relu(linear(r * h) + linear(x))\n"
        "z = sigmoid(linear(x) + linear(h))\nh' = z * h + (1 - z) * n",
    ),
    "two gates in place of one": (
        "h' = sigmoid(linear(x)) * relu(linear(h) + x) + (1 - sigmoid(linear(x))) * h",
        "g1 = sigmoid(linear(x))\ng2 = sigmoid(linear(x))\nh' = (1 - g1) * h + g2 * relu(x + linear(h))",
    ),
    "a combination for each of two states": (
        "z = sigmoid(linear(x)); y = sigmoid(linear(h)); c' = y * c + (1 - y) * tanh(x)\n"
        "h' = z * h + (1 - z) * relu(c')",
        "n = tanh(x)\nz = sigmoid(linear(h))\nc' = z * c + (1 - z) * n\nn2 = relu(c')\nz2 = sigmoid(linear(x))\n"
        "h' = z2 * h + (1 - z2) * n2",
    ),
    "a gate that is no sigmoid": (
        "z = tanh(linear(x)); h' = z * x + (1 - z) * h",
        "v1 = tanh(linear(x))\nh' = v1 * x + (1 - v1) * h",
    ),
    "a difference that is no complement": ("n = tanh(x); h' = n - h * x", "h' = tanh(x) - x * h"),
    "a complement of a sum, times a sum": (
        "n = x + linear(h); h' = (1 - (x + h)) * n",
        "h' = (1 - (h + x)) * (linear(h) + x)",
    ),
    "a complement among other factors": ("h' = (1 - h) * tanh(x) * x", "h' = x * ((1 - h) * tanh(x))"),
    "a product that is read elsewhere": (
        "z = tanh(linear(x)); p = z * x; h' = p + (x - p) + relu(p)",
        "v1 = x * tanh(linear(x))\nh' = v1 + (x - v1) + relu(v1)",
    ),
}


@pytest.mark.parametrize("case", SHOWN)
def test_an_unnamed_cell_is_shown_with_complements_factored_and_known_gates_named(case: str) -> None:
    text, shown = SHOWN[case]
    assert display_formula(parse_formula(text)) == shown

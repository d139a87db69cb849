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
from tests.test_search.test_cells.vocabulary import sprinkled


def assert_read_back(graph: GateGraph) -> str:
    generic = format_display(graph)
    again = parse_formula(generic)
    assert again.id == graph.id, generic
    text = display_formula(graph)  # of a named cell, the text of its authors
    assert text == generic or parse_formula(text).id == graph.id, text
    assert format_display(again) == generic
    assert max(len(text), len(generic)) <= MAX_CHARACTERS
    return generic


def test_mutants_are_read_back_as_the_same_cell_with_every_private_complement_factored() -> None:
    rng = np.random.default_rng(28)
    factored, count = 0, 3 * MUTANTS // 2  # few have a complement that is read once
    for graph in mutants(rng, count):
        text = assert_read_back(renumbered(graph, rng))
        graph = graph.canonical()
        complements = sum(private_complement(graph, i) is not None for i in range(len(graph)))
        others = sum(node.op is Op.SUB and graph.nodes[node.inputs[0]] == Node(Op.NUMBER, value=1.0) for node in graph)
        assert complements <= text.count("(1 - ") <= complements + others, text
        factored += complements > 0
    assert factored > count / 20


def test_a_factor_with_a_number_that_the_formula_does_not_have_is_not_displayed() -> None:
    """`(1 - v) * n` is read back as it stands if v has a number, and is then another cell than `n - v * n`."""
    assert_read_back(
        parse_formula(
            "v1 = x + h; g1 = sigmoid(linear(x, 1.1)); v2 = linear(g1 - h, 1.1); "
            "h' = 0.1 * (v2 + (v1 - v1 * (10 * (v1 + v2) - 1))) - 0.01"
        )
    )


def test_a_factor_with_a_number_is_displayed_where_it_is_read_back() -> None:
    """As in tables that are published, which have to stay what their stores give."""
    text = (
        "n = relu(linear(x))\ng1 = sigmoid(linear(x, bias=-uniform_gate) + linear(h, bias=False))\n"
        "g2 = sigmoid(linear(x, bias=uniform_gate) + linear(h, bias=False))\nv1 = g2 * (g2 + 2 * ((1 - g2) * g1))\n"
        "c' = v1 * c + (1 - v1) * n\ng3 = sigmoid(linear(x) + linear(h, bias=False))\nh' = g3 * tanh(c')"
    )
    assert format_display(parse_formula(text)).strip() == text


def test_mutants_with_the_whole_vocabulary_are_read_back() -> None:
    rng = np.random.default_rng(29)
    texts = []
    for graph in mutants(rng, MUTANTS // 2):
        changed = sprinkled(graph, rng)
        texts.append(assert_read_back(changed))
        stored = format_formula(changed)
        assert parse_formula(stored).id == changed.id, stored
    together = "\n".join(texts)
    for word in (
        "param(",
        "norm(",
        "softplus(",
        "groups=2",
        "bias=False",
        "random=orthogonal",
        "chrono(100)",
        " - 0.5",
    ):
        assert word in together, word
    assert not re.search(r"[-+] \(?-", together), "two signs in a row"


@settings(max_examples=MUTANTS, deadline=None, database=None, derandomize=True)
@given(graphs())
def test_any_graph_is_read_back_as_the_same_cell(graph: GateGraph) -> None:
    assert_read_back(graph)


@pytest.mark.exact
def test_the_largest_graphs_are_read_back() -> None:
    chain = [Node((Op.SUB, Op.MUL, Op.ADD)[i % 3], (i, i + 1)) for i in range(MAX_NODES // 2)]
    assert_read_back(GateGraph((Node(Op.INPUT), Node(Op.STATE), *chain), (len(chain) + 1,)))
    nodes = [Node(Op.INPUT), Node(Op.STATE)]
    while len(nodes) < MAX_NODES // 2:  # (1 - ... (1 - (1 - h) * x) ... * x), nested 63 times; numbers are added
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
        "g1 = sigmoid(linear(x))\ng2 = sigmoid(linear(x))\nh' = g1 * relu(linear(h) + x) + g2 * h",
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
    "a complement among other factors": ("h' = (1 - h) * tanh(x) * x", "h' = (1 - h) * (x * tanh(x))"),
    "a product that is read elsewhere": (
        "z = tanh(linear(x)); p = z * x; h' = p + (x - p) + relu(p)",
        "h' = x + relu(x * tanh(linear(x)))",
    ),
    "numbers": (
        "h' = tanh(-x - linear(h) * 2) + h * -1 - 0.25 + x * 0.5",
        "h' = tanh(-(2 * linear(h) + x)) + 0.5 * x - h - 0.25",
    ),
    "one minus, and one plus": (
        "u = 1 - tanh(x); h' = u * relu(u) + relu(1 + h)",
        "v1 = tanh(x)\nh' = (1 - v1) * relu(1 - v1) + relu(h + 1)",
    ),
    "a state that is a number": ("c' = 0.5; h' = tanh(c + x)", "h' = tanh(x + c)\nc' = 0.5"),
    "peepholes": (
        "f = sigmoid(linear(x, bias=1) + linear(h) + c * param(0)); c' = f * c + (1 - f) * tanh(linear(x))\n"
        "h' = tanh(c') * sigmoid(linear(x) + c' * param(uniform(-0.1, 0.1)))",
        "n = tanh(linear(x))\nz = sigmoid(linear(h) + linear(x, bias=1.0) + param(0) * c)\nc' = z * c + (1 - z) * n\n"
        "g1 = sigmoid(param(uniform(-0.1, 0.1)) * c' + linear(x))\nh' = g1 * tanh(c')",
    ),
    "learned vectors that are read twice": (
        "p = param(1); q = param(2); h' = p * h + tanh(p * x) * q + q * tanh(linear(h)) + param(-chrono(100))",
        "p = param(2)\np2 = param(1)\nh' = p * tanh(linear(h)) + p * tanh(p2 * x) + p2 * h + param(-chrono(100))",
    ),
    "layer norm and options": (
        "h' = norm(linear(h, 1, random=0)) + linear(norm(x), bias=chrono(100.0), groups=4, random=orthogonal)",
        "h' = norm(linear(h, 1.0, random=0)) + linear(norm(x), bias=chrono(100), groups=4, random=orthogonal)",
    ),
}


@pytest.mark.parametrize("case", SHOWN)
def test_an_unnamed_cell_is_shown_with_complements_factored_and_known_gates_named(case: str) -> None:
    text, shown = SHOWN[case]
    assert display_formula(parse_formula(text)) == shown

"""Drawings as text: trees of the same diagram that pictures show, each value expanded once."""

# ruff: noqa: RUF001 (the trees below have the signs of the drawings)

from __future__ import annotations

import re

import numpy as np
import pytest

from search.cells.drawing.diagram import Kind, formula_diagram
from search.cells.drawing.tree import draw_tree
from search.cells.errors import FormulaError
from search.cells.library import LIBRARY, STUDY, display_formula
from search.cells.mutation import propose

TREES = {
    "a gate, a complement and a difference": (
        "z = sigmoid(linear(x) - linear(h)); h' = (1 - z) * tanh(x) + z * h",
        """\
h' = +
├── ×
│   ├── 1 − z
│   └── tanh x
└── ×
    ├── z
    └── h
z = σ +
├── W x
└── − U h""",
    ),
    "a chain on one line, the last matrix first": (
        "h' = tanh(linear(linear(x, 0.9), bias=-1) - linear(h)) * relu(x)",
        """\
h' = ×
├── tanh +
│   ├── W b−1 W+0.9I x
│   └── − U h
└── relu x""",
    ),
    "states that are copied, swapped or shared": (
        "c' = h; d' = c; h' = tanh(linear(e) + c * d); e' = h'",
        """\
c' = h
d' = c
e' = h'
h' = tanh +
├── U e
└── ×
    ├── c
    └── d""",
    ),
    "a value that is read twice": (
        "v = tanh(x * h); h' = v + relu(v - x)",
        """\
h' = +
├── v
└── relu +
    ├── v
    └── − x
v = tanh ×
├── x
└── h""",
    ),
}


@pytest.mark.parametrize("case", TREES)
def test_a_cell_is_drawn_as_trees(case: str) -> None:
    formula, tree = TREES[case]
    assert draw_tree(formula) == tree


@pytest.mark.parametrize("name", STUDY)
def test_every_matrix_and_activation_of_a_named_cell_is_in_its_tree_once(name: str) -> None:
    cell = LIBRARY[name]
    words = draw_tree(cell.formula).split()
    activations = [part.label for part in formula_diagram(cell.formula) if part.kind is Kind.ACTIVATION]
    assert sum(word in ("W", "U") for word in words) == len(cell.graph.linears)
    assert all(words.count(label) == activations.count(label) for label in activations)


def test_trees_of_mutants_define_every_name_they_use_once() -> None:
    rng = np.random.default_rng(29)
    graph = LIBRARY["lstm"].graph
    for _ in range(60):
        child = propose(graph, rng, max_nodes=48).child
        assert child is not None
        graph = child.graph
        text = draw_tree(display_formula(graph))
        defined = re.findall(r"^([\w#]+'?) =", text, re.MULTILINE)
        used = set(re.findall(r"(?<![\w#])((?:[gvzrn]\d*|#\d+|c\d*')|h')(?![\w'])", text))
        assert len(defined) == len(set(defined))
        assert used <= set(defined), text


def test_what_is_no_formula_is_refused() -> None:
    with pytest.raises(FormulaError, match="the formula is empty"):
        draw_tree("")

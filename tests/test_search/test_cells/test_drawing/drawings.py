"""Cells to draw, and the texts of a drawing."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from functools import cache

import numpy as np

from search.cells.drawing.picture import draw_formula
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, STUDY
from search.cells.mutation import Rule, propose
from search.cells.notation.formula import format_formula, parse_formula
from tests.test_search.test_cells.shapes import MUTANTS
from tests.test_search.test_cells.vocabulary import sprinkled

SVG = "{http://www.w3.org/2000/svg}"
"""Prefix of the tags of SVG elements."""


def mutants(count: int) -> list[GateGraph]:
    """Return cells of many sizes, descended from LSTM and GRU; every tenth is large."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        graph = LIBRARY[("lstm", "gru")[seed % 2]].graph
        for _ in range(60 if seed % 10 == 0 else 8):
            child = propose(graph, rng, rule=Rule.ONE_TO_THREE, max_nodes=64).child
            if child is not None and (len(child.graph) >= len(graph) or seed % 10):
                graph = child.graph
        found.append(graph)
    return found


CELLS = {name: cell.graph for name, cell in STUDY.items()} | {
    f"mutant-{k}": g for k, g in enumerate(mutants(MUTANTS // 12))
}
TALL = {
    "sum-of-12": f"h' = tanh(linear(x){' + linear(h)' * 11})",
    # Cells that a search found: their topmost boxes have many lines.
    "76f161a5": "h' = x + (x - (h - linear(h)))",
    "6717b3fa": """g1 = sigmoid(h - h); g2 = sigmoid(linear(g1 * x) + (x + x)); v1 = tanh(g2)
        h' = linear(v1 - (x + v1), 1.1) + h * linear(x, 1.0)""",
    "51e6db1a": """v1 = linear(h, 0.9); g1 = sigmoid(linear(x))
        h' = h - (linear(v1) + (x - h)) - v1 + (h + g1)""",
    # Two lines exchange their heights between two columns.
    "7bf9d613": """v1 = tanh(x); g1 = sigmoid(x); g2 = sigmoid(x + c); g3 = sigmoid(g1)
        c' = linear(v1, 1.0) * (h - g1) + g2 - v1
        h' = linear(tanh(c'), 0.9) * g3""",
    "a1e43fe8": """g1 = sigmoid(h - h); v1 = tanh(linear(h * g1) + (x + x)); v2 = linear(x, 1.0)
        h' = linear(v1 * (v1 * v2), 1.1) + h * v2""",
}
CELLS |= {name: parse_formula(formula) for name, formula in TALL.items()}
CELLS |= {
    f"sprinkled-{name}": sprinkled(CELLS[name], np.random.default_rng(k))
    for k, name in enumerate(("lstm", "gru", "mut1", *(f"mutant-{k}" for k in range(1, 8))))
}
CELLS |= {
    name: parse_formula(LIBRARY[name].formula)
    for name in ("lstm-peephole", "slstm-heads", "layernorm-lstm", "indrnn", "fastgrnn", "rwkv-4", "lru", "star-chrono")
}
CELLS["leaky"] = parse_formula("h' = leaky_relu(linear(x) - linear(h)) - c2\nc' = x\nc2' = h * (x + c) * h")


@cache
def drawing(name: str) -> str:
    """Return the drawing of one of `CELLS`."""
    return draw_formula(formula_of(name), name)


def formula_of(name: str) -> str:
    """Return one of `CELLS` as text."""
    return format_formula(CELLS[name])


def elements(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def said(text: ET.Element) -> str:
    """Return the words of an element, without its subscript and tooltip."""
    return (text.text or "") + "".join(t.tail or "" for t in text)


def words(svg: str) -> set[str]:
    return {said(text) for text in elements(svg).iter(f"{SVG}text")}

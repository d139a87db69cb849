"""Loops of cells: the published table, networkx's components, and what finite differences of a step say."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.loops import linear_in_state, loop_products
from search.cells.mutation import Rule
from search.cells.notation.formula import parse_formula
from search.cells.operations import Op
from search.cells.parameters import layout_of
from search.kernels.parameters import LayerParameters
from search.kernels.reference import run_reference
from tests.test_search.test_cells.shapes import MUTANTS, grow, mutants, padded, renumbered

GATE = "f = sigmoid(linear(x))"
SELF = "sigmoid(linear(x) + linear(h))"

# Formula, matrix products in loops, and whether it is linear in the state; from the papers' equations.
TABLE = {
    "T-RNN, minGRU": (f"{GATE}; h' = f * h + (1 - f) * linear(x)", 0, True),
    "minGRU, positive": (
        "n = linear(x); p = relu(n); z = sigmoid(linear(x)); h' = (1 - z) * h + z * (p + sigmoid(n - p))",
        0,
        True,
    ),
    "GILR, QRNN-f k=1": (f"{GATE}; h' = f * h + (1 - f) * tanh(linear(x))", 0, True),
    "SRU v1": (f"{GATE}; r = sigmoid(linear(x)); c' = f * c + (1 - f) * linear(x); h' = r * c' + (1 - r) * x", 0, True),
    "GateLoop, real": (f"{GATE}; c' = f * c + (1 - f) * tanh(linear(x)); h' = tanh(c') * sigmoid(linear(x))", 0, True),
    "HGRN, real, with a matrix on the output": (
        f"v = linear(x); {GATE}; c' = f * c + (1 - f) * v * sigmoid(v); h' = linear(c' * linear(x))",
        0,
        True,
    ),
    "HGRN with a lower bound": (
        f"{GATE}; g = param(0); l = g + (1 - g) * f; h' = l * h + (1 - l) * linear(x)",
        0,
        True,
    ),
    "S6, one state a channel": (
        f"{GATE}; c' = (1 - f) * c + f * linear(x); g = linear(x); h' = c' * sigmoid(g)",
        0,
        True,
    ),
    "T-GRU": (
        "p' = x; f = sigmoid(linear(x) + linear(p)); z = linear(x) + linear(p); o = sigmoid(linear(x) + linear(p)); "
        "c' = f * c + (1 - f) * z; h' = o * c'",
        0,
        True,
    ),
    "QRNN-fo, k=2": (
        "p' = x; f = sigmoid(linear(x) + linear(p)); z = tanh(linear(x) + linear(p)); c' = f * c + (1 - f) * z; "
        "h' = sigmoid(linear(x) + linear(p)) * c'",
        0,
        True,
    ),
    "GILR-LSTM": (
        f"{GATE}; s' = f * s + (1 - f) * tanh(linear(x)); i = sigmoid(linear(x) + linear(s)); "
        "g = sigmoid(linear(x) + linear(s)); o = sigmoid(linear(x) + linear(s)); "
        "c' = g * c + i * tanh(linear(x) + linear(s)); h' = o * c'",
        0,
        True,
    ),
    "minLSTM": (
        "d = softplus(-linear(x)) - softplus(-linear(x)); h' = sigmoid(-d) * h + sigmoid(d) * linear(x)",
        0,
        True,
    ),
    "diagonal linear RNN": ("h' = param(uniform(0, 1)) * h + linear(x)", 0, True),
    "two states that turn": (
        "c' = param(1) * c - param(1) * d + linear(x); d' = param(1) * d + param(1) * c; h' = c'",
        0,
        True,
    ),
    "SCRN's slow state alone": ("s' = 0.95 * s + 0.05 * linear(x); h' = tanh(linear(s'))", 0, True),
    "SCRN": ("s' = 0.95 * s + 0.05 * linear(x); h' = sigmoid(linear(s') + linear(x) + linear(h))", 1, False),
    "LRN": (
        "p = linear(x); f = sigmoid(linear(x) + h); i = sigmoid(linear(x) - h); h' = tanh(i * p + f * h)",
        0,
        False,
    ),
    "IndRNN": ("h' = relu(linear(x) + param(uniform(0, 1)) * h)", 0, False),
    "BRC": (
        "a = 1 + tanh(linear(x) + param(1) * h); z = sigmoid(linear(x) + param(1) * h); "
        "h' = z * h + (1 - z) * tanh(linear(x) + a * h)",
        0,
        False,
    ),
    "SRU v2": (
        "f = sigmoid(linear(x) + param(0) * c); r = sigmoid(linear(x) + param(0) * c); "
        "c' = f * c + (1 - f) * linear(x); h' = r * c' + (1 - r) * x",
        0,
        False,
    ),
    "eLSTM's gate on the output": (
        "c' = sigmoid(linear(x) + param(0) * c) * c + linear(x); h' = sigmoid(linear(c')) * c'",
        0,
        False,
    ),
    "a product of the input alone": ("h' = tanh(linear(linear(x)))", 0, True),
    "a layer on a layer": (
        "s' = tanh(linear(x) + linear(s)); f = sigmoid(linear(s)); h' = f * h + linear(s)",
        1,
        False,
    ),
    "a gate of the state's square": ("h' = h * h + linear(x)", 0, False),
    "a matrix on the state": ("h' = linear(h) + x", 1, False),
    "a norm of the state": ("h' = norm(h) + x", 0, False),
    "a product that two states go through": ("c' = linear(d); d' = c + x; h' = d'", 1, False),
    "a product past the loop, delayed": ("c' = sigmoid(linear(x)) * c + x; p' = c; h' = tanh(linear(p))", 0, True),
    "LSTM": (LIBRARY["lstm"].formula, 4, False),
    "GRU": (LIBRARY["gru"].formula, 3, False),
    "MUT1": (LIBRARY["mut1"].formula, 2, False),
    "peephole": (f"c' = {SELF} * c + tanh(linear(x)); h' = sigmoid(linear(x) + param(0) * c') * tanh(c')", 1, False),
}


@pytest.mark.parametrize("name", TABLE)
def test_published_cells_have_the_loops_of_their_equations(name: str) -> None:
    formula, products, linear = TABLE[name]
    graph = parse_formula(formula.replace("; ", "\n"))
    assert (loop_products(graph), linear_in_state(graph)) == (products, linear)


def over_time(graph: GateGraph) -> nx.DiGraph:
    """Return the graph over all steps: arcs from inputs to nodes, and from new values of states to their old ones."""
    found = nx.DiGraph()
    found.add_nodes_from(range(len(graph)))
    for i, node in enumerate(graph):
        found.add_edges_from((j, i) for j in node.inputs)
        if node.op is Op.STATE:
            found.add_edge(graph.outputs[node.state], i)
    return found


def test_products_in_loops_are_those_in_networkx_s_components() -> None:
    rng = np.random.default_rng(7)
    counts = set()
    for graph in mutants(rng, MUTANTS):
        inside = {
            i
            for part in nx.strongly_connected_components(over_time(graph))
            for i in part
            if len(part) > 1 and graph.nodes[i].op is Op.LINEAR
        }
        assert loop_products(graph) == len(inside)
        counts.add(len(inside))
    assert len(counts) > 4


def affine_by_unit(graph: GateGraph, generator: torch.Generator) -> bool:
    """Return whether finite differences of a step find every loop of states affine, each unit by itself.

    A loop is one of networkx's components of the states; the input and all other states are held fixed.
    """
    units, layout = 6, layout_of(graph)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    parameters = LayerParameters(
        normal(len(layout.full), units, units),
        normal(len(layout.biased), units),
        vectors=normal(len(layout.vectors), units),
    )
    arcs = over_time(graph)
    leaf = {node.state: i for i, node in enumerate(graph) if node.op is Op.STATE}
    for part in nx.strongly_connected_components(arcs):
        loop = [k for k, i in leaf.items() if i in part and len(part) > 1]
        for _ in range(3):
            x, first = normal(1, 1, units), normal(graph.states, 1, units)
            change = torch.zeros_like(first)
            change[loop] = 3 * normal(len(loop), 1, units)
            one_unit = torch.zeros_like(first)
            one_unit[loop, :, 0] = change[loop, :, 0]
            before, once, twice, other = (
                torch.stack(run_reference(graph, parameters, x, tuple(states))[1])[loop]
                for states in (first, first + change, first + 2 * change, first + one_unit)
            )
            scale = 1e-9 * (1 + before.abs() + twice.abs())
            affine = ((twice - before - 2 * (once - before)).abs() <= scale).all()
            alone = ((other - before)[..., 1:].abs() <= scale[..., 1:]).all()
            if not (affine and alone):
                return False
    return True


def test_cells_are_linear_in_the_state_where_finite_differences_say_so() -> None:
    rng, generator = np.random.default_rng(3), torch.Generator().manual_seed(3)
    formulas = [formula for formula, _, _ in TABLE.values()]
    graphs = [parse_formula(formula.replace("; ", "\n")).canonical() for formula in formulas]
    grown = [graph for seed in graphs[:8] for graph in grow(seed, rng, rule=Rule.ONE_TO_THREE, depth=6)]
    found = [linear_in_state(graph) for graph in (*graphs, *grown)]
    assert found == [affine_by_unit(graph, generator) for graph in (*graphs, *grown)]
    assert 0.5 < np.mean(found[len(graphs) :]) < 0.95


def test_a_cell_s_loops_do_not_depend_on_its_form() -> None:
    rng = np.random.default_rng(5)
    for formula, products, linear in TABLE.values():
        graph = parse_formula(formula.replace("; ", "\n"))
        if any(node.op in (Op.PARAM, Op.NUMBER, Op.NORM, Op.SOFTPLUS) for node in graph):
            continue
        for other in (renumbered(graph, rng), padded(graph, rng)):
            assert (loop_products(other), linear_in_state(other)) == (products, linear)

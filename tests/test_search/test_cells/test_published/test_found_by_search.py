"""Cells found by architecture search against plain loops of their authors' code, from the architectures as released."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, relu, sigmoid, tanh
from torch.nn.functional import leaky_relu

from search.cells.library import FAMILIES, LIBRARY
from search.cells.notation.formula import parse_formula
from search.cells.notation.recipe import parse_recipe
from tests.products import products
from tests.published import Equations, Weights, check_published

States = tuple[Tensor, ...]
Genotype = list[tuple[str, int]]

# --- Jozefowicz et al. 2015, section 3.3


def _mut1(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (h,) = states
    xz, xr, hr, hh = products(w, "b bb b")
    z, r = sigmoid(xz(x)), sigmoid(xr(x) + hr(h))
    return (tanh(hh(r * h) + tanh(x)) * z + h * (1 - z),)


def _mut2(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (h,) = states
    xz, hz, hr, hh, xh = products(w, "bb b bb")
    z, r = sigmoid(xz(x) + hz(h)), sigmoid(x + hr(h))
    return (tanh(hh(r * h) + xh(x)) * z + h * (1 - z),)


def _mut3(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (h,) = states
    xz, hz, xr, hr, hh, xh = products(w, "bb bb bb")
    z, r = sigmoid(xz(x) + hz(tanh(h))), sigmoid(xr(x) + hr(h))
    return (tanh(hh(r * h) + xh(x)) * z + h * (1 - z),)


# --- Zoph and Le 2016


def _nas_cell(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    """Take a step of TensorFlow's NASCell, without its projection and without biases."""
    m_prev, c_prev = states
    kernel, recurrent_kernel = torch.cat(w.matrices[::2]), torch.cat(w.matrices[1::2])
    i, m = (x @ kernel.T).chunk(8, dim=1), (m_prev @ recurrent_kernel.T).chunk(8, dim=1)
    layer1 = [
        function(i[k] * m[k] if k == 3 else i[k] + m[k])
        for k, function in enumerate((sigmoid, relu, sigmoid, relu, tanh, sigmoid, tanh, sigmoid))
    ]
    l2_0 = tanh(tanh(layer1[0] * layer1[1]) + c_prev)
    l2_1 = tanh(layer1[2] + layer1[3])
    l2_2 = tanh(layer1[4] * layer1[5])
    l2_3 = sigmoid(layer1[6] + layer1[7])
    new_c = l2_0 * l2_1
    return tanh(new_c * tanh(l2_2 + l2_3)), new_c


# --- The search space of ENAS and DARTS: architectures as in the authors' genotypes and scripts

GENOTYPES: dict[str, Genotype] = {
    "enas": [
        *(("tanh", 0), ("tanh", 1), ("relu", 1), ("tanh", 3), ("tanh", 3), ("relu", 3)),
        *(("relu", 4), ("relu", 7), ("relu", 8), ("relu", 8), ("relu", 8)),
    ],
    "darts-v1": [
        *(("relu", 0), ("relu", 1), ("tanh", 2), ("relu", 3)),
        *(("relu", 4), ("identity", 1), ("relu", 5), ("relu", 1)),
    ],
    "darts-v2": [
        *(("sigmoid", 0), ("relu", 1), ("relu", 1), ("identity", 1)),
        *(("tanh", 2), ("sigmoid", 5), ("tanh", 3), ("relu", 5)),
    ],
    "gdas": [
        *(("relu", 0), ("relu", 0), ("identity", 1), ("relu", 1)),
        *(("tanh", 0), ("relu", 2), ("identity", 4), ("identity", 2)),
    ],
    "ednas": [
        *(("identity", 0), ("tanh", 1), ("relu", 1), ("tanh", 2)),
        *(("relu", 4), ("relu", 3), ("sigmoid", 4), ("tanh", 7)),
    ],
    "sdarts-rs": [
        *(("sigmoid", 0), ("sigmoid", 1), ("identity", 2), ("sigmoid", 1)),
        *(("tanh", 2), ("tanh", 2), ("sigmoid", 0), ("sigmoid", 3)),
    ],
    "sdarts-adv": [
        *(("relu", 0), ("relu", 1), ("tanh", 2), ("relu", 3)),
        *(("identity", 2), ("relu", 1), ("tanh", 2), ("relu", 7)),
    ],
}

ARCS = {
    "nao": ("tanh relu identity sigmoid", "0 1 0 1 1 1 3 0 4 1 4 1 5 1 1 1 7 1 1 1 1 2"),
    "nao-ws": ("tanh relu sigmoid identity", "0 1 1 1 2 2 1 2 4 1 4 1 4 1 7 1 8 2 1 0 4 1"),
    "enas-lm": ("tanh relu sigmoid identity", "0 2 1 0 2 1 2 2 4 0 5 0 3 2 6 2"),
}
"""Names of the numbered functions, and predecessor and function of each node."""

MEANS = {"enas": [2, 5, 6, 9, 10, 11]}
"""Nodes of which the output is the mean, where these are not all but node 0."""


def _genotype(functions: str, arc: str) -> Genotype:
    numbers = [int(number) for number in arc.split()]
    names = functions.split()
    return [(names[function], node) for node, function in zip(numbers[::2], numbers[1::2], strict=True)]


GENOTYPES |= {name: _genotype(*arc) for name, arc in ARCS.items()}


def _darts(w: Weights, x: Tensor, states: States, genotype: Genotype, mean: Sequence[int]) -> Sequence[Tensor]:
    """Take a step of the authors' DARTSCell, with the matrices of its gates and candidates joined as theirs."""
    functions: dict[str, Callable[[Tensor], Tensor]] = {"tanh": tanh, "relu": relu, "sigmoid": sigmoid}
    (h_prev,) = states
    assert not w.biases
    c_x, c_h, h_x, h_h, *nodes = w.matrices
    w0 = torch.cat((torch.cat((c_x, c_h), dim=1), torch.cat((h_x, h_h), dim=1))).T
    c0, h0 = torch.cat((x, h_prev), dim=1).mm(w0).chunk(2, dim=1)
    s = [h_prev + sigmoid(c0) * (tanh(h0) - h_prev)]
    for i, (name, pred) in enumerate(genotype):
        s_prev = s[pred]
        c, h = s_prev.mm(torch.cat(nodes[2 * i : 2 * i + 2]).T).chunk(2, dim=1)
        h = functions[name](h) if name != "identity" else h
        s.append(s_prev + sigmoid(c) * (h - s_prev))
    assert len(nodes) == 2 * len(genotype)
    return (torch.mean(torch.stack([s[i] for i in mean], -1), -1),)


# --- Klyuchnikov et al. 2020: recipes as in the release's logs


def _node(op: str, *inputs: str) -> dict[str, Any]:
    return {"op": op, "input": list(inputs)}


def _activation(op: str, source: str) -> dict[str, Any]:
    return _node(f"activation_{op}", source)


RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "nas-bench-nlp-7537": {
        "node_0": _node("linear", "h_prev_0", "x"),
        "node_1": _activation("sigm", "node_0"),
        "node_2": _node("linear", "x", "node_1"),
        "node_5": _node("linear", "node_1", "h_new_1"),
        "node_6": _activation("tanh", "node_5"),
        "node_7": _node("blend", "h_prev_1", "h_prev_0", "node_6"),
        "h_new_0": _node("blend", "node_1", "node_7", "h_new_1"),
        "h_new_1": _activation("sigm", "node_2"),
    },
    "nas-bench-nlp-7507": {
        "node_0": _node("linear", "h_prev_1", "h_prev_0"),
        "node_1": _activation("tanh", "node_0"),
        "node_2": _node("linear", "x", "h_prev_0"),
        "node_3": _activation("tanh", "node_2"),
        "node_4": _node("linear", "node_3", "node_1"),
        "node_11": _node("linear", "node_1", "x"),
        "node_12": _activation("sigm", "node_11"),
        "h_new_0": _node("elementwise_prod", "node_12", "h_new_1"),
        "h_new_1": _node("blend", "node_4", "node_3", "node_0"),
    },
    "nas-bench-nlp-5141": {
        "node_0": _node("linear", "h_prev_0", "x"),
        "node_1": _activation("leaky_relu", "node_0"),
        "node_2": _node("linear", "h_prev_0", "node_1"),
        "node_3": _activation("leaky_relu", "node_2"),
        "node_6": _node("linear", "x", "node_3"),
        "node_7": _activation("sigm", "node_6"),
        "h_new_0": _node("elementwise_sum", "node_2", "node_7"),
    },
    "nas-bench-nlp-3096": {
        "node_0": _node("linear", "h_prev_0", "x"),
        "node_1": _activation("sigm", "node_0"),
        "node_2": _node("linear", "h_prev_0", "node_1"),
        "node_8": _node("linear", "node_1", "h_prev_0", "x"),
        "node_9": _activation("sigm", "node_8"),
        "h_new_0": _node("elementwise_sum", "node_2", "node_9"),
    },
    "nas-bench-nlp-2850": {
        "node_0": _node("linear", "x", "h_prev_0"),
        "node_1": _activation("sigm", "node_0"),
        "node_4": _node("linear", "node_1", "h_prev_0"),
        "node_5": _activation("tanh", "node_4"),
        "node_6": _node("linear", "x", "h_prev_0"),
        "node_7": _activation("sigm", "node_6"),
        "node_8": _node("linear", "node_7", "node_1", "x"),
        "h_new_0": _node("elementwise_prod", "node_5", "node_8"),
    },
}


def _blend(gate: Tensor, one: Tensor, other: Tensor) -> Tensor:
    return gate * one + (1 - gate) * other


def _bench_7537(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h0, h1 = states
    a, b, c, d, e, f = products(w, "bb bb bb")
    node_1 = sigmoid(a(h0) + b(x))
    h_new_1 = sigmoid(c(x) + d(node_1))
    node_6 = tanh(e(node_1) + f(h_new_1))
    return _blend(node_1, _blend(h1, h0, node_6), h_new_1), h_new_1


def _bench_7507(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    h0, h1 = states
    a, b, c, d, e, f, g, i = products(w, "bb bb bb bb")
    node_0 = a(h1) + b(h0)
    node_1, node_3 = tanh(node_0), tanh(c(x) + d(h0))
    h_new_1 = _blend(e(node_3) + f(node_1), node_3, node_0)
    return sigmoid(g(node_1) + i(x)) * h_new_1, h_new_1


def _bench_5141(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (h,) = states
    a, b, c, d, e, f = products(w, "bb bb bb")
    node_2 = c(h) + d(leaky_relu(a(h) + b(x)))
    return (node_2 + sigmoid(e(x) + f(leaky_relu(node_2))),)


def _bench_3096(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (h,) = states
    a, b, c, d, e, f, g = products(w, "bb bb bbb")
    node_1 = sigmoid(a(h) + b(x))
    return (c(h) + d(node_1) + sigmoid(e(node_1) + f(h) + g(x)),)


def _bench_2850(w: Weights, x: Tensor, states: States) -> Sequence[Tensor]:
    (h,) = states
    a, b, c, d, e, f, g, i, j = products(w, "bb bb bb bbb")
    node_1, node_7 = sigmoid(a(x) + b(h)), sigmoid(e(x) + f(h))
    return (tanh(c(node_1) + d(h)) * (g(node_7) + i(node_1) + j(x)),)


EQUATIONS: dict[str, Equations] = {
    "mut1": _mut1,
    "mut2": _mut2,
    "mut3": _mut3,
    "nas-cell": _nas_cell,
    **{
        name: partial(_darts, genotype=genotype, mean=MEANS.get(name, range(1, len(genotype) + 1)))
        for name, genotype in GENOTYPES.items()
    },
    "nas-bench-nlp-7537": _bench_7537,
    "nas-bench-nlp-7507": _bench_7507,
    "nas-bench-nlp-5141": _bench_5141,
    "nas-bench-nlp-3096": _bench_3096,
    "nas-bench-nlp-2850": _bench_2850,
}


def test_every_cell_of_the_family_has_its_equations_here() -> None:
    assert {cell.name for cell in FAMILIES["found_by_search"]} == set(EQUATIONS)


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_cell_computes_its_equations(name: str) -> None:
    check_published(name, EQUATIONS[name])


def test_the_enas_authors_number_the_same_tree_in_another_order() -> None:
    """The arc of their script, after the function of node 0, which is tanh; the genotype of DARTS renumbers it."""
    arc = _genotype("tanh relu", "0 0 1 1 2 1 2 0 2 0 5 1 1 0 6 1 8 1 8 1 8 1")
    order = [1, 7, 2, 5, 4, 3, 6, 8, 9, 10, 11]  # their number of each node of the genotype
    renumbered = {0: 0} | {theirs: ours for ours, theirs in enumerate(order, start=1)}
    assert [(arc[theirs - 1][0], renumbered[arc[theirs - 1][1]]) for theirs in order] == GENOTYPES["enas"]
    used = {node for _, node in arc}
    assert sorted(renumbered[leaf] for leaf in {*range(12)} - used) == MEANS["enas"]


def test_the_arc_of_darts_in_the_repository_of_enas_is_the_genotype() -> None:
    functions, _ = ARCS["enas-lm"]
    assert _genotype(functions, "0 2 1 1 1 1 1 3 2 0 5 2 3 0 5 1") == GENOTYPES["darts-v2"]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_of_the_benchmark_is_the_named_cell(name: str) -> None:
    assert parse_recipe(json.dumps(RECIPES[name])).id == parse_formula(LIBRARY[name].formula).id

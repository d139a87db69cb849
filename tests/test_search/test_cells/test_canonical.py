"""Ids of cells: one for all equivalent forms, a different one for every other cell, and stable across versions."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from search.cells import ordering
from search.cells.canonical import correspondence
from search.cells.errors import GraphError
from search.cells.graph import GateGraph
from search.cells.library import STUDY
from search.cells.mutation import Rule
from search.cells.notation.formula import parse_formula
from search.cells.operations import PARAMETRIC, Node, Op
from tests.test_search.test_cells.shapes import MUTANTS, encode, grow, isomorphic, padded, plain, renumbered

COUNT = 5 * MUTANTS


@pytest.fixture(scope="module")
def mutants() -> list[GateGraph]:
    """Return at least `COUNT` canonical graphs, 1 to 8 generations below a named cell."""
    rng = np.random.default_rng(2015)
    found: list[GateGraph] = []
    while len(found) < COUNT:
        for cell in STUDY.values():
            for rule in Rule:
                found += grow(cell.graph, rng, rule=rule, depth=int(rng.integers(1, 9)), max_nodes=32)
    return found


def surroundings(graph: GateGraph) -> tuple[object, ...]:
    """Return a local invariant: the label of every node, with the labels around it."""
    encoded = encode(graph)
    label = encoded.nodes(data="label")
    return tuple(
        sorted(
            (
                label[i],
                tuple(sorted((label[j], ways) for j, _, ways in encoded.in_edges(i, data="label"))),
                tuple(sorted((label[j], ways) for _, j, ways in encoded.out_edges(i, data="label"))),
            )
            for i in encoded
        )
    )


def test_every_way_to_write_a_mutant_has_its_id(mutants: list[GateGraph]) -> None:
    rng = np.random.default_rng(1)
    for graph in mutants:
        other = padded(renumbered(graph, rng), rng)
        assert other.id == graph.id, (graph, other)


def test_canonical_graphs_have_nothing_dead_or_repeated_and_are_their_own_canonical_form(
    mutants: list[GateGraph],
) -> None:
    rng = np.random.default_rng(2)
    for graph in mutants[::10]:
        assert plain(graph)
        other = renumbered(graph, rng)
        assert other.canonical() == graph
        assert isomorphic(other, graph)


def test_mutants_that_look_alike_have_different_ids_only_if_networkx_says_that_they_differ(
    mutants: list[GateGraph],
) -> None:
    alike: dict[object, dict[str, GateGraph]] = {}
    for graph in mutants:
        operations = tuple(sorted((node.op.value, node.identity) for node in graph.nodes))
        alike.setdefault((graph.states, operations), {})[graph.id] = graph
    pairs = [pair for graphs in alike.values() for pair in pairwise(graphs.values())]
    closest: dict[object, dict[str, GateGraph]] = {}
    for graphs in alike.values():
        if len(graphs) > 1:
            for graph in graphs.values():
                closest.setdefault(surroundings(graph), {})[graph.id] = graph
    close = [pair for graphs in closest.values() for pair in pairwise(graphs.values())]
    assert len(pairs) > COUNT // 20
    assert len(close) >= COUNT // 1500
    for a, b in close + pairs[::2]:
        assert not isomorphic(a, b), (a, b)


def test_mutants_with_equal_ids_are_isomorphic_as_written(mutants: list[GateGraph]) -> None:
    rng = np.random.default_rng(3)
    first: dict[str, GateGraph] = {}
    repeats = 0
    for graph in mutants:
        written = renumbered(graph, rng)
        if graph.id in first and repeats < 500:
            assert isomorphic(first[graph.id], written)
            repeats += 1
        first.setdefault(graph.id, written)
    assert repeats > min(100, COUNT // 100)


SAME = {
    "equal matrices in any place": (
        "a = linear(x)\nb = linear(x)\nh' = tanh(a) * (h + b)",
        "b = linear(x)\na = linear(x)\nh' = (a + h) * tanh(b)",
    ),
    "hidden states by other names, in another order": (
        "c' = tanh(d) + x\nd' = relu(c) + x\nh' = h + c * d",
        "d' = relu(c) + x\nc' = x + tanh(d)\nh' = d * c + h",
    ),
    "three states in a ring": (
        "a' = linear(b)\nb' = linear(c)\nc' = linear(a) + x\nh' = h + a",
        "p' = x + linear(r)\nq' = linear(p)\nr' = linear(q)\nh' = r + h",
    ),
    "four alike states": (
        "a' = a + x\nb' = b - x\nc' = c * x\nd' = x - d\nh' = (a + b) * (c + d) + h",
        "c' = x - c\nd' = x + d\na' = x * a\nb' = b - x\nh' = h + (a + c) * (b + d)",
    ),
    "a repeated pure expression": ("h' = tanh(x + h) * tanh(h + x)", "t = tanh(x + h)\nh' = t * t"),
    "a state that never reaches h": ("c' = c + x\nh' = h + x", "h' = x + h"),
    "1 - z written out": ("h' = (1 - h) * x", "h' = x - x * h"),
}


@pytest.mark.parametrize("name", SAME)
def test_one_cell_written_in_two_ways_has_one_id(name: str) -> None:
    a, b = (parse_formula(text) for text in SAME[name])
    assert a.id == b.id
    assert isomorphic(a.canonical(), b.canonical())


def balanced(terms: list[str], operator: str = "+") -> str:
    while len(terms) > 1:
        terms = [f"({a} {operator} {b})" for a, b in zip(terms[::2], terms[1::2], strict=True)]
    return terms[0]


def tree_of_pairs(pairs: list[str], vertices: str) -> str:
    """Return a formula with a matrix for each vertex, and a balanced sum of the products of pairs."""
    lines = [f"{v} = linear(x)" for v in vertices]
    return "\n".join([*lines, f"h' = h + {balanced([f'{p[0]} * {p[1]}' for p in pairs])}"])


# In each of these pairs every vertex looks the same from where it stands, in either graph: colour refinement sees no
# difference, only the search does. (Ties of three or six cannot occur: all must come together in one `h`, two by two.)
TIED = {
    "one ring of eight matrices against two of four": (
        tree_of_pairs(["ab", "ef", "cd", "gi", "bc", "fg", "de", "ia"], "abcdefgi"),
        tree_of_pairs(["ab", "ef", "cd", "gi", "bc", "fg", "da", "ie"], "abcdefgi"),
    ),
    "one ring of four states against two of two": (
        "a' = tanh(b + x)\nb' = tanh(c + x)\nc' = tanh(d + x)\nd' = tanh(a + x)\nh' = x + ((a + b) + (c + d))",
        "a' = tanh(b + x)\nb' = tanh(a + x)\nc' = tanh(d + x)\nd' = tanh(c + x)\nh' = x + ((a + b) + (c + d))",
    ),
}
NESTED = {
    "a ring of four matrices, neighbouring or opposite pairs added first": (
        tree_of_pairs(["ab", "bc", "cd", "da"], "abcd"),
        tree_of_pairs(["ab", "cd", "bc", "da"], "abcd"),
    ),
    "a ring of four states, neighbours or opposites added first": (
        "a' = tanh(b + x)\nb' = tanh(c + x)\nc' = tanh(d + x)\nd' = tanh(a + x)\nh' = x + ((a + b) + (c + d))",
        "a' = tanh(b + x)\nb' = tanh(c + x)\nc' = tanh(d + x)\nd' = tanh(a + x)\nh' = x + ((a + c) + (b + d))",
    ),
    "two rings of two states, within or across the sums": (
        "a' = tanh(b + x)\nb' = tanh(a + x)\nc' = tanh(d + x)\nd' = tanh(c + x)\nh' = x + ((a + b) + (c + d))",
        "a' = tanh(b + x)\nb' = tanh(a + x)\nc' = tanh(d + x)\nd' = tanh(c + x)\nh' = x + ((a + c) + (b + d))",
    ),
}
"""Pairs that differ in the nesting of a sum alone."""

DIFFERENT = TIED | {
    "one matrix read twice is not two": ("a = linear(x)\nh' = a * a + h", "h' = linear(x) * linear(x) + h"),
    "order of a difference": ("h' = x - h", "h' = h - x"),
    "a value less itself, and less another": ("h' = linear(x) - linear(h)", "a = linear(h)\nh' = a - a + x"),
    "h is not just any state": ("c' = tanh(h)\nh' = relu(c) + x", "c' = relu(h)\nh' = tanh(c) + x"),
    "two states that swap, and two that stay": (
        "a' = b + x\nb' = a + x\nh' = a * b + h",
        "a' = a + x\nb' = b + x\nh' = a * b + h",
    ),
    "a bias": ("h' = linear(x) + h", "h' = linear(x, bias=1) + h"),
    "an identity": ("h' = linear(x, 0.9) + h", "h' = linear(x, 1.1) + h"),
    "one ring of six states against two of three": (
        "a' = b\nb' = c\nc' = d\nd' = e\ne' = f\nf' = tanh(a + x)\nh' = x + h + (a + b + c) * (d + e + f)",
        "a' = b\nb' = c\nc' = a + x\nd' = e\ne' = f\nf' = tanh(d + x)\nh' = x + h + (a + b + c) * (d + e + f)",
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_two_cells_have_two_ids_whatever_their_numbering(name: str) -> None:
    rng = np.random.default_rng(4)
    a, b = (parse_formula(text) for text in DIFFERENT[name])
    assert not isomorphic(a.canonical(), b.canonical())
    assert a.id != b.id
    for graph in (a, b):
        assert {renumbered(graph, rng).id for _ in range(20)} == {graph.id}


@pytest.mark.parametrize("name", TIED)
def test_tied_graphs_are_alike_to_every_node_around_them(name: str) -> None:
    a, b = (parse_formula(text).canonical() for text in TIED[name])
    assert surroundings(a) == surroundings(b)


@pytest.mark.parametrize("leaves", [2, 4, 8, 16])
def test_balanced_trees_of_equal_matrices_have_one_id(leaves: int) -> None:
    rng = np.random.default_rng(5)
    graph = parse_formula(f"h' = h + {balanced(['linear(x)'] * leaves)}")
    assert len(graph.canonical().linears) == leaves
    assert {renumbered(graph, rng).id for _ in range(3)} == {graph.id}


def test_random_regular_graphs_of_matrices_have_one_id_each_and_differ_as_networkx_says() -> None:
    rng = np.random.default_rng(6)
    found: list[GateGraph] = []
    for _ in range(60):
        vertices, edges = [(4, 4), (4, 8), (8, 8)][int(rng.integers(3))]
        ends = rng.permutation(np.repeat(np.arange(1, vertices + 1), 2 * edges // vertices)).tolist()
        nodes = [Node(Op.INPUT)] + [Node(Op.LINEAR, (0,))] * vertices
        sums = []
        for a, b in zip(ends[::2], ends[1::2], strict=True):
            sums.append(len(nodes))
            nodes.append(Node(Op.MUL, (a, b)))
        while len(sums) > 1:
            first, second, *sums = sums
            sums.append(len(nodes))
            nodes.append(Node(Op.ADD, (first, second)))
        graph = GateGraph(tuple(nodes), (sums[0],))
        assert {renumbered(graph, rng).id for _ in range(3)} == {graph.id}
        found.append(graph.canonical())
    by_look: dict[object, list[GateGraph]] = {}
    for graph in found:
        by_look.setdefault(surroundings(graph), []).append(graph)
    answers = [(isomorphic(a, b), a.id == b.id) for graphs in by_look.values() for a, b in pairwise(graphs)]
    assert all(theirs is ours for theirs, ours in answers)
    assert {theirs for theirs, _ in answers} == {True, False}


def test_many_equal_matrices_are_ordered() -> None:
    graph = parse_formula(f"h' = h + {balanced(['linear(x)'] * 64)}")
    assert len(graph.canonical().linears) == 64
    assert renumbered(graph, np.random.default_rng(5)).id == graph.id


def test_a_graph_too_symmetric_to_be_ordered_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "MAX_REFINEMENTS", 3)
    graph = parse_formula(TIED["one ring of eight matrices against two of four"][0])
    with pytest.raises(GraphError, match=r"^the graph of \d+ nodes is too symmetric to canonicalise.*linear.*$"):
        graph.canonical()


@pytest.mark.parametrize("name", NESTED)
def test_the_nesting_of_a_sum_makes_no_other_cell(name: str) -> None:
    a, b = (parse_formula(text) for text in NESTED[name])
    assert not isomorphic(a, b)
    assert a.id == b.id


def test_numbers_that_are_equal_give_equal_ids() -> None:
    def cell(identity: float, bias: float) -> GateGraph:
        return GateGraph((Node(Op.INPUT), Node(Op.LINEAR, (0,), identity=identity, bias=bias)), (1,))

    assert cell(1, 0).id == cell(1.0, -0.0).id == cell(float(np.float32(1)), 0.0).id == cell(np.float64(1), 0.0).id
    assert cell(0.9, 0.0).id == cell(np.float64(0.9), 0.0).id


SCRIPT = """
import numpy as np
from search.cells.library import LIBRARY, STUDY
from search.cells.mutation import propose
for cell in STUDY.values():
    graph, rng = cell.graph, np.random.default_rng(7)
    for _ in range(10):
        child = propose(graph, rng).child
        assert child is not None
        graph = child.graph
    print(cell.name, cell.graph.id, graph.id)
"""


def test_ids_and_children_are_the_same_in_a_process_with_other_hashes() -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(printed) == 1
    rows = [line.split() for line in printed.pop().splitlines()]
    assert [(name, seed) for name, seed, _ in rows] == [(cell.name, cell.graph.id) for cell in STUDY.values()]
    assert len({descendant for *_, descendant in rows}) > 1


def test_positions_in_the_canonical_form_are_those_of_the_same_nodes(mutants: list[GateGraph]) -> None:
    rng = np.random.default_rng(7)
    compared = 0
    for graph in mutants[::100]:
        other = padded(renumbered(graph, rng), rng)
        found = correspondence(other)
        canonical = other.canonical()
        assert found.positions[other.outputs[0]] == canonical.outputs[0]
        for i, k in found.positions.items():
            before, after = other.nodes[i], canonical.nodes[k]
            if before.op not in PARAMETRIC | {Op.INPUT, Op.STATE}:
                continue  # sums and products may be written in another way
            compared += 1
            assert before.op is after.op
            assert (before.identity, before.bias, before.random) == (after.identity, after.bias, after.random)
            if before.op is Op.STATE:
                assert found.positions[other.outputs[before.state]] == canonical.outputs[after.state]
    assert compared > len(mutants[::100])

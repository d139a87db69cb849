"""Ids of cells: one for all equivalent forms, a different one for every other cell, and stable across versions."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from search.cells.canonical import Correspondence, FormVersion, correspondence
from search.cells.earlier import zeros
from search.cells.errors import GraphError
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, STUDY, ids_of, name_of
from search.cells.mutation import Rule, propose
from search.cells.notation.display import format_display
from search.cells.notation.formula import format_formula, parse_formula
from search.cells.operations import Node, Op
from search.kernels.parameters import LayerParameters, NodeParameters
from tests.test_search.test_cells.shapes import MUTANTS, encode, grow, isomorphic, padded, plain, renumbered
from tests.test_search.test_cells.writings import (
    BATCH,
    UNITS,
    Writing,
    carried_over,
    outputs_of,
    random_graph,
    random_parameters,
)

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
    tied = [tuple(parse_formula(text).canonical() for text in texts) for texts in TIED.values()]  # close is rarely more
    for a, b in close + tied + pairs[::2]:
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
"""Sums nested differently: different ids in the form of earlier versions."""


@pytest.mark.parametrize("name", NESTED)
def test_the_nesting_of_sums_makes_no_other_cell(name: str) -> None:
    a, b = (parse_formula(text) for text in NESTED[name])
    assert not isomorphic(a, b)
    assert a.id == b.id
    assert a.in_form(FormVersion.NESTED).id != b.in_form(FormVersion.NESTED).id


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


def test_a_graph_too_symmetric_to_be_ordered_is_refused_in_one_line() -> None:
    terms = ["linear(x)"] * 64
    while len(terms) > 1:
        terms = [f"tanh({a} + {b})" for a, b in zip(terms[::2], terms[1::2], strict=True)]
    graph = parse_formula(f"h' = h + {terms[0]}")
    with pytest.raises(
        GraphError, match=r"^the graph of 19\d nodes is too symmetric to canonicalise.*interchangeable linear.*$"
    ):
        graph.canonical()


def test_numbers_that_are_equal_give_equal_ids() -> None:
    def cell(identity: float, bias: float) -> GateGraph:
        return GateGraph((Node(Op.INPUT), Node(Op.LINEAR, (0,), identity=identity, bias=bias)), (1,))

    assert cell(1, 0).id == cell(1.0, -0.0).id == cell(float(np.float32(1)), 0.0).id == cell(np.float64(1), 0.0).id
    assert cell(0.9, 0.0).id == cell(np.float64(0.9), 0.0).id


PINNED = {
    "tanh": "b706e3eca160d7e6",
    "lstm": "5e7ce45b6eb25b9f",
    "lstm-b": "257b1a93f52e800d",
    "gru": "9a9c5f36a3e1a6a5",
    "gru-after": "1b6bdacb9dcd0a83",
    "mut1": "e41aee3075f01af4",
    "mut2": "53a1745db72b4c03",
    "mut3": "205248ccecc528b9",
}
EARLIER = PINNED | {"mut1": "59b7b654d2426ae1", "mut2": "ccc3261bf1a705f1", "mut3": "51ce78a2fd034b03"}
"""Ids in the form of versions to which a gate and its complement were two cells."""


@pytest.mark.parametrize("name", PINNED)
def test_published_ids_never_change(name: str) -> None:
    assert LIBRARY[name].graph.id == PINNED[name]
    assert LIBRARY[name].written.in_form(FormVersion.NESTED).id == EARLIER[name]
    assert ids_of(name) == tuple(dict.fromkeys([PINNED[name], EARLIER[name]]))
    assert name_of(EARLIER[name]) == name_of(PINNED[name]) == name


SCRIPT = """
import numpy as np
from search.cells.library import LIBRARY, STUDY, ids_of, name_of
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


def check_correspondence(graph: GateGraph, seed: int) -> int:
    """Assert that parts are where the correspondence says, and that outputs are equal; return the negated ones."""
    canonical, found = graph.canonical(), correspondence(graph)
    parameters = random_parameters(graph, seed)
    theirs = carried_over(graph, canonical, parameters, found)
    expected, outputs = outputs_of(graph, parameters), outputs_of(canonical, theirs)
    if not expected.isfinite().all() or expected.abs().max() > 1e6:
        return 0
    torch.testing.assert_close(outputs, expected, rtol=1e-9, atol=1e-9)
    leaves = {node.state: i for i, node in enumerate(graph) if node.op is Op.STATE}
    generator = torch.Generator().manual_seed(seed)
    x, *states = torch.randn(1 + graph.states, BATCH, UNITS, generator=generator, dtype=torch.float64)
    kept = {k: j for k, i in leaves.items() if (j := found.positions.get(i)) is not None}
    placed = {canonical.nodes[j].state: states[k] for k, j in kept.items() if canonical.nodes[j].op is Op.STATE}
    live = {leaves[k] for k, j in kept.items() if canonical.nodes[j].op is Op.STATE}
    zero = torch.zeros_like(x)
    mine = values_of(graph, parameters, x, tuple(states))
    other = values_of(canonical, theirs, x, tuple(placed.get(k, zero) for k in range(canonical.states)))
    for i in live_values(graph, found, live):
        if i in found.positions:
            torch.testing.assert_close(mine[i], other[found.positions[i]], rtol=1e-9, atol=1e-9)
        else:
            opposite = other[found.opposites[i]]
            assert torch.allclose(mine[i], -opposite, rtol=1e-9) or torch.allclose(mine[i], 1 - opposite, rtol=1e-9)
    return len(found.negated)


def live_values(graph: GateGraph, found: Correspondence, leaves: set[int]) -> list[int]:
    """Return the nodes with a position that read no state which the canonical form lacks, because it stays zero."""
    dropped = {i for i, node in enumerate(graph) if node.op is Op.STATE and i not in leaves}
    return [
        i
        for i in range(len(graph))
        if (i in found.positions or i in found.opposites) and dropped.isdisjoint({i, *graph.ancestors(i)})
    ]


def values_of(graph: GateGraph, parameters: LayerParameters, x: Tensor, states: tuple[Tensor, ...]) -> list[Tensor]:
    """Return the value of each node in one step."""
    of_node = NodeParameters(graph, parameters)
    values: list[Tensor] = []
    for i, node in enumerate(graph):
        match node.op:
            case Op.INPUT:
                values.append(x)
            case Op.STATE:
                values.append(states[node.state])
            case Op.PARAM:
                values.append(of_node.vectors[i][0].expand_as(x))
            case Op.NUMBER:
                values.append(torch.full_like(x, node.value))
            case _:
                values.append(of_node.apply(graph, i, values))
    return values


def test_every_way_to_write_a_mutants_sums_products_numbers_and_gates_has_its_id(mutants: list[GateGraph]) -> None:
    rng = np.random.default_rng(20)
    turned = 0
    for k, graph in enumerate(mutants[::5]):
        writing = Writing(graph, rng)
        turned += writing.turned > 0
        assert writing.graph.id == graph.id, (graph, writing.graph)
        assert renumbered(writing.graph, rng).id == graph.id
        check_correspondence(writing.graph, k)
    assert turned > COUNT // 100


def test_a_canonical_form_computes_what_its_graph_computes_and_is_its_own() -> None:
    rng = np.random.default_rng(21)
    for k in range(2 * MUTANTS):
        graph = random_graph(rng)
        canonical = graph.canonical()
        assert GateGraph(canonical.nodes, canonical.outputs).canonical() == canonical, graph
        assert parse_formula(format_formula(graph)).id == graph.id
        assert parse_formula(format_display(graph)).id == graph.id
        assert Writing(graph, rng, turning=False).graph.id == graph.id, graph
        check_correspondence(graph, k)


GATES = {
    "which side the gate is on": ("h' = z * h + (1 - z) * x", "h' = (1 - z) * h + z * x"),
    "n + z * (h - n) written out": ("h' = x + z * h - z * x", "h' = h + z * x - h * z"),
    "a gate on its own": ("h' = h + tanh(1 - z)", "h' = h + tanh(z)"),
    "a gate that is added": ("h' = h + z + 0.5", "h' = 1.5 - z + h"),
    "a square": ("h' = x + z * z * h", "h' = x + h + z * z * h - 2 * z * h"),
}
Z = "z = sigmoid(linear(x{}) + linear(h{}) + param({}) * h); "


@pytest.mark.parametrize("case", GATES)
@pytest.mark.parametrize(
    ("start", "opposite"),
    [
        (("", "", "0"), ("", "", "0")),
        ((", bias=1", "", "0"), (", bias=-1", "", "0")),
        ((", bias=False", ", 0.9", "2"), (", bias=False", ", -0.9", "-2")),
        ((", bias=chrono(9)", "", "uniform(0, 1)"), (", bias=-chrono(9)", "", "uniform(-1, 0)")),
        ((", bias=linspace(3, 6)", "", "1"), (", bias=linspace(-3, -6)", "", "-1")),
        ((", random=orthogonal", "", "uniform_gate"), (", random=orthogonal", "", "-uniform_gate")),
    ],
)
def test_a_gate_of_its_own_and_its_complement_are_one(
    case: str, start: tuple[str, ...], opposite: tuple[str, ...]
) -> None:
    one, other = (
        parse_formula(Z.format(*given) + text) for given, text in zip((start, opposite), GATES[case], strict=True)
    )
    assert one.id == other.id
    assert one.in_form(FormVersion.NESTED).id != other.in_form(FormVersion.NESTED).id
    if start != opposite:
        assert parse_formula(Z.format(*start) + GATES[case][1]).id != one.id
    assert check_correspondence(one, 0) + check_correspondence(other, 0) == 3


KEPT = {
    "a matrix that something else reads": "w = linear(x); z = sigmoid(w + linear(h)); r = tanh(w)",
    "a term without parameters": "z = sigmoid(linear(x) + h); r = x",
    "a number": "z = sigmoid(linear(x) + 1); r = h",
    "a layer norm": "z = sigmoid(norm(linear(x))); r = h",
    "another activation": "z = tanh(linear(x)); r = h",
    "a sum that something else reads": "s = linear(x) + linear(h); z = sigmoid(s); r = tanh(s)",
}


@pytest.mark.parametrize("case", KEPT)
def test_other_gates_and_their_complements_are_two(case: str) -> None:
    one, other = (
        parse_formula(f"{KEPT[case]}; h' = {ends}")
        for ends in ("x + z * h + (1 - z) * tanh(r)", "x + (1 - z) * h + z * tanh(r)")
    )
    assert one.id != other.id
    assert not correspondence(one).negated
    assert not correspondence(other).negated


FOLDED = {
    "numbers in any nesting": ("h' = x + 0.1 + (0.2 + 0.3) + h", "h' = (x + (0.3 + (0.1 + h))) + 0.2"),
    "three times a tenth": ("h' = h + 3 * (0.1 * x)", "h' = h + 0.3 * x"),
    "a factor of a factor": ("h' = h + 2 * (x * 0.5 * 3)", "h' = 3 * x + h"),
    "once a value": ("h' = h + 1 * x", "h' = h + x"),
    "nothing times a value": ("h' = h + x + 0 * linear(x)", "h' = h + x"),
    "twice a value": ("h' = h + tanh(x) + tanh(x)", "h' = h + 2 * tanh(x)"),
    "minus minus": ("h' = x - (-1) * h", "h' = x + h"),
    "a negative number": ("h' = x + -2 * h", "h' = x - 2 * h"),
    "a number is moved out": ("h' = x + (2 * h) * linear(x)", "h' = x + 2 * (h * linear(x))"),
    "terms that cancel": ("a = tanh(x); h' = (a + h) - h + h * x", "h' = tanh(x) + h * x"),
    "a convex combination of one": ("z = sigmoid(x); h' = z * h + (1 - z) * h + x", "h' = h + x"),
    "the half trick": ("half = sigmoid(x - x); h' = h + half * half * x", "h' = h + 0.25 * x"),
    "an activation of a number": ("h' = h + x * softplus(0)", "h' = h + 0.693147180559945 * x"),
    "the sign of a gate's sum": ("h' = x + sigmoid(0 - h) * x", "h' = x + x * (1 - sigmoid(h))"),
    "a factor 1 - z, wherever": ("h' = x + x * ((1 - tanh(x)) * h)", "p = x * h; h' = x + p - tanh(x) * p"),
    "factors 1 - z and 1 - r": ("h' = x + (1 - h) * (1 - x) * tanh(x)", "m = (1 - h) * tanh(x); h' = x + m - x * m"),
    "a sum less itself times z": ("s = x + h; h' = s - tanh(x) * s", "h' = (1 - tanh(x)) * (h + x)"),
    "a common number": ("h' = (2 * x + 2 * h) * tanh(x)", "h' = 2 * ((x + h) * tanh(x))"),
    "a number beyond the largest of a node": ("h' = h + 1000 * (1000 * x)", "h' = h + 500 * (x * 1000 * 2)"),
}


@pytest.mark.parametrize("case", FOLDED)
def test_numbers_are_folded_and_terms_collected(case: str) -> None:
    one, other = (parse_formula(text) for text in FOLDED[case])
    assert one.canonical() == other.canonical()
    assert not check_correspondence(one, 1) + check_correspondence(other, 1)


def test_products_are_not_multiplied_out_and_sums_that_are_read_twice_are_computed_once() -> None:
    factored, other = (parse_formula(f"h' = x + {text}") for text in ("h * (x + tanh(h))", "h * x + h * tanh(h)"))
    assert factored.id != other.id
    shared = parse_formula(
        "s = linear(x) + linear(h); f = sigmoid(s); c' = f * c + x; h' = s + tanh(c' + s)"
    ).canonical()
    assert len(shared.linears) == 2
    assert sum(node.op is Op.ADD for node in shared) == 4


def test_a_published_form_of_an_earlier_version_is_kept() -> None:
    graph = parse_formula("h' = tanh(linear(x) + linear(h)) + (x - x)")
    for version, cell in {FormVersion.ZEROS: "8c580be1ae670455", FormVersion.NESTED: "b706e3eca160d7e6"}.items():
        earlier = graph.in_form(version)
        assert earlier.canonical() is earlier
        assert earlier.id == cell
        assert earlier.form is version
        assert pickle.loads(pickle.dumps(earlier)).form is version  # noqa: S301
        child = propose(earlier, np.random.default_rng(0)).child
        assert child is not None
        assert child.graph.form is version
    assert graph.id == PINNED["tanh"]


def test_zero_is_h_less_h_in_the_form_before_numbers() -> None:
    graph = parse_formula("h' = h + x * sigmoid(x - x) + linear(x - x, 0.9)")
    assert format_formula(graph.in_form(FormVersion.NESTED)).count("h - h") == 1
    assert not zeros(graph.canonical())

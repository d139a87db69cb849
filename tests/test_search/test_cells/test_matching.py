"""Edit distance between cells: against all matchings of small cells, and as a metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, STUDY
from search.cells.matching import _prepared, _Search, cost, fewest_edits, match
from search.cells.mutation import Rule, propose
from search.cells.notation.formula import parse_formula
from search.cells.operations import ARITY, Op
from tests.test_search.test_cells.shapes import renumbered

SMALL = [
    "h' = tanh(linear(x) + h)",
    "h' = tanh(x + linear(h))",
    "h' = linear(x, 0.9) - h",
    "h' = h - linear(x)",
    "h' = linear(x) * linear(h)",
    "c' = x + c; h' = tanh(c)",
    "c' = x + h; h' = c * tanh(c)",
    "h' = (x + h) * (x + h)",
    "a = linear(x); h' = a * a + h",
    "h' = 0.5 * x + h",
    "h' = 2 * x - softplus(h)",
    "h' = param(1) * h + norm(x)",
    "h' = tanh(linear(x, groups=2) + param(0))",
    "h' = tanh(linear(x, random=0.1, bias=False) + h)",
]
GRAPHS = [parse_formula(text).canonical() for text in SMALL]


def kind(graph: GateGraph, i: int) -> object:
    node = graph.nodes[i]
    if node.op in (Op.INPUT, Op.LINEAR, Op.PARAM, Op.NUMBER):
        return node.op
    return (Op.STATE, node.state > 0) if node.op is Op.STATE else ARITY[node.op]


def all_matchings(a: GateGraph, b: GateGraph, i: int = 0) -> Iterator[dict[int, int]]:
    if i == len(a):
        yield {}
        return
    for rest in all_matchings(a, b, i + 1):
        yield rest
        for j in range(len(b)):
            if j not in rest.values() and kind(a, i) == kind(b, j):
                yield rest | {i: j}


def price(a: GateGraph, b: GateGraph, image: dict[int, int]) -> int:
    """Count the edits of a matching by the rules, input by input, in the better order of inputs without one."""
    total = len(a) + len(b) - 2 * len(image)
    for i, j in image.items():
        one, two = a.nodes[i], b.nodes[j]
        total += (one.op != two.op) + (one.identity != two.identity) + (one.bias != two.bias)
        total += (one.groups != two.groups) + (one.start != two.start) + (one.value != two.value)
        total += (one.random, one.orthogonal) != (two.random, two.orthogonal)
        orders = [two.inputs] if one.op is two.op is Op.SUB else [two.inputs, two.inputs[::-1]]
        total += min(sum(image.get(k) != m for k, m in zip(one.inputs, order, strict=True)) for order in orders)
        if one.op is Op.STATE and one.state:
            total += image.get(a.outputs[one.state]) != b.outputs[two.state]
    return total + (image.get(a.outputs[0]) != b.outputs[0])


@pytest.mark.parametrize("k", range(len(SMALL)))
def test_the_distance_is_the_smallest_over_all_matchings(k: int) -> None:
    for other in GRAPHS:
        found = match(GRAPHS[k], other)
        assert found.proven
        smallest = min(price(GRAPHS[k], other, image) for image in all_matchings(GRAPHS[k], other))
        assert found.cost == smallest, (SMALL[k], other)
        assert price(GRAPHS[k], other, dict(found.pairs)) == cost(GRAPHS[k], other, found.pairs) == found.cost
        assert fewest_edits(GRAPHS[k], other) <= smallest


KNOWN = {
    ("lstm", "lstm-b"): 1,  # one bias
    ("lstm", "lstm-tanh-o"): 1,  # one operation
    ("lstm", "lstm-f"): 6,  # two matrices, their sum, sigmoid, product; and what the sum in c' reads
    ("gru", "gru-after"): 3,  # what the matrix, the product and the sum read
    ("mut2", "gru"): 2,  # a matrix, and the sum that read it
}


@pytest.mark.parametrize("names", KNOWN)
def test_distances_between_named_cells_are_those_counted_by_hand(names: tuple[str, str]) -> None:
    one, other = (LIBRARY[name].graph for name in names)
    found = match(one, other)
    assert (found.cost, found.proven) == (KNOWN[names], True)


@pytest.mark.parametrize(
    ("old", "new", "edits"),
    [
        ("o = sigmoid(linear(x)", "o = sigmoid(param(0) * c + linear(x)", 4),  # vector, product, sum, and what o reads
        ("o = sigmoid(linear(x)", "o = sigmoid(linear(x, groups=2)", 1),
        ("o = sigmoid(linear(x)", "o = sigmoid(linear(x, bias=chrono(9))", 1),
        ("o = sigmoid(linear(x)", "o = sigmoid(linear(x, random=orthogonal, bias=False)", 2),
        ("h' = o * tanh(c')", "h' = o * norm(c')", 1),
        ("h' = o * tanh(c')", "h' = 2 * (o * tanh(c'))", 3),  # number and product, and what h' is
    ],
)
def test_new_operations_cost_their_nodes_and_numbers(old: str, new: str, edits: int) -> None:
    formula = LIBRARY["lstm"].formula
    found = match(LIBRARY["lstm"].graph, parse_formula(formula.replace(old, new)))
    assert (found.cost, found.proven) == (edits, True)


def mutants(count: int) -> list[GateGraph]:
    """Return cells one to three mutations away from the GRU, and the GRU."""
    rng = np.random.default_rng(40)
    found = [LIBRARY["gru"].graph]
    while len(found) < count:
        child = propose(found[int(rng.integers(len(found)))], rng, rule=Rule.ONE_TO_THREE).child
        if child is not None:
            found.append(child.graph)
    return found


def test_the_distance_is_a_metric() -> None:
    rng = np.random.default_rng(41)
    graphs = mutants(7)
    found = [[match(a, b) for b in graphs] for a in graphs]
    distance = np.array([[one.cost for one in row] for row in found])
    exact = np.array([[one.proven for one in row] for row in found])
    assert exact.mean() > 0.6
    assert (distance == distance.T).all()
    assert ((distance == 0) == np.array([[a.id == b.id for b in graphs] for a in graphs])).all()
    # A distance that is not proven is an upper bound, so only the left side must be proven.
    through = (distance[:, :, None] + distance[None, :, :]).min(axis=1)
    assert (distance <= through)[exact].all()
    assert match(renumbered(graphs[1], rng), renumbered(graphs[2], rng)) == match(graphs[1], graphs[2])


def test_a_mutation_is_a_few_edits() -> None:
    """The search finds the true matching where the named cell is near: each of these mutations is 1 to 4 edits."""
    for cell in STUDY.values():
        formula = cell.formula.replace("tanh(linear(x)", "tanh(x", 1)
        if formula != cell.formula:
            assert (match(cell.graph, parse_formula(formula)).cost) == 2, cell.name


def test_an_unproven_result_is_no_smaller_than_the_distance() -> None:
    for a in GRAPHS:
        for b in GRAPHS:
            quick = match(a, b, visits=0)
            assert quick.cost >= match(a, b).cost
            assert quick.cost == cost(a, b, quick.pairs)


def test_the_lower_bound_follows_each_choice() -> None:
    """In each class, the larger number of labels that one side has more of than the other."""
    rng = np.random.default_rng(0)
    for a, b in pairwise(GRAPHS):
        search = _Search(_prepared(a), _prepared(b), 0)
        for i in range(len(a)):
            free = [j for j in search.b.of_class[search.a.classes[i]] if search.origin[j] is None]
            search._set(i, int(rng.choice(free)) if free and rng.random() < 0.7 else None)
            left = [Counter(search.a.labels[k] for k in part if not search.decided[k]) for part in search.a.of_class]
            right = [
                Counter(search.b.labels[k] for k in part if search.origin[k] is None) for part in search.b.of_class
            ]
            pairs = zip(left, right, strict=True)
            assert search.bound() == sum(max((x - y).total(), (y - x).total()) for x, y in pairs)
        for i in reversed(range(len(a))):
            search._unset(i, search.image[i])
        assert search.bound() == fewest_edits(a, b)

"""Crossover: children are valid, have a part of each parent, and name both."""

import re
from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from search.cells.canonical import FormVersion
from search.cells.crossover import crossed, other_parent
from search.cells.draft import Rejection
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.loops import loop_products
from search.cells.mutation import Child, Rule, propose, weakness
from search.cells.notation.formula import format_formula, parse_formula
from search.cells.operations import ELEMENTWISE, LEAVES, Node, Op
from search.cells.transformations import Transformation


def stained(graph: GateGraph, activation: Op, identity: float) -> GateGraph:
    """Return the cell with other activations and matrices, so that a child shows what it has from it."""

    def exchanged(node: Node) -> Node:
        if node.op is Op.LINEAR:
            return Node(Op.LINEAR, node.inputs, identity=identity)
        return node if node.op in LEAVES | ELEMENTWISE else Node(activation, node.inputs)

    return GateGraph(tuple(map(exchanged, graph)), graph.outputs).canonical()


def has(graph: GateGraph, activation: Op, identity: float) -> bool:
    """Return whether a cell has an activation or a matrix of a stained cell."""
    return any(node.op is activation or (node.op is Op.LINEAR and node.identity == identity) for node in graph)


def test_children_of_random_pairs_are_valid_and_have_parts_of_both_parents() -> None:
    rng = np.random.default_rng(0)
    names = rng.choice(list(LIBRARY), size=40, replace=False)
    parents = [stained(LIBRARY[name].graph, Op.TANH, 0.0) for name in names]
    others = [stained(LIBRARY[name].graph, Op.SOFTPLUS, 0.5) for name in names]
    results: Counter[str] = Counter()
    for _ in range(300):
        parent, other = parents[int(rng.integers(40))], others[int(rng.integers(40))]
        child = crossed(parent, other, rng, max_nodes=64)
        if isinstance(child, Rejection):
            results[child] += 1
            continue
        results["child"] += 1
        assert weakness(child.graph) is None
        assert len(child.graph) <= 64
        assert parse_formula(format_formula(child.graph)).id == child.graph.id
        assert child.graph.id not in (parent.id, other.id)
        (mutation,) = child.mutations
        assert mutation.transformation is Transformation.CROSSOVER
        assert other_parent((f"{mutation.transformation}: {mutation.detail}",)) == other.id
        results["of both"] += has(child.graph, Op.TANH, 0.0) and has(child.graph, Op.SOFTPLUS, 0.5)
        part = re.search(r"replaced by .*#(\d+) of", mutation.detail)
        if part is not None:  # a value of the other cell: what it is computed from is in the child
            nodes = [other.nodes[i] for i in {int(part[1])} | other.ancestors(int(part[1]))]
            for op, identity in ((Op.SOFTPLUS, None), (Op.LINEAR, 0.5)):
                wanted = any(node.op is op and identity in (None, node.identity) for node in nodes)
                own = any(node.op is op and identity in (None, node.identity) for node in child.graph)
                results["lost"] += wanted and not own
    assert results["child"] > 200, results
    # The rest are those with no more than a sum or a product of one of the two.
    assert results["of both"] > 0.8 * results["child"], results
    assert results["lost"] < 0.02 * results["child"], results  # by simplification of the child: v - v


def test_relatives_give_children_that_are_neither_of_them() -> None:
    """Mutants of one cell share most of their parts, so draws that give a parent again are common, and rejected."""
    rng = np.random.default_rng(1)
    mutants = [LIBRARY["gru"].graph]
    while len(mutants) < 10:
        mutant = propose(mutants[0], rng, rule=Rule.ONE).child
        assert mutant is not None
        mutants.append(mutant.graph)
    results: Counter[str] = Counter()
    for parent, other in permutations(mutants, 2):
        child = crossed(parent, other, rng)
        results["child" if isinstance(child, Child) else child.value] += 1
        if isinstance(child, Child):
            assert child.graph.id not in (parent.id, other.id)
    assert results["child"] > 60
    assert results[Rejection.UNCHANGED] > 0


def test_all_outcomes_of_a_small_pair_and_no_others_occur() -> None:
    """The parts are listed by hand: two values and an update of the parent, two values and an update of the other."""
    parent = parse_formula("h' = tanh(linear(x) + h)").canonical()
    other = parse_formula("h' = relu(h + x)").canonical()
    value = ["relu(h + x)", "(h + x)"]
    expected = {
        *(f"h' = tanh({v})" for v in value),
        *(f"h' = tanh({v} + h)" for v in value),
    }
    found: Counter[str] = Counter()
    for k in range(1000):
        child = crossed(parent, other, np.random.default_rng(k))
        found[child if isinstance(child, Rejection) else child.graph.id] += 1
    wanted = {parse_formula(formula).canonical().id for formula in expected}
    assert set(found) - {Rejection.UNCHANGED} == wanted
    # Of the tanh, the sum, the matrix, and the update, the tanh and the update give nothing of the parent.
    rejected = found[Rejection.UNCHANGED] / 1000
    assert rejected == pytest.approx(1 / 2, abs=4.5 * np.sqrt(1 / 4 / 1000))


def test_a_state_that_the_part_reads_is_carried_over_with_its_update_or_is_the_parents_own() -> None:
    parent = parse_formula("c' = tanh(linear(x) + c)\nh' = sigmoid(linear(h)) + c'").canonical()
    other = parse_formula("c' = relu(linear(h) + c)\nh' = softplus(c) + x").canonical()
    # Children whose sigmoid is replaced by softplus(c), with the state of each of them.
    carried = "c' = tanh(linear(x) + c)\nd' = relu(linear(h) + d)\nh' = softplus(d) + c'"
    shared = "c' = tanh(linear(x) + c)\nh' = softplus(c) + c'"
    wanted = {parse_formula(formula).canonical().id: states for formula, states in ((carried, 3), (shared, 2))}
    found: Counter[str] = Counter()
    for k in range(1500):
        child = crossed(parent, other, np.random.default_rng(k))
        if isinstance(child, Child) and child.graph.id in wanted:
            assert child.graph.states == wanted[child.graph.id]
            found[child.graph.id] += 1
    assert set(found) == set(wanted)
    # One of five values and two updates, then one of the other's five values; then a coin.
    inner = sum(node.op not in LEAVES for node in parent), sum(node.op not in LEAVES for node in other)
    share = 1 / (inner[0] + 2) / inner[1] / 2
    for count in found.values():
        assert count / 1500 == pytest.approx(share, abs=4.5 * np.sqrt(share / 1500))


def test_a_cell_of_one_state_gets_the_states_of_the_part_with_all_that_their_updates_read() -> None:
    """The update of c reads d, so that d comes along with c."""
    parent = parse_formula("h' = tanh(linear(x) + h)").canonical()
    other = parse_formula("c' = relu(c + d)\nd' = tanh(linear(d) + x)\nh' = softplus(c) + h").canonical()
    wanted = parse_formula("c' = relu(c + d)\nd' = tanh(linear(d) + x)\nh' = tanh(softplus(c) + h)").canonical()
    drawn = (crossed(parent, other, np.random.default_rng(k)) for k in range(500))
    ids = Counter(child.graph.id for child in drawn if isinstance(child, Child))
    assert ids[wanted.id] > 5


def test_a_child_with_too_many_states_or_nodes_is_rejected() -> None:
    chain = "\n".join(f"s{k}' = tanh(linear(s{k + 1}) + x)" for k in range(6))
    other = parse_formula(chain + "\ns6' = tanh(linear(s6) + x)\nh' = relu(s0) + h").canonical()
    parent = parse_formula("\n".join([*chain.splitlines()[:5], "s5' = tanh(s5 + x)", "h' = s0' + h"])).canonical()
    assert (parent.states, other.states) == (6, 8)
    drawn = [crossed(parent, other, np.random.default_rng(k)) for k in range(200)]
    assert Rejection.TOO_LARGE in drawn
    assert all(child.graph.states <= 8 for child in drawn if isinstance(child, Child))
    small = [
        crossed(LIBRARY["lstm"].graph, LIBRARY["gru"].graph, np.random.default_rng(k), max_nodes=20) for k in range(99)
    ]
    assert Rejection.TOO_LARGE in small
    assert all(len(child.graph) <= 20 for child in small if isinstance(child, Child))


def test_a_child_with_more_products_in_loops_than_allowed_is_rejected() -> None:
    cells = LIBRARY["sru"].graph, LIBRARY["gru"].graph
    free = [crossed(*cells, np.random.default_rng(k)) for k in range(200)]
    bounded = [crossed(*cells, np.random.default_rng(k), max_loop_products=0) for k in range(200)]
    over = [isinstance(child, Child) and loop_products(child.graph) > 0 for child in free]
    assert 20 < sum(over) < 180
    for child, drawn, many in zip(free, bounded, over, strict=True):
        assert drawn == (Rejection.LOOP_PRODUCTS if many else child)


@pytest.mark.parametrize("version", list(FormVersion))
def test_a_child_has_the_form_of_its_parent(version: FormVersion) -> None:
    parent = LIBRARY["lstm"].written.in_form(version)
    drawn = [crossed(parent, LIBRARY["mut1"].graph, np.random.default_rng(k)) for k in range(20)]
    forms = {child.graph.form for child in drawn if isinstance(child, Child)}
    assert forms == {version}


def test_the_second_parent_is_read_from_the_mutations_in_words() -> None:
    assert other_parent(("remove-node: tanh#3 removed",)) is None
    assert other_parent(()) is None
    words = ("crossover: update of h replaced by that of c of 0123456789abcdef", "remove-node: tanh#3 removed")
    assert other_parent(words) == "0123456789abcdef"
    assert other_parent(("crossover: tanh#3 replaced by mul#4 of gru",)) is None

"""Mutation: the six transformations have exactly their outcomes, invalid draws are rejected for the right reason.

The transformations are implemented a second time below, as plain functions that list every outcome, and draws are
compared with these lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import networkx as nx
import numpy as np
import pytest

from search.cells import ordering
from search.cells.draft import Draft, Rejection
from search.cells.graph import MAX_NODES, GateGraph
from search.cells.library import LIBRARY, STUDY
from search.cells.mutation import Child, Proposed, Rule, _chosen, mutate, propose
from search.cells.notation.formula import parse_formula
from search.cells.operations import Node, Op
from search.cells.transformations import APPLY, Transformation
from tests.test_search.test_cells.shapes import MUTANTS, plain

T = Transformation
OF_ONE_PARENT = [what for what in T if what is not T.CROSSOVER]
ACTIVATIONS = [(Op.SIGMOID, 0.0), (Op.TANH, 0.0), (Op.RELU, 0.0)] + [(Op.LINEAR, a) for a in (0.0, 1.0, 0.9, 1.1)]
ELEMENTWISE = [Op.MUL, Op.ADD, Op.SUB]
PARENTS = {
    "tanh": LIBRARY["tanh"].graph,
    "two states": parse_formula("c' = c * h + x\nh' = tanh(c') - linear(x, 0.9, bias=1)").canonical(),
    "a value read twice": parse_formula("a = tanh(x + h)\nh' = a * a").canonical(),
    "a value that is two states": parse_formula("c' = tanh(x)\nh' = c' * c - h").canonical(),
    "an activation that no mutation brings": parse_formula("h' = leaky_relu(linear(x) + h) * h").canonical(),
}

# --- The transformations, a second time

Wires = dict[int, Node]


def arcs(nodes: Wires) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from((j, i) for i, node in nodes.items() for j in node.inputs)
    return graph


def finished(nodes: Wires, outputs: list[int]) -> GateGraph | None:
    """Return a graph of the nodes that the outputs need, or None if it has a cycle."""
    wires = arcs(nodes)
    needed = set(outputs).union(*(nx.ancestors(wires, i) for i in outputs))
    wires = wires.subgraph(needed)
    if not nx.is_directed_acyclic_graph(wires):
        return None
    order = list(nx.topological_sort(wires))
    moved = [
        Node(
            nodes[i].op,
            tuple(order.index(j) for j in nodes[i].inputs),
            nodes[i].state,
            nodes[i].identity,
            nodes[i].bias,
        )
        for i in order
    ]
    return GateGraph(tuple(moved), tuple(order.index(i) for i in outputs))


def redirected(graph: GateGraph, i: int, target: int, new: Node | None = None) -> GateGraph | None:
    """Redirect all readers of node i, outputs included, to `target`; `new` is an additional node."""
    nodes = {
        k: Node(node.op, tuple(target if j == i else j for j in node.inputs), node.state, node.identity, node.bias)
        for k, node in enumerate(graph.nodes)
    }
    if new is not None:
        nodes[len(graph)] = new
    return finished(nodes, [target if k == i else k for k in graph.outputs])


def outcomes(graph: GateGraph, what: Transformation, i: int) -> Iterator[GateGraph | None]:
    """Yield every outcome of transformation `what` on node i: graphs, and None for each cycle."""
    node, new = graph.nodes[i], len(graph)
    readers = sum(other.inputs.count(i) for other in graph.nodes) + graph.outputs.count(i)
    wires = arcs(dict(enumerate(graph.nodes)))
    if what is T.REPLACE_ACTIVATION and len(node.inputs) == 1:
        for op, a in ACTIVATIONS:
            if (op, a) != (node.op, node.identity):
                yield finished(
                    dict(enumerate(graph.nodes)) | {i: Node(op, node.inputs, identity=a)}, list(graph.outputs)
                )
    if what is T.REPLACE_ELEMENTWISE and len(node.inputs) == 2:
        for op in ELEMENTWISE:
            if op != node.op:
                yield finished(dict(enumerate(graph.nodes)) | {i: Node(op, node.inputs)}, list(graph.outputs))
    if what is T.INSERT_ACTIVATION:
        for op, a in ACTIVATIONS:
            for place, j in enumerate(node.inputs):
                inputs = (*node.inputs[:place], new, *node.inputs[place + 1 :])
                changed = {i: Node(node.op, inputs, 0, node.identity, node.bias), new: Node(op, (j,), identity=a)}
                yield finished(dict(enumerate(graph.nodes)) | changed, list(graph.outputs))
    if what is T.REMOVE_NODE and len(node.inputs) == readers == 1:
        yield redirected(graph, i, node.inputs[0])
    if what is T.REPLACE_BY_ANCESTOR:
        for j in nx.ancestors(wires, i):
            yield redirected(graph, i, j)
    if what is T.REPLACE_BY_COMBINATION:
        others = set().union(*(nx.ancestors(wires, a) for a in wires if graph.nodes[a].inputs))
        for first in nx.ancestors(wires, i):
            for second in others:
                for op in ELEMENTWISE:
                    yield redirected(graph, i, new, Node(op, (first, second)))


def is_cell(graph: GateGraph, parent: GateGraph) -> bool:
    ops = {node.op for node in graph.canonical().nodes}
    return {Op.INPUT, Op.STATE} < ops and graph.id != parent.id


@pytest.mark.parametrize("name", PARENTS)
def test_a_draw_of_one_transformation_has_one_of_its_outcomes(name: str) -> None:
    parent = PARENTS[name]
    inner = [i for i, node in enumerate(parent.nodes) if node.inputs]
    allowed: dict[tuple[Transformation, int], set[str]] = {
        (what, i): {g.id for g in outcomes(parent, what, i) if g is not None and is_cell(g, parent)}
        for what in OF_ONE_PARENT
        for i in inner
    }
    seen: Counter[Transformation] = Counter()
    rng = np.random.default_rng(9)
    for _ in range(4 * MUTANTS):
        child = mutate(parent, rng, rule=Rule.ONE_TO_THREE)
        if isinstance(child, Child) and len(child.mutations) == 1:
            (mutation,) = child.mutations
            assert child.graph.id in allowed[mutation.transformation, mutation.node]
            seen[mutation.transformation] += 1
    assert set(seen) == {what for (what, _), ids in allowed.items() if ids}


@pytest.mark.parametrize("name", PARENTS)
@pytest.mark.parametrize("what", OF_ONE_PARENT)
def test_a_transformation_has_exactly_its_outcomes(name: str, what: Transformation) -> None:
    parent = PARENTS[name]
    rng = np.random.default_rng(10)
    ids: dict[GateGraph, str] = {}
    for i, node in enumerate(parent.nodes):
        expected = (
            {None if graph is None else graph.id for graph in outcomes(parent, what, i)} if node.inputs else set()
        )
        seen: set[str | None] = set()
        for _ in range(len(expected) * 20):
            draft = Draft(parent)
            detail = APPLY[what](draft, i, rng)
            graph = draft.graph()
            assert isinstance(graph, GateGraph)
            seen.add(None if detail is None else ids.get(graph) or ids.setdefault(graph, graph.id))
        # Rare outcomes of the many combinations may not have come up; none may come up that is not one.
        assert seen <= expected
        assert (None in seen) == (None in expected)
        assert len(seen) >= len(expected) * (0.9 if what is T.REPLACE_BY_COMBINATION else 1)


def test_a_removed_node_is_one_node_less_and_a_replaced_operation_one_changed_line() -> None:
    parent = LIBRARY["lstm"].graph
    rng = np.random.default_rng(11)
    seen: Counter[Transformation] = Counter()
    for _ in range(900):
        child = mutate(parent, rng, rule=Rule.ONE_TO_THREE)
        if not isinstance(child, Child) or len(child.mutations) > 1:
            continue
        what = child.mutations[0].transformation
        operation = parent.nodes[child.mutations[0].node].op
        seen[what] += 1
        before, after = Counter(node.op for node in parent), Counter(node.op for node in child.graph)
        lost, gained = before - after, after - before
        if what is T.REMOVE_NODE:
            assert (lost, gained) == (Counter([operation]), Counter())
            assert len(child.graph) == len(parent) - 1
        if what is T.INSERT_ACTIVATION:
            assert (lost.total(), gained.total()) == (0, 1)
            assert set(gained) < {Op.SIGMOID, Op.TANH, Op.RELU, Op.LINEAR}
        if what is T.REPLACE_ELEMENTWISE:
            assert lost == Counter([operation])
            assert gained.total() == 1
            assert set(gained) < {Op.ADD, Op.SUB, Op.MUL}
        if what is T.REPLACE_ACTIVATION:
            assert (lost.total(), gained.total()) == ((1, 1) if operation is not Op.LINEAR or gained else (0, 0))
    assert set(seen) == set(OF_ONE_PARENT) - {T.CHANGE_MATRIX}  # which is not one of the study


# --- Which nodes are transformed


def test_with_p_uniform_every_number_of_nodes_is_equally_likely() -> None:
    # A binomial count whose p is uniform on [0, 1] is uniform on 0, 1, ..., n; its mean is n / 2.
    rng = np.random.default_rng(12)
    lstm = LIBRARY["lstm"].graph
    inner = {i for i, node in enumerate(lstm.nodes) if node.inputs}
    draws = [_chosen(lstm, rng, Rule.EACH_NODE) for _ in range(22_000)]
    assert all(set(nodes) <= inner and nodes == sorted(set(nodes)) for nodes in draws)
    counts = np.bincount([len(nodes) for nodes in draws], minlength=22)
    assert len(counts) == len(inner) + 1 == 22
    assert np.mean([len(nodes) for nodes in draws]) == pytest.approx(10.5, abs=0.2)
    chi_squared = float(((counts - 1000) ** 2 / 1000).sum())
    assert chi_squared < 46.8  # the 0.999 quantile at 21 degrees of freedom
    each = np.bincount([i for nodes in draws for i in nodes], minlength=24)
    assert set(np.flatnonzero(each)) == inner
    assert np.allclose(each[sorted(inner)], 11_000, rtol=0.05)


def test_one_to_three_nodes_are_each_equally_likely() -> None:
    rng = np.random.default_rng(13)
    counts = Counter(len(set(_chosen(LIBRARY["lstm"].graph, rng, Rule.ONE_TO_THREE))) for _ in range(9000))
    assert set(counts) == {1, 2, 3}
    assert all(abs(count - 3000) < 180 for count in counts.values())  # four standard deviations
    small = parse_formula("h' = x + h").canonical()
    assert {tuple(_chosen(small, rng, Rule.ONE_TO_THREE)) for _ in range(50)} == {(2,)}


@pytest.mark.parametrize("rule", Rule)
def test_a_child_says_which_nodes_of_the_canonical_parent_were_transformed(rule: Rule) -> None:
    rng = np.random.default_rng(14)
    parent = parse_formula(LIBRARY["gru"].formula)
    inner = {i for i, node in enumerate(parent.canonical().nodes) if node.inputs}
    children = [child for _ in range(400) if isinstance(child := mutate(parent, rng, rule=rule), Child)]
    assert len(children) > 100
    for child in children:
        nodes = [mutation.node for mutation in child.mutations]
        assert nodes == sorted(set(nodes))
        assert set(nodes) <= inner
        assert all(mutation.detail and "\n" not in mutation.detail for mutation in child.mutations)
    counts = {len(child.mutations) for child in children}
    if rule is Rule.EACH_NODE:
        assert counts > {1, 2, 3}
        assert max(counts) <= len(inner)
    else:
        assert counts == ({1} if rule is Rule.ONE else {1, 2, 3})


# --- Children are cells


@pytest.mark.parametrize("rule", Rule)
@pytest.mark.parametrize("name", STUDY)
def test_children_are_canonical_cells_other_than_their_parent(name: str, rule: Rule) -> None:
    rng = np.random.default_rng(15)
    parent = LIBRARY[name].graph
    for _ in range(60):
        child = propose(parent, rng, rule=rule, max_nodes=30).child
        assert child is not None
        assert child.graph == child.graph.canonical()
        assert plain(child.graph)
        assert is_cell(child.graph, parent)
        assert len(child.graph) <= 30


@pytest.mark.parametrize("rule", Rule)
def test_descent_never_ends_and_never_leaves_the_cells(rule: Rule) -> None:
    rng = np.random.default_rng(16)
    graph = LIBRARY["lstm"].graph
    for generation in range(4 * MUTANTS):
        proposed = propose(graph, rng, rule=rule)
        assert proposed.child is not None, generation
        child = proposed.child.graph
        assert {Op.INPUT, Op.STATE} < {node.op for node in child}
        assert 3 <= len(child) <= 64
        assert child.id != graph.id
        if generation % 50 == 0:
            assert plain(child)
        graph = child


@pytest.mark.parametrize("rule", Rule)
def test_the_same_generator_gives_the_same_child(rule: Rule) -> None:
    def draw(seed: int) -> Proposed:
        return propose(LIBRARY["lstm"].graph, np.random.default_rng(seed), rule=rule)

    assert [draw(seed) for seed in range(20)] == [draw(seed) for seed in range(20)]
    assert len({proposed.child.graph.id for seed in range(20) if (proposed := draw(seed)).child}) > 10


def test_a_parent_may_be_given_in_any_form() -> None:
    as_written = parse_formula(LIBRARY["mut1"].formula)
    for seed in range(20):
        a, b = (propose(graph, np.random.default_rng(seed)) for graph in (as_written, as_written.canonical()))
        assert a == b


# --- Rejections


class Everything:
    """A container of everything."""

    def __contains__(self, item: object) -> bool:
        return True


def test_a_parent_without_new_children_is_given_up_after_so_many_draws() -> None:
    proposed = propose(LIBRARY["gru"].graph, np.random.default_rng(17), known=Everything(), attempts=50)
    assert proposed.child is None
    assert proposed.rejections.total() == 50
    assert proposed.rejections[Rejection.DUPLICATE] > 10
    assert propose(LIBRARY["gru"].graph, np.random.default_rng(17), attempts=0) == Proposed(None, Counter())


def test_a_parent_with_nothing_to_transform_is_given_up() -> None:
    for text in ("h' = x", "c' = x\nh' = c"):
        for rule in Rule:
            proposed = propose(parse_formula(text), np.random.default_rng(18), rule=rule, attempts=30)
            assert proposed == Proposed(None, Counter({Rejection.UNCHANGED: 30}))


def test_known_children_are_never_proposed_again() -> None:
    rng = np.random.default_rng(19)
    parent = parse_formula("h' = x + h")
    known: set[str] = {parent.id}
    while (proposed := propose(parent, rng, rule=Rule.ONE_TO_THREE, known=known, attempts=300)).child is not None:
        assert proposed.child.graph.id not in known
        known.add(proposed.child.graph.id)
    # All there is: x op h in four forms less the parent's and less x * h, which stays zero, and seven activations on
    # either side of the sum.
    expected = {
        graph.id
        for what in OF_ONE_PARENT
        for graph in outcomes(parent.canonical(), what, 2)
        if graph is not None and is_cell(graph, parent)
    }
    assert known == expected | {parent.id}
    assert len(expected) == 2 + 14
    assert proposed.rejections[Rejection.DUPLICATE] > 100


def test_reasons_are_as_frequent_as_the_rules_imply() -> None:
    # x + h has one node, so one of four transformations: its operation (half x * h, which stays zero), an insertion
    # (valid), an ancestor (half x, half h, which stays zero), or a combination of x or h with x or h: without h in one
    # of four pairs, though x - x is zero; h with h stays zero; x * h too; and x + h again in two of four pairs.
    draws = 6000
    rng = np.random.default_rng(20)
    parent = parse_formula("h' = x + h")
    seen = Counter(
        child if isinstance(child, Rejection) else None
        for child in (mutate(parent, rng, rule=Rule.ONE_TO_THREE) for _ in range(draws))
    )
    zero = 1 / 8 + 1 / 8 + 1 / 16 + 1 / 48 + 1 / 24
    shares = {Rejection.STATELESS: 1 / 8 + 1 / 24, Rejection.IGNORES_INPUT: zero, Rejection.UNCHANGED: 1 / 24}
    shares[None] = 1 - sum(shares.values())  # type: ignore[index]
    assert set(seen) == set(shares)
    for reason, share in shares.items():
        assert abs(seen[reason] - draws * share) < 4 * (draws * share * (1 - share)) ** 0.5, reason


def test_a_child_that_only_delays_its_input_is_no_cell() -> None:
    parent = parse_formula("c' = tanh(x)\nh' = c")
    seen = Counter(mutate(parent, np.random.default_rng(seed), rule=Rule.ONE_TO_THREE) for seed in range(200))
    # tanh is removed, or replaced by its only ancestor: each one in five draws.
    assert 40 < seen[Rejection.NO_OPERATION] < 120
    assert not any(isinstance(drawn, Child) and len(drawn.graph) < 3 for drawn in seen)


def test_a_draw_that_closes_a_cycle_is_rejected_as_such_and_no_other() -> None:
    # In tanh(x + h) the sum may be combined with itself, since what reads it then reads the combination. In
    # relu(tanh(x + h)) it may be combined with tanh, which reads it: a cycle.
    rng = np.random.default_rng(21)
    parents = {"h' = tanh(x + h)": False, "h' = relu(tanh(x + h))": True}
    for text, possible in parents.items():
        parent = parse_formula(text).canonical()
        assert possible is any(
            graph is None for i in range(2, len(parent)) for graph in outcomes(parent, T.REPLACE_BY_COMBINATION, i)
        )
        seen = Counter(
            child for _ in range(1500) if isinstance(child := mutate(parent, rng, rule=Rule.ONE_TO_THREE), Rejection)
        )
        assert (seen[Rejection.CYCLE] > 0) is possible


def test_children_over_the_limit_are_too_large_and_no_others() -> None:
    parent = LIBRARY["lstm"].graph
    seen: Counter[str] = Counter()
    for seed in range(400):
        free, bounded = (mutate(parent, np.random.default_rng(seed), max_nodes=bound) for bound in (256, 20))
        if isinstance(free, Child) and len(free.graph) > 20:
            assert bounded is Rejection.TOO_LARGE
            seen["large"] += 1
        elif isinstance(free, Child):
            assert bounded == free
            seen["small"] += 1
        else:
            assert bounded is free or (free is Rejection.UNCHANGED and bounded is Rejection.TOO_LARGE)
    assert min(seen["large"], seen["small"]) > 50


@pytest.mark.parametrize(("name", "limit"), [("sru", 0), ("indrnn", 0), ("gru", 1), ("lstm", 3)])
def test_children_with_more_products_in_loops_than_allowed_are_rejected_and_no_others(name: str, limit: int) -> None:
    parent = LIBRARY[name].graph
    seen: Counter[str] = Counter()
    for seed in range(300):
        free = mutate(parent, np.random.default_rng(seed))
        bounded = mutate(parent, np.random.default_rng(seed), max_loop_products=limit)
        if isinstance(free, Child) and products_in_loops(free.graph) > limit:
            assert bounded is Rejection.LOOP_PRODUCTS
            seen["over"] += 1
        else:
            assert bounded == free
            seen["kept"] += isinstance(free, Child)
    assert min(seen["over"], seen["kept"]) > 20


def products_in_loops(graph: GateGraph) -> int:
    """Count the matrix products from which a walk through the readers, and from step to step, comes back."""
    count = 0
    for start in graph.linears:
        seen: set[int] = set()
        pending = [start]
        while pending:
            i = pending.pop()
            following = [k for k, node in enumerate(graph) if i in node.inputs]
            following += [k for k, node in enumerate(graph) if node.op is Op.STATE and graph.outputs[node.state] == i]
            pending += [k for k in following if k not in seen]
            seen.update(following)
        count += start in seen
    return count


def test_a_child_of_the_largest_graph_is_too_large_or_valid() -> None:
    chain = [Node((Op.TANH, Op.SIGMOID)[i % 2], (i,)) for i in range(1, MAX_NODES - 2)]
    nodes = (Node(Op.INPUT), Node(Op.STATE), *chain, Node(Op.ADD, (0, MAX_NODES - 2)))
    parent = GateGraph(nodes, (MAX_NODES - 1,)).canonical()
    rng = np.random.default_rng(22)
    drawn = [mutate(parent, rng, rule=Rule.ONE_TO_THREE, max_nodes=1000) for _ in range(60)]
    assert Rejection.TOO_LARGE in drawn
    assert all(len(child.graph) <= MAX_NODES for child in drawn if isinstance(child, Child))


def test_a_child_whose_order_is_not_found_is_too_symmetric(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = LIBRARY["gru"].graph
    assert parent.canonical() == parent  # known before the effort for its children is cut to nothing
    monkeypatch.setattr(ordering, "MAX_REFINEMENTS", 0)
    rng = np.random.default_rng(23)
    proposed = propose(parent, rng, rule=Rule.ONE_TO_THREE, attempts=50)
    assert proposed.child is None
    assert set(proposed.rejections) <= {Rejection.TOO_SYMMETRIC, Rejection.CYCLE}
    assert proposed.rejections[Rejection.TOO_SYMMETRIC] > 30

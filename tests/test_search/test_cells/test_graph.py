"""Gate graphs are validated when created; pruning and merging remove what does not affect the output."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from search.cells.canonical import merge
from search.cells.errors import CellError, GraphError
from search.cells.graph import MAX_NODES, MAX_STATES, GateGraph
from search.cells.library import LIBRARY, STUDY
from search.cells.notation.formula import format_graph, parse_formula
from search.cells.operations import Node, Op
from search.cells.simplify import prune

X, H, C = Node(Op.INPUT), Node(Op.STATE), Node(Op.STATE, state=1)

RULES = {
    "arity of an activation": ((X, H, Node(Op.TANH, (0, 1))), (2,), "node 2 (tanh) has 2 inputs; tanh takes 1"),
    "arity of an operator": ((X, Node(Op.MUL, (0,))), (1,), "node 1 (mul) has 1 inputs; mul takes 2"),
    "arity of a leaf": ((X, Node(Op.STATE, (0,))), (1,), "node 1 (state) has 1 inputs; state takes 0"),
    "a node that reads itself": (
        (X, Node(Op.TANH, (1,))),
        (1,),
        "node 1 (tanh) reads node 1; a node may only read nodes before it (no cycles)",
    ),
    "a node that reads a later one": (
        (X, Node(Op.ADD, (0, 2)), Node(Op.RELU, (1,))),
        (1,),
        "node 1 (add) reads node 2; a node may only read nodes before it (no cycles)",
    ),
    "a negative position": (
        (X, Node(Op.TANH, (-1,))),
        (1,),
        "node 1 (tanh) reads node -1; a node may only read nodes before it (no cycles)",
    ),
    "a state without an output": ((X, C), (0,), "node 1 (state) reads state 1; the graph has outputs for 1 states"),
    "a negative state": (
        (X, Node(Op.STATE, state=-1)),
        (0,),
        "node 1 (state) reads state -1; the graph has outputs for 1 states",
    ),
    "two inputs": ((X, X), (1,), "node 1 (input) repeats node 0; the input and each state are read by one node"),
    "one state twice": (
        (X, H, H),
        (1,),
        "node 2 (state) repeats node 1; the input and each state are read by one node",
    ),
    "a state on another node": (
        (X, Node(Op.TANH, (0,), state=1)),
        (1, 0),
        "node 1 (tanh) has state 1; only state nodes have one",
    ),
    "an identity on another node": (
        (X, Node(Op.TANH, (0,), identity=1.0)),
        (1,),
        "node 1 (tanh) has a number of another operation; only linear, param and number nodes have any",
    ),
    "a bias on another node": (
        (X, H, Node(Op.ADD, (0, 1), bias=1.0)),
        (2,),
        "node 2 (add) has a number of another operation; only linear, param and number nodes have any",
    ),
    "an identity that is no number": (
        (X, Node(Op.LINEAR, (0,), identity=float("nan"))),
        (1,),
        "node 1 (linear) has identity nan; it must be between -1000 and 1000",
    ),
    "an infinite bias": (
        (X, Node(Op.LINEAR, (0,), bias=float("-inf"))),
        (1,),
        "node 1 (linear) has bias -inf; it must be between -1000 and 1000",
    ),
    "an identity that no formula can say": (
        (X, Node(Op.LINEAR, (0,), identity=1000.5)),
        (1,),
        "node 1 (linear) has identity 1000.5; it must be between -1000 and 1000",
    ),
    "no outputs": ((X,), (), "the graph has 0 outputs; there must be 1 to 8, one for each state"),
    "too many outputs": ((X,), (0,) * 9, "the graph has 9 outputs; there must be 1 to 8, one for each state"),
    "an output that is no node": ((X, H), (1, 2), "output 1 is node 2; the graph has nodes 0 to 1"),
    "a negative output": ((X, H), (-1,), "output 0 is node -1; the graph has nodes 0 to 1"),
    "no nodes": ((), (0,), "the graph has no nodes"),
    "too many nodes": (
        (X, *(Node(Op.TANH, (i,)) for i in range(MAX_NODES))),
        (0,),
        "the graph has 257 nodes; at most 256 are allowed",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_graph_that_breaks_a_rule_is_refused_with_the_node_and_the_rule(rule: str) -> None:
    nodes, outputs, message = RULES[rule]
    with pytest.raises(GraphError) as caught:
        GateGraph(nodes, outputs)
    assert str(caught.value) == message
    assert isinstance(caught.value, CellError)


def test_graphs_at_the_limits_are_valid() -> None:
    long = GateGraph((X, *(Node(Op.TANH, (i,)) for i in range(MAX_NODES - 1))), (MAX_NODES - 1,))
    assert len(long) == len(long.canonical()) == 256
    many = GateGraph(tuple(Node(Op.STATE, state=k) for k in range(MAX_STATES)), tuple(range(MAX_STATES)))
    assert many.states == 8


def test_graphs_are_immutable_values() -> None:
    a, b = (parse_formula(LIBRARY["lstm"].formula) for _ in range(2))
    assert a == b
    assert a is not b
    assert hash(a) == hash(b)
    assert len({a, b, a.canonical()}) == 1 + (a != a.canonical())
    with pytest.raises(dataclasses.FrozenInstanceError):
        a.outputs = (0,)  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        a.nodes[0].state = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", STUDY)
def test_a_pickled_graph_comes_back_equal_and_without_its_caches(name: str) -> None:
    graph = parse_formula(LIBRARY[name].formula)
    fresh = pickle.dumps(graph)
    _ = graph.id, graph.consumers, graph.linears, hash(graph)
    assert pickle.dumps(graph) == fresh
    for other in (pickle.loads(fresh), copy.deepcopy(graph)):  # noqa: S301 (our own bytes)
        assert other == graph
        assert hash(other) == hash(graph)
        assert other.id == graph.id


def test_unpickling_checks_the_graph() -> None:
    good = GateGraph((X, H), (1,))
    make, (nodes, _) = good.__reduce__()
    with pytest.raises(GraphError, match="output 0 is node 7"):
        make(nodes, (7,))


def test_consumers_ancestors_and_linears_of_a_small_graph() -> None:
    nodes = (X, H, Node(Op.LINEAR, (0,)), Node(Op.MUL, (2, 2)), Node(Op.LINEAR, (1,)), Node(Op.SUB, (3, 4)))
    graph = GateGraph(nodes, (5,))
    assert graph.consumers == ((2,), (4,), (3, 3), (5,), (5,), ())
    assert graph.linears == (2, 4)
    assert [graph.ancestors(i) for i in range(6)] == [
        frozenset(), frozenset(), frozenset({0}), frozenset({0, 2}), frozenset({1}), frozenset({0, 1, 2, 3, 4})
    ]  # fmt: skip
    assert list(graph) == list(nodes)
    assert len(graph) == 6
    assert graph.states == 1


PRUNED = {
    "nodes that nothing reads": ("a = tanh(x)\nb = a * h\nh' = x + h", "h' = x + h"),
    "a state that only feeds itself": ("c' = c * h\nh' = x + h", "h' = x + h"),
    "states that only feed each other": ("c' = tanh(d) + h\nd' = c * x\nh' = relu(x) - h", "h' = relu(x) - h"),
    "a state between live ones": ("b' = b + x\nc' = h\nd' = d * x\nh' = b + d", "b' = b + x\nd' = d * x\nh' = b + d"),
    "a state that reaches h two steps later stays": (
        "b' = x\nc' = tanh(b)\nh' = relu(c)",
        "b' = x\nc' = tanh(b)\nh' = relu(c)",
    ),
    "h, where nothing reads it back": ("c' = c + x\nh' = tanh(c')", "c' = c + x\nh' = tanh(c')"),
    "what only reads h, not the other way": ("c' = linear(h) + c\nh' = linear(x)", "h' = linear(x)"),
}


@pytest.mark.parametrize("case", PRUNED)
def test_pruning_keeps_what_the_output_depends_on_over_any_number_of_steps(case: str) -> None:
    before, after = (parse_formula(text) for text in PRUNED[case])
    # Positions may differ where a dead line came first: the printed text does not depend on them.
    assert format_graph(GateGraph(*prune(before))) == format_graph(after)
    assert before.id == after.id
    assert prune(prune(before)) == prune(before)


MERGED = {
    "equal expressions": ("h' = tanh(x + h) * tanh(x + h)", 5, 0),
    "equal but for the order of a sum": ("h' = tanh(x + h) * tanh(h + x)", 5, 0),
    "equal but for the order of a product, deeper down": ("h' = relu(tanh(x) * h) - x - tanh(h * tanh(x))", 8, 0),
    "differences in either order are two": ("h' = (x - h) * (h - x)", 5, 0),
    "two matrices on one input are two": ("h' = linear(x) * linear(x)", 4, 2),
    "one matrix read twice is one": ("a = linear(x)\nh' = a * a", 3, 1),
    "what two matrices compute stays apart": ("h' = tanh(linear(x)) * tanh(linear(x))", 6, 2),
    "two matrices on one merged input": ("h' = linear(x + h) - linear(h + x)", 6, 2),
    "equal new values of two states": ("c' = x + h\nh' = (h + x) * c", 5, 0),
}


@pytest.mark.parametrize("case", MERGED)
def test_equal_pure_expressions_are_merged_and_matrices_never(case: str) -> None:
    text, size, matrices = MERGED[case]
    merged = GateGraph(*merge(parse_formula(text)))
    assert (len(merged), len(merged.linears)) == (size, matrices)
    assert GateGraph(*merge(merged)) == merged
    assert len(merged.canonical()) == size


def test_the_lstm_has_two_states_eight_matrices_and_24_nodes() -> None:
    lstm = LIBRARY["lstm"].graph
    assert (lstm.states, len(lstm.linears), len(lstm)) == (2, 8, 24)

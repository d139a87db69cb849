"""Helpers on gate graphs: equivalent forms of a cell, random cells, and an encoding for networkx.

Equivalent forms and encoding do not use the canonical form, so that tests can compare it with them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import networkx as nx
import numpy as np
from hypothesis import strategies as st

from search.cells import starts
from search.cells.graph import GateGraph
from search.cells.library import STUDY
from search.cells.mutation import Rule, propose
from search.cells.operations import PARAMETRIC, Node, Op
from search.cells.starts import StartRule

MUTANTS = 2 * int(os.environ.get("GATESEARCH_TEST_MUTANTS", "60"))
"""Number of mutants that properties are checked on, or a multiple of it; 2,000 in `make exact`."""


def encode(graph: GateGraph) -> Any:
    """Encode a cell as a labelled directed graph: cells are equal if and only if their encodings are isomorphic.

    Node labels are the operation, its numbers and starts, whether the node is read as `h`, and whether it
    computes `h`; states are otherwise nameless. An arc's label counts the ways in which its head reads its tail: as an
    argument (of `sub`, with its place), or as a state that the head computes anew. Dead nodes and repetitions are kept.
    """
    encoded = nx.DiGraph()
    arcs: dict[tuple[int, int], Counter[str]] = {}
    for i, node in enumerate(graph.nodes):
        is_h = node.op is Op.STATE and node.state == 0
        encoded.add_node(i, label=(node.op.value, _numbers_of(node), is_h, graph.outputs[0] == i))
        for place, j in enumerate(node.inputs):
            arcs.setdefault((j, i), Counter())[f"argument {place if node.op is Op.SUB else 'any'}"] += 1
        if node.op is Op.STATE:
            arcs.setdefault((i, graph.outputs[node.state]), Counter())["carry"] += 1
    for (tail, head), ways in arcs.items():
        encoded.add_edge(tail, head, label=tuple(sorted(ways.items())))
    return encoded


def _numbers_of(node: Node) -> tuple[str, ...]:
    numbers = node.identity, node.bias, node.random, node.orthogonal, node.groups, node.start, node.value
    return tuple(str(number) for number in numbers)


def isomorphic(a: GateGraph, b: GateGraph) -> bool:
    """Return whether networkx finds the encodings isomorphic; exact for graphs without dead nodes and repetitions."""

    def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
        return bool(one["label"] == other["label"])

    return bool(nx.is_isomorphic(encode(a), encode(b), node_match=same, edge_match=same))


def plain(graph: GateGraph) -> bool:
    """Return whether `h` depends, over any number of steps, on every node and state, and no expression is repeated."""
    back = nx.DiGraph()
    back.add_nodes_from(range(len(graph)))
    for i, node in enumerate(graph.nodes):
        back.add_edges_from((i, j) for j in node.inputs)
        if node.op is Op.STATE:
            back.add_edge(i, graph.outputs[node.state])
    reached = {graph.outputs[0], *nx.descendants(back, graph.outputs[0])}
    read = {node.state for i, node in enumerate(graph.nodes) if node.op is Op.STATE and i in reached}
    pure = [
        (node.op, node.inputs if node.op is Op.SUB else tuple(sorted(node.inputs)), node.state, node.value)
        for node in graph.nodes
        if node.op not in PARAMETRIC
    ]
    return len(reached) == len(graph) and read | {0} == set(range(graph.states)) and len(set(pure)) == len(pure)


def renumbered(graph: GateGraph, rng: np.random.Generator) -> GateGraph:
    """Return the graph in a random topological order, with swapped inputs of `add` and `mul` and permuted states."""
    states = [0, *(1 + rng.permutation(graph.states - 1)).tolist()]
    waiting = [len(node.inputs) for node in graph.nodes]
    ready = [i for i, count in enumerate(waiting) if count == 0]
    position: dict[int, int] = {}
    nodes: list[Node] = []
    while ready:
        i = ready.pop(int(rng.integers(len(ready))))
        node = graph.nodes[i]
        inputs = [position[j] for j in node.inputs]
        if node.op in (Op.ADD, Op.MUL) and rng.random() < 0.5:
            inputs.reverse()
        state = states[node.state] if node.op is Op.STATE else 0
        position[i] = len(nodes)
        nodes.append(node.reading(tuple(inputs), state=state))
        for reader, other in enumerate(graph.nodes):
            waiting[reader] -= other.inputs.count(i)
            if waiting[reader] == 0 and i in other.inputs:
                ready.append(reader)
    outputs = [0] * graph.states
    for k, i in enumerate(graph.outputs):
        outputs[states[k]] = position[i]
    return GateGraph(tuple(nodes), tuple(outputs))


def padded(graph: GateGraph, rng: np.random.Generator) -> GateGraph:
    """Return the graph with repeated expressions, dead nodes and a dead state added at random."""
    position: dict[int, list[int]] = {}
    nodes: list[Node] = []
    for i, node in enumerate(graph.nodes):
        position[i] = []
        leaf = node.op in (Op.INPUT, Op.STATE)
        for _ in range(1 if leaf or node.op is Op.LINEAR else int(rng.integers(1, 3))):
            inputs = tuple(position[j][rng.integers(len(position[j]))] for j in node.inputs)
            position[i].append(len(nodes))
            nodes.append(node.reading(inputs))
    outputs = [position[i][rng.integers(len(position[i]))] for i in graph.outputs]
    if graph.states < 8 and rng.random() < 0.5:
        dead_state = Node(Op.STATE, state=graph.states)
        nodes.append(dead_state)
        outputs.append(len(nodes) - 1)
    a, b = rng.integers(len(nodes), size=2).tolist()
    nodes.append(Node(Op.LINEAR, (a,), identity=0.9))
    nodes.append(Node(Op.SUB, (len(nodes) - 1, b)))
    return GateGraph(tuple(nodes), tuple(outputs))


def grow(seed: GateGraph, rng: np.random.Generator, *, rule: Rule, depth: int, max_nodes: int = 40) -> list[GateGraph]:
    """Return a line of descent: child, grandchild, ... of `seed`, while there is a valid child within 100 draws."""
    line = []
    for _ in range(depth):
        child = propose(seed, rng, rule=rule, max_nodes=max_nodes).child
        if child is None:
            break
        seed = child.graph
        line.append(seed)
    return line


def mutants(rng: np.random.Generator, count: int) -> Iterator[GateGraph]:
    """Yield canonical graphs, 1 to 6 generations below the named cells by either rule."""
    left = count
    while True:
        for cell in STUDY.values():
            for rule in Rule:
                for graph in grow(cell.graph, rng, rule=rule, depth=6):
                    yield graph
                    left -= 1
                    if not left:
                        return


_NUMBERS = st.floats(-1000, 1000, allow_nan=False)


_STARTS = st.one_of(
    _NUMBERS,
    st.builds(StartRule, st.just(starts.Rule.UNIFORM), st.just((-0.5, 2.0)), st.booleans()),
    st.builds(StartRule, st.just(starts.Rule.LINSPACE), st.just((3.4, -6.0)), st.booleans()),
    st.builds(StartRule, st.just(starts.Rule.CHRONO), st.tuples(st.sampled_from([3.0, 100.0])), st.booleans()),
    st.builds(StartRule, st.just(starts.Rule.UNIFORM_GATE), st.sampled_from([(), (64.0,)]), st.booleans()),
)


@st.composite
def _linears(draw: st.DrawFn, source: int) -> Node:
    """Draw a linear node: plain, or with any valid options."""
    node = Node(Op.LINEAR, (source,), identity=draw(_NUMBERS), bias=draw(_NUMBERS))
    if draw(st.booleans()):
        return node
    orthogonal = draw(st.booleans())
    return replace(
        node,
        identity=0.0 if orthogonal else node.identity,
        bias=draw(st.none() | _STARTS),
        random=1.0 if orthogonal else draw(st.sampled_from([0.0, 0.1, 1.0])),
        orthogonal=orthogonal,
        groups=draw(st.sampled_from([1, 2, 4])),
    )


@st.composite
def graphs(draw: st.DrawFn) -> GateGraph:
    """Draw any valid graph of up to 8 states and 24 operations."""
    states = draw(st.integers(1, 8))
    nodes = [Node(Op.INPUT), *(Node(Op.STATE, state=k) for k in range(states))]
    for _ in range(draw(st.integers(0, 24))):
        op = draw(st.sampled_from([op for op in Op if op not in (Op.INPUT, Op.STATE)]))
        place = st.integers(0, len(nodes) - 1)
        if op is Op.LINEAR:
            nodes.append(draw(_linears(draw(place))))
        elif op is Op.PARAM:
            nodes.append(Node(op, start=draw(_STARTS)))
        elif op is Op.NUMBER:
            nodes.append(Node(op, value=draw(_NUMBERS)))
        elif op in (Op.ADD, Op.SUB, Op.MUL):
            nodes.append(Node(op, (draw(place), draw(place))))
        else:
            nodes.append(Node(op, (draw(place),)))
    outputs = draw(st.lists(st.integers(0, len(nodes) - 1), min_size=states, max_size=states))
    return GateGraph(tuple(nodes), tuple(outputs))

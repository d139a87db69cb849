"""Mutation of a cell: which nodes are transformed, and which children are kept.

A `Vocabulary` says what is drawn (`search.cells.vocabulary`): by default the study's seven activations and three
operations. Another one may have further activations, learned vectors and numbers as factors, and changes of a matrix.
`search.cells.transformations` has what is done to a node.

The paper says both that p is drawn from U[0, 1] and every node is then transformed with probability p, and that one to
three transformations are applied; it does not say how the two combine. `Rule` has one reading for each. The paper gives
no weights for the six transformations: one is drawn uniformly from those that are applicable to the node, unless the
caller gives weights.

Every function takes the random generator that it draws from. Children are validated before training: `mutate` returns a
child or the reason for rejecting the draw, and `propose` repeats the draw a bounded number of times.
"""

from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from search.cells.draft import Draft, Rejection
from search.cells.earlier import zeros
from search.cells.errors import GraphError
from search.cells.graph import GateGraph
from search.cells.loops import loop_products
from search.cells.operations import LEAVES, Op
from search.cells.transformations import Mutation, Weights, transform
from search.cells.vocabulary import STUDY_VOCABULARY, Vocabulary


class Rule(StrEnum):
    """Choice of the nodes to transform: each with probability p ~ U[0, 1], one to three of them, or one."""

    EACH_NODE = "each-node"
    ONE_TO_THREE = "one-to-three"
    ONE = "one"


@dataclass(frozen=True)
class Child:
    """A graph in canonical form, and the transformations that derived it from its parent."""

    graph: GateGraph
    mutations: tuple[Mutation, ...]


@dataclass(frozen=True)
class Proposed:
    """Result of `propose`: a child, or None if all draws were rejected; and the number of rejections by reason."""

    child: Child | None
    rejections: Counter[Rejection] = field(default_factory=Counter)


def propose(
    parent: GateGraph,
    rng: np.random.Generator,
    *,
    rule: Rule = Rule.EACH_NODE,
    max_nodes: int = 64,
    max_loop_products: int | None = None,
    known: Container[str] = frozenset(),
    attempts: int = 100,
    vocabulary: Vocabulary = STUDY_VOCABULARY,
    weights: Weights | None = None,
) -> Proposed:
    """Return a valid child of `parent` whose id is not in `known`, or none after `attempts` draws.

    Args:
        parent: a cell, in any form.
        rng: source of all draws.
        rule: choice of the nodes to transform.
        max_nodes: limit of nodes in the canonical child, at most 256.
        max_loop_products: limit of matrix products in loops of the child; None for no limit.
        known: ids that count as duplicates.
        attempts: limit of draws.
        vocabulary: what may be drawn.
        weights: weight of each transformation among those that apply to a node; all are equal if None.
    """
    return first_new(
        lambda: mutate(
            parent,
            rng,
            rule=rule,
            max_nodes=max_nodes,
            max_loop_products=max_loop_products,
            vocabulary=vocabulary,
            weights=weights,
        ),
        known,
        attempts,
    )


def first_new(draw: Callable[[], Child | Rejection], known: Container[str], attempts: int) -> Proposed:
    """Return the first valid child of up to `attempts` draws whose id is not in `known`, or none."""
    rejections: Counter[Rejection] = Counter()
    for _ in range(attempts):
        child = draw()
        if isinstance(child, Rejection):
            rejections[child] += 1
        elif child.graph.id in known:
            rejections[Rejection.DUPLICATE] += 1
        else:
            return Proposed(child, rejections)
    return Proposed(None, rejections)


def mutate(
    parent: GateGraph,
    rng: np.random.Generator,
    *,
    rule: Rule = Rule.EACH_NODE,
    max_nodes: int = 64,
    max_loop_products: int | None = None,
    vocabulary: Vocabulary = STUDY_VOCABULARY,
    weights: Weights | None = None,
) -> Child | Rejection:
    """Draw once: transform some nodes of the parent's canonical graph.

    Returns:
        The child, of at most `max_nodes` nodes (at most 256) and `max_loop_products` matrix products in loops, or the
        reason for rejecting the draw.
    """
    parent = parent.canonical()
    draft = Draft(parent, vocabulary)
    mutations: list[Mutation] = []
    for i in _chosen(parent, rng, rule):
        if i not in draft.live():
            continue  # an earlier transformation removed it
        mutation = transform(draft, i, rng, weights)
        if mutation is None:
            return Rejection.CYCLE
        mutations.append(mutation)
    if not mutations:
        return Rejection.UNCHANGED
    child = child_of(draft, parent, max_nodes, max_loop_products)
    return child if isinstance(child, Rejection) else Child(child, tuple(mutations))


def child_of(
    draft: Draft, parent: GateGraph, max_nodes: int, max_loop_products: int | None = None
) -> GateGraph | Rejection:
    """Return the canonical graph of a draft that was made from `parent`, or the reason for rejecting it."""
    graph = draft.graph()
    if isinstance(graph, Rejection):
        return graph
    try:
        child = graph.in_form(parent.form)
    except GraphError:
        return Rejection.TOO_SYMMETRIC
    reason = weakness(child)
    if reason is None and len(child) > max_nodes:
        reason = Rejection.TOO_LARGE
    if reason is None and child == parent:
        reason = Rejection.UNCHANGED
    if reason is None and max_loop_products is not None and loop_products(child) > max_loop_products:
        reason = Rejection.LOOP_PRODUCTS
    return reason or child


def weakness(graph: GateGraph) -> Rejection | None:
    """Return why a canonical graph is no recurrent cell (no input, no state, or no operation), or None if it is one.

    A cell whose output is always zero ignores its input.
    """
    if not any(node.op is Op.INPUT for node in graph):
        return Rejection.IGNORES_INPUT
    zero = zeros(graph)  # `h - h` stands for the constant: reading it is not reading h
    if not any(
        node.op is Op.STATE and (i in graph.outputs or not zero.issuperset(graph.consumers[i]))
        for i, node in enumerate(graph)
    ):
        return Rejection.STATELESS
    if all(node.op in LEAVES for node in graph):
        return Rejection.NO_OPERATION  # nor could it be mutated: it has no node to transform
    return None


def _chosen(parent: GateGraph, rng: np.random.Generator, rule: Rule) -> list[int]:
    inner = [i for i, node in enumerate(parent.nodes) if node.op not in LEAVES]
    if not inner:
        return []
    if rule is Rule.EACH_NODE:
        probability = rng.random()
        return [i for i, draw in zip(inner, rng.random(len(inner)), strict=True) if draw < probability]
    count = 1 if rule is Rule.ONE else min(int(rng.integers(1, 4)), len(inner))
    return sorted(int(i) for i in rng.choice(inner, size=count, replace=False))

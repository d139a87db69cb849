"""Mutation of a cell: the six transformations of Jozefowicz et al. 2015, section 3.3, and the nodes they apply to.

The paper says both that p is drawn from U[0, 1] and every node is then transformed with probability p, and that one to
three transformations are applied; it does not say how the two combine. `Rule` has one reading for each. The paper gives
no weights for the six transformations: one is drawn uniformly from those that are applicable to the node.

Every function takes the random generator that it draws from. Children are validated before training: `mutate` returns a
child or the reason for rejecting the draw, and `propose` repeats the draw a bounded number of times.
"""

from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

import numpy as np

from search.cells.earlier import zeros
from search.cells.errors import GraphError
from search.cells.graph import MAX_NODES, GateGraph
from search.cells.operations import ACTIVATIONS, ELEMENTWISE, LEAVES, Node, Op
from search.cells.text import state_name

ACTIVATION_CHOICES = (
    (Op.SIGMOID, 0.0),
    (Op.TANH, 0.0),
    (Op.RELU, 0.0),
    (Op.LINEAR, 0.0),
    (Op.LINEAR, 1.0),
    (Op.LINEAR, 0.9),
    (Op.LINEAR, 1.1),
)
"""The paper's seven activations: an operation, and the factor of the identity added to a `LINEAR` at initialisation.

Cells with other activations, such as `leaky_relu`, can be mutated, but no mutation introduces them.
"""

ELEMENTWISE_CHOICES = (Op.MUL, Op.ADD, Op.SUB)
"""The paper's operations of two inputs."""


class Transformation(StrEnum):
    """The six transformations, in the paper's order."""

    REPLACE_ACTIVATION = "replace-activation"
    REPLACE_ELEMENTWISE = "replace-elementwise"
    INSERT_ACTIVATION = "insert-activation"
    REMOVE_NODE = "remove-node"
    REPLACE_BY_ANCESTOR = "replace-by-ancestor"
    REPLACE_BY_COMBINATION = "replace-by-combination"


class Rule(StrEnum):
    """Choice of the nodes to transform: each with probability p ~ U[0, 1], or one to three of them."""

    EACH_NODE = "each-node"
    ONE_TO_THREE = "one-to-three"


class Rejection(StrEnum):
    """Reason for rejecting a draw."""

    CYCLE = "cycle"
    UNCHANGED = "unchanged"
    IGNORES_INPUT = "ignores-input"
    STATELESS = "stateless"
    NO_OPERATION = "no-operation"
    TOO_LARGE = "too-large"
    TOO_SYMMETRIC = "too-symmetric"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Mutation:
    """One applied transformation: `node` is a position in the parent's canonical graph, `detail` a description."""

    transformation: Transformation
    node: int
    detail: str


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
    known: Container[str] = frozenset(),
    attempts: int = 100,
) -> Proposed:
    """Return a valid child of `parent` whose id is not in `known`, or none after `attempts` draws.

    Args:
        parent: a cell, in any form.
        rng: source of all draws.
        rule: choice of the nodes to transform.
        max_nodes: limit of nodes in the canonical child, at most 256.
        known: ids that count as duplicates.
        attempts: limit of draws.
    """
    rejections: Counter[Rejection] = Counter()
    for _ in range(attempts):
        child = mutate(parent, rng, rule=rule, max_nodes=max_nodes)
        if isinstance(child, Rejection):
            rejections[child] += 1
        elif child.graph.id in known:
            rejections[Rejection.DUPLICATE] += 1
        else:
            return Proposed(child, rejections)
    return Proposed(None, rejections)


def mutate(
    parent: GateGraph, rng: np.random.Generator, *, rule: Rule = Rule.EACH_NODE, max_nodes: int = 64
) -> Child | Rejection:
    """Draw once: transform some nodes of the parent's canonical graph.

    Returns:
        The child, of at most `max_nodes` nodes (at most 256), or the reason for rejecting the draw.
    """
    parent = parent.canonical()
    draft = Draft(parent)
    mutations: list[Mutation] = []
    for i in _chosen(parent, rng, rule):
        if i not in draft.live():
            continue  # an earlier transformation removed it
        allowed = [t for t in Transformation if _APPLICABLE[t](draft, i)]
        transformation = allowed[rng.integers(len(allowed))]
        detail = _APPLY[transformation](draft, i, rng)
        if detail is None:
            return Rejection.CYCLE
        mutations.append(Mutation(transformation, i, detail))
    if not mutations:
        return Rejection.UNCHANGED
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
    return reason or Child(child, tuple(mutations))


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
    count = min(int(rng.integers(1, 4)), len(inner))
    return sorted(int(i) for i in rng.choice(inner, size=count, replace=False))


class Draft:
    """A graph under mutation: nodes keep their numbers, added nodes get new ones, and cycles may arise.

    Node numbers of the parent's canonical graph stay valid while the node is live.
    """

    def __init__(self, graph: GateGraph) -> None:
        self.nodes: dict[int, Node] = dict(enumerate(graph.nodes))
        self.outputs: list[int] = list(graph.outputs)
        self._live: frozenset[int] | None = None

    def live(self) -> frozenset[int]:
        """Return the nodes that some output depends on."""
        if self._live is None:
            self._live = self._reach(self.outputs)
        return self._live

    def ancestors(self, i: int) -> frozenset[int]:
        """Return the nodes that node `i` depends on, itself not included."""
        return self._reach(self.nodes[i].inputs)

    def readers(self, i: int) -> list[tuple[int, int]]:
        """Return the readers of node `i` as (reader, index among its inputs); an output is (-1, its state)."""
        found = [(-1, k) for k, j in enumerate(self.outputs) if j == i]
        for reader in sorted(self.live()):
            found += [(reader, place) for place, j in enumerate(self.nodes[reader].inputs) if j == i]
        return found

    def add(self, node: Node) -> int:
        """Add a node and return its number."""
        number = max(self.nodes) + 1
        self.nodes[number] = node
        return number

    def change(self, i: int, op: Op, identity: float = 0.0) -> None:
        """Replace the operation of node `i`, with the same inputs."""
        self.nodes[i] = Node(op, self.nodes[i].inputs, identity=identity)

    def redirect(self, reader: int, place: int, target: int) -> None:
        """Set one input of a reader, or an output, to node `target`."""
        self._live = None
        if reader == -1:
            self.outputs[place] = target
            return
        node = self.nodes[reader]
        inputs = tuple(target if p == place else j for p, j in enumerate(node.inputs))
        self.nodes[reader] = node.reading(inputs)

    def replace(self, i: int, target: int) -> None:
        """Redirect all readers of node `i` to node `target`."""
        for reader, place in self.readers(i):
            self.redirect(reader, place, target)

    def graph(self) -> GateGraph | Rejection:
        """Return the live nodes in topological order as a graph, or the reason why they form none."""
        live = self.live()
        if len(live) > MAX_NODES:
            return Rejection.TOO_LARGE
        try:
            order = list(TopologicalSorter({i: self.nodes[i].inputs for i in sorted(live)}).static_order())
        except CycleError:
            return Rejection.CYCLE
        position = {i: p for p, i in enumerate(order)}
        nodes = []
        for i in order:
            node = self.nodes[i]
            nodes.append(node.reading(tuple(position[j] for j in node.inputs)))
        return GateGraph(tuple(nodes), tuple(position[i] for i in self.outputs))

    def describe(self, i: int) -> str:
        """Return a description of a node, such as `sigmoid#7` or `linear(0.9)#12`."""
        return f"{_describe(self.nodes[i])}#{i}" if self.nodes[i].op not in LEAVES else _describe(self.nodes[i])

    def _reach(self, roots: tuple[int, ...] | list[int]) -> frozenset[int]:
        found: set[int] = set()
        pending = list(roots)
        while pending:
            i = pending.pop()
            if i not in found:
                found.add(i)
                pending.extend(self.nodes[i].inputs)
        return frozenset(found)


def _describe(node: Node) -> str:
    if node.op is Op.INPUT:
        return "x"
    if node.op is Op.STATE:
        return state_name(node.state)
    return f"linear({node.identity:g})" if node.op is Op.LINEAR else node.op.value


def _replace_activation(draft: Draft, i: int, rng: np.random.Generator) -> str:
    node = draft.nodes[i]
    others = [choice for choice in ACTIVATION_CHOICES if choice != (node.op, node.identity)]
    op, identity = others[rng.integers(len(others))]
    before = draft.describe(i)
    draft.change(i, op, identity)
    return f"{before} becomes {_describe(draft.nodes[i])}"


def _replace_elementwise(draft: Draft, i: int, rng: np.random.Generator) -> str:
    others = [op for op in ELEMENTWISE_CHOICES if op is not draft.nodes[i].op]
    before = draft.describe(i)
    draft.change(i, others[rng.integers(len(others))])
    return f"{before} becomes {draft.nodes[i].op.value}"


def _insert_activation(draft: Draft, i: int, rng: np.random.Generator) -> str:
    op, identity = ACTIVATION_CHOICES[rng.integers(len(ACTIVATION_CHOICES))]
    inputs = draft.nodes[i].inputs
    place = int(rng.integers(len(inputs)))
    new = draft.add(Node(op, (inputs[place],), identity=identity))
    draft.redirect(i, place, new)
    return f"{_describe(draft.nodes[new])} between {draft.describe(inputs[place])} and {draft.describe(i)}"


def _remove_node(draft: Draft, i: int, rng: np.random.Generator) -> str:
    before = draft.describe(i)
    (source,) = draft.nodes[i].inputs
    draft.replace(i, source)
    return f"{before} removed"


def _replace_by_ancestor(draft: Draft, i: int, rng: np.random.Generator) -> str:
    ancestors = sorted(draft.ancestors(i))
    target = ancestors[rng.integers(len(ancestors))]
    before = draft.describe(i)
    draft.replace(i, target)
    return f"{before} replaced by its ancestor {draft.describe(target)}"


def _replace_by_combination(draft: Draft, i: int, rng: np.random.Generator) -> str | None:
    own = sorted(draft.ancestors(i))
    first = own[rng.integers(len(own))]
    inner = [j for j in sorted(draft.live()) if draft.nodes[j].inputs]
    other = inner[rng.integers(len(inner))]
    theirs = sorted(draft.ancestors(other))
    second = theirs[rng.integers(len(theirs))]
    op = ELEMENTWISE_CHOICES[rng.integers(len(ELEMENTWISE_CHOICES))]
    if i in draft.ancestors(second):
        return None  # a reader of node i would depend on itself
    before = draft.describe(i)
    new = draft.add(Node(op, (first, second)))
    draft.replace(i, new)
    return f"{before} replaced by {draft.describe(first)} {op.value} {draft.describe(second)}"


def _has_one_reader(draft: Draft, i: int) -> bool:
    return len(draft.nodes[i].inputs) == 1 and len(draft.readers(i)) == 1


_APPLICABLE: dict[Transformation, Callable[[Draft, int], bool]] = {
    Transformation.REPLACE_ACTIVATION: lambda draft, i: draft.nodes[i].op in ACTIVATIONS,
    Transformation.REPLACE_ELEMENTWISE: lambda draft, i: draft.nodes[i].op in ELEMENTWISE,
    Transformation.INSERT_ACTIVATION: lambda draft, i: True,
    Transformation.REMOVE_NODE: _has_one_reader,
    Transformation.REPLACE_BY_ANCESTOR: lambda draft, i: True,
    Transformation.REPLACE_BY_COMBINATION: lambda draft, i: True,
}
_APPLY: dict[Transformation, Callable[[Draft, int, np.random.Generator], str | None]] = {
    Transformation.REPLACE_ACTIVATION: _replace_activation,
    Transformation.REPLACE_ELEMENTWISE: _replace_elementwise,
    Transformation.INSERT_ACTIVATION: _insert_activation,
    Transformation.REMOVE_NODE: _remove_node,
    Transformation.REPLACE_BY_ANCESTOR: _replace_by_ancestor,
    Transformation.REPLACE_BY_COMBINATION: _replace_by_combination,
}

"""Mutation of a cell: the six transformations of Jozefowicz et al. 2015, section 3.3, and the nodes they apply to.

A `Vocabulary` says what is drawn (`search.cells.vocabulary`): by default the study's seven activations and three
operations. Another one may have further activations, learned vectors and numbers as factors, and a seventh
transformation, which changes the blocks or the bias of a matrix.

The paper says both that p is drawn from U[0, 1] and every node is then transformed with probability p, and that one to
three transformations are applied; it does not say how the two combine. `Rule` has one reading for each. The paper gives
no weights for the six transformations: one is drawn uniformly from those that are applicable to the node, unless the
caller gives weights.

Every function takes the random generator that it draws from. Children are validated before training: `mutate` returns a
child or the reason for rejecting the draw, and `propose` repeats the draw a bounded number of times.
"""

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import TypeAlias, TypeVar

import numpy as np

from search.cells.earlier import zeros
from search.cells.errors import GraphError
from search.cells.graph import MAX_NODES, GateGraph
from search.cells.loops import loop_products
from search.cells.notation.printing import linear_options
from search.cells.operations import ACTIVATIONS, ELEMENTWISE, LEAVES, Node, Op
from search.cells.starts import StartRule
from search.cells.text import number_text, state_name
from search.cells.vocabulary import BIASES, GROUPS, STUDY_VOCABULARY, Vocabulary


class Transformation(StrEnum):
    """The six transformations, in the paper's order, and two further ones.

    Crossover takes a part of another cell (`search.cells.crossover`); `mutate` does not draw it.
    """

    REPLACE_ACTIVATION = "replace-activation"
    REPLACE_ELEMENTWISE = "replace-elementwise"
    INSERT_ACTIVATION = "insert-activation"
    REMOVE_NODE = "remove-node"
    REPLACE_BY_ANCESTOR = "replace-by-ancestor"
    REPLACE_BY_COMBINATION = "replace-by-combination"
    CHANGE_MATRIX = "change-matrix"
    CROSSOVER = "crossover"


Weights: TypeAlias = Mapping[Transformation, float]
"""Weights by which `mutate` draws a transformation."""


class Rule(StrEnum):
    """Choice of the nodes to transform: each with probability p ~ U[0, 1], one to three of them, or one."""

    EACH_NODE = "each-node"
    ONE_TO_THREE = "one-to-three"
    ONE = "one"


class Rejection(StrEnum):
    """Reason for rejecting a draw."""

    CYCLE = "cycle"
    UNCHANGED = "unchanged"
    IGNORES_INPUT = "ignores-input"
    STATELESS = "stateless"
    NO_OPERATION = "no-operation"
    TOO_LARGE = "too-large"
    LOOP_PRODUCTS = "loop-products"
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
        allowed = [(t, 1.0 if weights is None else weights[t]) for t in _APPLICABLE if _APPLICABLE[t](draft, i)]
        transformation = _drawn(allowed, rng)
        detail = _APPLY[transformation](draft, i, rng)
        if detail is None:
            return Rejection.CYCLE
        mutations.append(Mutation(transformation, i, detail))
    if not mutations:
        return Rejection.UNCHANGED
    child = child_of(draft, parent, max_nodes, max_loop_products)
    return child if isinstance(child, Rejection) else Child(child, tuple(mutations))


def child_of(
    draft: "Draft", parent: GateGraph, max_nodes: int, max_loop_products: int | None = None
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


class Draft:
    """A graph under mutation: nodes keep their numbers, added nodes get new ones, and cycles may arise.

    Node numbers of the parent's canonical graph stay valid while the node is live.
    """

    def __init__(self, graph: GateGraph, vocabulary: Vocabulary = STUDY_VOCABULARY) -> None:
        self.vocabulary = vocabulary
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

    def add_output(self, i: int) -> None:
        """Add a state whose new value is node `i`."""
        self._live = None
        self.outputs.append(i)

    def change(self, i: int, node: Node) -> None:
        """Replace the operation of node `i`, with the same inputs."""
        self.nodes[i] = node.reading(self.nodes[i].inputs)

    def applied(self, choice: Node, value: int) -> Node:
        """Return an activation of a value; of a factor's leaf, which is added, it is the product."""
        if choice.op not in LEAVES:
            return choice.reading((value,))
        self._live = None
        return Node(Op.MUL, (self.add(choice), value))

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
    match node.op:
        case Op.INPUT:
            return "x"
        case Op.STATE:
            return state_name(node.state)
        case Op.NUMBER:
            return number_text(node.value)
        case Op.PARAM:
            return f"param({node.start if isinstance(node.start, StartRule) else number_text(node.start)})"
        case Op.LINEAR:
            return f"linear({node.identity:g}{linear_options(replace(node, identity=0.0))})"
        case _:
            return node.op.value


_Choice = TypeVar("_Choice")


def _drawn(choices: Sequence[tuple[_Choice, float]], rng: np.random.Generator) -> _Choice:
    """Draw one of the choices by their weights; of equal ones as the study's searches have always drawn them."""
    weights = [weight for _, weight in choices]
    if weights.count(weights[0]) == len(weights):
        return choices[int(rng.integers(len(choices)))][0]
    shares = np.cumsum(weights)
    return choices[int(np.searchsorted(shares, rng.random() * shares[-1], side="right"))][0]


def _other_activations(draft: Draft, i: int) -> list[tuple[Node, float]]:
    node = draft.nodes[i]
    same = node.op, node.identity
    return [choice for choice in draft.vocabulary.activations if (choice[0].op, choice[0].identity) != same]


def _replace_activation(draft: Draft, i: int, rng: np.random.Generator) -> str:
    choice = _drawn(_other_activations(draft, i), rng)
    before = draft.describe(i)
    draft.nodes[i] = draft.applied(choice, draft.nodes[i].inputs[0])
    return f"{before} becomes {_describe(choice)}{' *' * (choice.op in LEAVES)}"


def _other_operations(draft: Draft, i: int) -> list[tuple[Op, float]]:
    return [choice for choice in draft.vocabulary.operations if choice[0] is not draft.nodes[i].op]


def _replace_elementwise(draft: Draft, i: int, rng: np.random.Generator) -> str:
    op = _drawn(_other_operations(draft, i), rng)
    before = draft.describe(i)
    draft.change(i, Node(op))
    return f"{before} becomes {op.value}"


def _insert_activation(draft: Draft, i: int, rng: np.random.Generator) -> str:
    choice = _drawn(draft.vocabulary.activations, rng)
    inputs = draft.nodes[i].inputs
    place = int(rng.integers(len(inputs)))
    new = draft.add(draft.applied(choice, inputs[place]))
    draft.redirect(i, place, new)
    what = f"{_describe(choice)}{' *' * (choice.op in LEAVES)}"
    return f"{what} between {draft.describe(inputs[place])} and {draft.describe(i)}"


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
    op = _drawn(draft.vocabulary.operations, rng)
    if i in draft.ancestors(second):
        return None  # a reader of node i would depend on itself
    before = draft.describe(i)
    new = draft.add(Node(op, (first, second)))
    draft.replace(i, new)
    return f"{before} replaced by {draft.describe(first)} {op.value} {draft.describe(second)}"


def _change_matrix(draft: Draft, i: int, rng: np.random.Generator) -> str:
    node, words = draft.nodes[i], draft.vocabulary
    blocks = [(replace(node, groups=groups), words.groups) for groups in GROUPS if groups != node.groups]
    starts = [(replace(node, bias=bias), words.bias) for bias in BIASES if bias != node.bias]
    choices = [(choice, weight / len(some)) for some in (blocks, starts) for choice, weight in some if weight]
    before = draft.describe(i)
    draft.nodes[i] = _drawn(choices, rng)
    return f"{before} becomes {_describe(draft.nodes[i])}"


def _is_changeable(draft: Draft, i: int) -> bool:
    return draft.nodes[i].op is Op.LINEAR and draft.vocabulary.groups + draft.vocabulary.bias > 0.0


def _has_one_reader(draft: Draft, i: int) -> bool:
    return len(draft.nodes[i].inputs) == 1 and len(draft.readers(i)) == 1


_APPLICABLE: dict[Transformation, Callable[[Draft, int], bool]] = {
    Transformation.REPLACE_ACTIVATION: lambda draft, i: (
        draft.nodes[i].op in ACTIVATIONS and bool(_other_activations(draft, i))
    ),
    Transformation.REPLACE_ELEMENTWISE: lambda draft, i: (
        draft.nodes[i].op in ELEMENTWISE and bool(_other_operations(draft, i))
    ),
    Transformation.INSERT_ACTIVATION: lambda draft, i: True,
    Transformation.REMOVE_NODE: _has_one_reader,
    Transformation.REPLACE_BY_ANCESTOR: lambda draft, i: True,
    Transformation.REPLACE_BY_COMBINATION: lambda draft, i: True,
    Transformation.CHANGE_MATRIX: _is_changeable,
}
_APPLY: dict[Transformation, Callable[[Draft, int, np.random.Generator], str | None]] = {
    Transformation.REPLACE_ACTIVATION: _replace_activation,
    Transformation.REPLACE_ELEMENTWISE: _replace_elementwise,
    Transformation.INSERT_ACTIVATION: _insert_activation,
    Transformation.REMOVE_NODE: _remove_node,
    Transformation.REPLACE_BY_ANCESTOR: _replace_by_ancestor,
    Transformation.REPLACE_BY_COMBINATION: _replace_by_combination,
    Transformation.CHANGE_MATRIX: _change_matrix,
}

"""Parts of a cell that its visible output depends on: dead nodes, dead states and hidden zeros are dropped.

A mutation may leave an expression that looks like a computation and is always a number, such as `v - v`. The rules
below remove it, and everything that only it was read by, in one pass from the leaves to the outputs. The graph keeps
the order of its nodes and the nesting of its sums, so that drawings and exported code follow the formula as it was
written; the canonical form goes further (`search.cells.canonical`). Each rule is exact if all values are finite and the
states start at zero, up to the sign of a zero:

    v - v = 0                       0 * v = 0                       1 * v = v
    v + 0 = v                       v - 0 = v                       tanh(0.5) = 0.46211715726000973
    a + (0 - v) = a - v             a - (0 - v) = a + v
    linear(0, identity, bias) = linear(0, bias)        the matrix multiplies nothing

Two values are equal (`v - v`) if they have the same operation on equal inputs; two `linear` are two matrices and never
equal. A hidden state is zero if its new value is zero whenever the states that are zero are; the largest such set of
states is removed. A cell whose output is always zero is the graph of `h' = 0`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from search.cells.operations import COMMUTATIVE, OPERATIONS, PARAMETRIC, POINTWISE, Node, Op
from search.cells.starts import MAX_NUMBER


class Structure(Protocol):
    """Nodes in topological order, and for each state the position of the node that computes its new value."""

    @property
    def nodes(self) -> tuple[Node, ...]: ...

    @property
    def outputs(self) -> tuple[int, ...]: ...


class Form(NamedTuple):
    """Nodes and outputs of a graph that was simplified, merged or ordered: `GateGraph(*form)` is the graph."""

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]


ALWAYS_ZERO = Form((Node(Op.NUMBER),), (0,))
"""The graph of `h' = 0`."""


def simplify(graph: Structure) -> Form:
    """Return the graph without dead nodes, dead states and hidden zeros; equal nodes are not merged."""
    return simplify_positions(graph)[0]


def simplify_positions(graph: Structure) -> tuple[Form, dict[int, int]]:
    """Return the simplified graph, and by node of the given graph the position of the node that has its value.

    Nodes that nothing depends on have no position, nor have numbers that nothing reads. A graph without hidden zeros
    keeps the order of its nodes.
    """
    form, position = prune_positions(graph)
    while (dropped := _drop_zeros(form)) is not None:
        shorter, moved = dropped
        form, kept = prune_positions(shorter)
        position = {old: kept[moved[new]] for old, new in position.items() if new in moved and moved[new] in kept}
    return form, position


def live_states(graph: Structure) -> tuple[int, ...]:
    """Return the states that `simplify` keeps, in order."""
    form, _ = prune_positions(graph)
    states = tuple(sorted(_live(graph)[1]))
    while (dropped := _drop_zeros(form)) is not None:
        shorter, _ = dropped
        states = tuple(states[k] for k in sorted(_live(shorter)[1]))
        form, _ = prune_positions(shorter)
    return states


def prune(graph: Structure) -> Form:
    """Return the graph without nodes and states that the visible output never depends on, over any number of steps."""
    return prune_positions(graph)[0]


def prune_positions(graph: Structure) -> tuple[Form, dict[int, int]]:
    """Return the pruned graph, and the new position of each node that it keeps."""
    live, kept = _live(graph)
    states = {old: new for new, old in enumerate(sorted(kept))}
    position = {old: new for new, old in enumerate(sorted(live))}
    nodes = []
    for old in sorted(live):
        node = graph.nodes[old]
        state = states[node.state] if node.op is Op.STATE else 0
        nodes.append(node.reading(tuple(position[j] for j in node.inputs), state=state))
    return Form(tuple(nodes), tuple(position[graph.outputs[k]] for k in states)), position


def _live(graph: Structure) -> tuple[set[int], set[int]]:
    """Return the nodes and the states that the visible output depends on, over any number of steps."""
    live: set[int] = set()
    states = {0}
    pending = [graph.outputs[0]]
    while pending:
        i = pending.pop()
        if i in live:
            continue
        live.add(i)
        node = graph.nodes[i]
        pending.extend(node.inputs)
        if node.op is Op.STATE and node.state not in states:
            states.add(node.state)
            pending.append(graph.outputs[node.state])
    return live, states


def _drop_zeros(graph: Form) -> tuple[Form, dict[int, int]] | None:
    """Return the graph with the rules applied, and the new position of each node's value; None if no rule applies."""
    zero_states = frozenset(range(len(graph.outputs)))
    while True:  # from all states down to the largest set that stays zero if it starts at zero
        values = _Values(graph.nodes, zero_states)
        still = frozenset(k for k in zero_states if values.value[graph.outputs[k]] == 0.0)
        if still == zero_states:
            break
        zero_states = still
    if 0 in zero_states:
        return None if graph == ALWAYS_ZERO else (ALWAYS_ZERO, {})
    return values.rewritten(graph.outputs) if values.changed else None


class _Values:
    """Values of the nodes of a graph under the rules, given the states that are zero.

    `value[i]` is the number that node i always is, or None. For other nodes, `source[i]` is the node that has the value
    of node i: i itself or an earlier node; `made[i]` is node i with the rules applied, its inputs being sources; and
    `number[i]` is equal for nodes of equal value.
    """

    def __init__(self, nodes: Sequence[Node], zero_states: frozenset[int]) -> None:
        self.value: list[float | None] = []
        self.source: list[int] = []
        self.made: list[Node | None] = []
        self.number: list[int] = []
        self.changed = False
        known: dict[Node, int] = {}
        for i, node in enumerate(nodes):
            inputs = tuple(self.source[j] for j in node.inputs)
            found = self._value(node, inputs, zero_states)
            if isinstance(found, float):
                self.changed |= node.op is not Op.NUMBER
                self._append(found, i, None, i)
            elif isinstance(found, int):
                self.changed = True
                self._append(self.value[found], found, None, self.number[found])
            else:
                self.changed |= found != node.reading(inputs)
                key = tuple(self._key(j) for j in found.inputs)
                key = tuple(sorted(key)) if found.op in COMMUTATIVE else key
                equal = found.reading(key)
                self._append(None, i, found, i if found.op in PARAMETRIC else known.setdefault(equal, i))

    def _append(self, value: float | None, source: int, made: Node | None, number: int) -> None:
        self.value.append(value)
        self.source.append(source)
        self.made.append(made)
        self.number.append(number)

    def _key(self, i: int) -> int:
        """Return a number that is equal for nodes of equal value, and negative for numbers."""
        found = self.value[i]
        return self.number[i] if found is None else -1 - self.value.index(found)

    def rewritten(self, outputs: Sequence[int]) -> tuple[Form, dict[int, int]]:
        """Return the graph after the rules, and the new position of each node's value."""
        nodes: list[Node] = []
        place: dict[int, int] = {}
        numbers: dict[float, int] = {}

        def put(i: int) -> int:
            value = self.value[i]
            if value is not None:
                if value not in numbers:
                    numbers[value] = len(nodes)
                    nodes.append(Node(Op.NUMBER, value=value))
                return numbers[value]
            return place[i]

        for i, node in enumerate(self.made):
            if node is not None:
                inputs = tuple(put(j) for j in node.inputs)
                place[i] = len(nodes)
                nodes.append(node.reading(inputs))
        results = tuple(put(self.source[i]) for i in outputs)
        position = {
            i: place[source] if self.value[source] is None else numbers[found]
            for i, source in enumerate(self.source)
            if (found := self.value[source] or 0.0) in numbers or self.value[source] is None
        }
        return Form(tuple(nodes), results), position

    def _value(self, node: Node, inputs: tuple[int, ...], zero_states: frozenset[int]) -> float | int | Node:
        """Return the value of a node by the rules: a number, an earlier node, or a node over `inputs`."""
        if node.op is Op.NUMBER:
            return float(node.value)
        if node.op is Op.STATE and node.state in zero_states:
            return 0.0
        numbers = [self.value[j] for j in inputs]
        if node.op in POINTWISE and None not in numbers:
            compute = OPERATIONS[node.op].value
            assert compute is not None
            found = float(compute(*numbers))
            if math.isfinite(found) and abs(found) <= MAX_NUMBER:
                return found
        if node.op is Op.ADD:
            return self._sum(*inputs)
        if node.op is Op.SUB:
            return self._difference(*inputs)
        if node.op is Op.MUL:
            if 0.0 in numbers:
                return 0.0
            if 1.0 in numbers:
                return inputs[1 - numbers.index(1.0)]
        if node.op is Op.LINEAR and numbers == [0.0]:
            if node.bias is None:
                return 0.0
            return replace(node.reading(inputs), identity=0.0, random=1.0, orthogonal=False, groups=1)
        return node.reading(inputs)

    def _sum(self, a: int, b: int) -> int | Node:
        if self.value[a] == 0.0 or self.value[b] == 0.0:
            return a if self.value[b] == 0.0 else b
        minus_a, minus_b = self._negated(a), self._negated(b)
        if minus_b is not None and minus_a is None:
            return self._difference_node(a, minus_b)
        if minus_a is not None and minus_b is None:
            return self._difference_node(b, minus_a)
        return Node(Op.ADD, (a, b))

    def _difference(self, a: int, b: int) -> float | int | Node:
        if self.value[b] == 0.0:
            return a
        if self._key(a) == self._key(b):
            return 0.0
        minus_b = self._negated(b)
        return Node(Op.SUB, (a, b)) if minus_b is None else self._sum(a, minus_b)

    def _difference_node(self, a: int, b: int) -> int | Node:
        found = self._difference(a, b)
        return Node(Op.SUB, (a, a)) if isinstance(found, float) else found  # zero in the next pass

    def _negated(self, i: int) -> int | None:
        """Return v if node i is 0 - v, else None."""
        node = self.made[i]
        minus = node is not None and node.op is Op.SUB and self.value[node.inputs[0]] == 0.0
        return node.inputs[1] if minus and node is not None else None

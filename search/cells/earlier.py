"""Canonical forms of earlier versions: stores made by them have their ids, and are replayed in their form.

The form of versions that had no numbers wrote a zero that something still reads as `h - h`, once in each graph. Nested
sums, and a gate and its complement, were different cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from search.cells.operations import COMMUTATIVE, LEAVES, PARAMETRIC, Node, Op
from search.cells.simplify import Form, Structure, prune

_ZERO = -1
"""Stands for the value zero where a position of a node is expected."""

_ZERO_OF_ZERO = frozenset({Op.TANH, Op.RELU, Op.LEAKY_RELU})
"""Operations of one input that map zero to zero."""

_ALWAYS_ZERO = Form((Node(Op.STATE), Node(Op.SUB, (0, 0))), (1,))
"""The graph of `h' = h - h`."""


def without_zeros(graph: Structure) -> Form:
    """Return the pruned graph without hidden zeros, as versions wrote it that had no numbers; nothing is merged."""
    form = prune(graph)
    while (shorter := _drop_zeros(form)) is not None:
        form = prune(shorter)
    return form


def zeros(graph: Structure) -> frozenset[int]:
    """Return the positions of the nodes `h - h`, which stand for zero in the form of earlier versions alone."""
    return frozenset(i for i, node in enumerate(graph.nodes) if node.op is Op.SUB and node.inputs[0] == node.inputs[1])


def _drop_zeros(graph: Form) -> Form | None:
    """Return the graph with the rules applied; None if no rule applies."""
    zero_states = frozenset(range(len(graph.outputs)))
    while True:  # from all states down to the largest set that stays zero if it starts at zero
        values = _Values(graph.nodes, zero_states)
        still = frozenset(k for k in zero_states if values.source[graph.outputs[k]] == _ZERO)
        if still == zero_states:
            break
        zero_states = still
    if 0 in zero_states:
        return None if graph == _ALWAYS_ZERO else _ALWAYS_ZERO
    return values.rewritten(graph.outputs) if values.changed else None


class _Values:
    """Values of the nodes of a graph under the rules, given the states that are zero.

    `source[i]` is the node that has the value of node i: i itself, an earlier node, or `_ZERO`. `made[i]` is node i
    with the rules applied, its inputs being sources. `number[i]` is equal for nodes of equal value.
    """

    def __init__(self, nodes: Sequence[Node], zero_states: frozenset[int]) -> None:
        self.source: list[int] = []
        self.made: list[Node | None] = []
        self.number: list[int] = []
        self.changed = False
        known: dict[Node, int] = {}
        for i, node in enumerate(nodes):
            inputs = tuple(self.source[j] for j in node.inputs)
            found = self._value(node, inputs, zero_states)
            if isinstance(found, int):
                written = node.op is Op.SUB and all(nodes[j] == Node(Op.STATE) for j in node.inputs)
                self.changed |= not (found == _ZERO and written)
                self.source.append(found)
                self.made.append(None)
                self.number.append(self._number(found))
                continue
            self.changed |= found != node.reading(inputs)
            self.source.append(i)
            self.made.append(found)
            key = tuple(self._number(j) for j in found.inputs)
            key = tuple(sorted(key)) if found.op in COMMUTATIVE else key
            equal = found.reading(key)
            self.number.append(i if found.op in PARAMETRIC else known.setdefault(equal, i))

    def rewritten(self, outputs: Sequence[int]) -> Form:
        """Return the graph after the rules."""
        state = Node(Op.STATE)
        nodes = [state, Node(Op.SUB, (0, 0))]
        place = {_ZERO: 1}
        for i, node in enumerate(self.made):
            if node is None:
                continue
            if node == state:
                place[i] = 0
                continue
            place[i] = len(nodes)
            nodes.append(node.reading(tuple(place[j] for j in node.inputs)))
        return Form(tuple(nodes), tuple(place[self.source[i]] for i in outputs))

    def _number(self, source: int) -> int:
        return _ZERO if source == _ZERO else self.number[source]

    def _value(self, node: Node, inputs: tuple[int, ...], zero_states: frozenset[int]) -> int | Node:
        """Return the value of a node by the rules: an earlier node, `_ZERO`, or a node over `inputs`."""
        if node.op in LEAVES:
            return _ZERO if node.op is Op.STATE and node.state in zero_states else node
        if node.op is Op.ADD:
            return self._sum(*inputs)
        if node.op is Op.SUB:
            return self._difference(*inputs)
        if _ZERO in inputs and (node.op is Op.MUL or node.op in _ZERO_OF_ZERO):
            return _ZERO
        found = node.reading(inputs)
        return replace(found, identity=0.0) if _ZERO in inputs and node.identity else found

    def _sum(self, a: int, b: int) -> int | Node:
        if _ZERO in (a, b):
            return a if b == _ZERO else b
        minus_a, minus_b = self._negated(a), self._negated(b)
        if minus_b is not None and minus_a is None:
            return self._difference(a, minus_b)
        if minus_a is not None and minus_b is None:
            return self._difference(b, minus_a)
        return Node(Op.ADD, (a, b))

    def _difference(self, a: int, b: int) -> int | Node:
        if b == _ZERO:
            return a
        if self._number(a) == self._number(b):
            return _ZERO
        minus_b = self._negated(b)
        return Node(Op.SUB, (a, b)) if minus_b is None else self._sum(a, minus_b)

    def _negated(self, i: int) -> int | None:
        """Return v if node i is 0 - v, else None."""
        node = self.made[i] if i != _ZERO else None
        return node.inputs[1] if node is not None and node.op is Op.SUB and node.inputs[0] == _ZERO else None

"""Parts of a cell that its visible output depends on: dead nodes, dead states and hidden zeros are dropped.

A mutation may leave an expression that looks like a computation and is always zero, such as `v - v`. The rules below
remove it, and everything that only it was read by, in one pass from the leaves to the outputs. Each rule is exact in
floating-point arithmetic if all values are finite and the states start at zero, up to the sign of a zero:

    v - v = 0                       0 * v = 0
    v + 0 = v                       v - 0 = v
    tanh(0) = relu(0) = leaky_relu(0) = 0
    a + (0 - v) = a - v             a - (0 - v) = a + v
    linear(0, identity, bias) = linear(0, bias)        the matrix multiplies nothing

Two values are equal (`v - v`) if they have the same operation on equal inputs; two `linear` are two matrices and never
equal. A hidden state is zero if its new value is zero whenever the states that are zero are; the largest such set of
states is removed.

Rules that hold for real numbers but round differently, such as `(a + b) - b = a` or `z * a + (1 - z) * a = a`, are left
out. So are constants other than zero.

A zero that something still reads (`0 - v`, `linear(0)`, which is a learned bias, `sigmoid(0)`, which is 1/2, or an
output that is zero) is written `h - h`, because a cell has no constants: once in each graph, however it was written.
A cell whose output is always zero is the graph of `h' = h - h`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from search.cells.operations import COMMUTATIVE, LEAVES, PARAMETRIC, Node, Op

_ZERO = -1
"""Stands for the value zero where a position of a node is expected."""

_ZERO_OF_ZERO = frozenset({Op.TANH, Op.RELU, Op.LEAKY_RELU})
"""Operations of one input that map zero to zero."""


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


_ALWAYS_ZERO = Form((Node(Op.STATE), Node(Op.SUB, (0, 0))), (1,))
"""The graph of `h' = h - h`."""


def simplify(graph: Structure) -> Form:
    """Return the graph without dead nodes, dead states and hidden zeros; equal nodes are not merged."""
    return simplify_positions(graph)[0]


def simplify_positions(graph: Structure) -> tuple[Form, dict[int, int]]:
    """Return the simplified graph, and by node of the given graph the position of the node that has its value.

    Nodes that nothing depends on have no position, nor have nodes that are zero if no zero is left. A graph without
    hidden zeros keeps the order of its nodes.
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


def zeros(graph: Structure) -> frozenset[int]:
    """Return the positions of the nodes `h - h` of a simplified graph, which stand for the constant zero."""
    return frozenset(i for i, node in enumerate(graph.nodes) if node.op is Op.SUB and node.inputs[0] == node.inputs[1])


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
        still = frozenset(k for k in zero_states if values.source[graph.outputs[k]] == _ZERO)
        if still == zero_states:
            break
        zero_states = still
    if 0 in zero_states:
        zero_positions = {i: 1 for i, source in enumerate(values.source) if source == _ZERO}
        return None if graph == _ALWAYS_ZERO else (_ALWAYS_ZERO, zero_positions)
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

    def rewritten(self, outputs: Sequence[int]) -> tuple[Form, dict[int, int]]:
        """Return the graph after the rules, and the new position of each node's value."""
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
        position = {i: place[source] for i, source in enumerate(self.source)}
        return Form(tuple(nodes), tuple(position[i] for i in outputs)), position

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

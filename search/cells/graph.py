"""The gate graph: a recurrent cell as data.

A cell is a directed acyclic graph of vector nodes, all of one size (the cell's units). It reads the input `x` and its
states `h`, `c`, ... of the step before and computes each state anew; state 0 is the visible output `h`. The LSTM, for
example, has two states and 24 nodes. The view of a cell as a graph that can be mutated is that of Jozefowicz et al.
2015, section 3.

A graph is immutable and hashable, holds nothing but numbers and tuples, and is valid from the moment it exists:
`GateGraph(...)` raises `GraphError` otherwise. Two graphs that compute the same thing in the same way share a
canonical form and an id (`search.cells.canonical`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from search.cells.errors import GraphError

MAX_NODES = 256
"""No graph has more nodes than this: an LSTM has 24, and every algorithm here may count on a small number."""

MAX_STATES = 8
"""No graph carries more states than this."""

MAX_NUMBER = 1000.0
"""No identity's factor and no bias is larger than this, of either sign."""


LEAKY_SLOPE = 0.01
"""What `LEAKY_RELU` multiplies negative numbers by."""


class Op(StrEnum):
    """What a node computes. All but `LINEAR` work element by element.

    The canonical order of a graph's nodes, and so a cell's id, depends on the order here: new operations go to the end.
    """

    INPUT = "input"
    STATE = "state"
    SIGMOID = "sigmoid"
    TANH = "tanh"
    RELU = "relu"
    LINEAR = "linear"
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    LEAKY_RELU = "leaky_relu"


ARITY = {
    Op.INPUT: 0,
    Op.STATE: 0,
    Op.SIGMOID: 1,
    Op.TANH: 1,
    Op.RELU: 1,
    Op.LINEAR: 1,
    Op.ADD: 2,
    Op.SUB: 2,
    Op.MUL: 2,
    Op.LEAKY_RELU: 1,
}
LEAVES = frozenset({Op.INPUT, Op.STATE})
ACTIVATIONS = frozenset({Op.SIGMOID, Op.TANH, Op.RELU, Op.LEAKY_RELU, Op.LINEAR})
"""What the study calls an activation: every operation of one input (the matrices are among them)."""
ELEMENTWISE = frozenset({Op.ADD, Op.SUB, Op.MUL})
COMMUTATIVE = frozenset({Op.ADD, Op.MUL})


@dataclass(frozen=True, slots=True)
class Node:
    """One operation and the positions of the nodes that it reads.

    `state` says which state a `STATE` node reads. `identity` and `bias` belong to `LINEAR` alone: W v + b with a matrix
    of its own, where `identity` times the identity matrix is added to the random W and `bias` to the random b at
    initialisation (the study's Linear(a, v), and the forget-gate bias of `lstm-b`).
    """

    op: Op
    inputs: tuple[int, ...] = ()
    state: int = 0
    identity: float = 0.0
    bias: float = 0.0


@dataclass(frozen=True)
class GateGraph:
    """A cell: nodes in topological order, and for each state the node that computes it anew.

    `outputs[k]` is the position of the new value of state k; `outputs[0]` is the visible output. A graph may carry
    nodes that nothing reads and equal subexpressions; `canonical()` has neither.

    Raises `GraphError` where a rule is broken, naming the node and the rule.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    _ordered = False  # whether it is known to be in canonical form, which need not be found again then

    def __post_init__(self) -> None:
        _validate(self.nodes, self.outputs)

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type["GateGraph"], tuple[tuple[Node, ...], tuple[int, ...]]]:
        # Cached values stay behind: a worker gets the nodes, checks them and works out the rest when it needs it.
        return GateGraph, (self.nodes, self.outputs)

    @cached_property
    def _hash(self) -> int:
        return hash((self.nodes, self.outputs))

    @property
    def states(self) -> int:
        """The number of states, the visible output included."""
        return len(self.outputs)

    @cached_property
    def linears(self) -> tuple[int, ...]:
        """Positions of the `LINEAR` nodes, in order: matrix k of the cell's weights belongs to the k-th of them."""
        return tuple(i for i, node in enumerate(self.nodes) if node.op is Op.LINEAR)

    @cached_property
    def consumers(self) -> tuple[tuple[int, ...], ...]:
        """For each node, the nodes that read it (twice where they read it twice), outputs not counted."""
        readers: list[list[int]] = [[] for _ in self.nodes]
        for i, node in enumerate(self.nodes):
            for j in node.inputs:
                readers[j].append(i)
        return tuple(tuple(r) for r in readers)

    def ancestors(self, position: int) -> frozenset[int]:
        """All nodes that the node at `position` depends on within a step, itself not included."""
        found: set[int] = set()
        pending = list(self.nodes[position].inputs)
        while pending:
            i = pending.pop()
            if i not in found:
                found.add(i)
                pending.extend(self.nodes[i].inputs)
        return frozenset(found)

    @cached_property
    def _canonical(self) -> "GateGraph":
        from search.cells.canonical import canonical_form

        return canonical_form(self)

    def canonical(self) -> "GateGraph":
        """The same cell without dead nodes, dead states and repeated subexpressions, in canonical order.

        Raises `GraphError` where the graph is so symmetric that its order cannot be found in reasonable time.
        """
        return self if self._ordered else self._canonical

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits: equal for isomorphic cells, different otherwise. People type the first 8."""
        from search.cells.canonical import identify

        return identify(self.canonical())

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)


def _validate(nodes: tuple[Node, ...], outputs: tuple[int, ...]) -> None:
    if len(nodes) > MAX_NODES:
        raise GraphError(f"the graph has {len(nodes)} nodes; at most {MAX_NODES} are allowed")
    if not 1 <= len(outputs) <= MAX_STATES:
        raise GraphError(f"the graph has {len(outputs)} outputs; there must be 1 to {MAX_STATES}, one for each state")
    if not nodes:
        raise GraphError("the graph has no nodes")
    leaves: dict[tuple[Op, int], int] = {}
    for i, node in enumerate(nodes):
        where = f"node {i} ({node.op})"
        if len(node.inputs) != ARITY[node.op]:
            raise GraphError(f"{where} has {len(node.inputs)} inputs; {node.op} takes {ARITY[node.op]}")
        for j in node.inputs:
            if not 0 <= j < i:
                raise GraphError(f"{where} reads node {j}; a node may only read nodes before it (no cycles)")
        if node.op in LEAVES:
            if node.op is Op.STATE and not 0 <= node.state < len(outputs):
                raise GraphError(f"{where} reads state {node.state}; the graph has outputs for {len(outputs)} states")
            first = leaves.setdefault((node.op, node.state), i)
            if first != i:
                raise GraphError(f"{where} repeats node {first}; the input and each state are read by one node")
        if node.op is not Op.STATE and node.state != 0:
            raise GraphError(f"{where} has state {node.state}; only state nodes have one")
        if not (abs(node.identity) <= MAX_NUMBER and abs(node.bias) <= MAX_NUMBER):  # nor is NaN
            raise GraphError(
                f"{where} has identity {node.identity} and bias {node.bias}; "
                f"both must be between -{MAX_NUMBER:g} and {MAX_NUMBER:g}"
            )
        if node.op is not Op.LINEAR and (node.identity != 0.0 or node.bias != 0.0):
            raise GraphError(f"{where} has an identity or a bias; only linear nodes have them")
    for k, i in enumerate(outputs):
        if not 0 <= i < len(nodes):
            raise GraphError(f"output {k} is node {i}; the graph has nodes 0 to {len(nodes) - 1}")

"""Gate graph: a recurrent cell as data.

A cell is a directed acyclic graph of vector nodes, all of the same size (the cell's units). It reads the input `x` and
the states `h`, `c`, ... of the previous time step, and computes a new value for each state; state 0 is the visible
output `h`. The LSTM, for example, has two states and 24 nodes. Jozefowicz et al. 2015, section 3, introduced this view
of a cell as a graph to mutate.

A graph is immutable and hashable, holds only numbers and tuples, and is validated when it is created: `GateGraph(...)`
raises `GraphError` if a rule is broken. Two graphs that compute the same thing in the same way share a canonical form
and an id (`search.cells.canonical`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

from search.cells.canonical import PRESENT, FormVersion, canonical_form, identify
from search.cells.errors import GraphError
from search.cells.operations import ARITY, Node, Op
from search.cells.starts import MAX_NUMBER, broken_rule

MAX_NODES = 256
"""Largest number of nodes in a graph. An LSTM has 24; algorithms on graphs may rely on a small number."""

MAX_STATES = 8
"""Largest number of states in a graph."""

MAX_GROUPS = 64
"""Largest number of blocks of a block-diagonal matrix."""


@dataclass(frozen=True)
class GateGraph:
    """A cell: nodes in topological order, and for each state the position of the node that computes its new value.

    `outputs[k]` is the position of the new value of state k; `outputs[0]` is the visible output. A graph may contain
    nodes that nothing reads, equal subexpressions and zeros such as `v - v`; `canonical()` removes them.

    Raises:
        GraphError: a rule is broken; the message names the node and the rule.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    _version: ClassVar[FormVersion | None] = None  # of the canonical form that this is known to be in

    def __post_init__(self) -> None:
        _validate(self.nodes, self.outputs)

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Callable[..., GateGraph], tuple[object, ...]]:
        # Leave cached values behind: a worker process validates the nodes and computes the rest on demand.
        if self.form is PRESENT:
            return GateGraph, (self.nodes, self.outputs)
        return _in_form, (self.nodes, self.outputs, self.form)

    @cached_property
    def _hash(self) -> int:
        return hash((self.nodes, self.outputs))

    @property
    def states(self) -> int:
        """Number of states, the visible output included."""
        return len(self.outputs)

    @cached_property
    def linears(self) -> tuple[int, ...]:
        """Positions of the `LINEAR` nodes in order: matrix k of the cell's weights belongs to the k-th of them."""
        return tuple(i for i, node in enumerate(self.nodes) if node.op is Op.LINEAR)

    @cached_property
    def consumers(self) -> tuple[tuple[int, ...], ...]:
        """Nodes that read each node, with repetitions; outputs are not counted."""
        readers: list[list[int]] = [[] for _ in self.nodes]
        for i, node in enumerate(self.nodes):
            for j in node.inputs:
                readers[j].append(i)
        return tuple(tuple(r) for r in readers)

    @cached_property
    def uses(self) -> tuple[int, ...]:
        """Number of uses of each node's value: by nodes, with repetitions, and as the new value of a state."""
        counts = [len(readers) for readers in self.consumers]
        for i in self.outputs:
            counts[i] += 1
        return tuple(counts)

    def ancestors(self, position: int) -> frozenset[int]:
        """Return all nodes that the node at `position` depends on within a time step, itself not included."""
        found: set[int] = set()
        pending = list(self.nodes[position].inputs)
        while pending:
            i = pending.pop()
            if i not in found:
                found.add(i)
                pending.extend(self.nodes[i].inputs)
        return frozenset(found)

    @property
    def form(self) -> FormVersion:
        """Version of the canonical form that `canonical` returns: an earlier one for a cell of an earlier store."""
        return self._version or PRESENT

    @cached_property
    def _canonical(self) -> GateGraph:
        return _in_form(*canonical_form(self), PRESENT)

    def canonical(self) -> GateGraph:
        """Return the same cell without dead parts, hidden zeros and repeated subexpressions, in canonical order.

        Raises:
            GraphError: the graph is too symmetric to be ordered in reasonable time, or its form, which writes out each
                factor 1 - z, has more than `MAX_NODES` nodes.
        """
        return self._canonical if self._version is None else self

    def in_form(self, version: FormVersion) -> GateGraph:
        """Return the canonical form of an earlier version, or the present one, whatever form the cell is in.

        It counts as canonical, so that a stored cell keeps its id, is trained again as it was, and has the children
        that it had. Raises `GraphError` as `canonical` does.
        """
        if self._version is version:
            return self
        if version is PRESENT and self._version is None:
            return self._canonical
        return _in_form(*canonical_form(self, version), version)

    @cached_property
    def id(self) -> str:
        """Id of the cell: 16 hexadecimal digits, equal for isomorphic cells and different otherwise."""
        return identify(self.canonical())

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)


def _in_form(nodes: tuple[Node, ...], outputs: tuple[int, ...], version: FormVersion) -> GateGraph:
    """Return a graph that is known to be in a canonical form, which is left as it is."""
    graph = GateGraph(nodes, outputs)
    graph.__dict__["_version"] = version
    return graph


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
        if node.op in (Op.INPUT, Op.STATE):
            if node.op is Op.STATE and not 0 <= node.state < len(outputs):
                raise GraphError(f"{where} reads state {node.state}; the graph has outputs for {len(outputs)} states")
            first = leaves.setdefault((node.op, node.state), i)
            if first != i:
                raise GraphError(f"{where} repeats node {first}; the input and each state are read by one node")
        if node.op is not Op.STATE and node.state != 0:
            raise GraphError(f"{where} has state {node.state}; only state nodes have one")
        if broken := _broken_number(node):
            raise GraphError(f"{where} {broken}")
    for k, i in enumerate(outputs):
        if not 0 <= i < len(nodes):
            raise GraphError(f"output {k} is node {i}; the graph has nodes 0 to {len(nodes) - 1}")


def _broken_number(node: Node) -> str:
    """Return what is wrong with a node's numbers, in words that follow its name, or an empty text."""
    for name, number in (("identity", node.identity), ("random", node.random), ("value", node.value)):
        if not abs(number) <= MAX_NUMBER:  # written so that NaN fails
            return f"has {name} {number}; it must be between -{MAX_NUMBER:g} and {MAX_NUMBER:g}"
    for name, start in (("bias", node.bias), ("start", node.start)):
        if broken := broken_rule(start):
            return f"has {name} {start}; it {broken}"
    if not 1 <= node.groups <= MAX_GROUPS or int(node.groups) != node.groups:
        return f"has groups {node.groups}; it must be a whole number from 1 to {MAX_GROUPS}"
    if node.random < 0.0:
        return f"has random {node.random}; it must not be negative"
    if node.orthogonal and (node.identity != 0.0 or node.random != 1.0):
        return "starts orthogonal with an identity or a factor of its random part; give one of them"
    given = Node(node.op, node.inputs, node.state)
    if node.op is Op.LINEAR:
        given = replace(node, start=0.0, value=0.0)
    elif node.op is Op.PARAM:
        given = replace(given, start=node.start)
    elif node.op is Op.NUMBER:
        given = replace(given, value=node.value)
    return "" if node == given else "has a number of another operation; only linear, param and number nodes have any"

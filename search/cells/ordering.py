"""Canonical order of a graph's nodes by colour refinement.

Refinement along the edges, upwards and then downwards, separates nodes with different surroundings. Nodes that are
still alike (such as the two matrices in `linear(x) + linear(x)`) are separated by individualising each in turn, unless
an automorphism shows that the result is the same, and the smallest certificate wins. Graph isomorphism programs work
this way (McKay and Piperno, "Practical graph isomorphism II", 2014).

Hidden states have no order of their own: swapping `c` and `d` throughout a cell gives the same cell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from search.cells.errors import GraphError
from search.cells.operations import COMMUTATIVE, PARAMETRIC, Node, Op
from search.cells.simplify import Structure
from search.cells.starts import StartRule, start_key

MAX_REFINEMENTS = 2000
"""Limit of colour refinements for one graph. Ordinary cells need 1 to 5; only large symmetric ones come near it."""

Label: TypeAlias = tuple[float, float, tuple[object, ...]]
Certificate: TypeAlias = tuple[Any, ...]
"""Text of a graph in some order, as nested tuples: equal for two orders that an automorphism exchanges."""

_RANK = {op: rank for rank, op in enumerate(Op)}


def label_of(node: Node) -> Label:
    """Return the numbers of a node: the identity's factor, the bias, and all others if one is not its default.

    Cells of earlier versions have no others, and keep their ids.
    """
    plain = not isinstance(node.bias, StartRule) and node.bias is not None
    bias = 0.0 if isinstance(node.bias, StartRule) or node.bias is None else float(node.bias)
    if plain and node.reading((), state=0) == Node(node.op, identity=node.identity, bias=bias):
        return node.identity, bias, ()
    others = (start_key(node.bias), node.random, node.orthogonal, node.groups, start_key(node.start), node.value)
    return node.identity, bias, others


class Ordering:
    """Search for the canonical order of a graph, given by labels and edges.

    A colouring is one integer for each node. The integers derive from sorted signatures, never from positions, so that
    isomorphic graphs get equal colours.

    Args:
        labels: Label of each node; labels have texts that are equal only for equal labels.
        reads: For each node in topological order what it reads, as (label of the edge, node), in no order.
        outputs: Node that computes each state.
        leaf_of_state: Node that reads each state, for states that are read.
        individual: Nodes that may be individualised: once these are distinct, so must be every other node.
    """

    def __init__(
        self,
        labels: Sequence[object],
        reads: Sequence[Sequence[tuple[object, int]]],
        outputs: Sequence[int],
        leaf_of_state: Mapping[int, int],
        individual: Collection[int],
    ) -> None:
        self.labels, self.reads, self.outputs = labels, reads, outputs
        self.leaf_of_state, self.individual = leaf_of_state, individual
        self.state_of_leaf = {i: k for k, i in leaf_of_state.items()}
        self.refinements = 0
        self.readers: list[list[tuple[int, object]]] = [[] for _ in labels]
        self.roles: list[list[int]] = [[] for _ in labels]  # the states that a node computes
        height: list[int] = []
        for i, edges in enumerate(reads):
            for edge, j in edges:
                self.readers[j].append((i, edge))
            height.append(1 + max((height[j] for _, j in edges), default=-1))
        for k, i in enumerate(outputs):
            self.roles[i].append(k)
        self.layers: list[list[int]] = [[] for _ in range(max(height) + 1)]
        for i, level in enumerate(height):
            self.layers[level].append(i)

    def smallest(self) -> tuple[Certificate, tuple[int, ...]]:
        """Return the smallest certificate, and the nodes in its order."""
        return self._search(self._refine([0] * len(self.labels)))

    def _refine(self, colours: Sequence[int]) -> list[int]:
        """Split colours by their surroundings until the colouring is stable."""
        current = list(colours)
        classes = 0
        while True:
            self.refinements += 1
            if self.refinements > MAX_REFINEMENTS:
                raise GraphError(
                    f"the graph of {len(self.labels)} nodes is too symmetric to canonicalise; "
                    "remove some of its interchangeable linear nodes"
                )
            current = self._upwards(current)
            current = self._downwards(current)
            found = len(set(current))
            if found == classes or found == len(self.labels):
                return current
            classes = found

    def _upwards(self, colours: list[int]) -> list[int]:
        fresh = [0] * len(self.labels)
        offset = 0
        for layer in self.layers:
            signatures = []
            for i in layer:
                below = self._below(i, fresh)
                # What computes a hidden state distinguishes it too (by the colours of the previous round).
                state = self.state_of_leaf.get(i, 0)
                source = colours[self.outputs[state]] if state else 0
                signatures.append((self.labels[i], colours[i], source, below))
            offset = _number(layer, signatures, fresh, offset)
        return fresh

    def _downwards(self, colours: list[int]) -> list[int]:
        fresh = [0] * len(self.labels)
        offset = 0
        for layer in reversed(self.layers):
            signatures = []
            for i in layer:
                above = sorted((fresh[r], place) for r, place in self.readers[i])
                roles = sorted(0 if k == 0 else 1 + colours[self.leaf_of_state[k]] for k in self.roles[i])
                signatures.append((colours[i], above, roles))
            offset = _number(layer, signatures, fresh, offset)
        return fresh

    def _search(self, colours: list[int]) -> tuple[Certificate, tuple[int, ...]]:
        tied = self._tied(colours)
        if not tied:
            return self._certificate(colours)
        if self._twins(tied):
            # Same inputs, same readers: swapping them changes nothing, so any order is canonical.
            return self._search(self._refine(_single_out(colours, tied[:-1])))
        best: tuple[Certificate, tuple[int, ...]] | None = None
        seen: set[tuple[Certificate, tuple[int, ...]]] = set()
        for i in tied:
            refined = self._refine(_single_out(colours, [i]))
            # Equal certificates prove an automorphism; equal colours in their order prove that it maps the earlier
            # choice to this one. Only then are the results the same.
            certificate, order = self._first_leaf(refined)
            probe = certificate, tuple(refined[j] for j in order)
            if probe in seen:
                continue
            seen.add(probe)
            found = self._search(refined)
            best = found if best is None else min(best, found)
        assert best is not None
        return best

    def _first_leaf(self, colours: list[int]) -> tuple[Certificate, tuple[int, ...]]:
        tied = self._tied(colours)
        while tied:
            colours = self._refine(_single_out(colours, tied[:1]))
            tied = self._tied(colours)
        return self._certificate(colours)

    def _tied(self, colours: list[int]) -> list[int]:
        """Return the nodes of the first colour that several matrices, vectors or states share, or an empty list.

        Once these are distinct, so is every other node.
        """
        groups: dict[int, list[int]] = {}
        for i, colour in enumerate(colours):
            if i in self.individual:
                groups.setdefault(colour, []).append(i)
        shared = [colour for colour, group in groups.items() if len(group) > 1]
        return groups[min(shared)] if shared else []

    def _twins(self, tied: list[int]) -> bool:
        first = tied[0]
        if first in self.state_of_leaf:
            return False
        return all(
            self.reads[i] == self.reads[first] and self.readers[i] == self.readers[first] and not self.roles[i]
            for i in tied
        )

    def _below(self, i: int, colours: list[int]) -> list[Any]:
        """Return what a node reads, by colours."""
        return sorted((edge, colours[j]) for edge, j in self.reads[i])

    def _order_of_states(self, colours: list[int]) -> list[int]:
        hidden = sorted((k for k in range(1, len(self.outputs))), key=lambda k: colours[self.leaf_of_state[k]])
        return [0, *hidden]

    def _certificate(self, colours: list[int]) -> tuple[Certificate, tuple[int, ...]]:
        """Return the graph in the order of its colours, and its nodes in that order."""
        order = sorted(range(len(self.labels)), key=lambda i: colours[i])
        place = [0] * len(order)
        for k, i in enumerate(order):
            place[i] = k
        states = self._order_of_states(colours)
        number = {k: new for new, k in enumerate(states)}
        entries = tuple(
            (self.labels[i], number.get(self.state_of_leaf.get(i, -1), -1), tuple(self._below(i, place))) for i in order
        )
        return (entries, tuple(place[self.outputs[k]] for k in states)), tuple(order)


class BinaryOrdering(Ordering):
    """Search for the canonical order of the nodes of a pruned and merged graph."""

    def __init__(self, graph: Structure) -> None:
        self.nodes = graph.nodes
        # State 0 has a role of its own; other states are distinguished only by what reads and computes them.
        labels: list[tuple[object, ...]] = []
        for node in graph.nodes:
            label = (_RANK[node.op], int(node.op is Op.STATE and node.state == 0), *label_of(node))
            labels.append(label if label[-1] else label[:-1])
        super().__init__(
            labels,
            [
                [(0 if node.op in COMMUTATIVE else place, j) for place, j in enumerate(node.inputs)]
                for node in graph.nodes
            ],
            graph.outputs,
            {node.state: i for i, node in enumerate(graph.nodes) if node.op is Op.STATE},
            frozenset(i for i, node in enumerate(graph.nodes) if node.op is Op.STATE or node.op in PARAMETRIC),
        )

    def _below(self, i: int, colours: list[int]) -> list[Any]:
        below = [colours[j] for _, j in self.reads[i]]
        return sorted(below) if self.nodes[i].op in COMMUTATIVE else below

    def _certificate(self, colours: list[int]) -> tuple[Certificate, tuple[int, ...]]:
        """Return the graph in the order of its colours, and its nodes in that order."""
        order_of_states = self._order_of_states(colours)
        state_number = {k: new for new, k in enumerate(order_of_states)}
        position: dict[int, int] = {}
        entries: list[tuple[int, int, Label, tuple[int, ...]]] = []

        def visit(root: int) -> None:
            pending = [(root, False)]
            while pending:
                i, done = pending.pop()
                if i in position:
                    continue
                node = self.nodes[i]
                if not done:
                    inputs: Sequence[int] = node.inputs
                    if node.op in COMMUTATIVE:
                        inputs = sorted(inputs, key=lambda j: colours[j])
                    pending.append((i, True))
                    pending.extend((j, False) for j in reversed(inputs))
                    continue
                places = tuple(position[j] for j in node.inputs)
                if node.op in COMMUTATIVE:
                    places = tuple(sorted(places))
                state = state_number[node.state] if node.op is Op.STATE else 0
                position[i] = len(entries)
                entries.append((_RANK[node.op], state, label_of(node), places))

        for k in order_of_states:
            visit(self.outputs[k])
        outputs = tuple(position[self.outputs[k]] for k in order_of_states)
        return (tuple(entries), outputs), tuple(position)


def _number(layer: list[int], signatures: Sequence[object], fresh: list[int], offset: int) -> int:
    """Assign to the nodes of a layer the ranks of their signatures, from `offset`; return the next free number."""
    texts = [repr(signature) for signature in signatures]
    ranks = {text: rank for rank, text in enumerate(sorted(set(texts)))}
    for i, text in zip(layer, texts, strict=True):
        fresh[i] = offset + ranks[text]
    return offset + len(ranks)


def _single_out(colours: list[int], chosen: Sequence[int]) -> list[int]:
    """Return the colouring with each chosen node separated from the nodes of the same colour."""
    fresh = [colour * (len(chosen) + 1) for colour in colours]
    for place, i in enumerate(chosen):
        fresh[i] += place + 1
    return fresh

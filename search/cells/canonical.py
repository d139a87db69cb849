"""When two graphs are the same cell: pruning, merging, and one order for all graphs that differ only in numbering.

The canonical form of a graph is built in three steps.

1. *Prune*: only what the visible output depends on, over any number of steps, is kept. A state that never reaches `h`
   goes, with everything that computes it.
2. *Merge*: nodes with equal operation and equal inputs become one (inputs of `add` and `mul` in any order), except
   `linear`: two of them on the same input are two matrices, and one matrix read twice is not two.
3. *Order*: colour refinement along the edges, up and then down, tells apart nodes with different surroundings. Nodes
   that are still alike (say, the two in `linear(x) + linear(x)`) are told apart by choice, each choice tried unless it
   is known to lead to the same result, and the smallest outcome is taken. This is how graph isomorphism programs work
   (McKay and Piperno, "Practical graph isomorphism II", 2014).

Hidden states have no order of their own, so swapping `c` and `d` throughout a cell gives the same cell.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

from search.cells.errors import GraphError
from search.cells.graph import COMMUTATIVE, GateGraph, Node, Op

MAX_REFINEMENTS = 2000
"""Effort for one graph: ordinary cells need 1 to 5; only large and highly symmetric ones come near this."""

ID_DIGITS = 16

_RANK = {op: rank for rank, op in enumerate(Op)}
_Certificate: TypeAlias = tuple[tuple[tuple[int, int, float, float, tuple[int, ...]], ...], tuple[int, ...]]


def canonical_form(graph: GateGraph) -> GateGraph:
    """The pruned and merged graph in canonical order. Raises `GraphError` if it is too symmetric to be ordered."""
    pruned = merge(prune(graph))
    certificate, _ = _Ordering(pruned).smallest()
    ops = tuple(Op)
    nodes = tuple(
        Node(ops[rank], inputs, state, identity, bias) for rank, state, identity, bias, inputs in certificate[0]
    )
    form = GateGraph(nodes, certificate[1])
    form.__dict__["_ordered"] = True
    return form


def canonical_positions(graph: GateGraph) -> dict[int, int]:
    """Where each node of a graph is in its canonical form; nodes that are pruned are not there.

    Raises `GraphError` as `canonical_form` does.
    """
    pruned, kept = prune_positions(graph)
    merged, place = _merge(pruned)
    _, order = _Ordering(merged).smallest()
    position = {i: k for k, i in enumerate(order)}
    return {old: position[place[new]] for old, new in kept.items()}


def identify(canonical: GateGraph) -> str:
    """The id of a graph that is in canonical form: a hash of its text."""
    lines = [
        f"{node.op} {node.state} {node.identity!r} {node.bias!r} {','.join(map(str, node.inputs))}"
        for node in canonical.nodes
    ]
    lines.append("outputs " + ",".join(map(str, canonical.outputs)))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:ID_DIGITS]


def prune(graph: GateGraph) -> GateGraph:
    """Without the nodes and states that the visible output never depends on, over any number of steps."""
    return prune_positions(graph)[0]


def live_states(graph: GateGraph) -> tuple[int, ...]:
    """The states that `prune` keeps, in order."""
    return tuple(sorted(_live(graph)[1]))


def _live(graph: GateGraph) -> tuple[set[int], set[int]]:
    """The nodes and the states that the visible output depends on, over any number of steps."""
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


def prune_positions(graph: GateGraph) -> tuple[GateGraph, dict[int, int]]:
    """The pruned graph, and where each node that is kept is in it."""
    live, kept = _live(graph)
    states = {old: new for new, old in enumerate(sorted(kept))}
    position = {old: new for new, old in enumerate(sorted(live))}
    nodes = []
    for old in sorted(live):
        node = graph.nodes[old]
        state = states[node.state] if node.op is Op.STATE else 0
        nodes.append(Node(node.op, tuple(position[j] for j in node.inputs), state, node.identity, node.bias))
    return GateGraph(tuple(nodes), tuple(position[graph.outputs[k]] for k in states)), position


def merge(graph: GateGraph) -> GateGraph:
    """With equal subexpressions made one; `linear` nodes are never merged."""
    return _merge(graph)[0]


def _merge(graph: GateGraph) -> tuple[GateGraph, list[int]]:
    """The merged graph, and where each node is in it."""
    known: dict[Node, int] = {}
    position: list[int] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = tuple(position[j] for j in node.inputs)
        if node.op in COMMUTATIVE:
            inputs = tuple(sorted(inputs))
        # Whole numbers, numpy's floats and -0.0 become the floats that they equal, so that all print alike.
        moved = Node(node.op, inputs, node.state, float(node.identity) + 0.0, float(node.bias) + 0.0)
        if node.op is not Op.LINEAR and moved in known:
            position.append(known[moved])
            continue
        known[moved] = len(nodes)
        position.append(len(nodes))
        nodes.append(moved)
    return GateGraph(tuple(nodes), tuple(position[i] for i in graph.outputs)), position


class _Ordering:
    """The search for the canonical order of one pruned and merged graph.

    A colouring is one integer a node. Its numbers come from sorted signatures alone, never from positions, so that
    isomorphic graphs get equal colours.
    """

    def __init__(self, graph: GateGraph) -> None:
        self.nodes = graph.nodes
        self.outputs = graph.outputs
        self.refinements = 0
        self.readers: list[list[tuple[int, int]]] = [[] for _ in graph.nodes]  # (reader, place among its inputs)
        self.roles: list[list[int]] = [[] for _ in graph.nodes]  # the states that a node computes
        self.leaf_of_state = {node.state: i for i, node in enumerate(graph.nodes) if node.op is Op.STATE}
        height: list[int] = []
        for i, node in enumerate(graph.nodes):
            for place, j in enumerate(node.inputs):
                self.readers[j].append((i, 0 if node.op in COMMUTATIVE else place))
            height.append(1 + max((height[j] for j in node.inputs), default=-1))
        for k, i in enumerate(graph.outputs):
            self.roles[i].append(k)
        self.layers: list[list[int]] = [[] for _ in range(max(height) + 1)]
        for i, level in enumerate(height):
            self.layers[level].append(i)
        # State 0 is known by its role; the others are known only by what reads and computes them.
        self.labels = [
            (_RANK[node.op], int(node.op is Op.STATE and node.state == 0), node.identity, node.bias)
            for node in graph.nodes
        ]

    def smallest(self) -> tuple[_Certificate, tuple[int, ...]]:
        """The smallest certificate, and the nodes in its order."""
        return self._search(self._refine([0] * len(self.nodes)))

    def _refine(self, colours: Sequence[int]) -> list[int]:
        """Split colours by their surroundings until nothing splits any more."""
        current = list(colours)
        classes = 0
        while True:
            self.refinements += 1
            if self.refinements > MAX_REFINEMENTS:
                raise GraphError(
                    f"the graph of {len(self.nodes)} nodes has too many interchangeable parts to be told from others; "
                    "remove some of its equal linear nodes"
                )
            current = self._upwards(current)
            current = self._downwards(current)
            found = len(set(current))
            if found == classes or found == len(self.nodes):
                return current
            classes = found

    def _upwards(self, colours: list[int]) -> list[int]:
        fresh = [0] * len(self.nodes)
        offset = 0
        for layer in self.layers:
            signatures = []
            for i in layer:
                node = self.nodes[i]
                below = [fresh[j] for j in node.inputs]
                if node.op in COMMUTATIVE:
                    below.sort()
                # A hidden state is also known by what computes it (from the colours of the round before).
                source = colours[self.outputs[node.state]] if node.op is Op.STATE and node.state else 0
                signatures.append((self.labels[i], colours[i], source, below))
            offset = _number(layer, signatures, fresh, offset)
        return fresh

    def _downwards(self, colours: list[int]) -> list[int]:
        fresh = [0] * len(self.nodes)
        offset = 0
        for layer in reversed(self.layers):
            signatures = []
            for i in layer:
                above = sorted((fresh[r], place) for r, place in self.readers[i])
                roles = sorted(0 if k == 0 else 1 + colours[self.leaf_of_state[k]] for k in self.roles[i])
                signatures.append((colours[i], above, roles))
            offset = _number(layer, signatures, fresh, offset)
        return fresh

    def _search(self, colours: list[int]) -> tuple[_Certificate, tuple[int, ...]]:
        tied = self._tied(colours)
        if not tied:
            return self._certificate(colours)
        if self._twins(tied):
            # Same inputs, same readers: swapping them changes nothing, so any order of them will do.
            return self._search(self._refine(_single_out(colours, tied[:-1])))
        best: tuple[_Certificate, tuple[int, ...]] | None = None
        seen: set[tuple[_Certificate, tuple[int, ...]]] = set()
        for i in tied:
            refined = self._refine(_single_out(colours, [i]))
            # Equal certificates show an automorphism, equal colours along them that it takes the earlier choice to
            # this one: then, and only then, the same outcomes follow.
            certificate, order = self._first_leaf(refined)
            probe = certificate, tuple(refined[j] for j in order)
            if probe in seen:
                continue
            seen.add(probe)
            found = self._search(refined)
            best = found if best is None else min(best, found)
        assert best is not None
        return best

    def _first_leaf(self, colours: list[int]) -> tuple[_Certificate, tuple[int, ...]]:
        tied = self._tied(colours)
        while tied:
            colours = self._refine(_single_out(colours, tied[:1]))
            tied = self._tied(colours)
        return self._certificate(colours)

    def _tied(self, colours: list[int]) -> list[int]:
        """The first colour that several matrices or states share; with those told apart, all else follows."""
        groups: dict[int, list[int]] = {}
        for i, colour in enumerate(colours):
            if self.nodes[i].op in (Op.LINEAR, Op.STATE):
                groups.setdefault(colour, []).append(i)
        shared = [colour for colour, group in groups.items() if len(group) > 1]
        return groups[min(shared)] if shared else []

    def _twins(self, tied: list[int]) -> bool:
        first = tied[0]
        if self.nodes[first].op is Op.STATE:
            return False
        return all(
            self.nodes[i].inputs == self.nodes[first].inputs
            and self.readers[i] == self.readers[first]
            and not self.roles[i]
            for i in tied
        )

    def _certificate(self, colours: list[int]) -> tuple[_Certificate, tuple[int, ...]]:
        """The graph as the colours order it, and its nodes in that order."""
        hidden = sorted((k for k in range(1, len(self.outputs))), key=lambda k: colours[self.leaf_of_state[k]])
        order_of_states = [0, *hidden]
        state_number = {k: new for new, k in enumerate(order_of_states)}
        position: dict[int, int] = {}
        entries: list[tuple[int, int, float, float, tuple[int, ...]]] = []

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
                entries.append((_RANK[node.op], state, node.identity, node.bias, places))

        for k in order_of_states:
            visit(self.outputs[k])
        outputs = tuple(position[self.outputs[k]] for k in order_of_states)
        return (tuple(entries), outputs), tuple(position)


def _number(layer: list[int], signatures: Sequence[object], fresh: list[int], offset: int) -> int:
    """Give the nodes of a layer the ranks of their signatures, counted from `offset`; return the next free number."""
    ranks = {id_: rank for rank, id_ in enumerate(_distinct(signatures))}
    for i, signature in zip(layer, signatures, strict=True):
        fresh[i] = offset + ranks[repr(signature)]
    return offset + len(ranks)


def _distinct(signatures: Sequence[object]) -> list[str]:
    return sorted({repr(signature) for signature in signatures})


def _single_out(colours: list[int], chosen: Sequence[int]) -> list[int]:
    """The colouring in which each chosen node stands apart from those that shared its colour."""
    fresh = [colour * (len(chosen) + 1) for colour in colours]
    for place, i in enumerate(chosen):
        fresh[i] += place + 1
    return fresh

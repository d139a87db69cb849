"""Canonical form of a cell: graphs that differ only in numbering, dead parts or repeated expressions share one.

The canonical form is built in three steps.

1. *Simplify* (`search.cells.simplify`): keep only what the visible output depends on, over any number of time steps. A
   state that never reaches `h` is removed together with everything that computes it, and so is what is always zero,
   such as `v - v`.
2. *Merge*: nodes with equal operation and equal inputs become one (inputs of `add` and `mul` in any order), except
   those with parameters of their own: two `linear` on the same input are two matrices, and one read twice is not two.
3. *Order*: colour refinement along the edges, upwards and then downwards, separates nodes with different surroundings.
   Nodes that are still alike (such as the two matrices in `linear(x) + linear(x)`) are separated by individualising
   each in turn, unless an automorphism shows that the result is the same, and the smallest certificate wins. Graph
   isomorphism programs work this way (McKay and Piperno, "Practical graph isomorphism II", 2014).

Hidden states have no order of their own: swapping `c` and `d` throughout a cell gives the same cell.

The functions work on anything with `nodes` and `outputs`; `search.cells.graph` builds on them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from search.cells.errors import GraphError
from search.cells.operations import COMMUTATIVE, PARAMETRIC, Node, Op
from search.cells.simplify import Form, Structure, prune, simplify, simplify_positions
from search.cells.starts import Start, StartRule, start_key

MAX_REFINEMENTS = 2000
"""Limit of colour refinements for one graph. Ordinary cells need 1 to 5; only large symmetric ones come near it."""

ID_DIGITS = 16
"""Hexadecimal digits of a cell's id."""

_RANK = {op: rank for rank, op in enumerate(Op)}
_Label: TypeAlias = tuple[float, float, tuple[object, ...]]
_Certificate: TypeAlias = tuple[tuple[tuple[int, int, _Label, tuple[int, ...]], ...], tuple[int, ...]]


def canonical_form(graph: Structure) -> Form:
    """Return the simplified and merged graph in canonical order.

    Raises:
        GraphError: the graph is too symmetric to be ordered within `MAX_REFINEMENTS`.
    """
    return _ordered(merge(simplify(graph)))


def earlier_form(graph: Structure) -> Form:
    """Return the canonical form of versions that kept hidden zeros: pruned, merged and ordered, but not simplified.

    Stores of these versions contain its ids. Raises `GraphError` as `canonical_form` does.
    """
    return _ordered(merge(prune(graph)))


def canonical_positions(graph: Structure) -> dict[int, int]:
    """Return by node of the graph the position in the canonical form of the node that has its value.

    Nodes without a position are those of `search.cells.simplify.simplify_positions`. Raises as `canonical_form` does.
    """
    simplified, kept = simplify_positions(graph)
    merged, place = _merge(simplified)
    _, order = _Ordering(merged).smallest()
    position = {i: k for k, i in enumerate(order)}
    return {old: position[place[new]] for old, new in kept.items()}


def _ordered(merged: Form) -> Form:
    """Return the graph in canonical order."""
    (entries, outputs), order = _Ordering(merged).smallest()
    nodes = (
        merged.nodes[i].reading(inputs, state=state) for i, (_, state, _, inputs) in zip(order, entries, strict=True)
    )
    return Form(tuple(nodes), outputs)


def identify(canonical: Structure) -> str:
    """Return the id of a graph in canonical form: the first `ID_DIGITS` digits of a hash of its text."""
    lines = []
    for node in canonical.nodes:
        identity, bias, further = _label(node)
        text = f"{node.op} {node.state} {identity!r} {bias!r} {','.join(map(str, node.inputs))}"
        lines.append(f"{text} {further!r}" if further else text)
    lines.append("outputs " + ",".join(map(str, canonical.outputs)))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:ID_DIGITS]


def _label(node: Node) -> _Label:
    """Return the numbers of a node: the identity's factor, the bias, and all others if one is not its default.

    Cells of earlier versions have no others, and keep their ids.
    """
    plain = not isinstance(node.bias, StartRule) and node.bias is not None
    bias = 0.0 if isinstance(node.bias, StartRule) or node.bias is None else float(node.bias)
    if plain and node.reading((), state=0) == Node(node.op, identity=node.identity, bias=bias):
        return node.identity, bias, ()
    others = (start_key(node.bias), node.random, node.orthogonal, node.groups, start_key(node.start), node.value)
    return node.identity, bias, others


def merge(graph: Structure) -> Form:
    """Return the graph with equal subexpressions made one. Nodes with parameters of their own are never merged."""
    return _merge(graph)[0]


def _merge(graph: Structure) -> tuple[Form, list[int]]:
    """Return the merged graph, and the new position of each node."""
    known: dict[Node, int] = {}
    position: list[int] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = tuple(position[j] for j in node.inputs)
        if node.op in COMMUTATIVE:
            inputs = tuple(sorted(inputs))
        moved = _plain(node.reading(inputs))
        if node.op not in PARAMETRIC and moved in known:
            position.append(known[moved])
            continue
        known[moved] = len(nodes)
        position.append(len(nodes))
        nodes.append(moved)
    return Form(tuple(nodes), tuple(position[i] for i in graph.outputs)), position


def _plain(node: Node) -> Node:
    """Return the node with integers, NumPy floats and -0.0 as the equal Python float: equal numbers have equal text."""

    def number(start: Start) -> Start:
        if isinstance(start, StartRule):
            return replace(start, arguments=tuple(float(a) + 0.0 for a in start.arguments))
        return float(start) + 0.0

    return replace(
        node,
        identity=float(node.identity) + 0.0,
        bias=None if node.bias is None else number(node.bias),
        random=float(node.random) + 0.0,
        orthogonal=bool(node.orthogonal),
        groups=int(node.groups),
        start=number(node.start),
        value=float(node.value) + 0.0,
    )


class _Ordering:
    """Search for the canonical order of one pruned and merged graph.

    A colouring is one integer for each node. The integers derive from sorted signatures, never from positions, so that
    isomorphic graphs get equal colours.
    """

    def __init__(self, graph: Structure) -> None:
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
        # State 0 has a role of its own; other states are distinguished only by what reads and computes them.
        self.labels: list[tuple[object, ...]] = []
        for node in graph.nodes:
            label = (_RANK[node.op], int(node.op is Op.STATE and node.state == 0), *_label(node))
            self.labels.append(label if label[-1] else label[:-1])

    def smallest(self) -> tuple[_Certificate, tuple[int, ...]]:
        """Return the smallest certificate, and the nodes in its order."""
        return self._search(self._refine([0] * len(self.nodes)))

    def _refine(self, colours: Sequence[int]) -> list[int]:
        """Split colours by their surroundings until the colouring is stable."""
        current = list(colours)
        classes = 0
        while True:
            self.refinements += 1
            if self.refinements > MAX_REFINEMENTS:
                raise GraphError(
                    f"the graph of {len(self.nodes)} nodes is too symmetric to canonicalise; "
                    "remove some of its interchangeable linear nodes"
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
                # What computes a hidden state distinguishes it too (by the colours of the previous round).
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
            # Same inputs, same readers: swapping them changes nothing, so any order is canonical.
            return self._search(self._refine(_single_out(colours, tied[:-1])))
        best: tuple[_Certificate, tuple[int, ...]] | None = None
        seen: set[tuple[_Certificate, tuple[int, ...]]] = set()
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

    def _first_leaf(self, colours: list[int]) -> tuple[_Certificate, tuple[int, ...]]:
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
            if self.nodes[i].op is Op.STATE or self.nodes[i].op in PARAMETRIC:
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
        """Return the graph in the order of its colours, and its nodes in that order."""
        hidden = sorted((k for k in range(1, len(self.outputs))), key=lambda k: colours[self.leaf_of_state[k]])
        order_of_states = [0, *hidden]
        state_number = {k: new for new, k in enumerate(order_of_states)}
        position: dict[int, int] = {}
        entries: list[tuple[int, int, _Label, tuple[int, ...]]] = []

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
                entries.append((_RANK[node.op], state, _label(node), places))

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

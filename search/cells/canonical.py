"""Canonical form of a cell: graphs that compute the same in the same way share one.

The canonical form is built in five steps.

1. *Prune* (`search.cells.simplify`): keep only what the visible output depends on, over any number of time steps.
2. *Collect* (`search.cells.polynomials`): write every value as a sum of products. Numbers are folded, and sums and
   products lose their nesting. What is always zero disappears, such as `v - v` and states that never leave zero.
3. *Orient* (`search.cells.orientation`): choose between a gate and its complement where both give the same cell.
4. *Write* (`search.cells.expression`): make a graph of operations of two inputs again. The order of operands is that of
   a search on the sums themselves (`search.cells.ordering`), so it does not depend on the nesting.
5. *Merge and order*: equal nodes become one, except those with parameters of their own (two `linear` on the same input
   are two matrices, and one read twice is not two); the nodes get their canonical order.

The form has the same outputs as the graph, up to rounding, if all values are finite and states start at zero. Matrices
and learned vectors have the same starts, or with step 3 the negated ones (`canonical_signs`).

Of 10,000 mutants of the LSTM and the GRU, up to 20 generations deep, with as many ids in the form before, 9,617 ids are
left. Writings that compute the same and still differ are named in `search.cells.polynomials` and
`search.cells.orientation`.

Two versions before had other forms (`FormVersion`), which stores made by them are read and replayed in.

The functions work on anything with `nodes` and `outputs`; `search.cells.graph` builds on them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import IntEnum

from search.cells.earlier import without_zeros
from search.cells.expression import expression
from search.cells.operations import COMMUTATIVE, PARAMETRIC, Node, Op
from search.cells.ordering import BinaryOrdering, label_of
from search.cells.orientation import candidates, settled
from search.cells.polynomials import Monomial, Value
from search.cells.simplify import Form, Structure, prune, prune_positions
from search.cells.sums import Sums, plain_start, ranks_of, sums_of

ID_DIGITS = 16
"""Hexadecimal digits of a cell's id."""

_PASSES = 6


class FormVersion(IntEnum):
    """Version of the canonical form: each has ids of its own, and its own order of nodes, which mutation depends on."""

    ZEROS = 1
    """Pruned, merged and ordered; hidden zeros are kept."""
    NESTED = 2
    """Without hidden zeros; sums and products keep their nesting, and zero is `h - h`."""
    SUMS = 3
    """The present one."""


PRESENT = FormVersion.SUMS
"""Version of the form that new runs use."""


@dataclass(frozen=True)
class Correspondence:
    """Parts of a graph in its canonical form.

    Attributes:
        positions: Position of the node with the same value, by node of the graph.
        opposites: Position of the node whose value is minus that of the graph's node, or one minus it for a gate, where
            there is none with the same value: what turned gates consist of.
        negated: Nodes of the graph whose matrix and bias, or learned vector, are negated in the canonical form.
    """

    positions: dict[int, int]
    opposites: dict[int, int]
    negated: frozenset[int]

    def then(self, other: Correspondence) -> Correspondence:
        """Return the correspondence of a graph with the canonical form of its canonical form."""
        both = self.opposites | self.positions
        negated = {i for i, j in both.items() if (i in self.negated) != (j in other.negated)}
        return Correspondence(
            {i: other.positions[j] for i, j in self.positions.items() if j in other.positions},
            {
                i: following[j]
                for here, following in (
                    (self.opposites, other.opposites | other.positions),
                    (self.positions, other.opposites),
                )
                for i, j in here.items()
                if j in following
            },
            frozenset(negated),
        )


def canonical_form(graph: Structure, version: FormVersion = PRESENT) -> Form:
    """Return the canonical form of a graph, by default the present one.

    Raises:
        GraphError: the graph is too symmetric to be ordered within `search.cells.ordering.MAX_REFINEMENTS`.
    """
    if version is FormVersion.ZEROS:
        return _ordered(merge(prune(graph)))
    if version is FormVersion.NESTED:
        return _ordered(merge(without_zeros(graph)))
    return _stable(graph)[-1][0]


def correspondence(graph: Structure) -> Correspondence:
    """Return where the parts of a graph are in its canonical form. Raises as `canonical_form` does."""
    found: Correspondence | None = None
    current = graph
    for form, sums in _stable(graph):
        step = _step(current, form, sums)
        found = step if found is None else found.then(step)
        current = form
    assert found is not None
    return found


def _step(graph: Structure, form: Form, sums: Sums) -> Correspondence:
    """Return where the parts of a graph are in the form that one pass makes of it."""
    _, kept = prune_positions(graph)
    unordered, written = expression(sums, sums.ranks)
    merged, place = _merge(unordered)
    _, order = BinaryOrdering(merged).smallest()
    position = {i: k for k, i in enumerate(order)}

    def find(value: Value) -> int | None:
        key: object = value
        if len(value) == 1 and value[0][1] == 1 and value[0][0]:
            key = value[0][0][0] if len(value[0][0]) == 1 else value[0][0]
        found = written.get(key)
        return None if found is None else position.get(place[found])

    positions: dict[int, int] = {}
    opposites: dict[int, int] = {}
    for old, new in kept.items():
        value = sums.polynomials.values[new]
        # A negated matrix is read by its gate alone, so the whole value is negated.
        negated = any(literal >> 1 in sums.negated for monomial, _ in value for literal in monomial)
        place_of_value = find(value)
        if place_of_value is not None:
            (opposites if negated else positions)[old] = place_of_value
        elif len(value) == 1 and len(value[0][0]) == 1 and value[0][1] == 1:
            ((gate,), _) = value[0]
            opposite = find((((gate ^ 1,), 1),)) if gate >> 1 in sums.turned else None
            if opposite is not None:
                opposites[old] = opposite
    back = {new: old for old, new in kept.items()}
    nodes = sums.polynomials.nodes
    return Correspondence(positions, opposites, frozenset(back[nodes[i]] for i in sums.negated))


def canonical_positions(graph: Structure) -> dict[int, int]:
    """Return by node of the graph the position in the canonical form of the node that has its value.

    Of gates that are turned there, and of what they are computed from, it is the node with the opposite value
    (`Correspondence`). Nodes have no position if nothing depends on them, or if the canonical form computes what they
    are read for in another way. Raises as `canonical_form` does.
    """
    found = correspondence(graph)
    return found.opposites | found.positions


def canonical_signs(graph: Structure) -> dict[int, float]:
    """Return by node of the graph the sign of its parameters in the canonical form: -1 if they are negated there.

    The canonical cell with matrices, biases and vectors times their signs computes the same as the graph. Nodes without
    parameters are left out. Raises as `canonical_form` does.
    """
    negated = correspondence(graph).negated
    return {i: -1.0 if i in negated else 1.0 for i, node in enumerate(graph.nodes) if node.op in (Op.LINEAR, Op.PARAM)}


def _plain_form(form: Form) -> Form:
    return Form(tuple(_plain(node) for node in form.nodes), form.outputs)


def _stable(graph: Structure) -> list[tuple[Form, Sums]]:
    """Return the canonical form, preceded by the forms of earlier passes, each with the sums that it writes.

    The form of a form is itself, but for rare sums with several factors 1 - z or numbers of many digits. There the
    passes are repeated, and of several forms that lead to each other the one with the smallest id is taken.
    """
    found = [_best(_plain_form(prune(graph)))]
    while _may_change(found[-1][1]) and len(found) < _PASSES:
        found.append(_best(_plain_form(prune(found[-1][0]))))
        before = [form for form, _ in found[:-1]]
        if found[-1][0] == before[-1]:
            return found[:-1]
        if found[-1][0] in before:  # they lead to each other
            first = before.index(found[-1][0])
            ids = [identify(form) for form, _ in found[first:-1]]
            return found[: first + ids.index(min(ids)) + 1]
    return found


def _may_change(sums: Sums) -> bool:
    """Return whether another pass may write the sums in another way."""
    for value in sums.values:
        for monomial, number in value:
            odd = [literal for literal in monomial if literal & 1]
            if len(odd) > 1 or not isinstance(number, int):
                return True
            if odd and sums.atoms[odd[0] >> 1].node.op in (Op.ADD, Op.MUL):
                return True
    return False


def _best(pruned: Form) -> tuple[Form, Sums]:
    """Return the canonical form, and the sums that it writes."""
    found = [_settled(sums, open_gates) for sums, open_gates in candidates(sums_of(pruned))]
    forms = [(_ordered(merge(expression(sums, sums.ranks)[0])), sums) for sums in found]
    return forms[0] if len(forms) == 1 else min(forms, key=lambda form: (len(form[0].nodes), identify(form[0])))


def _settled(sums: Sums, open_gates: frozenset[int]) -> Sums:
    """Return the sums with their ranks, and with the open gates turned."""
    if not open_gates and not _has_choice(sums):
        return sums
    ranks = ranks_of(sums, open_gates)
    turned = settled(sums, open_gates, ranks)
    changed = turned.turned ^ sums.turned
    turned.ranks = {literal ^ 1 if literal >> 1 in changed else literal: rank for literal, rank in ranks.items()}
    return turned


def _has_choice(sums: Sums) -> bool:
    """Return whether a sum or a product has more than two operands, so that their order has to be chosen."""
    inner = [sums.atoms[i].reads for i in sums.live if sums.atoms[i].node.op in (Op.ADD, Op.MUL)]
    values = [*sums.values, *(value for value in inner if value is not None)]
    return any(len(value) > 2 or any(_is_long(monomial) for monomial, _ in value) for value in values)


def _is_long(monomial: Monomial) -> bool:
    odd = sum(literal & 1 for literal in monomial)
    return len(monomial) - (odd == 1) > 2


def _ordered(merged: Form) -> Form:
    """Return the graph in canonical order."""
    (entries, outputs), order = BinaryOrdering(merged).smallest()
    nodes = (
        merged.nodes[i].reading(inputs, state=state) for i, (_, state, _, inputs) in zip(order, entries, strict=True)
    )
    return Form(tuple(nodes), outputs)


def identify(canonical: Structure) -> str:
    """Return the id of a graph in canonical form: the first `ID_DIGITS` digits of a hash of its text."""
    lines = []
    for node in canonical.nodes:
        identity, bias, further = label_of(node)
        text = f"{node.op} {node.state} {identity!r} {bias!r} {','.join(map(str, node.inputs))}"
        lines.append(f"{text} {further!r}" if further else text)
    lines.append("outputs " + ",".join(map(str, canonical.outputs)))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:ID_DIGITS]


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
    return replace(
        node,
        identity=float(node.identity) + 0.0,
        bias=None if node.bias is None else plain_start(node.bias),
        random=float(node.random) + 0.0,
        orthogonal=bool(node.orthogonal),
        groups=int(node.groups),
        start=plain_start(node.start),
        value=float(node.value) + 0.0,
    )

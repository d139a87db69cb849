"""Patterns in gate graphs that people write as one expression: (1 - z) * v, and z * a + (1 - z) * b."""

from collections.abc import Sequence
from typing import NamedTuple

from search.cells.graph import GateGraph
from search.cells.operations import SIGNS, Node, Op


class Complement(NamedTuple):
    """Positions in (1 - gate) * value, stored as value - product with product = gate * value."""

    gate: int
    value: int
    product: int


class Combination(NamedTuple):
    """Positions in gate * a + (1 - gate) * b, where product = gate * a and complement = (1 - gate) * b."""

    gate: int
    a: int
    b: int
    product: int
    complement: int


def complement(graph: GateGraph, position: int) -> Complement | None:
    """Return the parts of the node if it computes v - z * v, else None. Other nodes may read the product too."""
    node = graph.nodes[position]
    if node.op is not Op.SUB:
        return None
    value, product = node.inputs
    gate = _other_factor(graph, product, value)
    return None if gate is None else Complement(gate, value, product)


def private_complement(graph: GateGraph, position: int) -> Complement | None:
    """Return the parts of the node if it computes v - z * v and nothing else uses the product, else None."""
    found = complement(graph, position)
    return found if found is not None and graph.uses[found.product] == 1 else None


def convex_combination(graph: GateGraph, position: int) -> Combination | None:
    """Return the parts of the node if it computes z * a + (b - z * b), else None."""
    node = graph.nodes[position]
    if node.op is not Op.ADD:
        return None
    for product, difference in (node.inputs, node.inputs[::-1]):
        found = complement(graph, difference)
        if found is None:
            continue
        a = _other_factor(graph, product, found.gate)
        if a is not None:
            return Combination(found.gate, a, found.value, product, difference)
    return None


def has_number(nodes: Sequence[Node], position: int) -> bool:
    """Return whether a number is among the terms and factors of a node.

    A formula has a factor `1 - v` of such a node as it is, where it stands for `n - v * n` of others.
    """
    pending, seen = [position], set[int]()
    while pending:
        node = nodes[i := pending.pop()]
        if node.op is Op.NUMBER:
            return True
        if i not in seen and node.op in SIGNS:
            seen.add(i)
            pending += node.inputs
    return False


def _other_factor(graph: GateGraph, product: int, factor: int) -> int | None:
    """Return the other factor of a product of `factor`, or None if the node is no such product."""
    node = graph.nodes[product]
    if node.op is not Op.MUL or factor not in node.inputs:
        return None
    return node.inputs[1 - node.inputs.index(factor)]

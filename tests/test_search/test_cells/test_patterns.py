"""Patterns of several nodes: complements and convex combinations, found where they are and nowhere else."""

from __future__ import annotations

import pytest

from search.cells.graph import GateGraph
from search.cells.notation.formula import parse_formula
from search.cells.operations import Node, Op
from search.cells.patterns import Combination, Complement, complement, convex_combination, private_complement

# Positions: 0 x, 1 h, 2 tanh(x), 3 onwards below.
LEAVES = (Node(Op.INPUT), Node(Op.STATE), Node(Op.TANH, (0,)))


def graph(*nodes: Node) -> GateGraph:
    return GateGraph((*LEAVES, *nodes), (2 + len(nodes),))


@pytest.mark.parametrize("product", [(1, 2), (2, 1)])
def test_v_less_z_times_v_is_a_complement_in_either_order_of_the_product(product: tuple[int, int]) -> None:
    found = graph(Node(Op.MUL, product), Node(Op.SUB, (2, 3)))
    assert complement(found, 4) == private_complement(found, 4) == Complement(gate=1, value=2, product=3)
    assert complement(found, 3) is None


def test_the_square_of_a_value_is_its_own_gate() -> None:
    assert complement(graph(Node(Op.MUL, (2, 2)), Node(Op.SUB, (2, 3))), 4) == Complement(2, 2, 3)


@pytest.mark.parametrize(
    "nodes",
    [
        (Node(Op.MUL, (1, 2)), Node(Op.SUB, (3, 2))),  # z * v - v
        (Node(Op.MUL, (1, 2)), Node(Op.SUB, (0, 3))),  # another value
        (Node(Op.ADD, (1, 2)), Node(Op.SUB, (2, 3))),  # a sum
        (Node(Op.MUL, (1, 2)), Node(Op.ADD, (2, 3))),  # added
    ],
)
def test_what_only_resembles_a_complement_is_none(nodes: tuple[Node, ...]) -> None:
    assert complement(graph(*nodes), 4) is None


def test_a_product_that_another_node_or_state_uses_is_not_private() -> None:
    nodes = (*LEAVES, Node(Op.MUL, (1, 2)), Node(Op.SUB, (2, 3)), Node(Op.ADD, (3, 4)))
    read_twice, is_a_state = GateGraph(nodes, (5,)), GateGraph(nodes[:5], (4, 3))
    for found in (read_twice, is_a_state):
        assert complement(found, 4) == Complement(1, 2, 3)
        assert private_complement(found, 4) is None


def test_z_a_plus_one_less_z_b_is_a_convex_combination_in_either_order() -> None:
    product_first = graph(Node(Op.MUL, (1, 0)), Node(Op.MUL, (1, 2)), Node(Op.SUB, (2, 4)), Node(Op.ADD, (3, 5)))
    assert convex_combination(product_first, 6) == Combination(gate=1, a=0, b=2, product=3, complement=5)
    complement_first = graph(Node(Op.MUL, (1, 2)), Node(Op.SUB, (2, 3)), Node(Op.MUL, (0, 1)), Node(Op.ADD, (4, 5)))
    assert convex_combination(complement_first, 6) == Combination(gate=1, a=0, b=2, product=5, complement=4)


def test_a_combination_with_two_gates_is_none() -> None:
    for text in ("h' = x * tanh(x) + (1 - h) * linear(x)", "h' = h + (1 - h) * x", "h' = h * x - (1 - h) * x"):
        found = parse_formula(text)
        assert all(convex_combination(found, i) is None for i in range(len(found)))

"""Cells with every operation and every option: those of other tests, with the rest of the vocabulary sprinkled in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from search.cells.graph import GateGraph
from search.cells.operations import Node, Op
from search.cells.starts import Rule, Start, StartRule

STARTS: tuple[Start, ...] = (
    0.0,
    1.0,
    -0.5,
    StartRule(Rule.UNIFORM, (0.0, 1.0)),
    StartRule(Rule.UNIFORM, (-2.0, 0.5), negative=True),
    StartRule(Rule.CHRONO, (100.0,)),
    StartRule(Rule.CHRONO, (100.0,), negative=True),
    StartRule(Rule.UNIFORM_GATE),
    StartRule(Rule.UNIFORM_GATE, (20.0,), negative=True),
    StartRule(Rule.LINSPACE, (3.0, 6.0)),
    StartRule(Rule.LINSPACE, (0.0, 1.0), negative=True),
)
"""Starts of all kinds."""

NUMBERS = (0.5, 2.0, -1.0, -0.25, 1.0, 0.1)
"""Numbers in formulas."""


def sprinkled(graph: GateGraph, rng: np.random.Generator, rate: float = 0.3, groups: int = 2) -> GateGraph:
    """Return the cell with other starts, without some biases, and with new operations after some of its nodes.

    Args:
        graph: The cell.
        rng: Source of randomness.
        rate: Share of nodes that are changed.
        groups: Blocks of the matrices that become block-diagonal.
    """
    nodes: list[Node] = []
    place: list[int] = []
    numbers: dict[float, int] = {}

    def add(node: Node) -> int:
        nodes.append(node)
        return len(nodes) - 1

    def number() -> int:
        value = NUMBERS[rng.integers(len(NUMBERS))]
        if value not in numbers:
            numbers[value] = add(Node(Op.NUMBER, value=value))
        return numbers[value]

    def start() -> Start:
        return STARTS[rng.integers(len(STARTS))]

    for node in graph:
        moved = node.reading(tuple(place[j] for j in node.inputs))
        if node.op is Op.LINEAR and rng.random() < rate:
            moved = _changed(moved, start(), rng, groups)
        i = add(moved)
        if rng.random() < rate:
            match rng.integers(6):
                case 0:
                    i = add(Node(Op.MUL, (add(Node(Op.PARAM, start=start())), i)))
                case 1:
                    i = add(Node(Op.ADD, (i, add(Node(Op.PARAM, start=start())))))
                case 2:
                    i = add(Node(Op.MUL, (i, number())))
                case 3:
                    i = add(Node(Op.SUB if rng.random() < 0.5 else Op.ADD, (i, number())))
                case 4:
                    i = add(Node(Op.SUB, (number(), i)))
                case 5:
                    i = add(Node(Op.NORM if rng.random() < 0.5 else Op.SOFTPLUS, (i,)))
        place.append(i)
    return GateGraph(tuple(nodes), tuple(place[i] for i in graph.outputs))


def _changed(linear: Node, start: Start, rng: np.random.Generator, groups: int) -> Node:
    match rng.integers(5):
        case 0:
            return replace(linear, bias=None)
        case 1:
            return replace(linear, bias=start)
        case 2:
            return replace(linear, groups=groups)
        case 3:
            return replace(linear, random=float(rng.choice([0.0, 0.1])), orthogonal=False)
        case _:
            return replace(linear, identity=0.0, random=1.0, orthogonal=True, groups=int(rng.choice([1, groups])))

"""Layout of a cell's parameters: which nodes have matrices, biases and vectors of their own, and how many numbers.

H units. A layer of the cell has

- `weights` (K, H, H): the matrix of each `linear` with one group, in the order of the nodes;
- `blocks`: for each other `linear` its blocks, (g, H / g, H / g) for g groups;
- `biases` (N, H): the bias of each `linear` that has one;
- `vectors` (P, H): the vector of each `param`, and gain and offset of each `norm`, in the order of the nodes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

from search.cells.operations import Node, Op
from search.cells.starts import Start


class Graph(Protocol):
    """Nodes of a cell."""

    @property
    def nodes(self) -> tuple[Node, ...]: ...


@dataclass(frozen=True, slots=True)
class Vector:
    """Learned vector (H,): that of a `param`, or gain or offset of a `norm`; and its start."""

    node: int
    start: Start


@dataclass(frozen=True)
class ParameterLayout:
    """Positions of the nodes that have parameters: see the module."""

    full: tuple[int, ...]
    grouped: tuple[int, ...]
    groups: tuple[int, ...]
    biased: tuple[int, ...]
    vectors: tuple[Vector, ...]

    @cached_property
    def unit_multiple(self) -> int:
        """Number that the units must be a multiple of, so that all blocks have equal sizes."""
        return math.lcm(*self.groups)

    def count(self, units: int) -> int:
        """Return the number of parameters of a layer. `units` must be a multiple of `unit_multiple`."""
        matrices = len(self.full) * units * units + sum(units * (units // g) for g in self.groups)
        return matrices + (len(self.biased) + len(self.vectors)) * units

    @cached_property
    def first_vector(self) -> dict[int, int]:
        """Index of the vector of each `param`, and of the gain of each `norm`, whose offset follows, by node."""
        first: dict[int, int] = {}
        for k, vector in enumerate(self.vectors):
            first.setdefault(vector.node, k)
        return first


def layout_of(graph: Graph) -> ParameterLayout:
    """Return the layout of a graph's parameters; nodes are numbered as in the graph, canonical or not."""
    return _layout(graph.nodes)


@lru_cache(maxsize=4096)
def _layout(nodes: tuple[Node, ...]) -> ParameterLayout:
    linears = [i for i, node in enumerate(nodes) if node.op is Op.LINEAR]
    vectors: list[Vector] = []
    for i, node in enumerate(nodes):
        if node.op is Op.PARAM:
            vectors.append(Vector(i, node.start))
        elif node.op is Op.NORM:
            vectors += [Vector(i, 1.0), Vector(i, 0.0)]
    grouped = tuple(i for i in linears if nodes[i].groups > 1)
    return ParameterLayout(
        full=tuple(i for i in linears if nodes[i].groups == 1),
        grouped=grouped,
        groups=tuple(nodes[i].groups for i in grouped),
        biased=tuple(i for i in linears if nodes[i].bias is not None),
        vectors=tuple(vectors),
    )

"""Plan of a cell's computation over a sequence: before the time loop, in it, and after it.

A recurrent cell need not be run node by node at every step. Three facts about its graph save most of that work:

- *Hoisting*: nodes that depend on x alone are known for all steps at once. They are computed before the loop, by a few
  large matrix products.
- *Sinking*: nodes that no state depends on (for example, an output that the cell never reads back) are computed after
  the loop, again for all steps at once.
- *Levels*: within each of these phases the graph is cut where a matrix has to wait for the result of another. A level
  is a set of matrix products that can run together, followed by one pointwise stage. The LSTM has one level in its
  loop. The GRU, whose last matrix reads r * h, has two.

The result of a product is often only added to another, as in `linear(x) + linear(h)`. Such results form one `Sum`: the
products accumulate into one buffer, and neither result is stored on its own.

A plan refers to nodes by their position in the graph that it was made from.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from search.cells.graph import GateGraph
from search.cells.operations import LEAVES, Op


class Phase(IntEnum):
    """Phase of the computation, relative to the time loop."""

    BEFORE = 0  # depends on x alone: all steps at once, before the loop
    LOOP = 1  # a state that is read again depends on it
    AFTER = 2  # only outputs depend on it: all steps at once, after the loop


@dataclass(frozen=True)
class Product:
    """Stacked matrix product: all matrices of a level that read the same node."""

    source: int
    linears: tuple[int, ...]


@dataclass(frozen=True)
class Level:
    """Products that can run together, then one pointwise stage.

    `nodes` are the pointwise nodes computed here, in topological order. `targets` are the nodes whose values must be in
    memory after the level: new states, and what a later product reads.
    """

    products: tuple[Product, ...]
    nodes: tuple[int, ...]
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Sum:
    """Products that accumulate into one buffer. `node` is the `add` that joins them, or a single `linear`."""

    node: int
    linears: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Levels of the three phases, sums of products, and the phase of each node, None if nothing reads the node.

    `carried` are the states that the cell reads; other states are only outputs.
    """

    before: tuple[Level, ...]
    loop: tuple[Level, ...]
    after: tuple[Level, ...]
    sums: tuple[Sum, ...]
    carried: tuple[int, ...]
    phases: tuple[Phase | None, ...]


@lru_cache(maxsize=512)
def plan_of(graph: GateGraph) -> Plan:
    """Return the plan of a graph, canonical or not; the cache is keyed by the graph, since plans refer to positions."""
    live = _closure(graph, graph.outputs)
    carried = tuple(sorted({graph.nodes[i].state for i in live if graph.nodes[i].op is Op.STATE}))
    needed_in_loop = _closure(graph, [graph.outputs[k] for k in carried])
    reads_state = [False] * len(graph)
    phases: list[Phase | None] = []
    for i, node in enumerate(graph):
        reads_state[i] = node.op is Op.STATE or any(reads_state[j] for j in node.inputs)
        if i not in live:
            phases.append(None)
        elif not reads_state[i]:
            phases.append(Phase.BEFORE)
        else:
            phases.append(Phase.LOOP if i in needed_in_loop else Phase.AFTER)
    sums = _sums(graph, live)
    in_memory = {s.node for s in sums}
    before, loop, after = (_levels(graph, phases, phase, in_memory) for phase in Phase)
    return Plan(before, loop, after, sums, carried, tuple(phases))


def _closure(graph: GateGraph, roots: Iterable[int]) -> frozenset[int]:
    """Return the roots and all nodes they depend on within a step."""
    found: set[int] = set()
    for root in roots:
        found |= {root} | graph.ancestors(root)
    return frozenset(found)


def _sums(graph: GateGraph, live: frozenset[int]) -> tuple[Sum, ...]:
    """Assign every live matrix to exactly one sum; an `add` joins two sums that nothing else reads."""
    uses = [0] * len(graph)
    for i in live:
        for j in graph.nodes[i].inputs:
            uses[j] += 1
    for i in graph.outputs:
        uses[i] += 1
    open_sums: dict[int, tuple[int, ...]] = {}
    for i, node in enumerate(graph):
        if i not in live:
            continue
        if node.op is Op.LINEAR:
            open_sums[i] = (i,)
        elif node.op is Op.ADD and all(j in open_sums and uses[j] == 1 for j in node.inputs):
            left, right = node.inputs
            open_sums[i] = open_sums.pop(left) + open_sums.pop(right)
    return tuple(Sum(node, tuple(sorted(linears))) for node, linears in open_sums.items())


def _levels(graph: GateGraph, phases: list[Phase | None], phase: Phase, in_memory: set[int]) -> tuple[Level, ...]:
    members = [i for i in range(len(graph)) if phases[i] is phase]
    level: dict[int, int] = {}
    for i in members:
        node = graph.nodes[i]
        level[i] = max((level.get(j, 0) for j in node.inputs), default=0) + (node.op is Op.LINEAR)
    sources = {graph.nodes[i].inputs[0] for i in graph.linears if phases[i] is not None}  # what some product reads
    new_states = set(graph.outputs)
    found = []
    for depth in range(1 + max(level.values(), default=-1)):
        here = [i for i in members if level[i] == depth]
        stacked: dict[int, list[int]] = {}
        for i in here:
            if graph.nodes[i].op is Op.LINEAR:
                stacked.setdefault(graph.nodes[i].inputs[0], []).append(i)
        targets = tuple(
            i
            for i in here
            if i in new_states or (i in sources and i not in in_memory and graph.nodes[i].op not in LEAVES)
        )
        nodes = tuple(i for i in here if graph.nodes[i].op not in LEAVES | {Op.LINEAR})
        products = tuple(Product(source, tuple(linears)) for source, linears in stacked.items())
        if products or nodes or targets:
            found.append(Level(products, nodes, targets))
    return tuple(found)

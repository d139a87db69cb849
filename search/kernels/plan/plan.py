"""How a cell is run over a sequence: what comes before the time loop, what must be in it, and what can wait.

A recurrent cell need not be run node by node at every step. Three facts about its graph save most of that work:

- *Hoisting*: what depends on x alone is known for all steps at once, and is computed before the loop in a few large
  matrix products.
- *Sinking*: what no state depends on (say, an output that the cell never reads back) is computed after the loop, again
  for all steps at once.
- *Levels*: within each of these phases the graph is cut where a matrix has to wait for another's result. A level is a
  set of matrix products that can run together, followed by one pointwise stage. LSTM has one level in its loop; GRU,
  whose last matrix reads r * h, has two.

A product's result is often only ever added to another's, as in `linear(x) + linear(h)`. Such results are one `Sum`:
the products accumulate into one place, and neither exists on its own.

A plan speaks of nodes by their position in the graph it was made from.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from search.cells.graph import GateGraph
from search.cells.operations import LEAVES, Op


class Phase(IntEnum):
    """When a node is computed."""

    BEFORE = 0  # depends on x alone: all steps at once, before the loop
    LOOP = 1  # a state that is read again depends on it
    AFTER = 2  # only outputs depend on it: all steps at once, after the loop


@dataclass(frozen=True)
class Product:
    """One stacked matrix product: all matrices of a level that read the same node."""

    source: int
    linears: tuple[int, ...]


@dataclass(frozen=True)
class Level:
    """Products that can run together, then one pointwise stage.

    `nodes` are the pointwise nodes that become known here, in topological order. `targets` are the nodes whose values
    have to be in memory when the level is done: new states, and what a later product reads.
    """

    products: tuple[Product, ...]
    nodes: tuple[int, ...]
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Sum:
    """Products that accumulate into one place. `node` is the `add` that joins them, or the lone `linear`."""

    node: int
    linears: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """The levels of the three phases, the sums of products, and the phase of each node (None where nothing reads it).

    `carried` are the states that the cell reads; the others are only outputs.
    """

    before: tuple[Level, ...]
    loop: tuple[Level, ...]
    after: tuple[Level, ...]
    sums: tuple[Sum, ...]
    carried: tuple[int, ...]
    phases: tuple[Phase | None, ...]


@lru_cache(maxsize=512)
def plan_of(graph: GateGraph) -> Plan:
    """The plan of a graph, canonical or not. Cached by the graph itself, not its id: plans speak of positions."""
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


def count_products(graph: GateGraph) -> int:
    """The number of square matrices that one step multiplies by."""
    return sum(phase is not None for i, phase in enumerate(plan_of(graph).phases) if i in set(graph.linears))


def count_pointwise(graph: GateGraph) -> int:
    """The number of elementwise operations and activations of one step, additions that products absorb not counted."""
    plan = plan_of(graph)
    absorbed = sum(len(s.linears) - 1 for s in plan.sums)
    counted = LEAVES | {Op.LINEAR}
    return sum(p is not None and n.op not in counted for p, n in zip(plan.phases, graph, strict=True)) - absorbed


def _closure(graph: GateGraph, roots: Iterable[int]) -> frozenset[int]:
    """The roots and all that they depend on within a step."""
    found: set[int] = set()
    for root in roots:
        found |= {root} | graph.ancestors(root)
    return frozenset(found)


def _sums(graph: GateGraph, live: frozenset[int]) -> tuple[Sum, ...]:
    """Every live matrix in exactly one sum. An `add` joins two sums that nothing else reads."""
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

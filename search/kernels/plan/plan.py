"""Plan of a cell's computation over a sequence: loops over the steps, and what is computed for all steps at once.

A recurrent cell need not be run node by node at every step. Four facts about its graph save most of that work:

- *Hoisting*: nodes that depend on x alone are known for all steps at once. They are computed before any loop, by a few
  large matrix products. The same holds for nodes that read a delayed input, a state such as `p' = x`: its values before
  all steps are those after them, one step later.
- *Loops*: only states that depend on themselves need a loop over the steps. They fall into the strongly connected
  components of the graph, in which a step's states lead to the next step's. If a component needs products of another's
  results, it gets a loop of its own, after these products have been computed for all steps at once; components with
  only pointwise operations between them share a loop.
- *Sinking*: products that no state depends on (for example, of an output that the cell never reads back) are computed
  after the loops, again for all steps at once.
- *Levels*: within each of these phases the graph is cut where a matrix has to wait for the result of another. A level
  is a set of matrix products that can run together, followed by one pointwise stage. The LSTM has one level in its
  loop. The GRU, whose last matrix reads r * h, has two.

The result of a product is often only added to another, as in `linear(x) + linear(h)`. Such results form one `Sum`: the
products accumulate into one buffer, and neither result is stored on its own.

A plan refers to nodes by their position in the graph that it was made from.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from search.cells.graph import GateGraph
from search.cells.operations import LEAVES, Op


@dataclass(frozen=True)
class Product:
    """Stacked matrix product: all matrices of a level that read the same node."""

    source: int
    linears: tuple[int, ...]


@dataclass(frozen=True)
class Level:
    """Products that can run together, then one pointwise stage.

    `nodes` are the pointwise nodes computed here, in topological order. `targets` are the nodes whose values must be in
    memory after the level: new states, and what a later product reads, learned vectors and numbers included.
    """

    products: tuple[Product, ...]
    nodes: tuple[int, ...]
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Phase:
    """Levels that run one after the other: at each step if `loops`, else for all steps at once."""

    loops: bool
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Sum:
    """Products that accumulate into one buffer. `node` is the `add` that joins them, or a single `linear`."""

    node: int
    linears: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Phases in the order in which they run, the sums of products, and the phase of each node.

    Attributes:
        phases: The first holds what depends on x alone, and may be empty; the others are not.
        sums: Sums of products.
        carried: The states that the cell reads; other states are only outputs.
        phase_of: The position in `phases` of each node, None if nothing reads the node.
    """

    phases: tuple[Phase, ...]
    sums: tuple[Sum, ...]
    carried: tuple[int, ...]
    phase_of: tuple[int | None, ...]

    @property
    def before(self) -> Phase:
        """Phase of what depends on x alone."""
        return self.phases[0]

    @property
    def loops(self) -> tuple[Phase, ...]:
        """Phases that run step by step."""
        return tuple(phase for phase in self.phases if phase.loops)


@lru_cache(maxsize=512)
def plan_of(graph: GateGraph) -> Plan:
    """Return the plan of a graph, canonical or not; the cache is keyed by the graph, since plans refer to positions."""
    order = _Order(graph)
    reads_state = [False] * len(graph)
    ranks: list[int | None] = []
    for i, node in enumerate(graph):
        reads_state[i] = node.op is Op.STATE or any(reads_state[j] for j in node.inputs)
        ranks.append(None if i not in order.live else 0 if not reads_state[i] else 1 + order.rank(i))
    sums = _sums(graph, order.live)
    in_memory = {s.node for s in sums}
    phases = [Phase(False, ())]
    number = {0: 0}
    for rank in sorted({rank for rank in ranks if rank is not None}):
        loops = rank > 0 and rank % 2 == 0
        members = [i for i in range(len(graph)) if ranks[i] == rank]
        found = Phase(loops, levels := _levels(graph, members, loops, order.live, in_memory))
        if rank == 0:
            phases[0] = found
        elif levels:
            phases.append(found)
        number[rank] = len(phases) - 1
    carried = tuple(sorted({graph.nodes[i].state for i in order.live if graph.nodes[i].op is Op.STATE}))
    return Plan(tuple(phases), sums, carried, tuple(None if rank is None else number[rank] for rank in ranks))


class _Order:
    """Order in which the nodes of a graph can be computed over a whole sequence.

    `rank` 0 is before all loops, 1 in the first loop, 2 between the first and the second loop, and so on.
    """

    def __init__(self, graph: GateGraph) -> None:
        self.graph = graph
        self.live = _closure(graph, graph.outputs)
        self._ancestors = self._across_steps()
        self._ranks: dict[int, int] = {}

    def _across_steps(self) -> list[int]:
        """Return for each node the set of nodes that it depends on at this step or an earlier one, as bits."""
        found = [0] * len(self.graph)
        changed = True
        while changed:
            changed = False
            for i in range(len(self.graph)):
                bits = 0
                for j in self._read(i):
                    bits |= 1 << j | found[j]
                changed |= bits != found[i]
                found[i] = bits
        return found

    def _read(self, i: int) -> tuple[int, ...]:
        """Return the nodes that node i reads; a state reads its new value, of the step before."""
        node = self.graph.nodes[i]
        return (self.graph.outputs[node.state],) if node.op is Op.STATE else node.inputs

    def _depends(self, i: int, j: int) -> bool:
        return bool(self._ancestors[i] >> j & 1)

    def rank(self, i: int) -> int:
        """Return the rank of a live node."""
        if i not in self._ranks:
            if self._depends(i, i):
                component = [j for j in self.live if self._depends(i, j) and self._depends(j, i)]
                read = {j for member in component for j in self._read(member)} - set(component)
                rank = max((self.rank(j) for j in read), default=0) | 1
                self._ranks.update(dict.fromkeys(component, rank))
            else:
                rank = max((self.rank(j) for j in self._read(i)), default=0)
                if self.graph.nodes[i].op is Op.LINEAR:
                    rank += rank & 1  # after the loop, for all steps at once
                self._ranks[i] = rank
        return self._ranks[i]


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


def _levels(
    graph: GateGraph, members: list[int], loops: bool, live: frozenset[int], in_memory: set[int]
) -> tuple[Level, ...]:
    level: dict[int, int] = {}

    def level_of(i: int) -> int:
        if i not in level:
            node = graph.nodes[i]
            if node.op is not Op.STATE:
                found = max((level_of(j) for j in node.inputs if j in here), default=0) + (node.op is Op.LINEAR)
            elif loops or graph.outputs[node.state] not in here:
                found = 0
            else:  # the rows before all steps are complete after the stage that computes those after them
                found = level_of(graph.outputs[node.state]) + 1
            level[i] = found
        return level[i]

    here = set(members)
    for i in members:
        level_of(i)
    sources = {graph.nodes[i].inputs[0] for i in graph.linears if i in live}  # what some product reads
    new_states = set(graph.outputs)
    found = []
    for depth in range(1 + max(level.values(), default=-1)):
        ready = [i for i in members if level[i] == depth]
        stacked: dict[int, list[int]] = {}
        for i in ready:
            if graph.nodes[i].op is Op.LINEAR:
                stacked.setdefault(graph.nodes[i].inputs[0], []).append(i)
        targets = tuple(
            i
            for i in ready
            if i in new_states
            or (i in sources and i not in in_memory and graph.nodes[i].op not in (Op.INPUT, Op.STATE))
        )
        nodes = tuple(i for i in ready if graph.nodes[i].op not in LEAVES | {Op.LINEAR})
        products = tuple(Product(source, tuple(linears)) for source, linears in stacked.items())
        if products or nodes or targets:
            found.append(Level(products, nodes, targets))
    return tuple(found)

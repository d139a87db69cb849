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
  is a set of matrix products that can run together, followed by one pointwise stage. The normalisation of a `norm`,
  which needs a whole row too, cuts it in the same way. The LSTM has one level in its
  loop. The GRU, whose last matrix reads r * h, has two.

The result of a product is often only added to another, as in `linear(x) + linear(h)`. Such results form one `Sum`: the
products accumulate into one buffer, and neither result is stored on its own.

If the inputs are symbols, a node that depends on x alone takes no more values than there are symbols. A plan *by
symbol* computes it once for each symbol, into a table with a row for each; what runs at each step reads the row of that
step's symbol. A node of *delay* d depends on x as it was d steps before, and on nothing else: its table is read by the
symbols of d steps before. Tables of different delays cannot be added row by row, so a sum has products of one delay.

A plan refers to nodes by their position in the graph that it was made from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from search.cells.graph import GateGraph
from search.cells.operations import LEAVES, Op

WHOLE_ROWS = frozenset({Op.LINEAR, Op.NORM})
"""Operations that need all units of a value at once, and therefore read it from memory."""


@dataclass(frozen=True)
class Product:
    """Stacked matrix product: all matrices of a level that read the same node."""

    source: int
    linears: tuple[int, ...]


@dataclass(frozen=True)
class Level:
    """Products and normalisations that can run together, then one pointwise stage.

    `nodes` are the pointwise nodes computed here, in topological order. `targets` are the nodes whose values must be in
    memory after the level: new states, what a later product or norm reads (learned vectors and numbers included), and
    what later phases read of a table. `delay` is that of the tables that it computes, None if it computes no tables.
    `norms` are the nodes whose inputs are normalised here; the stage applies their gain and offset.
    """

    products: tuple[Product, ...]
    nodes: tuple[int, ...]
    targets: tuple[int, ...]
    delay: int | None = None
    norms: tuple[int, ...] = ()


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
        phases: The first holds what depends on x alone, by symbol also what depends on one delayed x alone. It may be
            empty; the others are not.
        sums: Sums of products.
        carried: The states that the cell reads; other states are only outputs.
        phase_of: The position in `phases` of each node, None if nothing reads the node.
        delays: By symbol the delay of each node that has a table, else None.
    """

    phases: tuple[Phase, ...]
    sums: tuple[Sum, ...]
    carried: tuple[int, ...]
    phase_of: tuple[int | None, ...]
    delays: tuple[int | None, ...]

    @property
    def before(self) -> Phase:
        """Phase of what depends on x alone."""
        return self.phases[0]

    @property
    def loops(self) -> tuple[Phase, ...]:
        """Phases that run step by step."""
        return tuple(phase for phase in self.phases if phase.loops)


@lru_cache(maxsize=512)
def plan_of(graph: GateGraph, by_symbol: bool = False) -> Plan:
    """Return the plan of a graph, canonical or not, for inputs given as vectors or by symbol.

    The cache is keyed by the graph, since plans refer to positions.
    """
    order = _Order(graph)
    delays = order.delays(by_symbol)
    ranks = [
        None if i not in order.live else 0 if delays[i] is not None else 1 + order.rank(i) for i in range(len(graph))
    ]
    sums = _sums(graph, order.live, delays, by_symbol)
    tables = tuple(None if delay is None or not by_symbol else max(delay, 0) for delay in delays)
    builder = _Levels(graph, order.live, {s.node for s in sums}, tables if by_symbol else ())
    phases = [Phase(False, ())]
    number = {0: 0}
    for rank in sorted({rank for rank in ranks if rank is not None}):
        loops = rank > 0 and rank % 2 == 0
        found = Phase(loops, builder.levels([i for i in range(len(graph)) if ranks[i] == rank], loops, rank == 0))
        if rank == 0:
            phases[0] = found
        elif found.levels:
            phases.append(found)
        number[rank] = len(phases) - 1
    carried = tuple(sorted({graph.nodes[i].state for i in order.live if graph.nodes[i].op is Op.STATE}))
    phase_of = tuple(None if rank is None else number[rank] for rank in ranks)
    return Plan(tuple(phases), sums, carried, phase_of, tables)


_CONSTANT = -1
"""Delay of a node that depends on parameters and numbers alone."""


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

    def delays(self, by_symbol: bool) -> list[int | None]:
        """Return the delay of each node, None if it depends on a state, other than as a delay of x by symbol."""
        found: dict[int, int | None] = {}

        def delay(i: int) -> int | None:
            if i not in found:
                node = self.graph.nodes[i]
                if node.op is Op.INPUT:
                    found[i] = 0
                elif node.op is Op.STATE:
                    known = None if not by_symbol or self._depends(i, i) else delay(self.graph.outputs[node.state])
                    found[i] = None if known is None else max(known, 0) + 1
                else:
                    read = {delay(j) for j in node.inputs} - {_CONSTANT}
                    found[i] = _CONSTANT if not read else read.pop() if len(read) == 1 else None
                    if node.op in WHOLE_ROWS and found[i] == _CONSTANT:
                        found[i] = 0  # as if it read x: its result is in memory like those of other products
            return found[i]

        return [delay(i) for i in range(len(self.graph))]

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
                if self.graph.nodes[i].op in WHOLE_ROWS:
                    rank += rank & 1  # after the loop, for all steps at once
                self._ranks[i] = rank
        return self._ranks[i]


def _closure(graph: GateGraph, roots: Iterable[int]) -> frozenset[int]:
    """Return the roots and all nodes they depend on within a step."""
    found: set[int] = set()
    for root in roots:
        found |= {root} | graph.ancestors(root)
    return frozenset(found)


def _sums(graph: GateGraph, live: frozenset[int], delays: Sequence[int | None], by_symbol: bool) -> tuple[Sum, ...]:
    """Assign every live matrix to exactly one sum; an `add` joins two sums that nothing else reads.

    By symbol it joins only sums of the same delay.
    """
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
            if not by_symbol or delays[left] == delays[right]:
                open_sums[i] = open_sums.pop(left) + open_sums.pop(right)
    return tuple(Sum(node, tuple(sorted(linears))) for node, linears in open_sums.items())


class _Levels:
    """Builder of the levels of phases; `tables` holds the delay of each node of a plan by symbol, else nothing."""

    def __init__(
        self, graph: GateGraph, live: frozenset[int], in_memory: set[int], tables: Sequence[int | None]
    ) -> None:
        self.graph, self.in_memory, self.tables = graph, in_memory, tables
        # What some product or norm reads.
        self.sources = {graph.nodes[i].inputs[0] for i in live if graph.nodes[i].op in WHOLE_ROWS}
        self.new_states = set(graph.outputs)
        # What a step reads of a table: of nodes of one delay, those that a node without one reads.
        self.read_by_steps = {
            j for i in live if tables and tables[i] is None for j in graph.nodes[i].inputs if tables[j] is not None
        }

    def levels(self, members: list[int], loops: bool, early: bool) -> tuple[Level, ...]:
        """Return the levels of a phase, of the first one if `early`."""
        depths = self._depths(members, loops)
        delays = (
            [None] if not (early and self.tables) else range(1 + max((self.tables[i] or 0 for i in members), default=0))
        )
        found = []
        for depth in range(1 + max(depths.values(), default=-1)):
            for delay in delays:
                ready = [i for i in members if depths[i] == depth and (delay is None or self.tables[i] == delay)]
                level = self._level(ready, delay)
                if level.products or level.nodes or level.targets:
                    found.append(level)
        return tuple(found)

    def _level(self, ready: list[int], delay: int | None) -> Level:
        operations = {i: self.graph.nodes[i].op for i in ready}
        stacked: dict[int, list[int]] = {}
        for i, op in operations.items():
            if op is Op.LINEAR:
                stacked.setdefault(self.graph.nodes[i].inputs[0], []).append(i)
        read_by_steps = set() if delay is None else self.read_by_steps
        targets = tuple(
            i
            for i, op in operations.items()
            if i in self.new_states
            or (i in self.sources and i not in self.in_memory and op not in (Op.INPUT, Op.STATE))
            or (i in read_by_steps and i not in self.in_memory and op not in LEAVES)
        )
        nodes = tuple(i for i, op in operations.items() if op not in LEAVES | {Op.LINEAR})
        products = tuple(Product(source, tuple(linears)) for source, linears in stacked.items())
        norms = tuple(i for i, op in operations.items() if op is Op.NORM)
        return Level(products, nodes, targets, delay, norms)

    def _depths(self, members: list[int], loops: bool) -> dict[int, int]:
        """Return the level of each node of a phase."""
        found: dict[int, int] = {}
        here = set(members)

        def depth(i: int) -> int:
            if i not in found:
                node = self.graph.nodes[i]
                if node.op is not Op.STATE:
                    found[i] = max((depth(j) for j in node.inputs if j in here), default=0)
                    found[i] += node.op in WHOLE_ROWS
                elif loops or self.graph.outputs[node.state] not in here:
                    found[i] = 0
                else:  # the rows before all steps are complete after the stage that computes those after them
                    found[i] = depth(self.graph.outputs[node.state]) + 1
            return found[i]

        for i in members:
            depth(i)
        return found

"""Construction of a program: from the plan of a cell to operations on named buffers, forward and backward."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

from search.cells.graph import GateGraph
from search.cells.operations import OPERATIONS, Op
from search.cells.parameters import layout_of
from search.kernels.plan.adjoint import (
    Buffer,
    BufferKind,
    backward_stage,
    computed_nodes,
    forward_stage,
    gradient,
)
from search.kernels.plan.plan import Level, Plan, plan_of
from search.kernels.plan.program import (
    Gemm,
    Matrix,
    Norm,
    Operation,
    Part,
    Program,
    Segment,
    Storage,
    written_by,
)


@lru_cache(maxsize=512)
def program_of(graph: GateGraph, by_symbol: bool = False, by_note: bool = False) -> Program:
    """Return the program of a graph, canonical or not, for inputs given as vectors, by symbol, or by note."""
    return _Builder(graph, plan_of(graph, by_symbol), by_note).program()


def pays_by_note(graph: GateGraph, notes: int, units: int) -> bool:
    """Return whether the program by note needs fewer multiplications for each step than that for vectors."""
    program = program_of(graph, by_note=True)
    matrices = sum(len(found) for found in program.notes.values())
    return notes * (len(program.notes) + program.reads_x) < notes + units * matrices


@dataclass(frozen=True)
class _Done:
    """Level as run by the forward: the nodes in memory before its stage, and the targets that were stored."""

    level: Level
    inputs: dict[int, Buffer]
    targets: tuple[tuple[int, Buffer], ...]
    norms: tuple[Norm, ...]


class _Builder:
    def __init__(self, graph: GateGraph, plan: Plan, by_note: bool) -> None:
        self.graph = graph
        self.plan = plan
        self.matrix = {i: k for k, i in enumerate(graph.linears)}
        self.sum_of_linear = {i: s for s, part in enumerate(plan.sums) for i in part.linears}
        self.replaceable = self._replaceable()
        self.values = self.norms = 0
        self.started: set[int] = set()  # sums that a product has been stored to
        self.memory: dict[int, Buffer] = {}  # node -> buffer of its value
        self.normed: dict[int, Buffer] = {}  # norm -> buffer of its normalised input
        self.rows: dict[int, Buffer] = {}  # learned vector or number -> buffer that has it in every row, for products
        self.layout = layout_of(graph)
        for i, node in enumerate(graph):
            if node.op is Op.INPUT:
                self.memory[i] = Buffer(BufferKind.X)
            elif node.op is Op.STATE:
                self.memory[i] = Buffer(BufferKind.OLD, node.state)
            elif node.op is Op.PARAM:
                self.memory[i] = Buffer(BufferKind.PARAM, self.layout.first_vector[i])
        self.notes = self._notes() if by_note else {}
        self.tables: dict[Buffer, int] = {}
        for i, delay in enumerate(plan.delays):
            if delay is not None and i in self.memory and graph.nodes[i].op is not Op.PARAM:
                self.tables[self.memory[i]] = delay
        for k, i in enumerate(graph.outputs):
            delay = plan.delays[i]
            if delay is not None:
                self.tables[Buffer(BufferKind.NEW, k)] = delay
        for s, part in enumerate(plan.sums):
            delay = plan.delays[part.node]
            if delay is not None:
                self.tables[Buffer(BufferKind.SUM, s)] = delay

    def program(self) -> Program:
        plan, linears = self.plan, self.graph.linears
        done: list[list[_Done]] = []
        forward: list[list[Part]] = []
        for phase in plan.phases:
            done.append([])
            steps = [(level.delay, tuple(self._forward(level, done[-1]))) for level in phase.levels]
            forward.append(_parts(phase.loops, steps))
        everything = [part for parts in forward for part in parts]
        stepped = everything[len(forward[0]) :]
        self.tracked = frozenset(
            k
            for k in range(self.graph.states)
            if Buffer(BufferKind.NEW, k) not in self.tables
            and (k not in plan.carried or not self._in_one_loop(everything, k))
        )
        scratch = frozenset(
            v
            for v in range(self.values)
            if (buffer := Buffer(BufferKind.VALUE, v)) not in self.tables and _used_in_one_loop(everything, {buffer})
        )
        # The gradients of the results are given, and those of tables are zero before the stages add to them.
        self.written = {Buffer(BufferKind.NEW, k, True) for k in range(self.graph.states)}
        self.written |= {Buffer(BufferKind.OLD, k, True) for k in self.tracked}
        self.written |= {gradient(buffer) for buffer in self.tables}
        if self.notes:
            self.written.add(
                Buffer(BufferKind.X, gradient=True)
            )  # zero at first, since it may be that nothing starts it
        backward = []
        for phase, levels in reversed(list(zip(plan.phases, done, strict=True))):
            steps = [(d.level.delay, tuple(self._backward(d))) for d in reversed(levels)]
            backward.append(_parts(phase.loops, steps))
        late_parts, early_parts = [part for parts in backward[:-1] for part in parts], backward[-1]
        matrices = [self._matrix(k, i) if i in self.sum_of_linear else None for k, i in enumerate(linears)]
        noted = {k for found in self.notes.values() for k in found}
        early = [m for m in matrices if m is not None and plan.phase_of[linears[m.number]] == 0]
        late = [m for m in matrices if m is not None and m not in early]
        early = [m for m in early if m.number not in noted]
        used = {buffer for part in (*late_parts, *early_parts) for buffer in part.buffers}
        # The rows of a sum's gradient are added up after its last contribution.
        used_late = {buffer for part in late_parts for buffer in part.buffers}
        written_early = {b for part in early_parts for operation in part.operations for b in written_by(operation)}
        late_gradients = used_late - written_early - {gradient(buffer) for buffer in self.tables}
        biased = [s for s, part in enumerate(plan.sums) if set(part.linears) & set(self.layout.biased)]
        late_sums = tuple(s for s in biased if Buffer(BufferKind.SUM, s, True) in late_gradients)
        early_sums = tuple(s for s in biased if s not in late_sums)
        return Program(
            Segment(tuple(forward[0])),
            Segment(tuple(stepped)),
            Segment(tuple(late_parts), tuple(late), late_sums),
            Segment(tuple(early_parts), tuple(early), early_sums),
            len(plan.sums),
            self.values,
            self.norms,
            tuple(matrices),
            tuple(self._storage(i) for i in linears),
            self.tracked,
            scratch,
            Buffer(BufferKind.X, gradient=True) in (used if self.notes else self.written),
            self.tables,
            self.notes,
        )

    def _notes(self) -> dict[int, tuple[int, ...]]:
        """Return the matrices that read x, of each sum for which none of them is block-diagonal."""
        found: dict[int, tuple[int, ...]] = {}
        for s, part in enumerate(self.plan.sums):
            chosen = [i for i in part.linears if self.graph.nodes[self.graph.nodes[i].inputs[0]].op is Op.INPUT]
            if chosen and all(self.graph.nodes[i].groups == 1 for i in chosen):
                found[s] = tuple(self.matrix[i] for i in chosen)
        return found

    def _by_note(self, i: int) -> bool:
        """Return whether the product of node i is computed from the notes."""
        return self.matrix[i] in self.notes.get(self.sum_of_linear[i], ())

    def _storage(self, i: int) -> Storage:
        """Return the place of the matrix of node i."""
        layout = self.layout
        if i in layout.full:
            return Storage(layout.full.index(i), 1)
        index = layout.grouped.index(i)
        return Storage(index, layout.groups[index])

    def _source(self, i: int) -> Buffer:
        """Return the buffer that a product reads node i from, which has a row for each row of the product."""
        return self.rows.get(i) or self.memory[i]

    def _matrix(self, k: int, i: int) -> Matrix:
        source = self._source(self.graph.nodes[i].inputs[0])
        return Matrix(k, self.sum_of_linear[i], source, self.tables.get(source))

    def _in_one_loop(self, forward: list[Part], k: int) -> bool:
        """Return whether one loop computes state k and is all that reads it."""
        return _used_in_one_loop(forward, {Buffer(BufferKind.OLD, k), Buffer(BufferKind.NEW, k)})

    def _replaceable(self) -> dict[int, int]:
        """Return the activations that may overwrite their sum, since nothing else reads it: node -> sum."""
        found = {}
        for s, part in enumerate(self.plan.sums):
            reader = self._only_reader(part.node)
            if self.plan.delays[part.node] is None:
                while reader is not None and self._adds_a_table(reader):
                    reader = self._only_reader(reader)
            if reader is not None and _from_result(self.graph.nodes[reader].op):
                found[reader] = s
        return found

    def _only_reader(self, i: int) -> int | None:
        """Return the node that reads node i, None if it is not a single one."""
        readers = self._readers(i)
        return readers[0] if len(readers) == 1 and i not in self.graph.outputs else None

    def _adds_a_table(self, i: int) -> bool:
        """Return whether a node adds a value read from a table to one of each step."""
        node = self.graph.nodes[i]
        if node.op is not Op.ADD or self.plan.delays[i] is not None:
            return False
        return sum(self.plan.delays[j] is None for j in node.inputs) == 1

    def _readers(self, i: int) -> list[int]:
        """Return the nodes that read node i and are not dead, with repetitions."""
        return [j for j in self.graph.consumers[i] if self.plan.phase_of[j] is not None]

    def _forward(self, level: Level, done: list[_Done]) -> Iterator[Operation]:
        known_here = {*level.nodes, *(i for product in level.products for i in product.linears)}
        for product in level.products:
            for i in product.linears:
                s = self.sum_of_linear[i]
                source, destination = self._source(product.source), Buffer(BufferKind.SUM, s)
                if self._by_note(i):
                    self.started.add(s)
                    continue
                yield Gemm(source, self.matrix[i], destination, first=s not in self.started)
                self.started.add(s)
        for s, part in enumerate(self.plan.sums):
            if part.node in known_here:
                self.memory[part.node] = Buffer(BufferKind.SUM, s)
        norms = tuple(self._norm(i, level.delay) for i in level.norms)
        yield from norms
        inputs = self._visible(level)
        targets = tuple(self._targets(level, inputs))
        done.append(_Done(level, inputs, targets, norms))
        if targets:
            for i, buffer in targets:
                constant = self.graph.nodes[i].op in (Op.PARAM, Op.NUMBER)
                (self.rows if constant else self.memory).setdefault(i, buffer)
                if buffer.kind is BufferKind.SUM:
                    del self.memory[self.plan.sums[buffer.index].node]
            yield forward_stage(self.graph, inputs, targets, self.normed)

    def _norm(self, i: int, delay: int | None) -> Norm:
        """Return the normalisation of a node's input, which overwrites a sum that nothing else reads."""
        read = self.graph.nodes[i].inputs[0]
        source = result = self._source(read)
        is_sum = source.kind is BufferKind.SUM and self.plan.sums[source.index].node == read
        is_sum |= source.kind is BufferKind.VALUE and self.graph.nodes[read].op in (Op.ADD, Op.SUB)
        if is_sum and self._only_reader(read) == i and read in self.memory:
            del self.memory[read]
        else:
            result = Buffer(BufferKind.VALUE, self.values)
            self.values += 1
        scale = Buffer(BufferKind.SCALE, self.norms)
        self.norms += 1
        self.normed[i] = result
        if delay is not None:
            self.tables |= {result: delay, scale: delay}
        return Norm(source, result, scale)

    def _visible(self, level: Level) -> dict[int, Buffer]:
        """Return the nodes in memory that a level's stage reads: one that computes tables reads those of its delay."""
        if level.delay is None:
            return dict(self.memory)
        return {i: b for i, b in self.memory.items() if self.tables.get(b, level.delay) == level.delay}

    def _targets(self, level: Level, inputs: dict[int, Buffer]) -> Iterator[tuple[int, Buffer]]:
        """Yield the nodes that the level's stage stores: new states, inputs of products, and activations over sums."""
        new_states: dict[int, list[Buffer]] = {}
        for k, i in enumerate(self.graph.outputs):
            new_states.setdefault(i, []).append(Buffer(BufferKind.NEW, k))
        for i in level.targets:
            for buffer in new_states.get(i, []):
                yield i, buffer
            if i not in new_states and i not in self.replaceable:
                value = Buffer(BufferKind.VALUE, self.values)
                if level.delay is not None:
                    self.tables[value] = level.delay
                yield i, value
                self.values += 1
        for i in computed_nodes(self.graph, inputs, level.targets):
            if i in self.replaceable and i not in new_states:
                yield i, Buffer(BufferKind.SUM, self.replaceable[i])

    def _backward(self, done: _Done) -> Iterator[Operation]:
        if done.targets:
            gradients: dict[int, list[Buffer]] = {}
            for i, buffer in done.targets:
                buffers = gradients.setdefault(i, [])
                if gradient(buffer) in self.written:
                    buffers.append(gradient(buffer))
                if buffer == Buffer(BufferKind.NEW, 0) and 0 not in self.tracked and buffer not in self.tables:
                    buffers.append(Buffer(BufferKind.OUTPUT, gradient=True))
            memory = self._visible(done.level)
            tables = set() if done.level.delay is not None else {gradient(buffer) for buffer in self.tables}
            self.written -= tables  # what runs at each step adds to the gradients of tables anyway
            stage = backward_stage(self.graph, done.inputs, memory, gradients, self.written, self.normed)
            self.written |= tables
            if stage.stores:  # not of numbers alone
                yield stage
        for norm in done.norms:
            destination = gradient(norm.source)
            first = norm.result == norm.source or destination not in self.written
            yield replace(norm, backward=True, first=first)
            self.written.add(destination)
        for product in done.level.products:
            destination = gradient(self._source(product.source))
            for i in product.linears:
                if self._by_note(i):
                    continue
                source = Buffer(BufferKind.SUM, self.sum_of_linear[i], gradient=True)
                yield Gemm(source, self.matrix[i], destination, destination not in self.written, backward=True)
                self.written.add(destination)


def _used_in_one_loop(parts: list[Part], buffers: set[Buffer]) -> bool:
    """Return whether a single part uses any of the buffers, and runs step by step."""
    return [part.loops for part in parts if part.buffers & buffers] == [True]


def _parts(loops: bool, steps: Sequence[tuple[int | None, tuple[Operation, ...]]]) -> list[Part]:
    """Return the operations of levels as one part for each run of levels of one delay."""
    found: list[Part] = []
    for delay, run in groupby((step for step in steps if step[1]), key=lambda step: step[0]):
        found.append(Part(loops, tuple(operation for _, operations in run for operation in operations), delay))
    return found


def _from_result(op: Op) -> bool:
    """Return whether an operation is an activation whose derivative needs its result alone."""
    found = OPERATIONS[op]
    return found.arity == 1 and found.elementwise and not found.needs_input

"""A plan as two lists of instructions, forward and backward, over named arrays.

The plan says which matrices and nodes belong together; the program says what is loaded, computed and stored. Each phase
(before, in and after the loop) is a sequence of `Multiply` and `Stage` steps. In the loop they run once a time step;
outside of it once for all steps. The backward runs the phases from last to first, and the loop from the last step to
the first.

What lies in memory, besides x: all states of all steps, sums of products, and the values that products read. A sum that
only an activation reads is replaced by that activation as soon as it is computed: the same memory then holds what the
backward needs, and nothing is computed twice. All else that the backward needs, it recomputes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

from search.cells.graph import GateGraph
from search.cells.operations import ACTIVATIONS, Op
from search.kernels.plan.adjoint import Kind, Place, Stage, backward_stage, computed_nodes, forward_stage, gradient
from search.kernels.plan.plan import Level, Phase, Plan, plan_of


@dataclass(frozen=True, slots=True)
class Multiply:
    """destination (+)= source @ W.T for W = weight[matrix], or source @ W where `backward`.

    The first product of a sum starts from the sum's biases (from zero if `backward`), later ones add to it.
    """

    source: Place
    matrix: int
    destination: Place
    first: bool
    backward: bool = False


Step: TypeAlias = Multiply | Stage


@dataclass(frozen=True, slots=True)
class Matrix:
    """What belongs to one matrix: its number, the sum that it adds to, and the place that it reads."""

    number: int
    sum: int
    source: Place


@dataclass(frozen=True)
class Section:
    """Steps that run without a break, and the matrices and sums whose gradients are added up at their end.

    `whole_first` and `whole_last` run for all steps at once, before and after the loop of `looped`.
    """

    whole_first: tuple[Step, ...] = ()
    looped: tuple[Step, ...] = ()
    whole_last: tuple[Step, ...] = ()
    matrices: tuple[Matrix, ...] = ()
    sums: tuple[int, ...] = ()

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """All places that the section uses, each once."""
        found = [p for step in (*self.whole_first, *self.looped, *self.whole_last) for p in places_of(step)]
        for matrix in self.matrices:
            found += [Place(Kind.SUM, matrix.sum, gradient=True), matrix.source]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Program:
    """A cell's sections: `before`, `forward` (the loop and what follows), `backward` of that, and `before_backward`.

    The first and the last know nothing of time: they may as well run over other rows than those of all steps, as long
    as the others find what they need (`handed_over`: what the first computes, or x, that the others read).

    `matrices[k]` is None where nothing reads matrix k. `tracked` are the states whose gradients are kept for all
    steps, since something outside of the loop reads or writes them; other states hand theirs from one step to the
    next. `scratch` are the values whose gradients live within a step. `reads_x` says whether anything depends on x.
    """

    before: Section
    forward: Section
    backward: Section
    before_backward: Section
    sums: int
    values: int
    matrices: tuple[Matrix | None, ...]
    tracked: frozenset[int]
    scratch: frozenset[int]
    reads_x: bool

    @cached_property
    def handed_over(self) -> tuple[Place, ...]:
        """What the sections around the loop read of what is known before it: x, sums, values, and whole states."""
        used = {place for section in (self.forward, self.backward) for place in section.places}
        early = (Place(Kind.X), *self.before.places)
        return tuple(dict.fromkeys(p for p in early if p in used or p.kind is Kind.NEW))


def places_of(step: Step) -> tuple[Place, ...]:
    """The places that a step reads or writes."""
    return step.places() if isinstance(step, Stage) else (step.source, step.destination)


def written_by(step: Step) -> tuple[Place, ...]:
    """The places that a step writes."""
    return tuple(place for place, _ in step.stores) if isinstance(step, Stage) else (step.destination,)


@lru_cache(maxsize=512)
def program_of(graph: GateGraph) -> Program:
    """The program of a graph, canonical or not."""
    return _Builder(graph, plan_of(graph)).program()


@dataclass(frozen=True)
class _Done:
    """A level as the forward ran it, for the backward to undo: what lay in memory before its stage, and the targets."""

    phase: Phase
    level: Level
    inputs: dict[int, Place]
    targets: tuple[tuple[int, Place], ...]


class _Builder:
    def __init__(self, graph: GateGraph, plan: Plan) -> None:
        self.graph = graph
        self.plan = plan
        self.matrix = {i: k for k, i in enumerate(graph.linears)}
        self.sum_of_linear = {i: s for s, part in enumerate(plan.sums) for i in part.linears}
        self.replaceable = self._replaceable()
        self.values = 0
        self.started: set[int] = set()  # sums that a product has been stored to
        self.done: list[_Done] = []
        self.memory: dict[int, Place] = {}  # node -> where its value lies
        for i, node in enumerate(graph):
            if node.op is Op.INPUT:
                self.memory[i] = Place(Kind.X)
            elif node.op is Op.STATE:
                self.memory[i] = Place(Kind.OLD, node.state)

    def program(self) -> Program:
        plan, linears = self.plan, self.graph.linears
        phases = {Phase.BEFORE: plan.before, Phase.LOOP: plan.loop, Phase.AFTER: plan.after}
        forward = {
            phase: tuple(step for level in levels for step in self._forward(phase, level))
            for phase, levels in phases.items()
        }
        read_after = {place for step in forward[Phase.AFTER] for place in places_of(step)}
        self.tracked = frozenset(
            k
            for k, i in enumerate(self.graph.outputs)
            if k not in plan.carried
            or plan.phases[i] is not Phase.LOOP
            or {Place(Kind.OLD, k), Place(Kind.NEW, k)} & read_after
        )
        stored_in_loop = {place for step in forward[Phase.LOOP] for place in places_of(step)}
        scratch = frozenset(place.index for place in stored_in_loop - read_after if place.kind is Kind.VALUE) - {
            place.index for step in forward[Phase.BEFORE] for place in places_of(step) if place.kind is Kind.VALUE
        }
        # The gradients of the results are there from the start.
        self.written = {Place(Kind.NEW, k, True) for k in range(self.graph.states)}
        self.written |= {Place(Kind.OLD, k, True) for k in self.tracked}
        backward = {
            phase: tuple(step for done in reversed(self.done) if done.phase is phase for step in self._backward(done))
            for phase in (Phase.AFTER, Phase.LOOP, Phase.BEFORE)
        }
        matrices = [
            Matrix(k, self.sum_of_linear[i], self.memory[self.graph.nodes[i].inputs[0]])
            if i in self.sum_of_linear
            else None
            for k, i in enumerate(linears)
        ]
        early = [m for m in matrices if m is not None and plan.phases[linears[m.number]] is Phase.BEFORE]
        late = [m for m in matrices if m is not None and m not in early]
        # The gradient of a sum is whole once its last contribution is there: only then are its rows added up.
        late_steps = (*backward[Phase.AFTER], *backward[Phase.LOOP])
        used_late = {place for step in late_steps for place in places_of(step)}
        written_early = {place for step in backward[Phase.BEFORE] for place in written_by(step)}
        late_gradients = used_late - written_early
        late_sums = tuple(s for s in range(len(plan.sums)) if Place(Kind.SUM, s, True) in late_gradients)
        early_sums = tuple(s for s in range(len(plan.sums)) if s not in late_sums)
        return Program(
            Section(forward[Phase.BEFORE]),
            Section((), forward[Phase.LOOP], forward[Phase.AFTER]),
            Section(backward[Phase.AFTER], backward[Phase.LOOP], (), tuple(late), late_sums),
            Section(backward[Phase.BEFORE], matrices=tuple(early), sums=early_sums),
            len(plan.sums),
            self.values,
            tuple(matrices),
            self.tracked,
            scratch,
            Place(Kind.X, gradient=True) in self.written,
        )

    def _replaceable(self) -> dict[int, int]:
        """Activations that may take the place of their sum, since nothing else reads it: node -> sum."""
        found = {}
        for s, part in enumerate(self.plan.sums):
            readers = [i for i in self.graph.consumers[part.node] if self.plan.phases[i] is not None]
            if len(readers) == 1 and part.node not in self.graph.outputs:
                reader = readers[0]
                if self.graph.nodes[reader].op in ACTIVATIONS - {Op.LINEAR}:
                    found[reader] = s
        return found

    def _forward(self, phase: Phase, level: Level) -> Iterator[Step]:
        known_here = {*level.nodes, *(i for product in level.products for i in product.linears)}
        for product in level.products:
            for i in product.linears:
                s = self.sum_of_linear[i]
                source, destination = self.memory[product.source], Place(Kind.SUM, s)
                yield Multiply(source, self.matrix[i], destination, first=s not in self.started)
                self.started.add(s)
        for s, part in enumerate(self.plan.sums):
            if part.node in known_here:
                self.memory[part.node] = Place(Kind.SUM, s)
        inputs = dict(self.memory)
        targets = tuple(self._targets(level))
        self.done.append(_Done(phase, level, inputs, targets))
        if targets:
            for i, place in targets:
                self.memory.setdefault(i, place)
                if place.kind is Kind.SUM:
                    del self.memory[self.plan.sums[place.index].node]
            yield forward_stage(self.graph, inputs, targets)

    def _targets(self, level: Level) -> Iterator[tuple[int, Place]]:
        """What the level's stage stores where: new states, what products read, and activations instead of sums."""
        new_states: dict[int, list[Place]] = {}
        for k, i in enumerate(self.graph.outputs):
            new_states.setdefault(i, []).append(Place(Kind.NEW, k))
        for i in level.targets:
            for place in new_states.get(i, []):
                yield i, place
            if i not in new_states and i not in self.replaceable:
                yield i, Place(Kind.VALUE, self.values)
                self.values += 1
        for i in computed_nodes(self.graph, self.memory, level.targets):
            if i in self.replaceable and i not in new_states:
                yield i, Place(Kind.SUM, self.replaceable[i])

    def _backward(self, done: _Done) -> Iterator[Step]:
        if done.targets:
            gradients: dict[int, list[Place]] = {}
            for i, place in done.targets:
                places = gradients.setdefault(i, [])
                if gradient(place) in self.written:
                    places.append(gradient(place))
                if place == Place(Kind.NEW, 0) and 0 not in self.tracked:
                    places.append(Place(Kind.OUTPUT, gradient=True))
            yield backward_stage(self.graph, done.inputs, self.memory, gradients, self.written)
        for product in done.level.products:
            destination = gradient(self.memory[product.source])
            for i in product.linears:
                source = Place(Kind.SUM, self.sum_of_linear[i], gradient=True)
                yield Multiply(source, self.matrix[i], destination, destination not in self.written, backward=True)
                self.written.add(destination)

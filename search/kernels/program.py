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
from functools import lru_cache
from typing import TypeAlias

from search.cells.graph import ACTIVATIONS, GateGraph, Op
from search.kernels.adjoint import Kind, Place, Stage, backward_stage, computed_nodes, forward_stage, gradient
from search.kernels.plan import Level, Phase, Plan, plan_of


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


@dataclass(frozen=True)
class Program:
    """The steps of each phase, forward and backward, in the order in which they run.

    `matrix_sums[k]` is the sum that matrix k belongs to and `matrix_sources[k]` what it reads: None for a matrix that
    nothing reads. `tracked` are the states whose gradients are kept for all steps, since something outside of the loop
    reads or writes them; other states hand theirs from one step to the next. `scratch` are the values whose gradients
    live within a step. `reads_x` says whether anything depends on x.
    """

    forward: dict[Phase, tuple[Step, ...]]
    backward: dict[Phase, tuple[Step, ...]]
    sums: int
    values: int
    matrix_sums: tuple[int | None, ...]
    matrix_sources: tuple[Place | None, ...]
    tracked: frozenset[int]
    scratch: frozenset[int]
    reads_x: bool

    def places(self, *, backward: bool) -> tuple[Place, ...]:
        """All places that one direction uses, each once; the backward also reads what the matrices read."""
        phases = (self.backward if backward else self.forward).values()
        used = [place for steps in phases for step in steps for place in places_of(step)]
        sources = [place for place in self.matrix_sources if place is not None] if backward else []
        return tuple(dict.fromkeys([*used, *sources]))


def places_of(step: Step) -> tuple[Place, ...]:
    """The places that a step reads or writes."""
    return step.places() if isinstance(step, Stage) else (step.source, step.destination)


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
        return Program(
            forward,
            backward,
            len(plan.sums),
            self.values,
            tuple(self.sum_of_linear.get(i) for i in linears),
            tuple(self.memory[self.graph.nodes[i].inputs[0]] if i in self.sum_of_linear else None for i in linears),
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

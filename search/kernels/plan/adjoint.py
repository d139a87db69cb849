"""Pointwise stages as straight-line code over whole arrays, and their backward, derived symbolically.

A `Stage` loads arrays from memory, computes element by element, and stores arrays. It is a list of instructions in
which equal expressions exist once, so that what two nodes or both directions share is computed once. The same stages
are turned into machine code, printed as formulas, and run by numpy in tests.

The backward of a stage (reverse-mode differentiation, as in Griewank and Walther, "Evaluating Derivatives", 2008,
section 3.2) starts from the gradients of the stage's targets and ends at what the stage had loaded. A value that it
needs again is loaded where it lies in memory and recomputed where it does not: an activation's derivative comes from
the activation itself (s (1 - s) for a sigmoid, 1 - t t for a tanh, the sign for a leaky relu).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from search.cells.graph import GateGraph
from search.cells.operations import Op


class Kind(StrEnum):
    """What lies at a place in memory; `Place.index` says which of several."""

    X = "x"  # the input
    OLD = "old"  # state k before the step
    NEW = "new"  # state k after the step
    SUM = "sum"  # a sum of products, later the activation of it
    VALUE = "value"  # another node that a product reads
    OUTPUT = "output"  # the visible output as the caller sees it; only its gradient is a place


@dataclass(frozen=True, slots=True)
class Place:
    """A named array of one step, (B, H); with `gradient`, the loss's gradient with respect to it."""

    kind: Kind
    index: int = 0
    gradient: bool = False

    def __str__(self) -> str:
        """As formulas show it: `x`, `h`, `c2`, `h'`, `sum3`, and `d h'` for a gradient."""
        name = self.kind.value
        if self.kind in (Kind.OLD, Kind.NEW):
            name = ("h", "c", *(f"c{k}" for k in range(2, self.index + 1)))[self.index]
            name += "'" if self.kind is Kind.NEW else ""
        elif self.kind in (Kind.SUM, Kind.VALUE):
            name += str(self.index)
        return f"d {name}" if self.gradient else name


def gradient(place: Place) -> Place:
    """The place of the gradient with respect to what lies at `place`."""
    return Place(place.kind, place.index, True)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One elementwise operation on earlier instructions' results.

    `op`: `load` (of `place`), `one` (the constant 1), `sigmoid`, `tanh`, `relu`, `leaky_relu`, `neg`, `add`, `sub`,
    `mul`, `gate` (the second argument where the first, a result of relu, is not zero or negative, else 0: relu's
    backward), or `leaky_gate` (the second argument where the first, a result of leaky relu, is positive, else 0.01
    times it).
    """

    op: str
    arguments: tuple[int, ...] = ()
    place: Place | None = None


@dataclass(frozen=True)
class Stage:
    """Instructions in order, and what is stored where after all of them: (place, number of the instruction)."""

    instructions: tuple[Instruction, ...]
    stores: tuple[tuple[Place, int], ...]

    def places(self) -> tuple[Place, ...]:
        """All places that the stage loads or stores, each once, in order of appearance."""
        loads = [i.place for i in self.instructions if i.place is not None]
        return tuple(dict.fromkeys([*loads, *(place for place, _ in self.stores)]))


class Block:
    """Instructions under construction: asking for an expression that exists gives the existing one."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self._known: dict[Instruction, int] = {}

    def emit(self, op: str, *arguments: int, place: Place | None = None) -> int:
        """The number of that instruction, which is appended if it is not there yet."""
        ordered = tuple(sorted(arguments)) if op in ("add", "mul") else arguments
        instruction = Instruction(op, ordered, place)
        if instruction not in self._known:
            self._known[instruction] = len(self.instructions)
            self.instructions.append(instruction)
        return self._known[instruction]

    def stage(self, stores: Sequence[tuple[Place, int]]) -> Stage:
        """The instructions that the stores depend on, renumbered."""
        needed: set[int] = set()
        pending = [value for _, value in stores]
        while pending:
            i = pending.pop()
            if i not in needed:
                needed.add(i)
                pending.extend(self.instructions[i].arguments)
        number = {old: new for new, old in enumerate(sorted(needed))}
        kept = (self.instructions[i] for i in sorted(needed))
        return Stage(
            tuple(Instruction(i.op, tuple(number[a] for a in i.arguments), i.place) for i in kept),
            tuple((place, number[value]) for place, value in stores),
        )


class Values:
    """Values of nodes as expressions of a block: loaded where they lie in memory, else computed from their inputs."""

    def __init__(self, graph: GateGraph, block: Block, memory: Mapping[int, Place]) -> None:
        self.graph = graph
        self.block = block
        self.memory = memory
        self._known: dict[int, int] = {}

    def __getitem__(self, i: int) -> int:
        if i not in self._known:
            if i in self.memory:
                self._known[i] = self.block.emit("load", place=self.memory[i])
            else:
                node = self.graph.nodes[i]
                self._known[i] = self.block.emit(node.op.value, *(self[j] for j in node.inputs))
        return self._known[i]


def computed_nodes(graph: GateGraph, memory: Mapping[int, Place], targets: Iterable[int]) -> tuple[int, ...]:
    """The nodes that lie nowhere in memory and have to be computed for the targets, in topological order."""
    found: set[int] = set()
    pending = list(targets)
    while pending:
        i = pending.pop()
        if i not in found and i not in memory:
            found.add(i)
            pending.extend(graph.nodes[i].inputs)
    return tuple(sorted(found))


def forward_stage(graph: GateGraph, memory: Mapping[int, Place], targets: Sequence[tuple[int, Place]]) -> Stage:
    """Compute each target node from what lies in memory (node -> place), and store it at its place."""
    block = Block()
    values = Values(graph, block, memory)
    return block.stage([(place, values[i]) for i, place in targets])


def backward_stage(
    graph: GateGraph,
    inputs: Mapping[int, Place],
    memory: Mapping[int, Place],
    gradients: Mapping[int, Sequence[Place]],
    written: set[Place],
) -> Stage:
    """The backward of the stage that computed `gradients`' nodes from `inputs` (node -> place).

    `memory` (node -> place) holds what may be loaded now. `gradients` names the places whose sum is the gradient of
    each target. Gradients of inputs are added to what is there if their place is in `written`, else they are the first
    there, and the place joins `written`.
    """
    block = Block()
    values = Values(graph, block, memory)
    adjoint: dict[int, int] = {}

    def add(i: int, value: int) -> None:
        adjoint[i] = block.emit("add", adjoint[i], value) if i in adjoint else value

    for i, places in gradients.items():
        for place in places:
            add(i, block.emit("load", place=place))
    for i in reversed(computed_nodes(graph, inputs, gradients)):
        if i not in adjoint:
            continue
        incoming = adjoint.pop(i)
        node = graph.nodes[i]
        match node.op:
            case Op.SIGMOID:
                slope = block.emit("mul", values[i], block.emit("sub", block.emit("one"), values[i]))
                add(node.inputs[0], block.emit("mul", incoming, slope))
            case Op.TANH:
                slope = block.emit("sub", block.emit("one"), block.emit("mul", values[i], values[i]))
                add(node.inputs[0], block.emit("mul", incoming, slope))
            case Op.RELU:
                add(node.inputs[0], block.emit("gate", values[i], incoming))
            case Op.LEAKY_RELU:
                add(node.inputs[0], block.emit("leaky_gate", values[i], incoming))
            case Op.ADD:
                add(node.inputs[0], incoming)
                add(node.inputs[1], incoming)
            case Op.SUB:
                add(node.inputs[0], incoming)
                right = node.inputs[1]
                if right in adjoint:
                    adjoint[right] = block.emit("sub", adjoint[right], incoming)
                else:
                    adjoint[right] = block.emit("neg", incoming)
            case Op.MUL:
                left, right = node.inputs
                add(left, block.emit("mul", incoming, values[right]))
                add(right, block.emit("mul", incoming, values[left]))
            case _:  # pragma: no cover
                raise AssertionError(f"{node.op} is no pointwise operation")
    stores = []
    consumed = {place for places in gradients.values() for place in places}
    for i, value in adjoint.items():
        place = gradient(inputs[i])
        if place in written and place not in consumed:
            value = block.emit("add", block.emit("load", place=place), value)
        written.add(place)
        stores.append((place, value))
    return block.stage(stores)

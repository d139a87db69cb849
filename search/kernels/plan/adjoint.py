"""Pointwise stages as straight-line code over whole arrays, and their backward, derived symbolically.

A `Stage` loads arrays from memory, computes element by element, and stores arrays. It is a list of instructions without
repeated expressions, so that a value shared by two nodes or by both directions is computed once. The same stages are
compiled to machine code, printed as formulas, and run by numpy in tests.

The backward of a stage (reverse-mode differentiation, as in Griewank and Walther, "Evaluating Derivatives", 2008,
section 3.2) starts from the gradients of the stage's targets and ends at the values the stage loaded. A value needed
again is loaded if it is in memory and recomputed if not. Each operation has its derivative in
`search.cells.operations`; that of most activations is computed from the activation itself, such as s (1 - s) for a
sigmoid.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from search.cells.graph import GateGraph
from search.cells.operations import OPERATIONS, Node, Op
from search.cells.parameters import layout_of
from search.cells.text import state_name


class BufferKind(StrEnum):
    """Contents of a buffer; `Buffer.index` tells several of one kind apart."""

    X = "x"  # the input
    OLD = "old"  # state k before the step
    NEW = "new"  # state k after the step
    SUM = "sum"  # a sum of products, later its activation
    VALUE = "value"  # another node that a product reads
    OUTPUT = "output"  # the visible output; only its gradient is a buffer
    PARAM = "param"  # a learned vector, one row (H,) for all steps and sequences
    SCALE = "scale"  # what a norm multiplies each row by, one number for each of the B rows


@dataclass(frozen=True, slots=True)
class Buffer:
    """Named array of one step, (B, H); with `gradient`, the gradient of the loss with respect to that array.

    A buffer of kind `PARAM` is one row (H,), which all rows of a stage read and add their gradients to. One of kind
    `SCALE` has a number for each row.
    """

    kind: BufferKind
    index: int = 0
    gradient: bool = False

    def __str__(self) -> str:
        """Return the name used in formulas: `x`, `h`, `c2`, `h'`, `sum3`, and `d h'` for a gradient."""
        name = self.kind.value
        if self.kind in (BufferKind.OLD, BufferKind.NEW):
            name = state_name(self.index) + "'" * (self.kind is BufferKind.NEW)
        elif self.kind in (BufferKind.SUM, BufferKind.VALUE, BufferKind.PARAM, BufferKind.SCALE):
            name += str(self.index)
        return f"d {name}" if self.gradient else name


_NONE: Mapping[int, Buffer] = MappingProxyType({})


def gradient(buffer: Buffer) -> Buffer:
    """Return the buffer of the gradient with respect to `buffer`."""
    return Buffer(buffer.kind, buffer.index, True)


@dataclass(frozen=True, slots=True)
class Instruction:
    """Elementwise operation on the results of earlier instructions.

    `op` is `load` (of `buffer`), `number` (the constant `number`), the name of a pointwise operation
    (`search.cells.operations`), or one of those that only derivatives use: `neg`, `gate` (the second argument where
    the first is positive, else 0) and `choose` (the second argument where the first is positive, else the third).
    """

    op: str
    arguments: tuple[int, ...] = ()
    buffer: Buffer | None = None
    number: float = 0.0


@dataclass(frozen=True)
class Stage:
    """Instructions in order, then stores: pairs of a buffer and the number of the instruction whose result it gets."""

    instructions: tuple[Instruction, ...]
    stores: tuple[tuple[Buffer, int], ...]

    def buffers(self) -> tuple[Buffer, ...]:
        """Return the buffers that the stage loads or stores, each once, in order of appearance."""
        loads = [i.buffer for i in self.instructions if i.buffer is not None]
        return tuple(dict.fromkeys([*loads, *(buffer for buffer, _ in self.stores)]))


class StageBuilder:
    """Stage under construction; an expression that was added before is not added again."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self._known: dict[Instruction, int] = {}

    def emit(self, op: str, *arguments: int, buffer: Buffer | None = None, number: float = 0.0) -> int:
        """Return the number of an instruction, after appending it if it is new."""
        ordered = tuple(sorted(arguments)) if op in ("add", "mul") else arguments
        instruction = Instruction(op, ordered, buffer, number)
        if instruction not in self._known:
            self._known[instruction] = len(self.instructions)
            self.instructions.append(instruction)
        return self._known[instruction]

    def stage(self, stores: Sequence[tuple[Buffer, int]]) -> Stage:
        """Return a stage with the instructions that the stores depend on, renumbered."""
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
            tuple(replace(i, arguments=tuple(number[a] for a in i.arguments)) for i in kept),
            tuple((buffer, number[value]) for buffer, value in stores),
        )


@dataclass(frozen=True)
class _Norm:
    """Buffers that the value of a `norm` is computed from: result * gain + offset."""

    result: Buffer
    gain: Buffer
    offset: Buffer


def _norm_of(graph: GateGraph, i: int, normed: Mapping[int, Buffer]) -> _Norm:
    gain = layout_of(graph).first_vector[i]
    return _Norm(normed[i], Buffer(BufferKind.PARAM, gain), Buffer(BufferKind.PARAM, gain + 1))


class NodeValues:
    """Values of nodes as instructions of a stage: loaded if in memory, else computed from their inputs.

    `normed` holds for each `norm` the buffer of its normalised input, from which its value is computed.
    """

    def __init__(
        self, graph: GateGraph, builder: StageBuilder, memory: Mapping[int, Buffer], normed: Mapping[int, Buffer]
    ) -> None:
        self.graph = graph
        self.builder = builder
        self.memory = memory
        self.normed = normed
        self._known: dict[int, int] = {}

    def __getitem__(self, i: int) -> int:
        if i not in self._known:
            if i in self.memory:
                self._known[i] = self.builder.emit("load", buffer=self.memory[i])
            elif self.graph.nodes[i].op is Op.NUMBER:
                self._known[i] = self.builder.emit("number", number=self.graph.nodes[i].value)
            elif self.graph.nodes[i].op is Op.NORM:
                norm = _norm_of(self.graph, i, self.normed)
                result, gain, offset = (self.load(b) for b in (norm.result, norm.gain, norm.offset))
                self._known[i] = self.builder.emit("add", self.builder.emit("mul", result, gain), offset)
            else:
                node = self.graph.nodes[i]
                self._known[i] = self.builder.emit(node.op.value, *(self[j] for j in node.inputs))
        return self._known[i]

    def load(self, buffer: Buffer) -> int:
        """Return the load of a buffer."""
        return self.builder.emit("load", buffer=buffer)


@dataclass(frozen=True)
class _Derivation:
    """Builder of the derivative of node `i`: the instructions of a stage as a `search.cells.operations.Derivation`."""

    builder: StageBuilder
    values: NodeValues
    node: Node
    i: int
    incoming: int

    def output(self) -> int:
        return self.values[self.i]

    def input(self, place: int) -> int:
        return self.values[self.node.inputs[place]]

    def number(self, value: float) -> int:
        return self.builder.emit("number", number=value)

    def emit(self, op: str, *arguments: int) -> int:
        return self.builder.emit(op, *arguments)


def computed_nodes(graph: GateGraph, memory: Mapping[int, Buffer], targets: Iterable[int]) -> tuple[int, ...]:
    """Return the nodes to be computed for the targets, those not in memory, in topological order.

    The input of a `norm` is not among them: its normalised values are in memory.
    """
    found: set[int] = set()
    pending = list(targets)
    while pending:
        i = pending.pop()
        if i not in found and i not in memory:
            found.add(i)
            if graph.nodes[i].op is not Op.NORM:
                pending.extend(graph.nodes[i].inputs)
    return tuple(sorted(found))


def forward_stage(
    graph: GateGraph,
    memory: Mapping[int, Buffer],
    targets: Sequence[tuple[int, Buffer]],
    normed: Mapping[int, Buffer] = _NONE,
) -> Stage:
    """Return the stage that computes target nodes from those in memory (node -> buffer) and stores them.

    `normed` is that of `NodeValues`.
    """
    builder = StageBuilder()
    values = NodeValues(graph, builder, memory, normed)
    return builder.stage([(buffer, values[i]) for i, buffer in targets])


def backward_stage(
    graph: GateGraph,
    inputs: Mapping[int, Buffer],
    memory: Mapping[int, Buffer],
    gradients: Mapping[int, Sequence[Buffer]],
    written: set[Buffer],
    normed: Mapping[int, Buffer] = _NONE,
) -> Stage:
    """Return the backward of the stage that computed the nodes of `gradients` from `inputs`.

    Args:
        graph: The cell.
        inputs: The nodes that the forward stage loaded, with their buffers.
        memory: The nodes that can be loaded now, with their buffers.
        gradients: The buffers whose sum is the gradient of each target node.
        written: Buffers that hold a gradient already: it is added to. Other buffers are overwritten and join the set.
            The rows of a stage are always added to the gradient of a learned vector, when they are stored.
        normed: That of `NodeValues`.
    """
    builder = StageBuilder()
    values = NodeValues(graph, builder, memory, normed)
    adjoint: dict[int, int] = {}  # of nodes that the forward computed
    loaded: dict[Buffer, int] = {}  # of buffers that it loaded

    def added(before: int | None, value: int) -> int:
        if before is None:
            return value
        if builder.instructions[value].op == "neg":
            return builder.emit("sub", before, *builder.instructions[value].arguments)
        return builder.emit("add", before, value)

    def add(i: int, value: int) -> None:
        if i in inputs:
            loaded[inputs[i]] = added(loaded.get(inputs[i]), value)
        else:
            adjoint[i] = added(adjoint.get(i), value)

    for i, buffers in gradients.items():
        for buffer in buffers:
            add(i, builder.emit("load", buffer=buffer))
    for i in reversed(computed_nodes(graph, inputs, gradients)):
        if i not in adjoint:
            continue
        incoming = adjoint.pop(i)
        node = graph.nodes[i]
        if node.op is Op.NORM:
            norm = _norm_of(graph, i, normed)
            for buffer, term in (
                (norm.offset, incoming),
                (norm.gain, builder.emit("mul", incoming, values.load(norm.result))),
                (norm.result, builder.emit("mul", incoming, values.load(norm.gain))),
            ):
                loaded[buffer] = added(loaded.get(buffer), term)
            continue
        derivative = OPERATIONS[node.op].derivative
        if derivative is None:
            continue  # a number
        terms = derivative(_Derivation(builder, values, node, i, incoming))
        for j, term in zip(node.inputs, terms, strict=True):
            add(j, term)
    stores = []
    consumed = {buffer for buffers in gradients.values() for buffer in buffers}
    for read, value in loaded.items():
        buffer = gradient(read)
        if buffer in written and buffer not in consumed and buffer.kind is not BufferKind.PARAM:
            value = builder.emit("add", builder.emit("load", buffer=buffer), value)
        written.add(buffer)
        stores.append((buffer, value))
    return builder.stage(stores)

"""Program of a cell: its plan as lists of operations on named buffers, forward and backward.

The plan says which matrices and nodes belong together; the program says what is loaded, computed and stored. Each phase
is a sequence of `Gemm`, `Norm` and `Stage` operations. In a loop they run once for each step, outside of loops once for
all steps. The backward runs the phases from last to first, and a loop from the last step to the first.

Memory holds x, all states of all steps, sums of products, and the values that products read. A sum that only an
activation or a norm reads is overwritten by its result as soon as that is computed: the same memory then holds what the
backward needs. The backward recomputes all other values it needs.

The program of a plan by symbol has tables instead of some of these arrays. Its first segment computes them, and the
stages of the others read a row of them for each row they compute. The gradients of tables are added up by the stages
that read them.

In a program by note, x is r E + e for the notes r of a piano roll, and so W x is a product of r with the matrix E W^T,
plus e W^T. Such products are no operations of the program: the sums in `notes` hold them before it runs, and the
gradients of their matrices are computed from those of the sums.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from search.kernels.plan.adjoint import (
    Buffer,
    BufferKind,
    Stage,
    gradient,
)


@dataclass(frozen=True, slots=True)
class Gemm:
    """Matrix product: destination (+)= source @ W.T for W = weight[matrix], or source @ W if `backward`.

    The first product of a sum starts from the sum's biases (from zero if `backward`); later ones are added to it.
    """

    source: Buffer
    matrix: int
    destination: Buffer
    first: bool
    backward: bool = False


@dataclass(frozen=True, slots=True)
class Norm:
    """Normalisation of rows: result = (source - mean) * scale, with a scale for each row; source may be the result.

    With `backward`: the gradient of `source` (+)= that of `result` times the derivative; `first` starts it.
    """

    source: Buffer
    result: Buffer
    scale: Buffer
    backward: bool = False
    first: bool = False

    def buffers(self) -> tuple[Buffer, ...]:
        """Return the buffers that the operation reads or writes."""
        if self.backward:
            return self.result, self.scale, gradient(self.result), gradient(self.source)
        return self.source, self.result, self.scale


Operation: TypeAlias = Gemm | Norm | Stage


@dataclass(frozen=True, slots=True)
class Matrix:
    """Matrix of a cell: its number, the sum that it adds to, and the buffer that it reads; `delay` if it is a table."""

    number: int
    sum: int
    source: Buffer
    delay: int | None = None


@dataclass(frozen=True, slots=True)
class Storage:
    """Place of a matrix: its index among the full matrices, or among the block-diagonal ones of `groups` blocks."""

    index: int
    groups: int


@dataclass(frozen=True)
class Part:
    """Operations that run in order, at each step if `loops`, else for all steps at once.

    With `delay`, they run for all rows of the tables of that delay instead of steps.
    """

    loops: bool
    operations: tuple[Operation, ...]
    delay: int | None = None

    @cached_property
    def buffers(self) -> frozenset[Buffer]:
        """Buffers that the operations use."""
        return frozenset(buffer for operation in self.operations for buffer in buffers_of(operation))


@dataclass(frozen=True)
class Segment:
    """Parts compiled to one function, and the matrices and sums whose gradients are computed at its end."""

    parts: tuple[Part, ...] = ()
    matrices: tuple[Matrix, ...] = ()
    sums: tuple[int, ...] = ()

    @cached_property
    def buffers(self) -> tuple[Buffer, ...]:
        """Buffers that the segment uses, each once."""
        found = [p for part in self.parts for operation in part.operations for p in buffers_of(operation)]
        for matrix in self.matrices:
            found += [Buffer(BufferKind.SUM, matrix.sum, gradient=True), matrix.source]
        return tuple(dict.fromkeys(found))

    @property
    def loops(self) -> tuple[Part, ...]:
        """Parts that run step by step."""
        return tuple(part for part in self.parts if part.loops)


@dataclass(frozen=True)
class Program:
    """Segments of a cell: what depends on x alone (`before`), the rest (`forward`), and the backward of each.

    `tables` holds the values that are tables, and the delay of each; by symbol they are what `before` computes, and x.
    A table of delay d has a row for each symbol, and then one for each sequence and each of d steps before the first
    one: those of a delayed state hold the state's values then. The new values of a state and those before a step are
    one table, of which the latter have one more delay.

    `matrices[k]` is None if nothing reads matrix k, which is stored at `storage[k]`. `tracked` are the states whose
    gradients are kept for all steps, since more than one loop uses them; other states keep theirs for two steps in
    turn. `scratch` are the values whose gradients are needed within one step only. `reads_x` says whether anything
    depends on x.
    """

    before: Segment
    forward: Segment
    backward: Segment
    before_backward: Segment
    sums: int
    values: int
    norms: int
    matrices: tuple[Matrix | None, ...]
    storage: tuple[Storage, ...]
    tracked: frozenset[int]
    scratch: frozenset[int]
    reads_x: bool
    tables: Mapping[Buffer, int]
    notes: Mapping[int, tuple[int, ...]]  # by note: sum -> its matrices that read x

    @property
    def grouped(self) -> int:
        """Number of block-diagonal matrices."""
        return sum(place.groups > 1 for place in self.storage)

    @property
    def longest_delay(self) -> int:
        """Largest delay of a table, 0 if there is none; the values before a step of a state that has one count."""
        return max((*self.tables.values(), *(delay + 1 for delay in self.delayed.values())), default=0)

    @property
    def delayed(self) -> dict[int, int]:
        """Delay of each state whose new values are a table."""
        return {b.index: delay for b, delay in self.tables.items() if b.kind is BufferKind.NEW}


def buffers_of(operation: Operation) -> tuple[Buffer, ...]:
    """Return the buffers that an operation reads or writes."""
    return (operation.source, operation.destination) if isinstance(operation, Gemm) else operation.buffers()


def written_by(operation: Operation) -> tuple[Buffer, ...]:
    """Return the buffers that an operation writes."""
    if isinstance(operation, Stage):
        return tuple(buffer for buffer, _ in operation.stores)
    if isinstance(operation, Norm):
        return (gradient(operation.source),) if operation.backward else (operation.result, operation.scale)
    return (operation.destination,)

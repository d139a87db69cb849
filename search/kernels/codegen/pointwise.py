"""LLVM text of a pointwise stage.

A stage is one function over arrays of rows, one vector at a time. A row is a whole number of vectors, so that there is
no remainder to handle. What a stage computes in the padding of a row is read by no product.

Most arrays have one row for each row that the stage computes. Of others the stage reads the rows that an array of
numbers names (a table with a row for each symbol), or the same row each time. To the gradients of these it adds.
"""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from search.cells.operations import OPERATIONS, Op
from search.kernels.codegen.host import Host
from search.kernels.codegen.vectors import Vectors
from search.kernels.plan.adjoint import Buffer, BufferKind, Instruction, Stage


def instruction_text(body: Vectors, instruction: Instruction, arguments: Sequence[str]) -> str:
    """Add an instruction other than a load to `body`, and return the name of its result."""
    zero = body.constant(0.0)
    match instruction.op:
        case "number":
            return body.constant(instruction.number)
        case "neg":
            return body.value(f"fneg {body.vector} {arguments[0]}")
        case "gate":
            return body.where("ole", arguments[0], zero, zero, arguments[1])
        case "choose":
            return body.where("ogt", arguments[0], zero, arguments[1], arguments[2])
        case op:
            machine = OPERATIONS[Op(op)].machine
            assert machine is not None
            return machine(body, *arguments)


FIRST_ROW = -1
"""Access to an array of which every row of a stage reads the first row."""


def stage_text(name: str, stage: Stage, host: Host, access: Mapping[Buffer, int] = MappingProxyType({})) -> str:
    """Return a function that computes a stage.

    Without `access`, the function is (count, pointers): it computes `count` numbers, and takes a pointer for each of
    `stage.buffers()`, in order.

    Args:
        name: Name of the function.
        stage: What it computes.
        host: CPU that it is for.
        access: For each value buffer that is not read row by row: `FIRST_ROW`, or which array of row numbers names its
            rows; learned vectors are always read by `FIRST_ROW`. With any of them, the function is (rows, stride,
            numbers, pointers): `numbers` are pointers to the arrays that appear in `access`, in ascending order.
    """
    accessed = access_of(stage, access)
    return _by_rows(name, stage, host, accessed) if accessed else _flat(name, stage, host)


def access_of(stage: Stage, access: Mapping[Buffer, int] = MappingProxyType({})) -> dict[Buffer, int]:
    """Return the access of the stage's buffers that are not read row by row."""
    found = {}
    for buffer in stage.buffers():
        if buffer.kind is BufferKind.PARAM:
            found[buffer] = FIRST_ROW
        elif value_of(buffer) in access:
            found[buffer] = access[value_of(buffer)]
    return found


def numbers_of(stage: Stage, access: Mapping[Buffer, int]) -> list[int]:
    """Return which arrays of row numbers the function of a stage takes."""
    return sorted(set(access_of(stage, access).values()) - {FIRST_ROW})


def value_of(buffer: Buffer) -> Buffer:
    """Return the buffer of the value whose gradient a buffer holds, or the buffer itself."""
    return Buffer(buffer.kind, buffer.index) if buffer.gradient else buffer


def _flat(name: str, stage: Stage, host: Host) -> str:
    body = Vectors(host.width)
    numbers = {buffer: n for n, buffer in enumerate(stage.buffers())}
    _compute(body, stage, {buffer: f"%p{n}" for buffer, n in numbers.items()}, ())
    return "\n".join(
        [
            f"define void @{name}(i64 %count, {', '.join(f'ptr %p{n}' for n in numbers.values())}) #0 {{",
            "entry:",
            "  br label %loop",
            "loop:",
            "  %i = phi i64 [0, %entry], [%i.next, %loop]",
            *body.lines,
            f"  %i.next = add i64 %i, {host.width}",
            "  %more = icmp ult i64 %i.next, %count",
            "  br i1 %more, label %loop, label %end",
            "end:",
            "  ret void",
            "}",
        ]
    )


def _by_rows(name: str, stage: Stage, host: Host, access: Mapping[Buffer, int]) -> str:
    body = Vectors(host.width)
    numbers = {buffer: n for n, buffer in enumerate(stage.buffers())}
    named = sorted(set(access.values()) - {FIRST_ROW})
    rows = ["  %row.offset = mul i64 %r, %stride"]
    for k in named:
        rows += [
            f"  %number{k}.at = getelementptr i64, ptr %numbers{k}, i64 %r",
            f"  %number{k} = load i64, ptr %number{k}.at, align 8",
            f"  %offset{k} = mul i64 %number{k}, %stride",
        ]
    for buffer, n in numbers.items():
        which = access.get(buffer)
        offset = "%row.offset" if which is None else "0" if which == FIRST_ROW else f"%offset{which}"
        rows.append(f"  %row{n} = getelementptr float, ptr %p{n}, i64 {offset}")
    added = {buffer for buffer in access if buffer.gradient}
    _compute(body, stage, {buffer: f"%row{n}" for buffer, n in numbers.items()}, added)
    parameters = ["i64 %rows", "i64 %stride", *(f"ptr %numbers{k}" for k in named)]
    parameters += [f"ptr %p{n}" for n in numbers.values()]
    return "\n".join(
        [
            f"define void @{name}({', '.join(parameters)}) #0 {{",
            "entry:",
            "  br label %row",
            "row:",
            "  %r = phi i64 [0, %entry], [%r.next, %row.end]",
            *rows,
            "  br label %loop",
            "loop:",
            "  %i = phi i64 [0, %row], [%i.next, %loop]",
            *body.lines,
            f"  %i.next = add i64 %i, {host.width}",
            "  %more = icmp ult i64 %i.next, %stride",
            "  br i1 %more, label %loop, label %row.end",
            "row.end:",
            "  %r.next = add i64 %r, 1",
            "  %more.rows = icmp ult i64 %r.next, %rows",
            "  br i1 %more.rows, label %row, label %end",
            "end:",
            "  ret void",
            "}",
        ]
    )


def _compute(body: Vectors, stage: Stage, pointers: Mapping[Buffer, str], added: Collection[Buffer]) -> None:
    """Add the instructions for the vector at %i; stores to `added` buffers add to what is there."""

    def load(buffer: Buffer) -> str:
        return body.value(f"load {body.vector}, ptr {address(buffer)}, align 4")

    def address(buffer: Buffer) -> str:
        return body.value(f"getelementptr float, ptr {pointers[buffer]}, i64 %i")

    names: list[str] = []
    for instruction in stage.instructions:
        if instruction.buffer is not None:
            names.append(load(instruction.buffer))
        else:
            names.append(instruction_text(body, instruction, [names[a] for a in instruction.arguments]))
    for buffer, number in stage.stores:
        value = names[number]
        if buffer in added:
            value = body.binary("fadd", load(buffer), value)
        body.lines.append(f"  store {body.vector} {value}, ptr {address(buffer)}, align 4")

"""LLVM text of a pointwise stage.

A stage is one function over flat arrays, one vector at a time. All arrays of a stage have the same size, a multiple of
the vector width, so that there is no remainder to handle: the rows of arrays are padded to whole vectors. What a stage
computes in the padding is read by no product. A stage that uses learned vectors runs row by row instead, since such a
vector is one row for all of them; its gradient is added up in memory, which stays in the fastest cache.
"""

from collections.abc import Sequence

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


def stage_text(name: str, stage: Stage, host: Host) -> str:
    """Return a function (count, pointers) over `count` numbers; a pointer for each of `stage.buffers()`, in order.

    The function of a stage `by_rows` is (count, S, pointers), S the floats of a row.
    """
    body = Vectors(host.width)
    numbers = {buffer: n for n, buffer in enumerate(stage.buffers())}

    def address(buffer: Buffer) -> str:
        index = "%column" if buffer.kind is BufferKind.PARAM else "%i"
        return body.value(f"getelementptr float, ptr %p{numbers[buffer]}, i64 {index}")

    names: list[str] = []
    for instruction in stage.instructions:
        if instruction.buffer is not None:
            names.append(body.value(f"load {body.vector}, ptr {address(instruction.buffer)}, align 4"))
        else:
            names.append(instruction_text(body, instruction, [names[a] for a in instruction.arguments]))
    for buffer, number in stage.stores:
        body.lines.append(f"  store {body.vector} {names[number]}, ptr {address(buffer)}, align 4")
    pointers = ", ".join(f"ptr %p{n}" for n in numbers.values())
    return _row_loop(name, pointers, body) if stage.by_rows else _flat_loop(name, pointers, body)


def _flat_loop(name: str, pointers: str, body: Vectors) -> str:
    return "\n".join(
        [
            f"define void @{name}(i64 %count, {pointers}) #0 {{",
            "entry:",
            "  br label %loop",
            "loop:",
            "  %i = phi i64 [0, %entry], [%i.next, %loop]",
            *body.lines,
            f"  %i.next = add i64 %i, {body.width}",
            "  %more = icmp ult i64 %i.next, %count",
            "  br i1 %more, label %loop, label %end",
            "end:",
            "  ret void",
            "}",
        ]
    )


def _row_loop(name: str, pointers: str, body: Vectors) -> str:
    return "\n".join(
        [
            f"define void @{name}(i64 %count, i64 %S, {pointers}) #0 {{",
            "entry:",
            "  br label %row",
            "row:",
            "  %first = phi i64 [0, %entry], [%first.next, %row.end]",
            "  br label %loop",
            "loop:",
            "  %column = phi i64 [0, %row], [%column.next, %loop]",
            "  %i = add i64 %first, %column",
            *body.lines,
            f"  %column.next = add i64 %column, {body.width}",
            "  %more = icmp ult i64 %column.next, %S",
            "  br i1 %more, label %loop, label %row.end",
            "row.end:",
            "  %first.next = add i64 %first, %S",
            "  %more.rows = icmp ult i64 %first.next, %count",
            "  br i1 %more.rows, label %row, label %end",
            "end:",
            "  ret void",
            "}",
        ]
    )

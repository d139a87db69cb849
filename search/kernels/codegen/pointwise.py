"""LLVM text of a pointwise stage.

A stage is one function over flat arrays, one vector at a time. All arrays of a stage have the same size, a multiple of
the vector width, so that there is no remainder to handle: the rows of arrays are padded to whole vectors. What a stage
computes in the padding is read by no product.
"""

from collections.abc import Sequence

from search.cells.operations import LEAKY_SLOPE
from search.kernels.codegen.host import Host
from search.kernels.codegen.vectors import Vectors
from search.kernels.plan.adjoint import Buffer, Instruction, Stage


class _Body(Vectors):
    """Builder of the vector instructions in the loop of a stage."""

    def leaky(self, v: str, then: str) -> str:
        """Return `then` where v is positive, else the slope times it; as in PyTorch, NaN counts as not positive."""
        return self.where("ogt", v, self.constant(0.0), then, self.binary("fmul", then, self.constant(LEAKY_SLOPE)))

    def instruction(self, instruction: Instruction, arguments: Sequence[str]) -> str:
        """Add an instruction other than a load, and return the name of its result."""
        zero = self.constant(0.0)
        match instruction.op:
            case "one":
                return self.constant(1.0)
            case "sigmoid":
                return self.sigmoid(arguments[0])
            case "tanh":
                return self.tanh(arguments[0])
            case "relu":
                return self.where("ole", arguments[0], zero, zero, arguments[0])
            case "gate":
                return self.where("ole", arguments[0], zero, zero, arguments[1])
            case "leaky_relu":
                return self.leaky(arguments[0], arguments[0])
            case "leaky_gate":
                return self.leaky(*arguments)
            case "neg":
                return self.value(f"fneg {self.vector} {arguments[0]}")
            case op:
                return self.binary(f"f{op}", *arguments)


def stage_text(name: str, stage: Stage, host: Host) -> str:
    """Return a function (count, pointers) over `count` numbers; a pointer for each of `stage.buffers()`, in order."""
    body = _Body(host.width)
    numbers = {buffer: n for n, buffer in enumerate(stage.buffers())}

    def address(buffer: Buffer) -> str:
        return body.value(f"getelementptr float, ptr %p{numbers[buffer]}, i64 %i")

    names: list[str] = []
    for instruction in stage.instructions:
        if instruction.buffer is not None:
            names.append(body.value(f"load {body.vector}, ptr {address(instruction.buffer)}, align 4"))
        else:
            names.append(body.instruction(instruction, [names[a] for a in instruction.arguments]))
    for buffer, number in stage.stores:
        body.lines.append(f"  store {body.vector} {names[number]}, ptr {address(buffer)}, align 4")
    pointers = ", ".join(f"ptr %p{n}" for n in numbers.values())
    return "\n".join(
        [
            f"define void @{name}(i64 %count, {pointers}) #0 {{",
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

"""Readable account of a cell's way to machine code: operations, derived backward, and LLVM text of one stage."""

import re
from collections.abc import Iterator, Sequence

from search.cells.graph import GateGraph
from search.cells.notation.display import format_display
from search.cells.operations import NORM_EPSILON, SIGNS, Op
from search.cells.text import number_text
from search.kernels.codegen.host import host
from search.kernels.codegen.pointwise import stage_text
from search.kernels.plan.adjoint import BufferKind, Instruction, Stage, gradient
from search.kernels.plan.build import program_of
from search.kernels.plan.program import Gemm, Norm, Part, Program, Segment


def explain(graph: GateGraph) -> str:
    """Return the cell's operations forward and backward, with stages as formulas, and the LLVM text of one stage.

    `sum0 = matrix0 x` is a product that starts a sum (in the forward, from its biases), and `+=` one that adds to it.
    The lines of a stage are computed together, element by element. `d h` is the gradient of the loss by h. A learned
    vector such as `param0` is the same in all rows, and all rows add to its gradient. The stage shown as LLVM text is
    the last one of the loop; it is left out where no machine code can be made.
    """
    program = program_of(graph)
    parts = [
        "formula",
        *_indented(format_display(graph).splitlines()),
        *_blocks(program),
        *_forward(program),
        *_backward(program),
    ]
    machine = host()
    stages = [step for part in program.forward.loops for step in part.operations if isinstance(step, Stage)]
    if machine is not None and stages:
        text = _shorter(stage_text("stage", stages[-1], machine))
        legend = ", ".join(f"%p{n} is {buffer}" for n, buffer in enumerate(stages[-1].buffers()))
        parts += [
            "",
            f"LLVM of the loop's last stage, {machine.width} floats at a time: {legend}",
            *_indented(text.splitlines()),
        ]
    return "\n".join(parts)


def _blocks(program: Program) -> Iterator[str]:
    for number, storage in enumerate(program.storage):
        if storage.groups > 1:
            yield f"  matrix{number} is block-diagonal, of {storage.groups} blocks"


def _forward(program: Program) -> Iterator[str]:
    yield from _operations(f"{_BEFORE}, all steps at once", program.before.parts)
    for part, place in zip(program.forward.parts, _places(program.forward.parts), strict=True):
        yield from _operations(f"{place}, {'at each step' if part.loops else 'all steps at once'}", (part,))


def _backward(program: Program) -> Iterator[str]:
    parts = program.backward.parts
    for part, place in zip(parts, reversed(_places(parts[::-1])), strict=True):
        if part.loops:
            yield from _operations(f"backward {place}, from the last step to the first", (part,))
        else:
            yield from _operations(f"backward of what comes {place}, all steps at once", (part,))
    yield from _weights(program.backward)
    yield from _operations(f"backward of what comes {_BEFORE}, all steps at once", program.before_backward.parts)
    yield from _weights(program.before_backward)


_BEFORE = "before the loop"


def _places(parts: Sequence[Part]) -> list[str]:
    """Return where each part of a forward is: in a loop, or before, between or after loops."""
    loops = sum(part.loops for part in parts)
    found = []
    done = 0
    for part in parts:
        done += part.loops
        this = f"loop {done}" if loops > 1 else "the loop"
        if part.loops:
            found.append(f"in {this}")
        else:
            found.append(f"after {this}" if done else f"{_BEFORE}, from delayed inputs")
    return found


def _operations(title: str, parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        yield from ("", title)
        for step in part.operations:
            if isinstance(step, Gemm):
                equals = "=" if step.first else "+="
                yield f"  {step.destination} {equals} matrix{step.matrix}{'.T' if step.backward else ''} {step.source}"
            elif isinstance(step, Norm):
                yield from _norm(step)
            else:
                yield "  stage, element by element:"
                yield from _indented(_indented(stage_formulas(step)))


def _norm(norm: Norm) -> Iterator[str]:
    source, result, scale = norm.source, norm.result, norm.scale
    if norm.backward:
        incoming = f"[{gradient(result)}]"
        equals = "=" if norm.first else "+="
        means = f"{incoming} - mean({incoming}) - {result} * mean({incoming} * {result})"
        yield f"  {gradient(source)} {equals} {scale} * ({means})"
    else:
        yield f"  {scale} = 1 / sqrt(mean(({source} - mean({source}))^2) + {NORM_EPSILON:g})"
        yield f"  {result} = {scale} * ({source} - mean({source}))"


def _weights(segment: Segment) -> Iterator[str]:
    if segment.matrices:
        yield from ("", "gradients of weights, all steps at once")
        for matrix in segment.matrices:
            yield f"  d matrix{matrix.number} = (d sum{matrix.sum}).T {matrix.source}"


def stage_formulas(stage: Stage) -> list[str]:
    """Return one line for each value that is stored or used twice; values used twice are named t1, t2, ..."""
    uses = [0] * len(stage.instructions)
    for instruction in stage.instructions:
        for argument in instruction.arguments:
            uses[argument] += 1
    stored = {number for _, number in stage.stores}
    texts: list[str] = []
    lines: list[str] = []
    for number, instruction in enumerate(stage.instructions):
        text = _expression(instruction, [texts[a] for a in instruction.arguments])
        if instruction.arguments and (uses[number] > 1 or (uses[number] and number in stored)):
            lines.append(f"t{len(lines) + 1} = {text}")
            text = f"t{len(lines)}"
        texts.append(text)
    added = {buffer for buffer, _ in stage.stores if buffer.kind is BufferKind.PARAM}
    return [*lines, *(f"{b} {'+=' if b in added else '='} {texts[number]}" for b, number in stage.stores)]


def _expression(instruction: Instruction, arguments: list[str]) -> str:
    if instruction.buffer is not None:
        return f"[{instruction.buffer}]" if " " in str(instruction.buffer) else str(instruction.buffer)
    match instruction.op:
        case "number":
            return number_text(instruction.number)
        case "neg":
            return f"-{_bracket(arguments[0])}"
        case "gate":
            return f"({arguments[1]} where {arguments[0]} > 0, else 0)"
        case "choose":
            return f"({arguments[1]} where {arguments[0]} > 0, else {arguments[2]})"
        case op:
            sign = SIGNS.get(Op(op))
            if sign:
                return f"{_bracket(arguments[0])} {sign} {_bracket(arguments[1])}"
            return f"{op}({arguments[0]})"


def _bracket(text: str) -> str:
    """Add brackets unless the text is one term: a name, possibly in square brackets, a number, or a call."""
    return (
        text if re.fullmatch(r"\[[^]]*\]|[\w']+|\w+\([^()]*\)|\(.*\)", text) and text.count(") ") == 0 else f"({text})"
    )


def _shorter(text: str) -> str:
    """Write vectors of one repeated number as LLVM's `splat`."""
    return re.sub(r"<((?:float|i32) \S+?)(?:, \1)+>", r"splat (\1)", text)


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]

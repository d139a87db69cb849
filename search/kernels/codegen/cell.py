"""LLVM text of a cell: one function for each segment of its program, with the time loop in it.

These functions call the cell's own stages (`pointwise`) and the matrix product that all cells share (`gemm`). T steps,
B sequences, H units.

Sequences that end before the last step are the last columns of a step, and nothing is computed for them: each step has
its batch size, the number of columns that go on. What runs for all steps at once runs in spans of steps: one for those
that have all columns, and then one for each step. The rows of a step begin at the same place with any batch size.

A row of an array has S floats: H rounded up to whole vectors. Stages compute all S of them. Products read H columns of
their left matrix, so that what is in the padding stays there. Weights and their gradients have no padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from search.kernels.codegen.blocks import BLOCKS_GEMM, BLOCKS_GRADIENT, blocks_text
from search.kernels.codegen.gemm import GEMM, panel_columns
from search.kernels.codegen.host import Host
from search.kernels.codegen.norm import NORM, NORM_GRADIENT, NORM_GRADIENT_ADDED, norm_text
from search.kernels.codegen.pointwise import access_of, numbers_of, stage_text, value_of
from search.kernels.plan.adjoint import Buffer, BufferKind, Stage
from search.kernels.plan.program import Gemm, Matrix, Norm, Operation, Part, Program, Segment, buffers_of

SEGMENTS = ("before", "forward", "backward", "before_backward")
"""Names of a program's segments, and of their functions."""


def segment_text(name: str, segment: Segment, program: Program, host: Host, *, backward: bool) -> str:
    """Return a function (table, T, B, H) that runs a segment over T steps.

    `table` holds pointers: the packed weights, the rows that sums start from (zeros in the backward), the gradients of
    the weights (H, H) and of the sums' biases (S), unused in the forward; the symbols of the steps; the batch size of
    each step (T), integers from 1 to B of which none is larger than the one before; each packed block-diagonal matrix
    and the gradient of each; then the segment's buffers. A segment that computes tables takes the number of symbols for
    T. Gradients of weights and biases are added to.
    """
    numbers = {buffer: n for n, buffer in enumerate(segment.buffers)}
    calls = _Calls(name, numbers, program, host, backward)
    parts = [line for n, part in enumerate(segment.parts) for line in _part(n, part, calls, backward)]
    gradients = list(_gradients(len(segment.parts), segment, calls))
    columns = panel_columns(host)
    pointers = [
        f"  %{name}.at = getelementptr ptr, ptr %table, i64 {n}\n  %{name} = load ptr, ptr %{name}.at, align 8"
        for n, name in enumerate(
            [
                *("weights", "starts", "gradients", "biases", "symbols", "sizes"),
                *(f"blocks{k}" for k in range(program.grouped)),
                *(f"d_blocks{k}" for k in range(program.grouped)),
                *(f"base{n}" for n in numbers.values()),
            ]
        )
    ]
    lines = [
        f"define void @{name}(ptr %table, i64 %T, i64 %B, i64 %H) #1 {{",
        "entry:",
        *pointers,
        f"  %S.up = add i64 %H, {host.width - 1}",
        f"  %S = and i64 %S.up, {-host.width}",
        "  %step = mul i64 %B, %S",
        f"  %panel = mul i64 %H, {columns}",
        f"  %H.up = add i64 %H, {columns - 1}",
        f"  %panels = udiv i64 %H.up, {columns}",
        "  %matrix = mul i64 %panel, %panels",
        "  %gradient = mul i64 %H, %H",
        *(line for delay in _delays(segment, program) for line in _rows_of_tables(delay)),
        *(_WHOLE_STEPS if calls.has_spans else ()),
        *parts,
        *gradients,
    ]
    return "\n".join([*calls.stages, *lines, "  ret void", "}"])


_WHOLE_STEPS = (
    "  br label %whole.test",
    "whole.test:",
    "  %whole = phi i64 [0, %entry], [%whole.next, %whole.more]",
    "  %whole.inside = icmp ult i64 %whole, %T",
    "  br i1 %whole.inside, label %whole.size, label %whole.end",
    "whole.size:",
    "  %whole.at = getelementptr i64, ptr %sizes, i64 %whole",
    "  %whole.columns = load i64, ptr %whole.at, align 8",
    "  %whole.full = icmp eq i64 %whole.columns, %B",
    "  br i1 %whole.full, label %whole.more, label %whole.end",
    "whole.more:",
    "  %whole.next = add i64 %whole, 1",
    "  br label %whole.test",
    "whole.end:",
)
"""Count of the first steps that have all columns."""


def _delays(segment: Segment, program: Program) -> list[int]:
    """Return the delays of the tables that a segment computes or reads."""
    return sorted({delay for b in segment.buffers if (delay := program.tables.get(value_of(b))) is not None})


def _rows_of_tables(delay: int) -> Iterator[str]:
    """Yield the number of rows of the tables of a delay, of their numbers, and the symbols that name rows at step 0."""
    yield from (
        f"  %earlier{delay} = mul i64 %B, {delay}",
        f"  %rows{delay} = add i64 %T, %earlier{delay}",
        f"  %all{delay} = mul i64 %rows{delay}, %S",
        f"  %back{delay} = sub i64 0, %earlier{delay}",
        f"  %symbols{delay} = getelementptr i64, ptr %symbols, i64 %back{delay}",
    )


def _part(n: int, part: Part, calls: _Calls, backward: bool) -> Iterator[str]:
    """Yield the calls of a part: in a loop over the steps, in one over spans of steps, or for all rows of tables."""
    if part.delay is not None:
        yield from (calls.of_tables(operation, part.delay) for operation in part.operations)
        return
    if not part.loops:
        yield from _spans(f"{n}", (calls.at_once(operation, f"%offset{n}") for operation in part.operations), calls)
        return
    begin, move, test = ("%T", "sub", "ugt i64 %s{n}.next, 0") if backward else ("0", "add", "ult i64 %s{n}.next, %T")
    yield from (
        f"  br label %before{n}",
        f"before{n}:",
        f"  br label %loop{n}",
        f"loop{n}:",
        f"  %s{n} = phi i64 [{begin}, %before{n}], [%s{n}.next, %loop{n}]",
        f"  %s{n}.next = {move} i64 %s{n}, 1",
        f"  %t{n} = add i64 {f'%s{n}.next' if backward else f'%s{n}'}, 0",
        f"  %offset{n} = mul i64 %t{n}, %step",
        f"  %offset{n}.rows = mul i64 %t{n}, %B",
        f"  %offset{n}.size.at = getelementptr i64, ptr %sizes, i64 %t{n}",
        f"  %offset{n}.size = load i64, ptr %offset{n}.size.at, align 8",
        f"  %offset{n}.count = mul i64 %offset{n}.size, %S",
        f"  %odd{n} = and i64 %t{n}, 1",
        f"  %even{n} = xor i64 %odd{n}, 1",
        f"  %offset{n}.old = mul i64 %odd{n}, %step",
        f"  %offset{n}.new = mul i64 %even{n}, %step",
    )
    yield from (calls.in_loop(operation, f"%offset{n}") for operation in part.operations)
    yield from (
        f"  %more{n} = icmp {test.format(n=n)}",
        f"  br i1 %more{n}, label %loop{n}, label %after{n}",
        f"after{n}:",
    )


def _spans(n: str, body: Iterable[str], calls: _Calls) -> Iterator[str]:
    """Yield a loop over spans of steps; `%offset{n}` and its parts say to `body` where a span is and what it has.

    The spans are in the order of time, or against it in the backward: a step may read what another one has computed.
    """
    calls.has_spans = True
    if calls.backward:  # at first %s{n}.at steps are left
        begin, following, more = "%T", f"%s{n}", f"ugt i64 %s{n}, 0"
        where = [
            f"  %s{n}.tail = icmp ugt i64 %s{n}.at, %whole",
            f"  %s{n}.last = sub i64 %s{n}.at, 1",
            f"  %s{n} = select i1 %s{n}.tail, i64 %s{n}.last, i64 0",
            f"  %s{n}.steps = sub i64 %s{n}.at, %s{n}",
        ]
    else:
        begin, following, more = "0", f"%s{n}.next", f"ult i64 %s{n}.next, %T"
        where = [
            f"  %s{n} = add i64 %s{n}.at, 0",
            f"  %s{n}.first = icmp ult i64 %s{n}, %whole",
            f"  %s{n}.steps = select i1 %s{n}.first, i64 %whole, i64 1",
            f"  %s{n}.next = add i64 %s{n}, %s{n}.steps",
        ]
    yield from (
        f"  br label %before{n}",
        f"before{n}:",
        f"  br label %span{n}",
        f"span{n}:",
        f"  %s{n}.at = phi i64 [{begin}, %before{n}], [{following}, %span{n}]",
        *where,
        f"  %s{n}.size.at = getelementptr i64, ptr %sizes, i64 %s{n}",
        f"  %s{n}.size = load i64, ptr %s{n}.size.at, align 8",
        f"  %offset{n} = mul i64 %s{n}, %step",
        f"  %offset{n}.rows = mul i64 %s{n}, %B",
        f"  %offset{n}.size = mul i64 %s{n}.steps, %s{n}.size",
        f"  %offset{n}.count = mul i64 %offset{n}.size, %S",
    )
    yield from body
    yield from (
        f"  %more{n} = icmp {more}",
        f"  br i1 %more{n}, label %span{n}, label %after{n}",
        f"after{n}:",
    )


def _gradients(n: int, segment: Segment, calls: _Calls) -> Iterator[str]:
    """Yield the calls that add to the gradients of weights and biases: those of tables, and those of steps in spans."""
    tables = calls.program.tables
    of_sums = [(s, tables.get(Buffer(BufferKind.SUM, s))) for s in segment.sums]
    yield from (calls.weight_gradient(matrix, None) for matrix in segment.matrices if matrix.delay is not None)
    yield from (calls.bias_gradient(s, delay, None) for s, delay in of_sums if delay is not None)
    matrices = [matrix for matrix in segment.matrices if matrix.delay is None]
    sums = [s for s, delay in of_sums if delay is None]
    if matrices or sums:
        offset = f"%offset{n}"
        body = [calls.weight_gradient(matrix, offset) for matrix in matrices]
        body += [calls.bias_gradient(s, None, offset) for s in sums]
        yield from _spans(f"{n}", body, calls)


def cell_text(program: Program, host: Host) -> str:
    """Return the module of a cell: a function for each segment, and the stages that they call."""
    vector = f"<{host.width} x float>"
    sizes = ["i64", "i64", "i64", "ptr", "i64", "i64", "ptr", "i64", "i64", "ptr", "i64", "ptr", "i64"]
    return "\n".join(
        [
            f"declare {vector} @llvm.fma.v{host.width}f32({vector}, {vector}, {vector})",
            "@one = private constant float 1.0",
            f"declare void @{GEMM}{host.width}({', '.join(sizes)})",
            *([blocks_text(host)] if program.grouped else []),
            *([norm_text(host)] if program.norms else []),
            *(
                segment_text(name, getattr(program, name), program, host, backward=name.endswith("backward"))
                for name in SEGMENTS
            ),
            f"attributes #0 = {{ {host.attributes} }}",
            # Segments only call: optimised, they would take longer to compile than all stages, and run no faster.
            f"attributes #1 = {{ {host.attributes} noinline optnone }}",
            "",
        ]
    )


class _Calls:
    """Builder of the calls of one segment's operations, and of the stages they call."""

    def __init__(self, name: str, numbers: dict[Buffer, int], program: Program, host: Host, backward: bool) -> None:
        self.name = name
        self.numbers = numbers
        self.program = program
        self.host = host
        self.backward = backward
        self.stages: list[str] = []
        self.has_spans = False
        self._stage_names: dict[tuple[Stage, bool], str] = {}
        self._count = 0

    def of_tables(self, operation: Operation, delay: int) -> str:
        """Return the call of an operation for all rows of the tables of a delay."""
        return self._call(operation, f"%rows{delay}", f"%all{delay}", {}, "0", self._base)

    def at_once(self, operation: Operation, offset: str) -> str:
        """Return the call of an operation for the span of steps whose rows begin at `offset`."""
        return self._of_steps(operation, offset, in_turn=False)

    def in_loop(self, operation: Operation, offset: str) -> str:
        """Return the call of an operation for the time step whose rows begin at `offset`."""
        return self._of_steps(operation, offset, in_turn=True)

    def weight_gradient(self, matrix: Matrix, offset: str | None) -> str:
        """Return the product that adds to a weight's gradient: that of its sum, transposed, times its input.

        Its rows are those of the span of steps that begins at `offset`, or without one all rows of a table.
        """
        lines, left = self._address(Buffer(BufferKind.SUM, matrix.sum, True), offset)
        more, right = self._address(matrix.source, offset)
        rows = f"%rows{matrix.delay}" if offset is None else f"{offset}.size"
        storage, at, count = self.program.storage[matrix.number], self._fresh(), self._fresh()
        if storage.groups > 1:
            call = f"""\
  {count} = udiv i64 %H, {storage.groups}
  call i64 @{BLOCKS_GRADIENT}(i64 {storage.groups}, i64 {rows}, i64 {count}, i64 %S, ptr {left}, \
ptr {right}, ptr %d_blocks{storage.index})"""
        else:
            call = f"""\
  {count} = mul i64 %gradient, {storage.index}
  {at} = getelementptr float, ptr %gradients, i64 {count}
  call void @{GEMM}{self.host.width}(i64 %H, i64 %H, i64 {rows}, ptr {left}, i64 1, i64 %S, ptr {right}, \
i64 {panel_columns(self.host)}, i64 %S, ptr {at}, i64 %H, ptr {at}, i64 %H)"""
        return "\n".join([*lines, *more, call])

    def bias_gradient(self, s: int, delay: int | None, offset: str | None) -> str:
        """Return the product of a row of ones with a sum's gradient, which adds all rows to the biases' gradient.

        The rows are those of the span of steps that begins at `offset`, or without one all rows of tables of `delay`.
        """
        lines, rows = self._address(Buffer(BufferKind.SUM, s, True), offset)
        number = f"%rows{delay}" if offset is None else f"{offset}.size"
        count, at = self._fresh(), self._fresh()
        call = f"""\
  {count} = mul i64 %S, {s}
  {at} = getelementptr float, ptr %biases, i64 {count}
  call void @{GEMM}{self.host.width}(i64 1, i64 %S, i64 {number}, ptr @one, i64 0, i64 0, ptr {rows}, \
i64 {panel_columns(self.host)}, i64 %S, ptr {at}, i64 %S, ptr {at}, i64 %S)"""
        return "\n".join([*lines, call])

    def _address(self, buffer: Buffer, offset: str | None) -> tuple[list[str], str]:
        """Return the address of a buffer at the first row of a span, or at its own first row without an `offset`."""
        return self._base(buffer) if offset is None else self._at(buffer, offset, in_turn=False)

    def _of_steps(self, operation: Operation, offset: str, *, in_turn: bool) -> str:
        """Return the call of an operation for the rows of one step or span."""
        return self._call(
            operation, f"{offset}.size", f"{offset}.count", self.program.tables, f"{offset}.rows",
            lambda buffer: self._at(buffer, offset, in_turn=in_turn),
        )  # fmt: skip

    def _base(self, buffer: Buffer) -> tuple[list[str], str]:
        return [], f"%base{self.numbers[buffer]}"

    def _at(self, buffer: Buffer, offset: str, *, in_turn: bool) -> tuple[list[str], str]:
        """Return the address of a buffer at an offset; two steps of a loop use some gradients of states in turn."""
        base = f"%base{self.numbers[buffer]}"
        scratch = buffer.gradient and buffer.kind is BufferKind.VALUE and buffer.index in self.program.scratch
        if scratch or buffer.kind is BufferKind.PARAM or value_of(buffer) in self.program.tables:
            return [], base
        if in_turn and buffer.gradient and buffer.index not in self.program.tracked:
            offset += {BufferKind.OLD: ".old", BufferKind.NEW: ".new"}.get(buffer.kind, "")
        if buffer.kind is BufferKind.SCALE:
            offset += ".rows"
        name = self._fresh()
        return [f"  {name} = getelementptr float, ptr {base}, i64 {offset}"], name

    def _fresh(self) -> str:
        self._count += 1
        return f"%q{self._count}"

    def _call(
        self,
        operation: Operation,
        rows: str,
        count: str,
        access: Mapping[Buffer, int],
        first_row: str,
        at: Callable[[Buffer], tuple[list[str], str]],
    ) -> str:
        """Return the call of an operation.

        Args:
            operation: The operation.
            rows: Name of the number of rows.
            count: Name of the number of numbers in them.
            access: Tables of which a stage reads rows by symbol.
            first_row: Name of the position of the first row among those of all steps.
            at: Function that returns the address of a buffer, after instructions that compute it.
        """
        lines: list[str] = []
        pointers = []
        for buffer in buffers_of(operation):
            prepared, pointer = at(buffer)
            lines += prepared
            pointers.append(pointer)
        if isinstance(operation, Stage):
            name = self._stage(operation, access)
            arguments = [f"ptr {pointer}" for pointer in pointers]
            if access_of(operation, access):
                named = []
                for delay in numbers_of(operation, access):
                    at_row = self._fresh()
                    lines.append(f"  {at_row} = getelementptr i64, ptr %symbols{delay}, i64 {first_row}")
                    named.append(f"ptr {at_row}")
                arguments = [f"i64 {rows}", "i64 %S", *named, *arguments]
            else:
                arguments = [f"i64 {count}", *arguments]
            lines.append(f"  call void @{name}({', '.join(arguments)})")
        elif isinstance(operation, Norm):
            lines.append(_norm_call(operation, rows, pointers))
        else:
            lines += self._gemm(operation, rows, *pointers)
        return "\n".join(lines)

    def _stage(self, stage: Stage, access: Mapping[Buffer, int]) -> str:
        """Return the name of the function of a stage."""
        key = stage, bool(access)
        if key not in self._stage_names:
            self._stage_names[key] = f"{self.name}_stage{len(self._stage_names)}"
            self.stages.append(stage_text(self._stage_names[key], stage, self.host, access))
        return self._stage_names[key]

    def _gemm(self, gemm: Gemm, rows: str, source: str, destination: str) -> Iterator[str]:
        storage = self.program.storage[gemm.matrix]
        offset, weight = self._fresh(), self._fresh()
        if storage.groups == 1:
            yield f"  {offset} = mul i64 %matrix, {storage.index}"
            yield f"  {weight} = getelementptr float, ptr %weights, i64 {offset}"
        start, stride = destination, "%S"
        if gemm.first:
            row, start, stride = self._fresh(), self._fresh(), "0"
            yield f"  {row} = mul i64 %S, {0 if self.backward else gemm.destination.index}"
            yield f"  {start} = getelementptr float, ptr %starts, i64 {row}"
        if storage.groups > 1:
            size = self._fresh()
            yield f"  {size} = udiv i64 %H, {storage.groups}"
            yield (
                f"  call i64 @{BLOCKS_GEMM}(i64 {storage.groups}, i64 {rows}, i64 {size}, i64 %S, ptr {source}, "
                f"ptr %blocks{storage.index}, ptr {start}, i64 {stride}, ptr {destination})"
            )
            return
        yield (
            f"  call void @{GEMM}{self.host.width}(i64 {rows}, i64 %S, i64 %H, ptr {source}, i64 %S, i64 1, "
            f"ptr {weight}, i64 %panel, i64 {panel_columns(self.host)}, ptr {start}, i64 {stride}, "
            f"ptr {destination}, i64 %S)"
        )


def _norm_call(norm: Norm, rows: str, pointers: list[str]) -> str:
    name = NORM if not norm.backward else NORM_GRADIENT if norm.first else NORM_GRADIENT_ADDED
    return f"  call i64 @{name}(i64 {rows}, i64 %H, i64 %S, {', '.join(f'ptr {pointer}' for pointer in pointers)})"

"""The LLVM text of a cell: functions that run the sections of its program, with the time loop in them.

They call the cell's own stages (`llvm`) and the matrix product that all cells share (`product`). T steps, B sequences,
H units, P units padded to whole vectors.
"""

from collections.abc import Callable, Iterator

from search.kernels.codegen.gemm import MULTIPLY, panel_columns
from search.kernels.codegen.host import Host
from search.kernels.codegen.pointwise import stage_text
from search.kernels.plan.adjoint import Kind, Place, Stage
from search.kernels.plan.program import Matrix, Multiply, Program, Section, Step, places_of

SECTIONS = ("before", "forward", "backward", "before_backward")
"""The sections of a program, each a function of that name."""


def section_text(name: str, section: Section, program: Program, host: Host, *, backward: bool) -> str:
    """A function (table, T, B, H, P) that runs a section; P is H padded to whole vectors.

    `table` holds pointers: the packed weights, the rows that sums start from (zeros in the backward), the gradients of
    the weights and those of the sums' biases (unused in the forward), then the section's places.
    """
    numbers = {place: n for n, place in enumerate(section.places)}
    calls = _Calls(name, numbers, program, host, backward)
    first = [calls.whole(step) for step in section.whole_first]
    looped = [calls.in_loop(step) for step in section.looped]
    last = [calls.whole(step) for step in section.whole_last]
    gradients = [calls.weight_gradient(matrix) for matrix in section.matrices]
    gradients += [calls.bias_gradient(s) for s in section.sums]
    columns = panel_columns(host)
    pointers = [
        f"  %{name}.at = getelementptr ptr, ptr %table, i64 {n}\n  %{name} = load ptr, ptr %{name}.at, align 8"
        for n, name in enumerate(["weights", "starts", "gradients", "biases", *(f"base{n}" for n in numbers.values())])
    ]
    lines = [
        f"define void @{name}(ptr %table, i64 %T, i64 %B, i64 %H, i64 %P) #1 {{",
        "entry:",
        *pointers,
        "  %step = mul i64 %B, %P",
        "  %rows = mul i64 %T, %B",
        "  %all = mul i64 %rows, %P",
        f"  %panel = mul i64 %H, {columns}",
        f"  %P.up = add i64 %P, {columns - 1}",
        f"  %panels = udiv i64 %P.up, {columns}",
        "  %matrix = mul i64 %panel, %panels",
        "  %gradient = mul i64 %H, %P",
        *first,
    ]
    if looped:
        begin, move, test = ("%T", "sub", "ugt i64 %s.next, 0") if backward else ("0", "add", "ult i64 %s.next, %T")
        lines += [
            "  br label %loop",
            "loop:",
            f"  %s = phi i64 [{begin}, %entry], [%s.next, %loop]",
            f"  %s.next = {move} i64 %s, 1",
            f"  %t = add i64 {'%s.next' if backward else '%s'}, 0",
            "  %offset = mul i64 %t, %step",
            "  %odd = and i64 %t, 1",
            "  %even = xor i64 %odd, 1",
            "  %offset.old = mul i64 %odd, %step",
            "  %offset.new = mul i64 %even, %step",
            *looped,
            f"  %more = icmp {test}",
            "  br i1 %more, label %loop, label %after",
            "after:",
        ]
    return "\n".join([*calls.stages, *lines, *last, *gradients, "  ret void", "}"])


def module_text(program: Program, host: Host) -> str:
    """The module of a cell: a function for each section, and their stages."""
    vector = f"<{host.width} x float>"
    sizes = ["i64", "i64", "i64", "ptr", "i64", "i64", "ptr", "i64", "i64", "ptr", "i64", "ptr", "i64"]
    return "\n".join(
        [
            f"declare {vector} @llvm.fma.v{host.width}f32({vector}, {vector}, {vector})",
            "@one = private constant float 1.0",
            f"declare void @{MULTIPLY}{host.width}({', '.join(sizes)})",
            *(
                section_text(name, getattr(program, name), program, host, backward=name.endswith("backward"))
                for name in SECTIONS
            ),
            f"attributes #0 = {{ {host.attributes} }}",
            # Sections only call: optimised, they would take longer to compile than all stages, and run no faster.
            f"attributes #1 = {{ {host.attributes} noinline optnone }}",
            "",
        ]
    )


class _Calls:
    """The text that calls each step, and the stages that are called."""

    def __init__(self, name: str, numbers: dict[Place, int], program: Program, host: Host, backward: bool) -> None:
        self.name = name
        self.numbers = numbers
        self.program = program
        self.host = host
        self.backward = backward
        self.stages: list[str] = []
        self._stage_names: dict[Stage, str] = {}
        self._count = 0

    def whole(self, step: Step) -> str:
        """The step for all time steps at once."""
        return self._call(step, "%rows", "%all", lambda place: ([], f"%base{self.numbers[place]}"))

    def in_loop(self, step: Step) -> str:
        """The step for time step %t."""
        return self._call(step, "%B", "%step", self._at_step)

    def weight_gradient(self, matrix: Matrix) -> str:
        """One product over all rows: the gradient of the matrix's sum, transposed, times what the matrix read."""
        left, right = self.numbers[Place(Kind.SUM, matrix.sum, True)], self.numbers[matrix.source]
        offset, at = self._fresh(), self._fresh()
        return f"""\
  {offset} = mul i64 %gradient, {matrix.number}
  {at} = getelementptr float, ptr %gradients, i64 {offset}
  call void @{MULTIPLY}{self.host.width}(i64 %H, i64 %P, i64 %rows, ptr %base{left}, i64 1, i64 %P, ptr %base{right}, \
i64 {panel_columns(self.host)}, i64 %P, ptr %starts, i64 0, ptr {at}, i64 %P)"""

    def bias_gradient(self, s: int) -> str:
        """All rows of a sum's gradient added up: a product with a row of ones."""
        rows = f"%base{self.numbers[Place(Kind.SUM, s, True)]}"
        offset, at = self._fresh(), self._fresh()
        return f"""\
  {offset} = mul i64 %P, {s}
  {at} = getelementptr float, ptr %biases, i64 {offset}
  call void @{MULTIPLY}{self.host.width}(i64 1, i64 %P, i64 %rows, ptr @one, i64 0, i64 0, ptr {rows}, \
i64 {panel_columns(self.host)}, i64 %P, ptr %starts, i64 0, ptr {at}, i64 %P)"""

    def _at_step(self, place: Place) -> tuple[list[str], str]:
        base = f"%base{self.numbers[place]}"
        offset = "%offset"
        if place.gradient and place.kind in (Kind.OLD, Kind.NEW) and place.index not in self.program.tracked:
            offset = "%offset.old" if place.kind is Kind.OLD else "%offset.new"
        if place.gradient and place.kind is Kind.VALUE and place.index in self.program.scratch:
            return [], base
        name = self._fresh()
        return [f"  {name} = getelementptr float, ptr {base}, i64 {offset}"], name

    def _fresh(self) -> str:
        self._count += 1
        return f"%q{self._count}"

    def _call(self, step: Step, rows: str, count: str, at: Callable[[Place], tuple[list[str], str]]) -> str:
        lines: list[str] = []
        pointers = []
        for place in places_of(step):
            prepared, pointer = at(place)
            lines += prepared
            pointers.append(pointer)
        if isinstance(step, Stage):
            if step not in self._stage_names:
                self._stage_names[step] = f"{self.name}_stage{len(self._stage_names)}"
                self.stages.append(stage_text(self._stage_names[step], step, self.host))
            arguments = ", ".join(f"ptr {pointer}" for pointer in pointers)
            lines.append(f"  call void @{self._stage_names[step]}(i64 {count}, {arguments})")
        else:
            lines += self._multiply(step, rows, *pointers)
        return "\n".join(lines)

    def _multiply(self, step: Multiply, rows: str, source: str, destination: str) -> Iterator[str]:
        offset, weight = self._fresh(), self._fresh()
        yield f"  {offset} = mul i64 %matrix, {step.matrix}"
        yield f"  {weight} = getelementptr float, ptr %weights, i64 {offset}"
        start, stride = destination, "%P"
        if step.first:
            row, start, stride = self._fresh(), self._fresh(), "0"
            yield f"  {row} = mul i64 %P, {0 if self.backward else step.destination.index}"
            yield f"  {start} = getelementptr float, ptr %starts, i64 {row}"
        yield (
            f"  call void @{MULTIPLY}{self.host.width}(i64 {rows}, i64 %P, i64 %H, ptr {source}, i64 %P, i64 1, "
            f"ptr {weight}, i64 %panel, i64 {panel_columns(self.host)}, ptr {start}, i64 {stride}, "
            f"ptr {destination}, i64 %P)"
        )

"""LLVM functions as text: vector arithmetic, counted loops, and calls.

A `Function` is written from top to bottom. Values get names of their own; a loop carries values from one turn to the
next, which is all that the code of this package needs of control flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from search.kernels.codegen.host import Host
from search.kernels.codegen.vectors import Vectors


class Loop:
    """A loop while it is written: its counter, and values that go from one turn to the next."""

    def __init__(self, routine: Function, before: str) -> None:
        self._function, self._before = routine, before
        self.counter = ""
        self._carried: list[tuple[str, str, str]] = []  # name, type, value before the first turn
        self._next: dict[str, str] = {}

    def carry(self, kind: str, start: str) -> str:
        """A value of type `kind` that starts as `start`; after the loop, the one that the last turn left."""
        name = self._function.fresh()
        self._carried.append((name, kind, start))
        self._next[name] = name
        return name

    def leave(self, name: str, value: str) -> None:
        """The carried value `name` in the next turn."""
        self._next[name] = value

    def header(self, last: str) -> Iterator[str]:
        """The lines that join what comes from before the loop and from the end of a turn, in block `last`."""
        for name, kind, start in self._carried:
            yield f"  {name} = phi {kind} [{start}, %{self._before}], [{self._next[name]}, %{last}]"


class Function(Vectors):
    """A function (pointer to arguments) that returns 0, under construction.

    `arguments` names what is read from there, eight bytes each: "name" for a pointer, "name:i64" for a number.
    """

    def __init__(self, name: str, arguments: Sequence[str], host: Host) -> None:
        super().__init__(host.width)
        self.name = name
        self.label = "entry"
        self._blocks = 0
        for n, argument in enumerate(arguments):
            short, _, kind = argument.partition(":")
            at = self.value(f"getelementptr i64, ptr %arguments, i64 {n}")
            self.lines.append(f"  %{short} = load {kind or 'ptr'}, ptr {at}, align 8")

    def text(self, result: str = "0") -> str:
        """The whole function."""
        return "\n".join(
            [
                f"define i64 @{self.name}(ptr %arguments) #0 {{",
                "entry:",
                *self.lines,
                f"  ret i64 {result}",
                "}",
            ]
        )

    @contextmanager
    def loop(self, count: str, step: int | str = 1, start: str = "0") -> Iterator[Loop]:
        """Turns for counter = start, start + step, ... while it is less than `count`."""
        self._blocks += 1
        number = self._blocks
        loop = Loop(self, self.label)
        counter, following, more = f"%i{number}", f"%i{number}.next", f"%i{number}.more"
        self.lines += [f"  br label %loop{number}", f"loop{number}:"]
        place = len(self.lines)
        self.lines += [
            f"  {more} = icmp ult i64 {counter}, {count}",
            f"  br i1 {more}, label %turn{number}, label %end{number}",
            f"turn{number}:",
        ]
        before, self.label = self.label, f"turn{number}"
        loop.counter = counter
        yield loop
        self.lines += [f"  {following} = add i64 {counter}, {step}", f"  br label %loop{number}", f"end{number}:"]
        phi = f"  {counter} = phi i64 [{start}, %{before}], [{following}, %{self.label}]"
        self.lines[place:place] = [phi, *loop.header(self.label)]
        self.label = f"end{number}"

    def at(self, base: str, index: str, kind: str = "float") -> str:
        """The address of element `index`."""
        return self.value(f"getelementptr {kind}, ptr {base}, i64 {index}")

    def load(self, kind: str, address: str) -> str:
        return self.value(f"load {kind}, ptr {address}, align {_ALIGNED.get(kind, 4)}")

    def store(self, kind: str, value: str, address: str) -> None:
        self.lines.append(f"  store {kind} {value}, ptr {address}, align {_ALIGNED.get(kind, 4)}")

    def call(self, function: str, *arguments: str) -> None:
        """Call a function without result; arguments with their types."""
        self.lines.append(f"  call void @{function}({', '.join(arguments)})")

    def multiply(self, left: str, right: str) -> str:
        """A product of whole numbers."""
        return self.value(f"mul i64 {left}, {right}")

    def spread(self, number: str) -> str:
        """A vector of one number."""
        first = self.value(f"insertelement {self.vector} poison, float {number}, i64 0")
        return self.value(f"shufflevector {self.vector} {first}, {self.vector} poison, "
                          f"<{self.width} x i32> zeroinitializer")  # fmt: skip

    def total(self, vector: str) -> str:
        """The sum of a vector's numbers."""
        return self.value(
            f"call reassoc float @llvm.vector.reduce.fadd.v{self.width}f32(float -0.0, {self.vector} {vector})"
        )


def call_text(name: str, function: str, kinds: str) -> str:
    """A function (pointer to arguments) that calls `function` with them: `kinds` has `p` or `i` for each."""
    lines = [f"define i64 @{name}(ptr %arguments) #0 {{"]
    types = ["ptr" if kind == "p" else "i64" for kind in kinds]
    for n, kind in enumerate(types):
        lines += [
            f"  %at{n} = getelementptr i64, ptr %arguments, i64 {n}",
            f"  %a{n} = load {kind}, ptr %at{n}, align 8",
        ]
    given = ", ".join(f"{kind} %a{n}" for n, kind in enumerate(types))
    return "\n".join([*lines, f"  call void @{function}({given})", "  ret i64 0", "}"])


_ALIGNED = {"i64": 8, "double": 8, "ptr": 8}

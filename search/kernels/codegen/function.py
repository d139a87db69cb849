"""Builder of LLVM functions: vector arithmetic, counted loops, and calls.

A `Function` is built from top to bottom, and each value gets a name. A loop carries values from one iteration to the
next; the code of this package needs no other control flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from search.kernels.codegen.host import Host
from search.kernels.codegen.vectors import Vectors


class Loop:
    """Loop under construction: its counter, and the values carried from one iteration to the next."""

    def __init__(self, function: Function, before: str) -> None:
        self._function, self._before = function, before
        self.counter = ""
        self._carried: list[tuple[str, str, str]] = []  # name, type, initial value
        self._next: dict[str, str] = {}

    def carry(self, kind: str, start: str) -> str:
        """Return the name of a carried value of type `kind` that starts as `start`.

        After the loop, the name denotes the value of the last iteration.
        """
        name = self._function.fresh()
        self._carried.append((name, kind, start))
        self._next[name] = name
        return name

    def leave(self, name: str, value: str) -> None:
        """Set the carried value `name` for the next iteration."""
        self._next[name] = value

    def header(self, last: str) -> Iterator[str]:
        """Yield the phi instructions of the carried values; iterations end in block `last`."""
        for name, kind, start in self._carried:
            yield f"  {name} = phi {kind} [{start}, %{self._before}], [{self._next[name]}, %{last}]"


class Function(Vectors):
    """Function under construction that takes a pointer to its arguments and returns an integer.

    `arguments` are the names of the arguments, eight bytes each: "name" for a pointer, "name:i64" for an integer.
    """

    def __init__(self, name: str, arguments: Sequence[str], host: Host) -> None:
        super().__init__(host.width)
        self.name = name
        self.label = "entry"
        self._blocks = 0
        self._header = f"define i64 @{name}(ptr %arguments) #0 {{"
        for n, argument in enumerate(arguments):
            short, _, kind = argument.partition(":")
            at = self.value(f"getelementptr i64, ptr %arguments, i64 {n}")
            self.lines.append(f"  %{short} = load {kind or 'ptr'}, ptr {at}, align 8")

    def text(self, result: str = "0") -> str:
        """Return the text of the function, which returns `result`."""
        return "\n".join(
            [
                self._header,
                "entry:",
                *self.lines,
                f"  ret i64 {result}",
                "}",
            ]
        )

    @contextmanager
    def loop(self, count: str, step: int | str = 1, start: str = "0") -> Iterator[Loop]:
        """Add a loop over counter = start, start + step, ... below `count`; its body is built inside this context."""
        self._blocks += 1
        number = self._blocks
        loop = Loop(self, self.label)
        counter, following, more = f"%i{number}", f"%i{number}.next", f"%i{number}.more"
        self.lines += [f"  br label %loop{number}", f"loop{number}:"]
        header = len(self.lines)
        self.lines += [
            f"  {more} = icmp ult i64 {counter}, {count}",
            f"  br i1 {more}, label %body{number}, label %end{number}",
            f"body{number}:",
        ]
        before, self.label = self.label, f"body{number}"
        loop.counter = counter
        yield loop
        self.lines += [f"  {following} = add i64 {counter}, {step}", f"  br label %loop{number}", f"end{number}:"]
        phi = f"  {counter} = phi i64 [{start}, %{before}], [{following}, %{self.label}]"
        self.lines[header:header] = [phi, *loop.header(self.label)]
        self.label = f"end{number}"

    def at(self, base: str, index: str, kind: str = "float") -> str:
        """Return the address of element `index` of an array of type `kind`."""
        return self.value(f"getelementptr {kind}, ptr {base}, i64 {index}")

    def load(self, kind: str, address: str) -> str:
        """Return the value of type `kind` at an address."""
        return self.value(f"load {kind}, ptr {address}, align {_ALIGNED.get(kind, 4)}")

    def store(self, kind: str, value: str, address: str) -> None:
        """Store a value of type `kind` at an address."""
        self.lines.append(f"  store {kind} {value}, ptr {address}, align {_ALIGNED.get(kind, 4)}")

    def call(self, function: str, *arguments: str) -> None:
        """Call a function without result; arguments are given with their types."""
        self.lines.append(f"  call void @{function}({', '.join(arguments)})")

    def multiply(self, left: str, right: str) -> str:
        """Return the product of two integers."""
        return self.value(f"mul i64 {left}, {right}")

    def spread(self, number: str) -> str:
        """Return a vector of one repeated number."""
        first = self.value(f"insertelement {self.vector} poison, float {number}, i64 0")
        return self.value(f"shufflevector {self.vector} {first}, {self.vector} poison, "
                          f"<{self.width} x i32> zeroinitializer")  # fmt: skip

    def total(self, vector: str) -> str:
        """Return the sum of a vector's elements."""
        return self.value(
            f"call reassoc float @llvm.vector.reduce.fadd.v{self.width}f32(float -0.0, {self.vector} {vector})"
        )


class InnerFunction(Function):
    """Function under construction that other functions of its module call; parameters are given as `ptr %name`."""

    def __init__(self, name: str, parameters: Sequence[str], host: Host) -> None:
        super().__init__(name, (), host)
        self._header = f"define internal i64 @{name}({', '.join(parameters)}) #0 {{"


def call_text(name: str, function: str, kinds: str) -> str:
    """Return a function (pointer to arguments) that calls `function` with them; `kinds` is `p` or `i` for each."""
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

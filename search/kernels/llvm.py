"""The LLVM text of a pointwise stage.

A stage is one function over flat arrays, a vector at a time: all arrays of a stage have the same rows, padded to whole
vectors, so there are no leftovers to handle. Values outside the padding never depend on values inside of it.

tanh is the rational approximation of the Eigen library (degrees 13 and 6, off by at most 5 units in the last place);
sigmoid is 1 / (1 + exp(-v)) with Cephes' polynomial for exp. Both keep NaN, and saturate to exactly -1, 0 and 1.
Multiplications and additions may be fused, nothing else is relaxed.
"""

import struct
from collections.abc import Sequence

from search.cells.graph import LEAKY_SLOPE
from search.kernels.adjoint import Instruction, Place, Stage
from search.kernels.machine import Host

_TANH_LIMIT = 7.99881172180175781
_TANH_ABOVE = (
    -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05,
    6.37261928875436e-04, 4.89352455891786e-03,
)  # fmt: skip
_TANH_BELOW = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
_EXP_LIMIT = 87.33  # exp(-87.33) is the smallest number with full precision
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_LOG2_E = 1.44269504088896341
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4  # the first is exact in few bits
_ROUNDER = 12582912.0  # 1.5 * 2**23: adding it leaves the nearest integer in the last bits


class _Body:
    """Vector instructions of one stage's loop under construction."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.vector = f"<{width} x float>"
        self.lines: list[str] = []
        self._count = 0

    def value(self, text: str) -> str:
        """The name of a new value, defined by `text`."""
        self._count += 1
        name = f"%v{self._count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def constant(self, number: float) -> str:
        """A vector of one number, rounded to single precision. LLVM writes floats as the hexadecimal of the double."""
        (rounded,) = struct.unpack("f", struct.pack("f", number))
        digits = f"float 0x{struct.pack('>d', rounded).hex().upper()}"
        return f"<{', '.join([digits] * self.width)}>"

    def binary(self, op: str, a: str, b: str) -> str:
        return self.value(f"{op} contract {self.vector} {a}, {b}")

    def fma(self, a: str, b: str, c: str) -> str:
        return self.value(
            f"call {self.vector} @llvm.fma.v{self.width}f32({self.vector} {a}, {self.vector} {b}, {self.vector} {c})"
        )

    def where(self, test: str, a: str, b: str, then: str, otherwise: str) -> str:
        """`then` where the comparison holds, else `otherwise`: also where one of the compared values is NaN."""
        mask = self.value(f"fcmp {test} {self.vector} {a}, {b}")
        return self.value(f"select <{self.width} x i1> {mask}, {self.vector} {then}, {self.vector} {otherwise}")

    def clamp(self, v: str, limit: float) -> str:
        high, low = self.constant(limit), self.constant(-limit)
        v = self.where("olt", high, v, high, v)
        return self.where("ogt", low, v, low, v)

    def polynomial(self, v: str, coefficients: Sequence[float]) -> str:
        """By Horner's rule, from the highest power down."""
        result = self.constant(coefficients[0])
        for coefficient in coefficients[1:]:
            result = self.fma(result, v, self.constant(coefficient))
        return result

    def tanh(self, v: str) -> str:
        v = self.clamp(v, _TANH_LIMIT)
        square = self.binary("fmul", v, v)
        above = self.binary("fmul", v, self.polynomial(square, _TANH_ABOVE))
        return self.binary("fdiv", above, self.polynomial(square, _TANH_BELOW))

    def sigmoid(self, v: str) -> str:
        one, zero = self.constant(1.0), self.constant(0.0)
        v = self.value(f"fneg {self.vector} {v}")
        u = self.clamp(v, _EXP_LIMIT)
        shifted = self.fma(u, self.constant(_LOG2_E), self.constant(_ROUNDER))
        whole = self.value(f"fsub {self.vector} {shifted}, {self.constant(_ROUNDER)}")
        rest = self.fma(whole, self.constant(-_LN2_HIGH), u)
        rest = self.fma(whole, self.constant(-_LN2_LOW), rest)
        square = self.binary("fmul", rest, rest)
        power = self.fma(square, self.polynomial(rest, _EXP), rest)
        power = self.binary("fadd", power, one)
        integers = f"<{self.width} x i32>"
        bits = self.value(f"bitcast {self.vector} {shifted} to {integers}")
        exponent = self.value(f"shl {integers} {bits}, <{', '.join(['i32 23'] * self.width)}>")
        exponent = self.value(f"add {integers} {exponent}, <{', '.join(['i32 1065353216'] * self.width)}>")
        scale = self.value(f"bitcast {integers} {exponent} to {self.vector}")
        result = self.binary("fdiv", one, self.fma(power, scale, one))
        return self.where("ogt", v, self.constant(_EXP_LIMIT), zero, result)

    def leaky(self, v: str, then: str) -> str:
        """`then` where v is positive, else the slope times it: also where v is NaN, as torch has it."""
        return self.where("ogt", v, self.constant(0.0), then, self.binary("fmul", then, self.constant(LEAKY_SLOPE)))

    def instruction(self, instruction: Instruction, arguments: Sequence[str]) -> str:
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
    """A stage as a function (count, one pointer a place in the order of `stage.places()`) over `count` floats each."""
    body = _Body(host.width)
    numbers = {place: n for n, place in enumerate(stage.places())}

    def address(place: Place) -> str:
        return body.value(f"getelementptr float, ptr %p{numbers[place]}, i64 %i")

    names: list[str] = []
    for instruction in stage.instructions:
        if instruction.place is not None:
            names.append(body.value(f"load {body.vector}, ptr {address(instruction.place)}, align 4"))
        else:
            names.append(body.instruction(instruction, [names[a] for a in instruction.arguments]))
    for place, number in stage.stores:
        body.lines.append(f"  store {body.vector} {names[number]}, ptr {address(place)}, align 4")
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

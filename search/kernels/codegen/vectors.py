"""Builder of vector arithmetic as LLVM text, with exponential, logarithm and activations.

tanh is the rational approximation of the Eigen library (degrees 13 and 6, at most 5 units in the last place off).
Sigmoid is 1 / (1 + exp(-v)) with the polynomial of the Cephes library for exp; logarithms are those of Cephes too. All
propagate NaN and saturate to exactly -1, 0 and 1. Multiplications and additions may be fused; nothing else is relaxed.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_TANH_LIMIT = 7.99881172180175781
_TANH_ABOVE = (
    -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05,
    6.37261928875436e-04, 4.89352455891786e-03,
)  # fmt: skip
_TANH_BELOW = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
_EXP_LIMIT = 87.33  # exp(-87.33) is the smallest number with full precision
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_LOG = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
    2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_ROOT_HALF = 0x3F3504F3  # the bits of sqrt(1/2)
_LOG2_E = 1.44269504088896341
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4  # the first is exact in few bits
_ROUNDER = 12582912.0  # 1.5 * 2**23: adding it leaves the nearest integer in the last bits


class Vectors:
    """Instructions under construction, on vectors of `width` floats. Methods return the name of their result."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.vector = f"<{width} x float>"
        self.lines: list[str] = []
        self._count = 0

    @contextmanager
    def lanes(self, width: int) -> Iterator[None]:
        """Build on vectors of another width inside this context, such as 1 for the rest of an array."""
        before = self.width, self.vector
        self.width, self.vector = width, f"<{width} x float>"
        yield
        self.width, self.vector = before

    def fresh(self) -> str:
        """Return an unused name."""
        self._count += 1
        return f"%v{self._count}"

    def value(self, text: str) -> str:
        """Add the instruction `text` and return the name of its result."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def constant(self, number: float) -> str:
        """Return a constant vector of one number rounded to float32; LLVM writes it as the hexadecimal double."""
        (rounded,) = struct.unpack("f", struct.pack("f", number))
        digits = f"float 0x{struct.pack('>d', rounded).hex().upper()}"
        return f"<{', '.join([digits] * self.width)}>"

    def binary(self, op: str, a: str, b: str) -> str:
        """Apply `fadd`, `fsub`, `fmul` or `fdiv`."""
        return self.value(f"{op} contract {self.vector} {a}, {b}")

    def fma(self, a: str, b: str, c: str) -> str:
        """Compute a * b + c, rounded once."""
        return self.value(
            f"call {self.vector} @llvm.fma.v{self.width}f32({self.vector} {a}, {self.vector} {b}, {self.vector} {c})"
        )

    def where(self, test: str, a: str, b: str, then: str, otherwise: str) -> str:
        """Select `then` where the ordered comparison of a and b holds, else `otherwise`; NaN fails every comparison."""
        mask = self.value(f"fcmp {test} {self.vector} {a}, {b}")
        return self.value(f"select <{self.width} x i1> {mask}, {self.vector} {then}, {self.vector} {otherwise}")

    def clamp(self, v: str, limit: float) -> str:
        """Limit v to [-limit, limit]; NaN stays."""
        high, low = self.constant(limit), self.constant(-limit)
        v = self.where("olt", high, v, high, v)
        return self.where("ogt", low, v, low, v)

    def polynomial(self, v: str, coefficients: Sequence[float]) -> str:
        """Evaluate a polynomial by Horner's rule; coefficients from the highest power down."""
        result = self.constant(coefficients[0])
        for coefficient in coefficients[1:]:
            result = self.fma(result, v, self.constant(coefficient))
        return result

    def tanh(self, v: str) -> str:
        """Compute the hyperbolic tangent."""
        v = self.clamp(v, _TANH_LIMIT)
        square = self.binary("fmul", v, v)
        above = self.binary("fmul", v, self.polynomial(square, _TANH_ABOVE))
        return self.binary("fdiv", above, self.polynomial(square, _TANH_BELOW))

    def sigmoid(self, v: str) -> str:
        """Compute 1 / (1 + exp(-v))."""
        one, zero = self.constant(1.0), self.constant(0.0)
        v = self.value(f"fneg {self.vector} {v}")
        power, scale = self._exponential(self.clamp(v, _EXP_LIMIT))
        result = self.binary("fdiv", one, self.fma(power, scale, one))
        return self.where("ogt", v, self.constant(_EXP_LIMIT), zero, result)

    def exp(self, v: str) -> str:
        """Compute the exponential of v up to 87; a result below the smallest normal number is 0."""
        result = self.binary("fmul", *self._exponential(self.clamp(v, _EXP_LIMIT)))
        return self.where("olt", v, self.constant(-_EXP_LIMIT), self.constant(0.0), result)

    def log(self, v: str) -> str:
        """Compute the natural logarithm of positive normal numbers; infinity gives NaN."""
        integers = f"<{self.width} x i32>"
        bits = self.value(f"bitcast {self.vector} {v} to {integers}")
        above = self.value(f"sub {integers} {bits}, {self._integer(_ROOT_HALF)}")
        exponent = self.value(f"ashr {integers} {above}, {self._integer(23)}")
        shifted = self.value(f"shl {integers} {exponent}, {self._integer(23)}")
        rest = self.value(f"sub {integers} {bits}, {shifted}")
        rest = self.value(f"bitcast {integers} {rest} to {self.vector}")
        rest = self.binary("fadd", rest, self.constant(-1.0))
        whole = self.value(f"sitofp {integers} {exponent} to {self.vector}")
        square = self.binary("fmul", rest, rest)
        cube = self.binary("fmul", rest, square)
        result = self.binary("fmul", self.polynomial(rest, _LOG), cube)
        result = self.fma(whole, self.constant(_LN2_LOW), result)
        result = self.fma(square, self.constant(-0.5), result)
        result = self.binary("fadd", rest, result)
        result = self.fma(whole, self.constant(_LN2_HIGH), result)
        return self.fma(v, self.constant(0.0), result)  # the exponent bits of infinity and NaN are no exponent

    def log1p(self, v: str) -> str:
        """Compute the natural logarithm of 1 + v for v from 0 to 1, by the series of 2 artanh(v / (2 + v))."""
        ratio = self.binary("fdiv", v, self.binary("fadd", v, self.constant(2.0)))
        square = self.binary("fmul", ratio, ratio)
        series = self.polynomial(square, [2.0 / n for n in (15, 13, 11, 9, 7, 5, 3, 1)])
        return self.binary("fmul", ratio, series)

    def _exponential(self, u: str) -> tuple[str, str]:
        """Return two factors of exp(u), |u| at most 87.33: one near 1, the other a power of 2."""
        shifted = self.fma(u, self.constant(_LOG2_E), self.constant(_ROUNDER))
        whole = self.value(f"fsub {self.vector} {shifted}, {self.constant(_ROUNDER)}")
        rest = self.fma(whole, self.constant(-_LN2_HIGH), u)
        rest = self.fma(whole, self.constant(-_LN2_LOW), rest)
        square = self.binary("fmul", rest, rest)
        power = self.fma(square, self.polynomial(rest, _EXP), rest)
        power = self.binary("fadd", power, self.constant(1.0))
        integers = f"<{self.width} x i32>"
        bits = self.value(f"bitcast {self.vector} {shifted} to {integers}")
        exponent = self.value(f"shl {integers} {bits}, {self._integer(23)}")
        exponent = self.value(f"add {integers} {exponent}, {self._integer(1065353216)}")
        return power, self.value(f"bitcast {integers} {exponent} to {self.vector}")

    def _integer(self, number: int) -> str:
        return f"<{', '.join([f'i32 {number}'] * self.width)}>"

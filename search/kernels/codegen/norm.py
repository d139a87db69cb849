"""LLVM text of the normalisation of rows to mean 0 and variance 1, and of its backward (Ba et al. 2016, section 3).

The mean is taken over the H columns of a row, never over its padding. The variance is that of the differences from the
mean, in a second pass over the row, which then is in the fastest cache. Gain and offset are learned vectors, which the
stages that read the result apply.

Legend: M rows of N columns, S floats apart.
"""

from collections.abc import Callable

from search.cells.operations import NORM_EPSILON
from search.kernels.codegen.function import InnerFunction
from search.kernels.codegen.gemm import load_text, mask_text, masks_text
from search.kernels.codegen.host import Host

NORM = "norm"
"""norm(M, N, S, source, result, scale): result = (source - mean) * scale, scale = 1 / sqrt(variance + epsilon).

`scale` holds a number for each row. The result may be the source itself.
"""

NORM_GRADIENT = "norm_gradient"
"""norm_gradient(M, N, S, result, scale, d, d_source): d_source = scale * (d - mean(d) - result * mean(d * result)).

`d` is the gradient of the result. The two gradients may be one array.
"""

NORM_GRADIENT_ADDED = "norm_gradient_added"
"""norm_gradient_added(M, N, S, result, scale, d, d_source): add what `NORM_GRADIENT` computes to another array."""


def norm_text(host: Host) -> str:
    """Return the functions `NORM`, `NORM_GRADIENT` and `NORM_GRADIENT_ADDED`."""
    return "\n".join(
        [
            masks_text(host.width),
            f"declare float @llvm.vector.reduce.fadd.v{host.width}f32(float, <{host.width} x float>)",
            "declare float @llvm.sqrt.f32(float)",
            _norm(host),
            _gradient(host, NORM_GRADIENT, added=False),
            _gradient(host, NORM_GRADIENT_ADDED, added=True),
        ]
    )


class _Rows(InnerFunction):
    """Function over rows, with sums over the N columns of a row."""

    def __init__(self, name: str, pointers: tuple[str, ...], host: Host) -> None:
        super().__init__(name, ("i64 %M", "i64 %N", "i64 %S", *pointers), host)
        self.whole = self.value(f"and i64 %N, {-host.width}")
        self.tail = self.value(f"and i64 %N, {host.width - 1}")
        self.lines.append(mask_text(host.width, self.tail, "%mask"))
        self.inverse = self.value(f"fdiv float 1.0, {self.value('uitofp i64 %N to float')}")

    def means(self, terms: Callable[[Callable[[str], str]], list[str]], count: int) -> list[str]:
        """Return the means over a row's columns of `count` terms, each spread to a vector.

        `terms` returns the terms, given a function that loads a vector of a row, which is zero beyond column N.
        """
        names = ["zeroinitializer"] * count
        for stop, start, mask in ((self.whole, "0", False), ("%N", self.whole, True)):
            with self.loop(stop, self.width, start) as part:
                sums = [part.carry(self.vector, name) for name in names]

                def load(row: str, mask: bool = mask, column: str = part.counter) -> str:
                    name = self.fresh()
                    self.lines.append(load_text(self.width, name, self.at(row, column), "%mask" if mask else None))
                    return name

                for name, term in zip(sums, terms(load), strict=True):
                    if mask:
                        zero = self.constant(0.0)
                        term = self.value(
                            f"select <{self.width} x i1> %mask, {self.vector} {term}, {self.vector} {zero}"
                        )
                    part.leave(name, self.binary("fadd", name, term))
            names = sums
        return [self.spread(self.value(f"fmul float {self.total(name)}, {self.inverse}")) for name in names]


def _norm(host: Host) -> str:
    f = _Rows(NORM, ("ptr %source", "ptr %result", "ptr %scale"), host)
    with f.loop("%M") as row:
        first = f.multiply(row.counter, "%S")
        source, result = f.at("%source", first), f.at("%result", first)
        (mean,) = f.means(lambda load: [load(source)], 1)

        def squares(load: Callable[[str], str]) -> list[str]:
            difference = f.binary("fsub", load(source), mean)
            return [f.binary("fmul", difference, difference)]

        (variance,) = f.means(squares, 1)
        one = f.value(f"extractelement {f.vector} {f.binary('fadd', variance, f.constant(NORM_EPSILON))}, i64 0")
        scale = f.value(f"fdiv float 1.0, {f.value(f'call float @llvm.sqrt.f32(float {one})')}")
        f.store("float", scale, f.at("%scale", row.counter))
        factor = f.spread(scale)
        with f.loop("%S", f.width) as part:
            difference = f.binary("fsub", f.load(f.vector, f.at(source, part.counter)), mean)
            f.store(f.vector, f.binary("fmul", difference, factor), f.at(result, part.counter))
    return f.text()


def _gradient(host: Host, name: str, *, added: bool) -> str:
    f = _Rows(name, ("ptr %result", "ptr %scale", "ptr %d_result", "ptr %d_source"), host)
    with f.loop("%M") as row:
        first = f.multiply(row.counter, "%S")
        result, d_result, d_source = (f.at(rows, first) for rows in ("%result", "%d_result", "%d_source"))
        factor = f.spread(f.load("float", f.at("%scale", row.counter)))

        def terms(load: Callable[[str], str]) -> list[str]:
            incoming = load(d_result)
            return [incoming, f.binary("fmul", incoming, load(result))]

        mean, product = f.means(terms, 2)
        with f.loop("%S", f.width) as part:
            incoming, value = (f.load(f.vector, f.at(rows, part.counter)) for rows in (d_result, result))
            rest = f.binary("fsub", f.binary("fsub", incoming, mean), f.binary("fmul", value, product))
            rest = f.binary("fmul", rest, factor)
            at = f.at(d_source, part.counter)
            f.store(f.vector, f.binary("fadd", f.load(f.vector, at), rest) if added else rest, at)
    return f.text()

"""LLVM text of a training step outside of layers and readout: checks, loss mask, gradient clipping and SGD.

Legend: N steps of all sequences, V symbols, P parameters; `control` is two doubles (learning rate, largest norm), and
`results` three (nats, gradient norm, number of steps in the loss mask).
"""

from search.kernels.codegen.function import Function, call_text
from search.kernels.codegen.host import Host

CHECK = "gatesearch_check"
"""check(numbers, mask, N, V): return 1 if a number with a nonzero mask is not from 0 to V - 1, else 0."""

SELECT = "gatesearch_select"
"""select(mask, N, index, count, results): write the indices of the ones in the mask, and their number.

Return 1 if an entry is neither 0 nor 1, else 0.
"""

SGD = "gatesearch_sgd"
"""sgd(gradient, parameters, P, control, inverse, results): write the gradient's norm and take a clipped step of SGD.

If the loss or the norm is not finite in single precision, no parameter changes. `inverse` is 1 / B in single precision.
"""

CLEAR, COPY = "gatesearch_clear", "gatesearch_copy"
"""clear(bytes, to) writes zeros; copy(bytes, from, to) copies."""

COPY_ROWS = "gatesearch_copy_rows"
"""copy_rows(count, N, from, from_stride, to, to_stride): copy rows of N floats that begin a stride of floats apart."""


def sgd_text(host: Host) -> str:
    """Return the functions `CHECK`, `SELECT`, `SGD`, `CLEAR`, `COPY` and `COPY_ROWS`."""
    memory = """\
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
define void @clear(i64 %bytes, ptr %to) #0 {
  call void @llvm.memset.p0.i64(ptr align 4 %to, i8 0, i64 %bytes, i1 false)
  ret void
}
define void @copy(i64 %bytes, ptr %from, ptr %to) #0 {
  call void @llvm.memcpy.p0.p0.i64(ptr align 4 %to, ptr align 4 %from, i64 %bytes, i1 false)
  ret void
}"""
    return "\n".join(
        [
            memory, call_text(CLEAR, "clear", "ip"), call_text(COPY, "copy", "ipp"), _copy_rows(host), _check(host),
            _select(host),
            f"declare double @llvm.vector.reduce.fadd.v{host.width}f64(double, <{host.width} x double>)",
            "declare double @llvm.sqrt.f64(double)",
            _sgd(host),
        ]
    )  # fmt: skip


def _copy_rows(host: Host) -> str:
    f = Function(COPY_ROWS, ("count:i64", "N:i64", "from", "from_stride:i64", "to", "to_stride:i64"), host)
    size = f.multiply("%N", "4")
    with f.loop("%count") as row:
        source = f.at("%from", f.multiply(row.counter, "%from_stride"))
        target = f.at("%to", f.multiply(row.counter, "%to_stride"))
        f.call("llvm.memcpy.p0.p0.i64", f"ptr align 4 {target}", f"ptr align 4 {source}", f"i64 {size}", "i1 false")
    return f.text()


def _check(host: Host) -> str:
    f = Function(CHECK, ("numbers", "mask", "N:i64", "V:i64"), host)
    with f.loop("%N") as row:
        bad = row.carry("i1", "0")
        number = f.load("i64", f.at("%numbers", row.counter, "i64"))
        outside = f.value(f"icmp uge i64 {number}, %V")
        masked = f.value(f"fcmp une float {f.load('float', f.at('%mask', row.counter))}, 0.0")
        row.leave(bad, f.value(f"or i1 {bad}, {f.value(f'and i1 {outside}, {masked}')}"))
    return f.text(f.value(f"zext i1 {bad} to i64"))


def _select(host: Host) -> str:
    f = Function(SELECT, ("mask", "N:i64", "index", "count", "results"), host)
    with f.loop("%N") as row:
        found, bad = row.carry("i64", "0"), row.carry("i1", "0")
        f.store("i64", row.counter, f.at("%index", found, "i64"))  # overwritten by the next one if not in the mask
        entry = f.load("float", f.at("%mask", row.counter))
        masked = f.value(f"fcmp oeq float {entry}, 1.0")
        row.leave(found, f.value(f"add i64 {found}, {f.value(f'zext i1 {masked} to i64')}"))
        neither = f.value(f"and i1 {f.value(f'xor i1 {masked}, true')}, {f.value(f'fcmp une float {entry}, 0.0')}")
        row.leave(bad, f.value(f"or i1 {bad}, {neither}"))
    f.store("i64", found, "%count")
    f.store("double", f.value(f"uitofp i64 {found} to double"), f.at("%results", "2", "double"))
    return f.text(f.value(f"zext i1 {bad} to i64"))


def _sgd(host: Host) -> str:
    f = Function(SGD, ("gradient", "parameters", "P:i64", "control", "inverse", "results"), host)
    whole = f.value(f"and i64 %P, {-host.width}")
    wide = f"<{host.width} x double>"
    with f.loop(whole, host.width) as part:
        squares = part.carry(wide, "zeroinitializer")
        value = f.value(f"fpext {f.vector} {f.load(f.vector, f.at('%gradient', part.counter))} to {wide}")
        square = f.value(f"fmul contract {wide} {value}, {value}")
        part.leave(squares, f.value(f"fadd contract {wide} {squares}, {square}"))
    most = f.value(f"call reassoc double @llvm.vector.reduce.fadd.v{host.width}f64(double -0.0, {wide} {squares})")
    with f.loop("%P", start=whole) as rest:
        total = rest.carry("double", most)
        value = f.value(f"fpext float {f.load('float', f.at('%gradient', rest.counter))} to double")
        rest.leave(total, f.value(f"fadd double {total}, {f.value(f'fmul double {value}, {value}')}"))
    # A sum of squares beyond single precision counts as infinite: such a gradient is of no use.
    single = f.value(f"fpext float {f.value(f'fptrunc double {total} to float')} to double")
    norm = f.value(f"call double @llvm.sqrt.f64(double {single})")
    f.store("double", norm, f.at("%results", "1", "double"))
    loss = f.value(f"fptrunc double {f.load('double', '%results')} to float")
    f.store("double", f.value(f"fpext float {loss} to double"), "%results")
    mean = f.value(f"fmul float {loss}, {f.load('float', '%inverse')}")
    loss = f.value(f"fpext float {mean} to double")
    both = f.value(f"fadd double {loss}, {norm}")
    finite = f.value(f"fcmp oeq double {f.value(f'fsub double {both}, {both}')}, 0.0")
    rate, longest = f.load("double", "%control"), f.load("double", f.at("%control", "1", "double"))
    longer = f.value(f"fcmp ogt double {norm}, {longest}")
    factor = f.value(f"select i1 {longer}, double {f.value(f'fdiv double {longest}, {norm}')}, double 1.0")
    step = f.value(f"fneg double {f.value(f'fmul double {rate}, {factor}')}")
    single = f.value(f"fptrunc double {step} to float")
    count = f.value(f"select i1 {finite}, i64 %P, i64 0")
    whole = f.value(f"and i64 {count}, {-host.width}")
    steps = f.spread(single)
    with f.loop(whole, host.width) as part:
        at = f.at("%parameters", part.counter)
        value = f.load(f.vector, f.at("%gradient", part.counter))
        f.store(f.vector, f.fma(value, steps, f.load(f.vector, at)), at)
    with f.loop(count, start=whole) as rest:
        at = f.at("%parameters", rest.counter)
        value = f.load("float", f.at("%gradient", rest.counter))
        moved = f.value(f"fmul contract float {value}, {single}")
        moved = f.value(f"fadd contract float {f.load('float', at)}, {moved}")
        f.store("float", moved, at)
    return f.text()

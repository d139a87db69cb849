"""LLVM text of what a step does outside of layers, readout and update: checks, loss mask, clearing and copying.

Legend: N steps of all sequences, V symbols; `results` is three doubles (nats, gradient norm, number of steps in the
loss mask).
"""

from search.kernels.codegen.function import Function, call_text
from search.kernels.codegen.host import Host

CHECK = "gatesearch_check"
"""check(numbers, mask, N, V): return 1 if a number with a nonzero mask is not from 0 to V - 1, else 0."""

SELECT = "gatesearch_select"
"""select(mask, N, index, count, results): write the indices of the ones in the mask, and their number.

Return 1 if an entry is neither 0 nor 1, else 0.
"""

CLEAR, COPY = "gatesearch_clear", "gatesearch_copy"
"""clear(bytes, to) writes zeros; copy(bytes, from, to) copies."""

COPY_ROWS = "gatesearch_copy_rows"
"""copy_rows(count, N, from, from_stride, to, to_stride): copy rows of N floats that begin a stride of floats apart."""


CLEAR_ENDED = "gatesearch_clear_ended"
"""clear_ended(T, B, S, sizes, to): write zeros to the rows (T, B, S) of sequences that have ended.

At step t those are the rows from sizes[t] on.
"""


CHECK_ENDED = "gatesearch_check_ended"
"""check_ended(T, B, sizes, mask): return 1 if the mask (T, B) is not 0 for a sequence that has ended, else 0."""


def memory_text(host: Host) -> str:
    """Return the functions of this module."""
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
            memory, call_text(CLEAR, "clear", "ip"), call_text(COPY, "copy", "ipp"), _copy_rows(host),
            _clear_ended(host), _check_ended(host), _check(host), _select(host),
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


def _clear_ended(host: Host) -> str:
    f = Function(CLEAR_ENDED, ("T:i64", "B:i64", "S:i64", "sizes", "to"), host)
    with f.loop("%T") as step:
        size = f.load("i64", f.at("%sizes", step.counter, "i64"))
        first = f.value(f"add i64 {f.multiply(step.counter, '%B')}, {size}")
        ended = f.multiply(f.value(f"sub i64 %B, {size}"), "%S")
        target = f.at("%to", f.multiply(first, "%S"))
        f.call("llvm.memset.p0.i64", f"ptr align 4 {target}", "i8 0", f"i64 {f.multiply(ended, '4')}", "i1 false")
    return f.text()


def _check_ended(host: Host) -> str:
    f = Function(CHECK_ENDED, ("T:i64", "B:i64", "sizes", "mask"), host)
    with f.loop("%T") as step:
        bad = step.carry("i1", "0")
        size = f.load("i64", f.at("%sizes", step.counter, "i64"))
        row = f.at("%mask", f.multiply(step.counter, "%B"))
        with f.loop("%B", start=size) as column:
            wrong = column.carry("i1", bad)
            masked = f.value(f"fcmp une float {f.load('float', f.at(row, column.counter))}, 0.0")
            column.leave(wrong, f.value(f"or i1 {wrong}, {masked}"))
        step.leave(bad, wrong)
    return f.text(f.value(f"zext i1 {bad} to i64"))


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

"""LLVM text of dropout: `search.kernels.dropout` says which numbers are left out.

Legend: O groups of R rows of N columns. All groups have one mask of R x N numbers, counted from `first` on.
"""

from search.kernels.codegen.function import Function
from search.kernels.codegen.host import Host
from search.kernels.dropout import FIRST_FACTOR, SECOND_FACTOR

DROPOUT = "gatesearch_dropout"
"""dropout(O, R, N, first, from, from_stride, to, to_stride, keys, threshold, scale): copy what is kept, scaled.

`keys` is the address of two integers; `scale` is the bits of a float. The two arrays may be one.
"""


def dropout_text(host: Host) -> str:
    """Return the function `DROPOUT`."""
    arguments = (
        *("O:i64", "R:i64", "N:i64", "first:i64", "from", "from_stride:i64", "to", "to_stride:i64"),
        *("keys", "threshold:i64", "scale:i64"),
    )
    f = Function(DROPOUT, arguments, host)
    keys = [f.value(f"trunc i64 {f.load('i64', f.at('%keys', str(k), 'i64'))} to i32") for k in range(2)]
    threshold = f.value("trunc i64 %threshold to i32")
    scale = f.value(f"bitcast i32 {f.value('trunc i64 %scale to i32')} to float")
    whole = f.value(f"and i64 %N, {-host.width}")
    with f.loop("%O") as group:
        before = f.multiply(group.counter, "%R")
        with f.loop("%R") as row:
            number = f.value(f"add i64 {f.multiply(row.counter, '%N')}, %first")
            at = f.value(f"add i64 {before}, {row.counter}")
            source, target = (f.at(f"%{n}", f.multiply(at, f"%{n}_stride")) for n in ("from", "to"))
            for width, start, stop in ((host.width, "0", whole), (1, whole, "%N")):
                with f.lanes(width), f.loop(stop, width, start) as part:
                    index = f.value(f"trunc i64 {f.value(f'add i64 {number}, {part.counter}')} to i32")
                    kept = f.value(f"icmp ult <{width} x i32> {_hash(f, index, keys)}, {_spread(f, threshold)}")
                    value = f.binary("fmul", f.load(f.vector, f.at(source, part.counter)), f.spread(scale))
                    value = f.value(f"select <{width} x i1> {kept}, {f.vector} {value}, {f.vector} zeroinitializer")
                    f.store(f.vector, value, f.at(target, part.counter))
    return f.text()


def _spread(f: Function, number: str) -> str:
    """Return a vector of one repeated integer."""
    kind = f"<{f.width} x i32>"
    first = f.value(f"insertelement {kind} poison, i32 {number}, i64 0")
    return f.value(f"shufflevector {kind} {first}, {kind} poison, <{f.width} x i32> zeroinitializer")


def _hash(f: Function, index: str, keys: list[str]) -> str:
    """Return the hashes of consecutive numbers from `index` on."""
    kind = f"<{f.width} x i32>"

    def constant(numbers: list[int]) -> str:
        return f"<{', '.join(f'i32 {n}' for n in numbers)}>"

    def shifted(value: str, bits: int) -> str:
        moved = f.value(f"lshr {kind} {value}, {constant([bits] * f.width)}")
        return f.value(f"xor {kind} {value}, {moved}")

    value = f.value(f"add {kind} {_spread(f, index)}, {constant(list(range(f.width)))}")
    for key in keys:
        value = f.value(f"xor {kind} {value}, {_spread(f, key)}")
        value = f.value(f"mul {kind} {shifted(value, 16)}, {constant([FIRST_FACTOR] * f.width)}")
        value = f.value(f"mul {kind} {shifted(value, 15)}, {constant([SECOND_FACTOR] * f.width)}")
        value = shifted(value, 16)
    return value

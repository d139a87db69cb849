"""LLVM text of the matrix product (GEMM) for small matrices.

In a recurrent loop a product has few rows (the batch), and a library call spends much of its time on packing, checks
and remainders. Here the weights are packed once for all steps, and a block of the result stays in registers during one
pass over the reduction dimension (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008).
Each step of the pass loads two vectors of the right matrix and multiplies them with each of ten (or six) numbers of the
left one. The same code computes the products of all steps at once, and the gradients of weights, whose left matrix is
read along its columns.

Legend: M rows, N columns, K the reduction; `rs` is the distance from row to row and `ks` that from one k to the next,
both in floats. N is any number: where the last vector of a row is not whole, only the columns below N of C and of its
start are read and written. The rows of B hold whole vectors, whose columns beyond N may have any value.
"""

from search.kernels.codegen.host import Host

GEMM = "gatesearch_gemm"
"""Name of the product, followed by the vector width, since code of several widths may be in one process.

gemm(M, N, K, A, A_rs, A_ks, B, B_panel, B_ks, start, start_rs, C, C_rs): C = start + A @ B.

B is read in panels of `panel_columns` columns, `B_panel` floats apart. `start` may be C itself, or one row for all rows
(start_rs = 0).
"""

_REDUCTION_BLOCK = 256
"""Largest number of k in one pass, so that the panel of B stays in the fastest cache."""


def panel_columns(host: Host) -> int:
    """Return the columns of a panel: two vectors."""
    return 2 * host.width


def whole_panels(columns: int, panel: int) -> int:
    """Return a number of columns rounded up to whole panels of `panel` columns."""
    return -(-columns // panel) * panel


def gemm_text(host: Host) -> str:
    """Return the function `GEMM`."""
    vector = f"<{host.width} x float>"
    rows = (10, 4, 1) if host.registers >= 32 else (6, 2, 1)
    parts = [f"declare {vector} @llvm.fma.v{host.width}f32({vector}, {vector}, {vector})", masks_text(host.width)]
    for columns in (2, 1):
        for partial in (False, True):
            parts += [_block(host.width, r, columns, partial) for r in rows]
            parts.append(_all_rows(rows, columns, partial))
    parts.append(_gemm(host.width))
    return "\n".join(parts)


def masks_text(width: int) -> str:
    """Return the declarations of loads and stores of the first columns of a vector."""
    vector, mask = f"<{width} x float>", f"<{width} x i1>"
    return f"""\
declare {vector} @llvm.masked.load.v{width}f32.p0(ptr, i32, {mask}, {vector})
declare void @llvm.masked.store.v{width}f32.p0({vector}, ptr, i32, {mask})"""


def mask_text(width: int, count: str, name: str) -> str:
    """Return the instructions that set the mask `name` for the first `count` columns of a vector."""
    lanes = f"<{', '.join(f'i64 {n}' for n in range(width))}>"
    return f"""\
  {name}.one = insertelement <{width} x i64> poison, i64 {count}, i64 0
  {name}.all = shufflevector <{width} x i64> {name}.one, <{width} x i64> poison, <{width} x i32> zeroinitializer
  {name} = icmp ult <{width} x i64> {lanes}, {name}.all"""


def load_text(width: int, name: str, address: str, mask: str | None = None) -> str:
    """Return the load of a vector, with a mask of its first columns only: the others are zero."""
    vector = f"<{width} x float>"
    if mask is None:
        return f"  {name} = load {vector}, ptr {address}, align 4"
    return (
        f"  {name} = call {vector} @llvm.masked.load.v{width}f32.p0(ptr {address}, i32 4, <{width} x i1> {mask}, "
        f"{vector} zeroinitializer)"
    )


def store_text(width: int, value: str, address: str, mask: str | None = None) -> str:
    """Return the store of a vector, with a mask of its first columns only: memory beyond them stays untouched."""
    vector = f"<{width} x float>"
    if mask is None:
        return f"  store {vector} {value}, ptr {address}, align 4"
    return (
        f"  call void @llvm.masked.store.v{width}f32.p0({vector} {value}, ptr {address}, i32 4, <{width} x i1> {mask})"
    )


def _block(width: int, rows: int, columns: int, partial: bool) -> str:
    """Return the function of one block, `rows` rows by `columns` vectors, kept in registers over one pass.

    With `partial`, the last vector of a row has `tail` columns.
    """
    vector = f"<{width} x float>"
    cells = [(r, c) for r in range(rows) for c in range(columns)]

    def mask(c: int) -> str | None:
        return "%mask" if partial and c == columns - 1 else None

    start = [
        f"""\
  %start{r}.{c}.offset = add i64 %start{r}.row, {c * width}
  %start{r}.{c}.at = getelementptr float, ptr %start, i64 %start{r}.{c}.offset
{load_text(width, f"%start{r}.{c}", f"%start{r}.{c}.at", mask(c))}"""
        for r, c in cells
    ]
    sums = [f"  %sum{r}.{c} = phi {vector} [%start{r}.{c}, %entry], [%next{r}.{c}, %pass]" for r, c in cells]
    right = [
        f"""\
  %b{c}.at = getelementptr float, ptr %b, i64 {c * width}
  %b{c} = load {vector}, ptr %b{c}.at, align 4"""
        for c in range(columns)
    ]
    left = [
        f"""\
  %a{r}.at = getelementptr float, ptr %a, i64 %a{r}.row
  %a{r}.one = load float, ptr %a{r}.at, align 4
  %a{r}.first = insertelement {vector} poison, float %a{r}.one, i64 0
  %a{r} = shufflevector {vector} %a{r}.first, {vector} poison, <{width} x i32> zeroinitializer"""
        for r in range(rows)
    ]
    fused = [
        f"  %next{r}.{c} = call {vector} @llvm.fma.v{width}f32({vector} %a{r}, {vector} %b{c}, {vector} %sum{r}.{c})"
        for r, c in cells
    ]
    stores = [
        f"""\
  %c{r}.{c}.offset = add i64 %c{r}.row, {c * width}
  %c{r}.{c}.at = getelementptr float, ptr %C, i64 %c{r}.{c}.offset
{store_text(width, f"%next{r}.{c}", f"%c{r}.{c}.at", mask(c))}"""
        for r, c in cells
    ]

    def offsets(name: str, stride: str) -> list[str]:
        return [f"  %{name}{r}.row = mul i64 %{stride}, {r}" for r in range(rows)]

    lines = [
        f"define internal void @block_{rows}_{_shape(columns, partial)}(i64 %K, ptr %A, i64 %A_rs, i64 %A_ks, ptr %B, "
        "i64 %B_ks, ptr %start, i64 %start_rs, ptr %C, i64 %C_rs, i64 %tail) #0 {",
        "entry:",
        *([mask_text(width, "%tail", "%mask")] if partial else []),
        *offsets("a", "A_rs"),
        *offsets("start", "start_rs"),
        *start,
        "  br label %pass",
        "pass:",
        "  %k = phi i64 [0, %entry], [%k.next, %pass]",
        "  %a = phi ptr [%A, %entry], [%a.next, %pass]",
        "  %b = phi ptr [%B, %entry], [%b.next, %pass]",
        *sums,
        *right,
        *left,
        *fused,
        "  %k.next = add i64 %k, 1",
        "  %a.next = getelementptr float, ptr %a, i64 %A_ks",
        "  %b.next = getelementptr float, ptr %b, i64 %B_ks",
        "  %more = icmp ult i64 %k.next, %K",
        "  br i1 %more, label %pass, label %end",
        "end:",
        *offsets("c", "C_rs"),
        *stores,
        "  ret void",
        "}",
    ]
    return "\n".join(lines)


def _shape(columns: int, partial: bool) -> str:
    return f"{columns}{'_partial' if partial else ''}"


def _all_rows(rows: tuple[int, ...], columns: int, partial: bool) -> str:
    """Return the function of all rows of a panel: as many blocks of the largest height as fit, then smaller ones."""
    lines = [
        f"define internal void @rows_{_shape(columns, partial)}(i64 %M, i64 %K, ptr %A, i64 %A_rs, i64 %A_ks, ptr %B, "
        "i64 %B_ks, ptr %start, i64 %start_rs, ptr %C, i64 %C_rs, i64 %tail) #0 {",
        "entry:",
        f"  br label %test{rows[0]}",
    ]
    before = "entry"
    for r, following in zip(rows, [*(f"test{s}" for s in rows[1:]), "end"], strict=True):
        first = "0" if before == "entry" else f"%i{before}"
        lines.append(f"""\
test{r}:
  %i{r} = phi i64 [{first}, %{before if before == "entry" else f"test{before}"}], [%i{r}.next, %do{r}]
  %i{r}.next = add i64 %i{r}, {r}
  %fits{r} = icmp ule i64 %i{r}.next, %M
  br i1 %fits{r}, label %do{r}, label %{following}
do{r}:
  %a{r}.offset = mul i64 %i{r}, %A_rs
  %s{r}.offset = mul i64 %i{r}, %start_rs
  %c{r}.offset = mul i64 %i{r}, %C_rs
  %a{r} = getelementptr float, ptr %A, i64 %a{r}.offset
  %s{r} = getelementptr float, ptr %start, i64 %s{r}.offset
  %c{r} = getelementptr float, ptr %C, i64 %c{r}.offset
  call void @block_{r}_{_shape(columns, partial)}(i64 %K, ptr %a{r}, i64 %A_rs, i64 %A_ks, ptr %B, i64 %B_ks, \
ptr %s{r}, i64 %start_rs, ptr %c{r}, i64 %C_rs, i64 %tail)
  br label %test{r}""")
        before = str(r)
    return "\n".join([*lines, "end:", "  ret void", "}"])


def _gemm(width: int) -> str:
    """Return the product: passes over the reduction, in each all panels; the last panel may be narrower."""
    arguments = (
        "i64 %M, i64 %K.here, ptr %A.here, i64 %A_rs, i64 %A_ks, ptr %B.here, i64 %B_ks, ptr %start.here, i64 %rs, "
        "ptr %C.here, i64 %C_rs"
    )
    return f"""\
define void @{GEMM}{width}(i64 %M, i64 %N, i64 %K, ptr %A, i64 %A_rs, i64 %A_ks, ptr %B, i64 %B_panel, i64 %B_ks, \
ptr %start, i64 %start_rs, ptr %C, i64 %C_rs) #0 {{
entry:
  %K.up = add i64 %K, {_REDUCTION_BLOCK - 1}
  %blocks = udiv i64 %K.up, {_REDUCTION_BLOCK}
  %K.more = add i64 %K, %blocks
  %K.most = sub i64 %K.more, 1
  %size = udiv i64 %K.most, %blocks
  br label %reduction
reduction:
  %k = phi i64 [0, %entry], [%k.next, %reduction.end]
  %from = phi ptr [%start, %entry], [%C, %reduction.end]
  %rs = phi i64 [%start_rs, %entry], [%C_rs, %reduction.end]
  %left = sub i64 %K, %k
  %is.last = icmp ult i64 %left, %size
  %K.here = select i1 %is.last, i64 %left, i64 %size
  %A.offset = mul i64 %k, %A_ks
  %A.here = getelementptr float, ptr %A, i64 %A.offset
  %B.offset = mul i64 %k, %B_ks
  %B.first = getelementptr float, ptr %B, i64 %B.offset
  br label %panel
panel:
  %n = phi i64 [0, %reduction], [%n.next, %panel.end]
  %B.here = phi ptr [%B.first, %reduction], [%B.next, %panel.end]
  %start.here = getelementptr float, ptr %from, i64 %n
  %C.here = getelementptr float, ptr %C, i64 %n
  %n.next = add i64 %n, {2 * width}
  %B.next = getelementptr float, ptr %B.here, i64 %B_panel
  %full = icmp ule i64 %n.next, %N
  br i1 %full, label %two, label %narrow
two:
  call void @rows_2({arguments}, i64 0)
  br label %panel.end
narrow:
  %columns = sub i64 %N, %n
  %second = sub i64 %columns, {width}
  %is.one = icmp eq i64 %second, 0
  br i1 %is.one, label %one, label %partial
one:
  call void @rows_1({arguments}, i64 0)
  br label %panel.end
partial:
  %is.more = icmp sgt i64 %second, 0
  br i1 %is.more, label %two.partial, label %one.partial
two.partial:
  call void @rows_2_partial({arguments}, i64 %second)
  br label %panel.end
one.partial:
  call void @rows_1_partial({arguments}, i64 %columns)
  br label %panel.end
panel.end:
  %more.panels = icmp ult i64 %n.next, %N
  br i1 %more.panels, label %panel, label %reduction.end
reduction.end:
  %k.next = add i64 %k, %K.here
  %more = icmp ult i64 %k.next, %K
  br i1 %more, label %reduction, label %end
end:
  ret void
}}"""

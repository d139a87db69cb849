"""LLVM text of gather and scatter: copy rows of a table by number, and add gradients back to them.

A value that depends on an embedding alone takes no more values than there are symbols. Computing it once for each
symbol and gathering the results is cheaper than gathering the embedding and computing it at each step.
"""

from search.kernels.codegen.gemm import load_text, mask_text, store_text
from search.kernels.codegen.host import Host

GATHER = "gatesearch_gather"
"""gather(count, N, numbers, table, table_stride, rows, row_stride): row i of `rows` = row numbers[i] of `table`.

A row has N floats, any number, and the next row begins a stride of floats further on. Nothing else is touched.
"""

SCATTER = "gatesearch_scatter"
"""scatter(count, N, numbers, table, table_stride, rows, row_stride): row numbers[i] of `table` += row i of `rows`.

Rows are added in order of i; the arguments are those of `GATHER`.
"""


def gather_text(host: Host) -> str:
    """Return the functions `GATHER` and `SCATTER`; the declarations are those of `gemm.masks_text`."""
    return "\n".join(_over_rows(name, adds, host.width) for name, adds in ((GATHER, False), (SCATTER, True)))


def _body(adds: bool, width: int, mask: str | None) -> str:
    """Return the instructions for one vector at column %c, or for the columns of a mask."""
    part = "tail" if mask else "whole"
    names = [f"%{part}.{name}" for name in ("table", "rows", "value", "old", "new")]
    table, rows, value, old, new = names
    lines = [
        f"  {table} = getelementptr float, ptr %table.row, i64 %c",
        f"  {rows} = getelementptr float, ptr %rows.row, i64 %c",
        load_text(width, value, rows if adds else table, mask),
    ]
    if adds:
        lines += [load_text(width, old, table, mask), f"  {new} = fadd <{width} x float> {old}, {value}"]
    lines.append(store_text(width, new, table, mask) if adds else store_text(width, value, rows, mask))
    return "\n".join(lines)


def _over_rows(name: str, adds: bool, width: int) -> str:
    return f"""\
define void @{name}(i64 %count, i64 %N, ptr %numbers, ptr %table, i64 %table_stride, ptr %rows, i64 %row_stride) #0 {{
entry:
  %tail = and i64 %N, {width - 1}
{mask_text(width, "%tail", "%mask")}
  %no.tail = icmp eq i64 %tail, 0
  br label %row
row:
  %i = phi i64 [0, %entry], [%i.next, %row.end]
  %number.at = getelementptr i64, ptr %numbers, i64 %i
  %number = load i64, ptr %number.at, align 8
  %table.offset = mul i64 %number, %table_stride
  %rows.offset = mul i64 %i, %row_stride
  %table.row = getelementptr float, ptr %table, i64 %table.offset
  %rows.row = getelementptr float, ptr %rows, i64 %rows.offset
  br label %column
column:
  %c = phi i64 [0, %row], [%c.next, %vector]
  %c.next = add i64 %c, {width}
  %fits = icmp ule i64 %c.next, %N
  br i1 %fits, label %vector, label %rest
vector:
{_body(adds, width, None)}
  br label %column
rest:
  br i1 %no.tail, label %row.end, label %tail.columns
tail.columns:
{_body(adds, width, "%mask")}
  br label %row.end
row.end:
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %count
  br i1 %more, label %row, label %end
end:
  ret void
}}"""

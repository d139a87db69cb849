"""LLVM text of gather and scatter: copy rows of a table by number, and add gradients back to them.

A value that depends on an embedding alone takes no more values than there are symbols. Computing it once for each
symbol and gathering the results is cheaper than gathering the embedding and computing it at each step.
"""

from search.kernels.codegen.host import Host

GATHER = "gatesearch_gather"
"""gather(count, H, numbers, table, rows): row i of `rows` = row numbers[i] of `table`; a row has H floats."""

SCATTER = "gatesearch_scatter"
"""scatter(count, H, numbers, table, rows): row numbers[i] of `table` += row i of `rows`, in order of i."""


def gather_text(host: Host) -> str:
    """Return the functions `GATHER` and `SCATTER`."""
    vector = f"<{host.width} x float>"
    copy = f"""\
  %value = load {vector}, ptr %in.table, align 4
  store {vector} %value, ptr %in.rows, align 4"""
    add = f"""\
  %value = load {vector}, ptr %in.rows, align 4
  %old = load {vector}, ptr %in.table, align 4
  %new = fadd {vector} %old, %value
  store {vector} %new, ptr %in.table, align 4"""
    return "\n".join(_over_rows(name, body, host.width) for name, body in ((GATHER, copy), (SCATTER, add)))


def _over_rows(name: str, body: str, width: int) -> str:
    return f"""\
define void @{name}(i64 %count, i64 %H, ptr %numbers, ptr %table, ptr %rows) #0 {{
entry:
  br label %row
row:
  %i = phi i64 [0, %entry], [%i.next, %row.end]
  %number.at = getelementptr i64, ptr %numbers, i64 %i
  %number = load i64, ptr %number.at, align 8
  %table.offset = mul i64 %number, %H
  %rows.offset = mul i64 %i, %H
  %table.row = getelementptr float, ptr %table, i64 %table.offset
  %rows.row = getelementptr float, ptr %rows, i64 %rows.offset
  br label %column
column:
  %c = phi i64 [0, %row], [%c.next, %column]
  %in.table = getelementptr float, ptr %table.row, i64 %c
  %in.rows = getelementptr float, ptr %rows.row, i64 %c
{body}
  %c.next = add i64 %c, {width}
  %more.columns = icmp ult i64 %c.next, %H
  br i1 %more.columns, label %column, label %row.end
row.end:
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %count
  br i1 %more, label %row, label %end
end:
  ret void
}}"""

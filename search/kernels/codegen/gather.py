"""Rows of a table in machine code: copied out by number, and gradients added back.

What depends on an embedding alone takes as many values as there are symbols: computing it once a symbol and looking up
the results costs less than looking up the embedding and computing once a step.
"""

from search.kernels.codegen.host import Host

GATHER = "gatesearch_gather"
"""gather(count, P, numbers, table, rows): row i of `rows` = row numbers[i] of `table`; a row is P floats."""

SCATTER = "gatesearch_scatter"
"""scatter(count, P, numbers, table, rows): row numbers[i] of `table` += row i of `rows`, in order."""


def gather_text(host: Host) -> str:
    """LLVM text of `GATHER` and `SCATTER`."""
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
define void @{name}(i64 %count, i64 %P, ptr %numbers, ptr %table, ptr %rows) #0 {{
entry:
  br label %row
row:
  %i = phi i64 [0, %entry], [%i.next, %row.end]
  %number.at = getelementptr i64, ptr %numbers, i64 %i
  %number = load i64, ptr %number.at, align 8
  %table.offset = mul i64 %number, %P
  %rows.offset = mul i64 %i, %P
  %table.row = getelementptr float, ptr %table, i64 %table.offset
  %rows.row = getelementptr float, ptr %rows, i64 %rows.offset
  br label %column
column:
  %c = phi i64 [0, %row], [%c.next, %column]
  %in.table = getelementptr float, ptr %table.row, i64 %c
  %in.rows = getelementptr float, ptr %rows.row, i64 %c
{body}
  %c.next = add i64 %c, {width}
  %more.columns = icmp ult i64 %c.next, %P
  br i1 %more.columns, label %column, label %row.end
row.end:
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %count
  br i1 %more, label %row, label %end
end:
  ret void
}}"""

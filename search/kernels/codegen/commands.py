"""LLVM text of the interpreter of a command buffer."""

RUN = "gatesearch_run"
"""run(record, end): call the function of each record with the address of its arguments, until one does not return 0.

A record is the function's address, the record's length in words of eight bytes, and the arguments. Returns the last
result.
"""

RUN_SEGMENT = "gatesearch_run_segment"
"""run_segment(function, table, T, B, H): run a segment of a cell over T steps of B sequences of H units."""

COMMANDS_TEXT = f"""\
define i64 @{RUN}(ptr %first, ptr %end) #0 {{
entry:
  br label %record
record:
  %at = phi ptr [%first, %entry], [%next, %record]
  %length.at = getelementptr i64, ptr %at, i64 1
  %arguments = getelementptr i64, ptr %at, i64 2
  %function = load ptr, ptr %at, align 8
  %length = load i64, ptr %length.at, align 8
  %next = getelementptr i64, ptr %at, i64 %length
  %result = call i64 %function(ptr %arguments)
  %good = icmp eq i64 %result, 0
  %left = icmp ult ptr %next, %end
  %more = and i1 %good, %left
  br i1 %more, label %record, label %stop
stop:
  ret i64 %result
}}
define i64 @{RUN_SEGMENT}(ptr %arguments) #0 {{
  %table.at = getelementptr i64, ptr %arguments, i64 1
  %T.at = getelementptr i64, ptr %arguments, i64 2
  %B.at = getelementptr i64, ptr %arguments, i64 3
  %H.at = getelementptr i64, ptr %arguments, i64 4
  %function = load ptr, ptr %arguments, align 8
  %table = load ptr, ptr %table.at, align 8
  %T = load i64, ptr %T.at, align 8
  %B = load i64, ptr %B.at, align 8
  %H = load i64, ptr %H.at, align 8
  call void %function(ptr %table, i64 %T, i64 %B, i64 %H)
  ret i64 0
}}"""
"""`RUN` and `RUN_SEGMENT`."""

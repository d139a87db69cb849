"""Functions built from loops, loads, stores and calls, run and compared with plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from search.kernels.codegen.function import Function, call_text
from search.kernels.codegen.host import Host
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import call, compile_text


def run(f: Function, host: Host, result: str, *arguments: object) -> int:
    code = compile_text(f.text(result), host)
    return call(code.address(f.name), *arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("start", "step", "count"), [(0, 1, 10), (3, 1, 10), (0, 4, 10), (2, 3, 2), (5, 1, 3)])
def test_a_loop_counts_as_pythons_range_does(start: int, step: int, count: int, host: Host) -> None:
    f = Function("f", ("count:i64", "start:i64"), host)
    with f.loop("%count", step, "%start") as loop:
        total = loop.carry("i64", "1000")
        loop.leave(total, f.value(f"add i64 {total}, {loop.counter}"))
    assert run(f, host, total, count, start) == 1000 + sum(range(start, count, step))


@pytest.mark.parametrize("host", HOSTS)
def test_nested_loops_carry_values_of_their_own(host: Host) -> None:
    f = Function("f", ("rows:i64", "columns:i64"), host)
    with f.loop("%rows") as row:
        total = row.carry("i64", "0")
        with f.loop("%columns") as column:
            inner = column.carry("i64", row.counter)
            column.leave(inner, f.value(f"add i64 {inner}, {column.counter}"))
        row.leave(total, f.value(f"add i64 {total}, {inner}"))
    assert run(f, host, total, 5, 7) == sum(row + sum(range(7)) for row in range(5))
    assert run(f, host, total, 5, 0) == sum(range(5))


@pytest.mark.parametrize("host", HOSTS)
def test_a_value_that_is_carried_but_not_left_stays(host: Host) -> None:
    f = Function("f", ("count:i64",), host)
    with f.loop("%count") as loop:
        same = loop.carry("i64", "42")
    assert run(f, host, same, 3) == 42


@pytest.mark.parametrize("host", HOSTS)
def test_elements_are_loaded_and_stored_by_type(host: Host) -> None:
    f = Function("f", ("numbers", "floats", "doubles"), host)
    number = f.load("i64", f.at("%numbers", "2", "i64"))
    f.store("i64", f.multiply(number, "3"), f.at("%numbers", "0", "i64"))
    f.store("float", f.load("float", f.at("%floats", "1")), f.at("%floats", "0"))
    f.store("double", f.load("double", f.at("%doubles", "1", "double")), "%doubles")
    numbers, floats, doubles = np.array([0, 0, 7]), np.array([0, 1.5], np.float32), np.array([0, 0.1])
    assert run(f, host, "0", numbers, floats, doubles) == 0
    assert (numbers[0], floats[0], doubles[0]) == (21, 1.5, 0.1)


@pytest.mark.parametrize("host", HOSTS)
def test_a_vector_is_spread_and_summed(host: Host) -> None:
    f = Function("f", ("floats", "result"), host)
    total = f.total(f.load(f.vector, "%floats"))
    f.store(f.vector, f.spread(total), "%result")
    floats, result = np.arange(host.width, dtype=np.float32), np.zeros(host.width, np.float32)
    run(f, host, "0", floats, result)
    assert result.tolist() == [sum(range(host.width))] * host.width


@pytest.mark.parametrize("host", HOSTS)
def test_a_wrapper_passes_its_arguments_on_in_order(host: Host) -> None:
    inner = """\
define void @inner(i64 %a, ptr %to, i64 %b) #0 {
  %difference = sub i64 %a, %b
  store i64 %difference, ptr %to
  ret void
}"""
    code = compile_text("\n".join([inner, call_text("outer", "inner", "ipi")]), host)
    to = np.zeros(1, np.int64)
    assert call(code.address("outer"), 50, to, 8) == 0
    assert to[0] == 42


@pytest.mark.parametrize("host", HOSTS)
def test_a_call_within_a_function_reaches_the_other(host: Host) -> None:
    f = Function("f", ("to", "n:i64"), host)
    f.call("inner", "ptr %to", f"i64 {f.multiply('%n', '%n')}")
    inner = "define void @inner(ptr %to, i64 %n) #0 {\n  store i64 %n, ptr %to\n  ret void\n}"
    code = compile_text("\n".join([inner, f.text("%n")]), host)
    to = np.zeros(1, np.int64)
    assert (call(code.address("f"), to, 9), to[0]) == (9, 81)

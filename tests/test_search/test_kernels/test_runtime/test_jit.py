"""Compilation of LLVM text in this process."""

import ctypes
import gc

import pytest

from search.kernels.runtime.jit import MachineCode, publish
from tests.test_search.test_kernels.hosts import require_host

ADD = "define i64 @add_{n}(i64 %a, i64 %b) {{\n  %sum = add i64 %a, %b\n  ret i64 %sum\n}}"
BINARY = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


def test_a_function_is_called_by_its_address() -> None:
    code = MachineCode(ADD.format(n=1), require_host())
    assert BINARY(code.address("add_1"))(40, 2) == 42
    gc.collect()
    assert BINARY(code.address("add_1"))(-1, 1) == 0


def test_a_function_that_there_is_not_has_no_address() -> None:
    assert MachineCode(ADD.format(n=2), require_host()).address("subtract") == 0


def test_a_published_function_is_called_by_name_from_a_later_module() -> None:
    host = require_host()
    code = MachineCode(ADD.format(n=3), host)
    publish("published_add", code.address("add_3"))
    text = """\
declare i64 @published_add(i64, i64)
define i64 @twice(i64 %a, i64 %b) {
  %sum = call i64 @published_add(i64 %a, i64 %b)
  %result = mul i64 %sum, 2
  ret i64 %result
}"""
    later = MachineCode(text, host)
    assert BINARY(later.address("twice"))(20, 1) == 42


@pytest.mark.parametrize("text", ["this is no LLVM", "define i64 @f() {\n  ret i64 %unknown\n}"])
def test_text_that_llvm_rejects_is_an_error(text: str) -> None:
    with pytest.raises(RuntimeError, match="LLVM IR parsing error"):
        MachineCode(text, require_host())

"""The interpreter of a command buffer, run on records of Python callbacks."""

from __future__ import annotations

import ctypes

import numpy as np

from search.kernels.codegen.commands import COMMANDS_TEXT, RUN, RUN_SEGMENT
from tests.test_search.test_kernels.hosts import require_host
from tests.test_search.test_kernels.machine import call, compile_text

CALLED = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.POINTER(ctypes.c_int64))
SEGMENT = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)


def run(records: list[list[int]]) -> int:
    words = np.array([word for record in records for word in record], np.int64)
    code = compile_text(COMMANDS_TEXT, require_host())
    function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(code.address(RUN))
    return int(function(words.ctypes.data, words.ctypes.data + words.nbytes))


def test_records_are_called_in_order_with_their_arguments_until_one_does_not_return_zero() -> None:
    seen: list[list[int]] = []

    def called(arguments: ctypes._Pointer[ctypes.c_int64]) -> int:
        seen.append([arguments[0], arguments[1]])
        return int(arguments[1])

    function = CALLED(called)
    address = ctypes.cast(function, ctypes.c_void_p).value or 0
    assert run([[address, 4, 1, 0], [address, 5, 2, 0, 99], [address, 4, 3, 0]]) == 0
    assert seen == [[1, 0], [2, 0], [3, 0]]
    seen.clear()
    assert run([[address, 4, 1, 0], [address, 4, 2, 7], [address, 4, 3, 0]]) == 7
    assert seen == [[1, 0], [2, 7]]


def test_a_segment_is_called_with_its_table_and_shape() -> None:
    seen: list[tuple[int, ...]] = []
    function = SEGMENT(lambda *arguments: seen.append(arguments))
    address = ctypes.cast(function, ctypes.c_void_p).value or 0
    code = compile_text(COMMANDS_TEXT, require_host())
    assert call(code.address(RUN_SEGMENT), address, 1234, 5, 6, 7) == 0
    assert seen == [(1234, 5, 6, 7)]

"""Machine code that all models share, compiled once in a process for each kind of CPU."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from search.kernels.codegen.commands import RUN
from search.kernels.codegen.gemm import GEMM
from search.kernels.codegen.host import Host
from search.kernels.codegen.library import CALLABLE, KERNELS, kernels_text, library_text
from search.kernels.runtime.jit import MachineCode, publish

_RUN_TYPE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)


@dataclass(frozen=True)
class KernelLibrary:
    """Functions that a command buffer calls, by name, and `run`, which runs a command buffer from start to end."""

    code: MachineCode  # keeps the functions alive
    run: Callable[[int, int], int]
    addresses: dict[str, int]


@cache
def kernel_library(host: Host) -> KernelLibrary:
    """Return the functions shared by all models.

    Raises:
        RuntimeError: LLVM rejects the text.
    """
    publish_kernels(host)  # which the library calls
    code = MachineCode(library_text(host), host)
    return KernelLibrary(code, _RUN_TYPE(code.address(RUN)), {name: code.address(name) for name in CALLABLE})


@cache
def publish_kernels(host: Host) -> MachineCode:
    """Compile the matrix product, packing, gather and scatter, and publish them to modules compiled later.

    Returns:
        The code, which must stay alive; the cache keeps it.
    """
    code = MachineCode(kernels_text(host), host)
    for name in KERNELS:
        suffixed = f"{name}{host.width}"
        publish(suffixed, code.address(suffixed if name == GEMM else name))
    return code

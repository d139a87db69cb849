"""Call machine code from tests."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from search.kernels.codegen.host import Host
from search.kernels.runtime.jit import MachineCode

Floats = npt.NDArray[np.float32]


def call(address: int, *arguments: int | npt.NDArray[Any]) -> int:
    """Call a function that takes a pointer to its arguments, as a command buffer does; arrays are passed by address.

    Returns:
        The function's result.
    """
    numbers = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
    block = np.array(numbers, np.int64)
    return int(ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(address)(block.ctypes.data))


def compile_text(text: str, host: Host) -> MachineCode:
    """Compile functions, with the declarations and attributes that the text of this package relies on."""
    vector = f"<{host.width} x float>"
    declarations = [
        f"declare {vector} @llvm.fma.v{host.width}f32({vector}, {vector}, {vector})",
        f"declare float @llvm.vector.reduce.fadd.v{host.width}f32(float, {vector})",
    ]
    return MachineCode("\n".join([*declarations, text, f"attributes #0 = {{ {host.attributes} }}", ""]), host)

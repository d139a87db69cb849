"""From LLVM text to functions in this process, for the CPU that it runs on.

`host()` is None where no machine code is made: without `llvmlite`, or on a CPU whose vectors have no fused
multiply-add. Everything that calls for machine code asks it first, and takes another path then.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

try:
    import llvmlite.binding as llvm
except ImportError:  # pragma: no cover - the package depends on llvmlite; a broken installation still runs
    llvm = None


@dataclass(frozen=True)
class Host:
    """The CPU as far as code depends on it: floats a vector, vector registers, and what LLVM calls it."""

    width: int
    registers: int
    cpu: str
    features: str

    @property
    def attributes(self) -> str:
        """Function attributes that make LLVM use vectors of the full width (some CPUs' defaults are half of it)."""
        bits = 32 * self.width
        return f'nounwind "min-legal-vector-width"="{bits}" "prefer-vector-width"="{bits}"'


@cache
def host() -> Host | None:
    """This machine's CPU, or None where machine code cannot be made for it."""
    if llvm is None:  # pragma: no cover
        return None
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    cpu, names = llvm.get_host_cpu_name(), features.flatten()
    if features.get("avx512f"):
        return Host(16, 32, cpu, names)
    if features.get("avx2") and features.get("fma"):
        return Host(8, 16, cpu, names)
    if features.get("neon"):
        return Host(4, 32, cpu, names)
    return None


class Library:
    """Compiled functions of one LLVM module. They live as long as the library does.

    Raises `RuntimeError` where LLVM rejects the text: a fault of this package, not of its user.
    """

    def __init__(self, text: str, machine: Host) -> None:
        module = llvm.parse_assembly(text)
        module.verify()
        target = llvm.Target.from_default_triple().create_target_machine(
            cpu=machine.cpu, features=machine.features, opt=2, jit=True
        )
        self._engine = llvm.create_mcjit_compiler(module, target)
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where a function is."""
        return int(self._engine.get_function_address(name))

    def function(self, name: str, *arguments: Any) -> Any:
        """A function without result, callable with values of the given `ctypes` types."""
        return ctypes.CFUNCTYPE(None, *arguments)(self.address(name))


def publish(name: str, address: int) -> None:
    """Let modules that are compiled later call the function at `address` by `name`."""
    llvm.add_symbol(name, address)

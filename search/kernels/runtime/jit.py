"""Compile LLVM text to functions in this process."""

from __future__ import annotations

import ctypes
from typing import Any

try:
    import llvmlite.binding as llvm
except ImportError:  # pragma: no cover - the package depends on llvmlite; a broken installation still runs
    llvm = None

from search.kernels.codegen.host import Host


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

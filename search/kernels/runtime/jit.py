"""Just-in-time compilation of LLVM text in this process."""

from __future__ import annotations

try:
    import llvmlite.binding as llvm
except (ImportError, OSError):  # pragma: no cover - the package depends on llvmlite; a broken one still runs
    llvm = None

from search.kernels.codegen.host import Host


class MachineCode:
    """Compiled functions of one LLVM module, valid as long as this object is alive.

    Raises:
        RuntimeError: LLVM rejects the text. This is a fault of the package or of the LLVM version, not of the user.
    """

    def __init__(self, text: str, host: Host) -> None:
        module = llvm.parse_assembly(text)
        module.verify()
        target = llvm.Target.from_default_triple().create_target_machine(
            cpu=host.cpu, features=host.features, opt=2, jit=True
        )
        self._engine = llvm.create_mcjit_compiler(module, target)
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Return the address of a function."""
        return int(self._engine.get_function_address(name))


def publish(name: str, address: int) -> None:
    """Make a function callable by `name` from modules compiled later."""
    llvm.add_symbol(name, address)

"""CPU that code is generated for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from search.kernels.codegen.executable import may_execute

try:
    import llvmlite.binding as llvm
except (ImportError, OSError):  # pragma: no cover - the package depends on llvmlite; a broken one still runs
    llvm = None


@dataclass(frozen=True)
class Host:
    """Properties of a CPU that code depends on: floats in a vector, number of vector registers, and LLVM's names."""

    width: int
    registers: int
    cpu: str
    features: str

    @property
    def attributes(self) -> str:
        """Function attributes that make LLVM use vectors of the full width; the default of some CPUs is half of it."""
        bits = 32 * self.width
        return f'nounwind "min-legal-vector-width"="{bits}" "prefer-vector-width"="{bits}"'


@cache
def host() -> Host | None:
    """Return this machine's CPU, or None if no machine code can be made for it.

    Machine code needs `llvmlite`, vectors with fused multiply-add (AVX-512, AVX2 with FMA, or NEON), and memory that
    may be executed.
    """
    if llvm is None or not may_execute():
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


def missing_for_machine_code() -> str | None:
    """Return what this machine lacks for machine code, or None if it has all."""
    if host() is not None:
        return None
    if llvm is None:
        return "llvmlite cannot be imported"
    if not may_execute():
        return "this process may not make memory executable"
    return "the processor has neither AVX-512, AVX2 with FMA, nor NEON"

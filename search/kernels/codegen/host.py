"""CPU that code is generated for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

try:
    import llvmlite.binding as llvm
except ImportError:  # pragma: no cover - the package depends on llvmlite; a broken installation still runs
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

    Machine code needs `llvmlite` and vectors with fused multiply-add (AVX-512, AVX2 with FMA, or NEON).
    """
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

"""The CPU that code is generated for.

`host()` is None where no machine code is made: without `llvmlite`, or on a CPU whose vectors have no fused
multiply-add. Everything that calls for machine code asks it first, and takes another path then.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

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

"""The machine code that whole models share: calls from a tape, readouts, and what else a training step does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from search.kernels.codegen.function import call_text
from search.kernels.codegen.gather import GATHER, SCATTER
from search.kernels.codegen.gemm import MULTIPLY, PACK
from search.kernels.codegen.host import Host
from search.kernels.codegen.loss import READOUTS, readout_text
from search.kernels.codegen.sgd import CHECK, CLEAR, COPY, DESCEND, SELECT, descent_text
from search.kernels.runtime.commands import PLAY, PLAY_TYPE, RUN_SECTION, TAPE_TEXT
from search.kernels.runtime.compiled import shared
from search.kernels.runtime.jit import Library

CALL_MULTIPLY, CALL_PACK, CALL_GATHER, CALL_SCATTER = (f"{name}_call" for name in (MULTIPLY, PACK, GATHER, SCATTER))
"""The functions of `product` and `lookup`, to be called from a tape; arguments as theirs."""

_SHARED = {
    MULTIPLY: (CALL_MULTIPLY, "iiipiipiipipi"),
    PACK: (CALL_PACK, "iiiiiipp"),
    GATHER: (CALL_GATHER, "iippp"),
    SCATTER: (CALL_SCATTER, "iippp"),
}


@dataclass(frozen=True)
class Instruments:
    """Functions by name, all callable from a tape, and the one that plays a tape."""

    library: Library  # keeps the code alive
    play: Callable[[int, int], int]
    addresses: dict[str, int]


@cache
def instruments(machine: Host) -> Instruments:
    """Compiled once in a process."""
    shared(machine)  # which these call
    vector = f"<{machine.width} x float>"
    types = {"i": "i64", "p": "ptr"}
    parts = [f"declare {vector} @llvm.fma.v{machine.width}f32({vector}, {vector}, {vector})"]
    for name, (call, kinds) in _SHARED.items():
        function = f"{name}{machine.width}"
        parts.append(f"declare void @{function}({', '.join(types[kind] for kind in kinds)})")
        parts.append(call_text(call, function, kinds))
    parts += [TAPE_TEXT, descent_text(machine), readout_text(machine)]
    parts.append(f"attributes #0 = {{ {machine.attributes} }}\n")
    library = Library("\n".join(parts), machine)
    calls = (call for call, _ in _SHARED.values())
    names = (*calls, RUN_SECTION, CHECK, SELECT, DESCEND, CLEAR, COPY, *READOUTS.values())
    return Instruments(library, PLAY_TYPE(library.address(PLAY)), {name: library.address(name) for name in names})

"""The machine code of a cell, made once and kept."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

from torch import Tensor

from search.cells.graph import GateGraph
from search.kernels.llvm import module_text
from search.kernels.lookup import GATHER, SCATTER, lookup_text
from search.kernels.machine import Host, Library, host, publish
from search.kernels.product import MULTIPLY, PACK, panel_columns, product_text
from search.kernels.program import Program, program_of

CACHED_CELLS = 256
"""Compiled cells kept in a process; the one used longest ago goes first."""

_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_int64


@dataclass(frozen=True)
class Compiled:
    """A cell's functions. Each section takes (table of pointers, T, B, H, P)."""

    program: Program
    host: Host
    library: Library  # keeps the code alive
    before: Callable[..., None]
    forward: Callable[..., None]
    backward: Callable[..., None]
    before_backward: Callable[..., None]

    def pad(self, units: int) -> int:
        """P for H units."""
        return -(-units // self.host.width) * self.host.width


@dataclass(frozen=True)
class Shared:
    """The functions that all cells share."""

    library: Library
    pack: Callable[..., None]
    gather: Callable[..., None]
    scatter: Callable[..., None]


@lru_cache(maxsize=CACHED_CELLS)
def compiled(graph: GateGraph) -> Compiled | None:
    """The machine code of a graph, or None where this machine gets none."""
    machine = host()
    if machine is None:
        return None
    program = program_of(graph)
    try:
        shared(machine)
        library = Library(module_text(program, machine), machine)
    except RuntimeError:  # a version of LLVM that rejects the text: slower paths serve
        return None
    arguments = (_POINTER, _SIZE, _SIZE, _SIZE, _SIZE)
    names = ("before", "forward", "backward", "before_backward")
    return Compiled(program, machine, library, *(library.function(name, *arguments) for name in names))


@cache
def shared(machine: Host) -> Shared:
    """The functions that all cells share, compiled once in a process and known to their code by name."""
    attributes = f"attributes #0 = {{ {machine.attributes} }}"
    library = Library("\n".join([product_text(machine), lookup_text(machine), attributes, ""]), machine)
    publish(MULTIPLY, library.address(MULTIPLY))
    rows = (_SIZE, _SIZE, _POINTER, _POINTER, _POINTER)
    pack = library.function(PACK, *[_SIZE] * 5, _POINTER, _POINTER)
    return Shared(library, pack, library.function(GATHER, *rows), library.function(SCATTER, *rows))


def pack(machine: Host, weight: Tensor, packed: Tensor, *, transposed: bool) -> None:
    """Lay out (K, H, H), or each matrix transposed, in panels of columns as products read them."""
    count, units, _ = weight.shape
    if count:
        strides = (1, units) if transposed else (units, 1)
        panels = -(-units // panel_columns(machine))
        shared(machine).pack(count, units, panels, *strides, weight.data_ptr(), packed.data_ptr())


def packed_size(machine: Host, weight: Tensor) -> int:
    """Floats that `pack` writes."""
    count, units, _ = weight.shape
    columns = panel_columns(machine)
    return count * -(-units // columns) * columns * units


def gather(machine: Host, numbers: Tensor, table: Tensor, rows: Tensor) -> None:
    """rows (..., P) = table (V, P) at numbers (...), all contiguous."""
    shared(machine).gather(numbers.numel(), table.shape[-1], numbers.data_ptr(), table.data_ptr(), rows.data_ptr())


def scatter(machine: Host, numbers: Tensor, table: Tensor, rows: Tensor) -> None:
    """table (V, P) at numbers (...) += rows (..., P), all contiguous."""
    shared(machine).scatter(numbers.numel(), table.shape[-1], numbers.data_ptr(), table.data_ptr(), rows.data_ptr())

"""The machine code of a cell, made once and kept."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.kernels.codegen.cell import SECTIONS, module_text
from search.kernels.codegen.gather import GATHER, SCATTER, lookup_text
from search.kernels.codegen.gemm import MULTIPLY, PACK, panel_columns, product_text
from search.kernels.codegen.host import Host, host
from search.kernels.plan.adjoint import Kind
from search.kernels.plan.program import Program, program_of
from search.kernels.runtime.jit import Library, publish

CACHED_CELLS = 64
"""Compiled cells kept in a process, about 1 MB each; the one used longest ago goes first."""

_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_int64


@dataclass(frozen=True)
class Shared:
    """The functions that all cells share, by the names of `product` and `lookup`."""

    library: Library  # keeps the code alive
    pack: Callable[..., None]
    gather: Callable[..., None]
    scatter: Callable[..., None]


@dataclass(frozen=True)
class Compiled:
    """A cell's machine code."""

    program: Program
    host: Host
    states: int
    library: Library  # keeps the code alive
    shared: Shared
    functions: dict[str, Callable[..., None]]
    addresses: dict[str, int]  # of the functions
    sums_of_matrices: Tensor  # (K,): for each matrix its sum, or one more than there are where nothing reads it

    def pad(self, units: int) -> int:
        """P for H units."""
        return -(-units // self.host.width) * self.host.width

    def run(
        self,
        section: str,
        weights: Sequence[int],
        values: Mapping[tuple[Kind, int], int],
        gradients: Mapping[tuple[Kind, int], int],
        rows: tuple[int, int],
        units: int,
    ) -> None:
        """Run a section of the program over T times B rows, if there is anything to do.

        `weights` are the addresses of the packed weights, of what sums start from, and of the gradients of weights and
        sums' biases; `values` and `gradients` those of the arrays at places.
        """
        addresses = self.table(section, weights, values, gradients)
        if addresses:
            table = (_POINTER * len(addresses))(*addresses)
            self.functions[section](table, *rows, units, self.pad(units))

    def table(
        self,
        section: str,
        weights: Sequence[int],
        values: Mapping[tuple[Kind, int], int],
        gradients: Mapping[tuple[Kind, int], int],
    ) -> list[int]:
        """The addresses that a section is called with, as `run` is; none where there is nothing to do."""
        keys = self._keys[section]
        return [*weights, *((gradients if gradient else values)[key] for gradient, key in keys)] if keys else []

    @cached_property
    def _keys(self) -> dict[str, list[tuple[bool, tuple[Kind, int]]]]:
        sections = {name: getattr(self.program, name) for name in self.functions}
        return {name: [(p.gradient, (p.kind, p.index)) for p in section.places] for name, section in sections.items()}

    @cached_property
    def handed_over(self) -> list[tuple[Kind, int]]:
        """The keys of what the rest reads of the section `before`."""
        return [(p.kind, p.index) for p in self.program.handed_over]

    @cached_property
    def gradients_handed_over(self) -> list[tuple[Kind, int]]:
        """The keys of those gradients that the rest computes for the section `before_backward`."""
        computed = {key for gradient, key in self._keys["backward"] if gradient}
        return [key for key in self.handed_over if key in computed or key[0] is Kind.NEW]

    @cached_property
    def reads_x_late(self) -> bool:
        """Whether x is read in the loop or after it, not only before it."""
        return (Kind.X, 0) in self.handed_over

    def packed_size(self, weight: Tensor) -> int:
        """Floats that `pack` writes."""
        count, units, _ = weight.shape
        columns = panel_columns(self.host)
        return count * -(-units // columns) * columns * units

    def pack(self, weight: Tensor, packed: int, *, transposed: bool) -> None:
        """Lay out contiguous (K, H, H), or each matrix transposed, in panels of columns as products read them."""
        count, units, _ = weight.shape
        if count:
            strides = (1, units) if transposed else (units, 1)
            panels = -(-units // panel_columns(self.host))
            self.shared.pack(count, units, units, panels, *strides, weight.data_ptr(), packed)

    def gather(self, numbers: Tensor, padded: int, table: int, rows: int) -> None:
        """Row i at `rows` = row numbers[i] of the table at `table`."""
        if numbers.numel():
            self.shared.gather(numbers.numel(), padded, numbers.data_ptr(), table, rows)

    def scatter(self, numbers: Tensor, padded: int, table: int, rows: int) -> None:
        """Row numbers[i] of the table at `table` += row i at `rows`."""
        if numbers.numel():
            self.shared.scatter(numbers.numel(), padded, numbers.data_ptr(), table, rows)


@lru_cache(maxsize=CACHED_CELLS)
def compiled(graph: GateGraph) -> Compiled | None:
    """The machine code of a graph, or None where this machine gets none."""
    machine = host()
    if machine is None:
        return None
    program = program_of(graph)
    try:
        common = shared(machine)
        library = Library(module_text(program, machine), machine)
    except RuntimeError:  # a version of LLVM that rejects the text: slower paths serve
        return None
    arguments = (_POINTER, _SIZE, _SIZE, _SIZE, _SIZE)
    functions = {name: library.function(name, *arguments) for name in SECTIONS}
    addresses = {name: library.address(name) for name in SECTIONS}
    sums = torch.tensor([program.sums if m is None else m.sum for m in program.matrices], dtype=torch.long)
    return Compiled(program, machine, graph.states, library, common, functions, addresses, sums)


@cache
def shared(machine: Host) -> Shared:
    """The functions that all cells share, compiled once in a process and known to their code by name."""
    attributes = f"attributes #0 = {{ {machine.attributes} }}"
    library = Library("\n".join([product_text(machine), lookup_text(machine), attributes, ""]), machine)
    name = f"{MULTIPLY}{machine.width}"
    publish(name, library.address(name))
    for name in (PACK, GATHER, SCATTER):
        publish(f"{name}{machine.width}", library.address(name))
    rows = (_SIZE, _SIZE, _POINTER, _POINTER, _POINTER)
    pack = library.function(PACK, *[_SIZE] * 6, _POINTER, _POINTER)
    return Shared(library, pack, library.function(GATHER, *rows), library.function(SCATTER, *rows))

"""Machine code of a cell, compiled once in a process and cached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from search.cells.graph import GateGraph
from search.cells.parameters import ParameterLayout, layout_of
from search.kernels.codegen.cell import SEGMENTS, cell_text
from search.kernels.codegen.host import Host, host
from search.kernels.plan.adjoint import BufferKind
from search.kernels.plan.build import program_of
from search.kernels.plan.program import Program
from search.kernels.runtime.jit import MachineCode
from search.kernels.runtime.library import publish_kernels

CACHED_CELLS = 64
"""Compiled cells kept in a process, about 1 MB each; the least recently used one is dropped first."""


@dataclass(frozen=True)
class CompiledCell:
    """Machine code of a cell for vectors, `by_symbol` or `by_note`: one function for each segment of its program.

    `sums_of_biases` holds the sum that each bias adds to, or the number of sums if nothing reads its product.
    """

    graph: GateGraph
    by_symbol: bool
    by_note: bool
    program: Program
    host: Host
    code: MachineCode  # keeps the functions alive
    addresses: dict[str, int]  # of the functions, by segment
    layout: ParameterLayout
    sums_of_biases: npt.NDArray[np.int64]

    @property
    def slack(self) -> int:
        """Floats that an array needs behind its last row, since products with block-diagonal matrices may read them."""
        return self.host.width if self.layout.grouped else 0

    def pad(self, count: int) -> int:
        """Round a number of columns up to whole vectors."""
        return -(-count // self.host.width) * self.host.width

    def table(
        self,
        segment: str,
        weights: Sequence[int],
        values: Mapping[tuple[BufferKind, int], int],
        gradients: Mapping[tuple[BufferKind, int], int],
    ) -> list[int]:
        """Return the addresses that a segment is called with, or an empty list if the segment has nothing to do.

        Args:
            segment: Name of the segment.
            weights: Addresses of the packed weights, of the rows that sums start from, of the gradients of the weights,
                of the gradients of the sums' biases, of the symbols of the steps, of their batch sizes, of each packed
                block-diagonal matrix, and of the gradient of each.
            values: Addresses of values, by buffer.
            gradients: Addresses of gradients, by buffer.
        """
        keys = self._keys[segment]
        return [*weights, *((gradients if gradient else values)[key] for gradient, key in keys)] if keys else []

    @cached_property
    def _keys(self) -> dict[str, list[tuple[bool, tuple[BufferKind, int]]]]:
        segments = {name: getattr(self.program, name) for name in SEGMENTS}
        return {name: [(b.gradient, (b.kind, b.index)) for b in segment.buffers] for name, segment in segments.items()}

    @property
    def states(self) -> int:
        """Number of states of the cell."""
        return self.graph.states


@lru_cache(maxsize=CACHED_CELLS)
def compile_cell(graph: GateGraph, by_symbol: bool = False, by_note: bool = False) -> CompiledCell | None:
    """Return the machine code of a graph, or None if this machine cannot have it.

    Args:
        graph: The cell.
        by_symbol: Whether inputs are symbols.
        by_note: Whether inputs are piano rolls; otherwise they are vectors.
    """
    machine = host()
    if machine is None:
        return None
    program = program_of(graph, by_symbol, by_note)
    try:
        publish_kernels(machine)  # which the cell's code calls
        code = MachineCode(cell_text(program, machine), machine)
    except RuntimeError:  # a version of LLVM that rejects the text: the eager backend serves
        return None
    addresses = {name: code.address(name) for name in SEGMENTS}
    layout = layout_of(graph)
    matrices = dict(zip(graph.linears, program.matrices, strict=True))
    sums = [program.sums if (m := matrices[i]) is None else m.sum for i in layout.biased]
    return CompiledCell(graph, by_symbol, by_note, program, machine, code, addresses, layout, np.array(sums, np.int64))

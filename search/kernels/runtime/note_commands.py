"""Commands of a layer that reads a piano roll by its notes.

Legend: T steps, B sequences, H units, S: H rounded up to whole vectors, D notes, E projection (D, H), e its bias (H),
b bias of a sum (H).

A sum that reads the projection by a matrix W is the product of the roll with a table, E W^T, and a row, e W^T + b: a
product of the D notes, not of the H numbers that they are projected to.
"""

from __future__ import annotations

from search.kernels.codegen.gemm import panel_columns, whole_panels
from search.kernels.codegen.library import CALL_GEMM
from search.kernels.codegen.memory import CLEAR
from search.kernels.plan.adjoint import BufferKind
from search.kernels.plan.program import Program
from search.kernels.runtime.buffers import Addresses, ModelBuffers
from search.kernels.runtime.commands import CommandBuffer, Offset


class NoteCommands:
    """Records the tables of the first layer's sums and their products with the roll, for batches of one shape."""

    def __init__(self, model: ModelBuffers, commands: CommandBuffer, batch: int, projection: tuple[int, int]) -> None:
        """Take the addresses of the projection (D, S) and of its bias (S), as `InputCommands.projection` has them."""
        self._model, self._commands, self._allocate = model, commands, model.arena.allocate
        self._batch, self._size, self._projection = batch, model.input_size, projection
        self._units, self._stride = model.units, model.padded_units
        self._columns = panel_columns(model.code.host)
        self._panels = whole_panels(model.units, self._columns) * model.units  # floats of a packed matrix

    def tables(self, program: Program, s: int, packed: int, starts: int) -> None:
        """Record the computation of the table of sum s, whose biases are a row of `starts`."""
        table, row = self._table(s)
        units, stride = self._units, self._stride
        start, start_row, start_stride = self._allocate("zeros", stride), starts + 4 * s * stride, 0
        left, bias = self._projection
        for k in program.notes[s]:
            right = self._right(program, k, packed)
            self._gemm(self._size, stride, units, left, stride, 1, *right, start, start_stride, table, stride)
            self._gemm(1, stride, units, bias, units, 1, *right, start_row, 0, row, stride)
            start, start_row, start_stride = table, row, stride

    def forward(self, s: int, values: Addresses, first: int, steps: int) -> None:
        """Record the product of the notes of some steps with the table of sum s."""
        table, row = self._table(s)
        stride = self._stride
        self._gemm(
            steps * self._batch, stride, self._size, self._roll(first), self._size, 1, table, self._columns, stride,
            row, 0, values[BufferKind.SUM, s], stride,
        )  # fmt: skip

    def backward(self, s: int, gradients: Addresses, first: int, steps: int, starts: bool) -> None:
        """Record what some steps add to the gradient of the table of sum s; `starts` if they are the first to add."""
        table, row = self._table(s, "d notes")
        if starts:
            self._commands.call(CLEAR, 4 * (self._size + 1) * self._stride, table)
        stride, rows, one = self._stride, steps * self._batch, self._allocate("one", 1)
        right = gradients[BufferKind.SUM, s], self._columns, stride
        self._gemm(self._size, stride, rows, self._roll(first), 1, self._size, *right, table, stride, table, stride)
        self._gemm(1, stride, rows, one, 0, 0, *right, row, stride, row, stride)

    def back_from_tables(self, program: Program, s: int, packed: int, d_weights: int) -> None:
        """Record the gradients of the matrices of sum s that read x, and of the projection, from that of the table."""
        table, row = self._table(s, "d notes")
        units, stride = self._units, self._stride
        found = self._model.gradients.entry.data_ptr(), self._model.gradients.entry_bias.data_ptr()
        parts = tuple(zip((self._size, 1), (table, row), self._projection, found, strict=True))
        for k in program.notes[s]:
            d_weight = d_weights + 4 * program.storage[k].index * units * units
            for rows, left, source, _ in parts:
                self._gemm(
                    units, units, rows, left, 1, stride, source, self._columns, stride, d_weight, units, d_weight, units
                )
            right = self._right(program, k, packed)
            for rows, left, _, to in parts:
                self._gemm(rows, units, units, left, stride, 1, *right, to, units, to, units)

    def _table(self, s: int, name: str = "notes") -> tuple[int, int]:
        """Return the addresses of E W^T (D, S) and e W^T + b (S) for sum s, W the sum of its matrices that read x."""
        first = self._allocate(f"{name} {s}", (self._size + 1) * self._stride)
        return first, first + 4 * self._size * self._stride

    def _right(self, program: Program, k: int, packed: int) -> tuple[int, int, int]:
        """Return matrix k as the right side of a product, in panels."""
        return packed + 4 * program.storage[k].index * self._panels, self._columns * self._units, self._columns

    def _roll(self, first: int) -> Offset:
        """Return the address of the notes from a step on."""
        return Offset("inputs", 4 * first * self._batch * self._size)

    def _gemm(self, *arguments: int | str | Offset) -> None:
        self._commands.call(CALL_GEMM, *arguments)

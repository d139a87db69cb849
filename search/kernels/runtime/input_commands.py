"""Commands by which inputs enter a training step.

Legend: T steps, B sequences, H units, S: H rounded up to whole vectors, D input size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from search.kernels.codegen.gemm import panel_columns
from search.kernels.codegen.library import CALL_GATHER, CALL_GEMM, CALL_SCATTER
from search.kernels.codegen.memory import CHECK, CLEAR, COPY, COPY_ROWS
from search.kernels.runtime.buffers import ModelBuffers
from search.kernels.runtime.commands import CommandBuffer


class InputCommands:
    """Records the lookup or projection of a model's inputs and its gradient, for batches of one shape.

    Attributes:
        symbols: (T, B) array that symbols are copied into, after the numbers of the tables' rows for `delay` earlier
            steps; empty if inputs are values.
        address: address of the symbols, or the name of the argument that values are bound to.
        projection: addresses of the projection (D, S) and of its bias (S); zeros if inputs are symbols.
    """

    def __init__(self, model: ModelBuffers, commands: CommandBuffer, steps: int, batch: int, delay: int) -> None:
        self._model, self._commands, self._allocate = model, commands, model.arena.allocate
        self._rows, self._size = steps * batch, model.input_size
        self._columns = panel_columns(model.code.host)
        self.symbols: npt.NDArray[Any] = np.empty(0, np.int64)
        self.address: int | str = "inputs"
        if model.reads_symbols:
            self.symbols = self._symbols(steps, batch, delay)
            self.address = self.symbols.ctypes.data
        self.projection = 0, 0

    def _symbols(self, steps: int, batch: int, delay: int) -> npt.NDArray[Any]:
        rows, name = steps + delay, f"inputs {batch}"
        self._allocate(name, 2 * rows * batch)
        whole = self._model.arena[name].numpy().view(np.int64)[: rows * batch].reshape(rows, batch)
        earlier = np.arange(delay)[::-1, None] * batch + np.arange(batch)
        whole[:delay] = self._size + earlier
        return whole[delay:]

    def check(self) -> None:
        """Record the check that all symbols are in the vocabulary."""
        if self._model.reads_symbols:
            ones = self._allocate("ones", self._rows, 1.0)
            self._commands.call(CHECK, self.address, ones, self._rows, self._size)

    def enter(self, *, by_symbol: bool, projected: bool) -> int:
        """Record how inputs enter; return the address of the first layer's input, the table (D, S) or (T, B, S).

        Args:
            by_symbol: whether the first layer computes on the table of the embeddings.
            projected: whether a value of the first layer reads the projection of real inputs.
        """
        if by_symbol:
            return self._padded()
        model, units, stride = self._model, self._model.units, self._model.padded_units
        x = self._allocate("x", self._rows * stride, 0.0)  # whose padding is zero
        if model.reads_symbols:
            entry = model.values.entry.data_ptr()
            self._commands.call(CALL_GATHER, self._rows, units, self.address, entry, units, x, stride)
            return x
        bias = self._allocate("entry bias", stride, 0.0)
        self._commands.call(COPY, 4 * units, model.values.entry_bias.data_ptr(), bias)
        self.projection = self._padded(), bias
        if projected:
            self._commands.call(
                CALL_GEMM, self._rows, units, self._size, self.address, self._size, 1, self.projection[0],
                self._columns, stride, bias, 0, x, stride,
            )  # fmt: skip
        return x

    def _padded(self) -> int:
        """Record a copy of the embedding or projection with rows of whole vectors; return its address."""
        entry, units, stride = self._model.values.entry.data_ptr(), self._model.units, self._model.padded_units
        if stride == units and not self._model.code.slack:
            return entry
        padded = self._allocate("entry", self._size * stride, 0.0)
        self._commands.call(COPY_ROWS, self._size, units, entry, units, padded, stride)
        return padded

    def cleared_gradient(self) -> int:
        """Record zeros for the gradient of the embedding with rows of whole vectors; return its address."""
        stride = self._model.padded_units
        if stride == self._model.units:
            return self._model.gradients.entry.data_ptr()  # zero already
        floats = self._size * stride
        padded = self._allocate("d entry", floats)
        self._commands.call(CLEAR, 4 * floats, padded)
        return padded

    def back(self, d_x: int) -> None:
        """Record the gradient of the embedding, or of the projection and its bias, from that of the input (T, B, S)."""
        model, units, stride = self._model, self._model.units, self._model.padded_units
        entry = model.gradients.entry.data_ptr()
        if model.reads_symbols:
            self._commands.call(CALL_SCATTER, self._rows, units, self.address, entry, units, d_x, stride)
            return
        bias, one = model.gradients.entry_bias.data_ptr(), self._allocate("one", 1)
        for rows, left, found in (
            (self._size, (self.address, 1, self._size), entry),
            (1, (one, 0, 0), bias),
        ):
            self._commands.call(
                CALL_GEMM, rows, units, self._rows, *left, d_x, self._columns, stride, found, units, found, units
            )

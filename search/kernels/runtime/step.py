"""Command buffer of a training step, or of a score, for one shape of batch.

Lookup or projection of the inputs, layers forward, readout and loss; in training also layers backward, gradient norm,
clipping and update. T steps, B sequences, H units, S: H rounded up to whole vectors, V symbols or notes.

Parameters have rows of H numbers and all other arrays rows of S. What is in the padding beyond H stays there: products
read H columns of their left matrix, and parameters' gradients are written up to H.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from search.kernels.codegen.gemm import panel_columns
from search.kernels.codegen.library import CALL_GATHER, CALL_GEMM, CALL_PACK, CALL_SCATTER
from search.kernels.codegen.loss import LOSS_FUNCTIONS
from search.kernels.codegen.sgd import CHECK, CLEAR, COPY, COPY_ROWS, SELECT, SGD
from search.kernels.plan.adjoint import BufferKind
from search.kernels.runtime.buffers import (
    Addresses,
    ModelBuffers,
    gradient_addresses,
    gradient_floats,
    value_addresses,
    vector_addresses,
)
from search.kernels.runtime.commands import CommandBuffer
from search.kernels.runtime.library import kernel_library

BLOCK_FLOATS = 65_536
"""Largest number of logits in a block of rows, unless that is fewer than `BLOCK_ROWS` rows: they fit a fast cache."""

BLOCK_ROWS = 48
"""Rows of a block with many logits. With 10,000 words, 64 rows are 6 % slower: they exceed a cache of 512 kB."""


class StepCommands:
    """Commands of a training step, or of a score unless `train` is set, for batches of one shape.

    Symbols and the loss mask are copied into the arrays `inputs`, `targets` and `loss_mask` before a run. Piano rolls
    are not copied: their addresses are bound to the arguments "inputs" and "targets" of `commands`.
    """

    def __init__(self, model: ModelBuffers, train: bool, steps: int, batch: int) -> None:
        self.model, self.train = model, train
        self.code, self.program = model.code, model.code.program
        self.steps, self.batch, self.units, self.output_size = steps, batch, model.units, model.output_size
        self.stride = model.padded_units  # S
        self.rows = steps * batch
        self.allocate, self.values, self.gradients = model.arena.allocate, model.values, model.gradients
        self.columns = panel_columns(self.code.host)
        layout = self.code.layout
        self.matrices, self.biases, self.vectors = len(layout.full), len(layout.biased), len(layout.vectors)
        self.by_symbol = not model.multi_label and self.output_size < self.rows
        self.table_rows = (1, self.output_size) if self.by_symbol else (steps, batch)
        self.packed_floats = self.matrices * self._panels(self.units) * self.units
        self.starts_floats = (self.program.sums + 2) * self.stride
        self.early: list[Addresses] = []  # of each layer, for the segments before the loop
        self.late: list[Addresses] = []  # of each layer, for the segments with the loop
        self.commands = CommandBuffer(kernel_library(self.code.host))
        self.loss_mask = self._shared("loss_mask", np.float32)
        self.inputs, self.targets = (
            np.empty(0, np.int64) if model.multi_label else self._shared(name, np.int64)
            for name in ("inputs", "targets")
        )
        symbols = not model.multi_label
        self.input_address: int | str = self.inputs.ctypes.data if symbols else "inputs"
        self.target_address: int | str = self.targets.ctypes.data if symbols else "targets"
        self._record()
        self.commands.freeze()
        self.carried: npt.NDArray[np.float32] = model.arena[f"carry {train}"].numpy()  # all states before a batch

    def _region(self, name: str) -> None:
        self.commands.region(name if self.train else "evaluation")

    def _shared(self, name: str, kind: type[np.generic]) -> npt.NDArray[Any]:
        """Return the array (T, B) of a named block, for a batch to be copied into."""
        self.allocate(name, self.rows * np.dtype(kind).itemsize // 4)
        whole = self.model.arena[name].numpy().view(kind)
        return whole[: self.rows].reshape(self.steps, self.batch)

    def _record(self) -> None:
        self.commands.region("mask")
        mask = self.loss_mask.ctypes.data
        if not self.model.multi_label:
            ones = self.allocate("ones", self.rows, 1.0)
            self.commands.call(CHECK, self.input_address, ones, self.rows, self.output_size)
            self.commands.call(CHECK, self.target_address, mask, self.rows, self.output_size)
        index, count = self.allocate("index", 2 * self.rows), self.model.count.ctypes.data
        self.commands.call(SELECT, mask, self.rows, index, count, self.model.results.ctypes.data)
        self._region("layers")
        x = self._entered()
        for layer in range(self.model.layers):
            x = self._forward(layer, x)
        self._region("readout")
        d_x = self._readout(x, index, count)
        if self.train:
            self._region("layers")
            for layer in reversed(range(self.model.layers)):
                d_x = self._backward(layer, d_x)
            self._entry_gradient(d_x)
            self.commands.region("update")
            flat = self.values.flat
            self.commands.call(
                SGD, self.gradients.flat.data_ptr(), flat.data_ptr(), flat.numel(),
                self.model.control.ctypes.data, self._inverse(), self.model.results.ctypes.data,
            )  # fmt: skip

    def _entered(self) -> int:
        """Record how inputs enter; return the address of the first layer's input, the table (V, S) or (T, B, S)."""
        if self.by_symbol:
            return self._padded_entry()
        x = self._first_input()
        if self.model.multi_label:
            self._gemm(
                self.rows, self.units, self.output_size, self.input_address, self.output_size, 1, self._padded_entry(),
                self.columns, self.stride, self.values.entry_bias.data_ptr(), 0, x, self.stride,
            )  # fmt: skip
        else:
            entry = self.values.entry.data_ptr()
            self.commands.call(
                CALL_GATHER, self.rows, self.units, self.input_address, entry, self.units, x, self.stride
            )
        return x

    def _first_input(self) -> int:
        """Return the address of the first layer's input (T, B, S), whose padding is zero."""
        return self.allocate("x", self.rows * self.stride, 0.0)

    def _padded_entry(self) -> int:
        """Record a copy of the embedding or projection with rows of whole vectors; return its address."""
        entry = self.values.entry.data_ptr()
        if self.stride == self.units and not self.code.slack:
            return entry
        padded = self.allocate("entry", self.output_size * self.stride, 0.0)
        self.commands.call(COPY_ROWS, self.output_size, self.units, entry, self.units, padded, self.stride)
        return padded

    def _forward(self, layer: int, x: int) -> int:
        """Record a layer's forward over all steps; return the address of its outputs (T, B, S)."""
        packed, blocks = self._packed(layer, transposed=True)
        starts = self.allocate("starts", self.starts_floats)
        self.commands.call(CLEAR, 4 * self.starts_floats, starts)
        if self.biases:
            numbers, biases = self.code.sums_of_biases.ctypes.data, self.values.layers[layer].biases.data_ptr()
            self.commands.call(CALL_SCATTER, self.biases, self.units, numbers, starts, self.stride, biases, self.units)
        weights = packed, starts, 0, 0, *blocks, *(0 for _ in blocks)
        vectors = self._padded_vectors(layer)
        looks_up = layer == 0 and self.by_symbol
        late_x = self._first_input() if looks_up and self.code.reads_x_late else x
        late = self._arrays(f"{layer}", late_x, self.steps, self.batch) | vectors
        early = self._arrays("table", x, *self.table_rows) | vectors if looks_up else late
        self.early.append(early)
        self.late.append(late)
        one = 4 * self.batch * self.stride
        carry = self.allocate(f"carry {self.train}", self.model.layers * self.code.states * self.batch * self.stride)
        for k in range(self.code.states):
            self.commands.call(COPY, one, carry + (layer * self.code.states + k) * one, late[BufferKind.OLD, k])
        self._segment("before", weights, early, {}, self.table_rows if looks_up else (self.steps, self.batch))
        if looks_up:
            for key in self.code.handed_over:
                self._by_symbol(CALL_GATHER, early[key], late[key])
        self._segment("forward", weights, late, {}, (self.steps, self.batch))
        for k in range(self.code.states):
            last = late[BufferKind.OLD, k] + self.steps * one
            self.commands.call(COPY, one, last, carry + (layer * self.code.states + k) * one)
        return late[BufferKind.NEW, 0]

    def _readout(self, outputs: int, index: int, count: int) -> int:
        """Record readout and loss, in training with gradients; return the address of the outputs' gradient."""
        padded, readout = self.model.padded_output_size, self.values.readout.data_ptr()
        start = self.allocate("start", padded)
        self.commands.call(COPY, 4 * self.output_size, self.values.readout_bias.data_ptr(), start)
        packed = self.allocate("readout", self._panels(self.output_size) * self.units)
        self._pack(1, self.units, self.output_size, 1, self.units, readout, packed)
        most = max(BLOCK_ROWS, BLOCK_FLOATS // padded)
        block = self.code.pad(min(most, self.rows))
        gathered = self.allocate("gathered", block * self.stride)
        logits = self.allocate("logits", block * padded)
        whole_blocks = -(-self.rows // block) * block
        arguments: list[int | str] = [
            count, index, outputs, packed, start, self.target_address, gathered, logits,
            self.allocate("nats", whole_blocks), self.allocate("correct", whole_blocks), self.allocate("picked", block),
            self.model.results.ctypes.data, block, self.units, self.output_size, padded,
        ]  # fmt: skip
        name = LOSS_FUNCTIONS[self.model.multi_label, self.train]
        if not self.train:
            self.commands.call(name, *arguments)
            return 0
        back = self.allocate("readout back", self._panels(self.units) * self.output_size)
        self._pack(1, self.output_size, self.units, self.units, 1, readout, back)
        d_outputs = self.allocate("d 0", self.rows * self.stride)
        d_bias = self.allocate("d readout bias", padded)
        self.commands.call(CLEAR, 4 * self.gradients.flat.numel(), self.gradients.flat.data_ptr())
        self.commands.call(CLEAR, 4 * self.rows * self.stride, d_outputs)
        self.commands.call(CLEAR, 4 * padded, d_bias)
        d_readout = self.gradients.readout.data_ptr()
        one, zeros = self.allocate("one", 1), self.allocate("zeros", self.stride)
        self.commands.call(name, *arguments, back, self._inverse(), zeros, one, d_outputs, d_readout, d_bias)
        self.commands.call(COPY, 4 * self.output_size, d_bias, self.gradients.readout_bias.data_ptr())
        return d_outputs

    def _backward(self, layer: int, d_output: int) -> int:
        """Record a layer's backward; return the address of its input's gradient."""
        program, code, size = self.program, self.code, 4 * self.rows * self.stride
        late, early, looks_up = self.late[layer], self.early[layer], layer == 0 and self.by_symbol
        states = [self._state_gradient(k, d_output) for k in range(code.states)]
        d_x = self.allocate(f"d {(self.model.layers - layer) % 2}", self.rows * self.stride)
        if not program.reads_x:
            self.commands.call(CLEAR, size, d_x)
        totals = self.allocate("starts", self.starts_floats)
        self.commands.call(CLEAR, 4 * self.starts_floats, totals)
        last = totals + 4 * (self.starts_floats - self.stride)
        packed, blocks = self._packed(layer, transposed=False)
        given = self.gradients.layers[layer]
        weights = packed, last, given.weights.data_ptr(), totals, *blocks, *(b.data_ptr() for b in given.blocks)
        vectors = self._cleared_vectors()
        shape = self.steps, self.batch, self.stride
        free = self.allocate("gradients", gradient_floats(program, *shape))
        gradients = late_gradients = gradient_addresses(program, d_x, states, free, d_output, *shape) | vectors
        self._segment("backward", weights, late, late_gradients, (self.steps, self.batch))
        if looks_up:
            floats = self._array_floats(*self.table_rows)
            table = self.allocate("table gradients", sum(floats))
            self.commands.call(CLEAR, 4 * sum(floats), table)
            d_entry = self._padded_entry_gradient()
            gradients = self._cut(d_entry, table, floats, *self.table_rows) | vectors
            for key in code.gradients_handed_over:
                self._by_symbol(CALL_SCATTER, gradients[key], late_gradients[key])
        rows = self.table_rows if looks_up else (self.steps, self.batch)
        self._segment("before_backward", weights, early, gradients, rows)
        if looks_up and self.stride > self.units:
            entry = self.gradients.entry.data_ptr()
            self.commands.call(COPY_ROWS, self.output_size, self.units, d_entry, self.stride, entry, self.units)
        if self.biases:
            numbers, biases = self.code.sums_of_biases.ctypes.data, given.biases.data_ptr()
            self.commands.call(CALL_GATHER, self.biases, self.units, numbers, totals, self.stride, biases, self.units)
        if given.vectors is not None and self.vectors:
            found, to = vectors[BufferKind.PARAM, 0], given.vectors.data_ptr()
            self.commands.call(COPY_ROWS, self.vectors, self.units, found, self.stride, to, self.units)
        return d_x

    def _padded_vectors(self, layer: int) -> Addresses:
        """Record a copy of a layer's learned vectors with rows of whole vectors; return the address of each."""
        vectors = self.values.layers[layer].vectors
        if vectors is None or not self.vectors:
            return {}
        floats = self.vectors * self.stride
        padded = self.allocate("vectors", self.model.layers * floats) + 4 * layer * floats
        self.commands.call(COPY_ROWS, self.vectors, self.units, vectors.data_ptr(), self.units, padded, self.stride)
        return vector_addresses(self.vectors, padded, self.stride)

    def _cleared_vectors(self) -> Addresses:
        """Record zeros for the gradients of a layer's learned vectors; return the address of each."""
        if not self.vectors:
            return {}
        floats = self.vectors * self.stride
        found = self.allocate("d vectors", floats)
        self.commands.call(CLEAR, 4 * floats, found)
        return vector_addresses(self.vectors, found, self.stride)

    def _by_symbol(self, kernel: str, table: int, rows: int) -> None:
        """Record a gather or scatter of whole rows, by the inputs' symbols."""
        self.commands.call(kernel, self.rows, self.stride, self.input_address, table, self.stride, rows, self.stride)

    def _padded_entry_gradient(self) -> int:
        """Record zeros for the gradient of the embedding with rows of whole vectors; return its address."""
        if self.stride == self.units:
            return self.gradients.entry.data_ptr()  # zero already
        floats = self.output_size * self.stride
        padded = self.allocate("d entry", floats)
        self.commands.call(CLEAR, 4 * floats, padded)
        return padded

    def _state_gradient(self, k: int, d_output: int) -> int:
        """Record the initial gradient of state k: zero, plus that of the outputs if all steps are kept."""
        one = self.batch * self.stride
        tracked = k in self.program.tracked
        floats = (self.steps + 1 if tracked else 2) * one
        found = self.allocate(f"d state {k}", floats)
        self.commands.call(CLEAR, 4 * (one if tracked and k == 0 else floats), found)
        if tracked and k == 0:
            self.commands.call(COPY, 4 * self.steps * one, d_output, found + 4 * one)
        return found

    def _entry_gradient(self, d_x: int) -> None:
        entry = self.gradients.entry.data_ptr()
        if self.by_symbol:
            return  # done by the first layer's backward
        if not self.model.multi_label:
            self.commands.call(
                CALL_SCATTER, self.rows, self.units, self.input_address, entry, self.units, d_x, self.stride
            )
            return
        zeros = self.allocate("zeros", self.stride)
        self._gemm(
            self.output_size, self.units, self.rows, self.input_address, 1, self.output_size, d_x, self.columns,
            self.stride, zeros, 0, entry, self.units,
        )  # fmt: skip
        self._gemm(
            1, self.units, self.rows, self.allocate("one", 1), 0, 0, d_x, self.columns, self.stride, zeros, 0,
            self.gradients.entry_bias.data_ptr(), self.units,
        )  # fmt: skip

    def _arrays(self, name: str, x: int, steps: int, batch: int) -> Addresses:
        """Return the addresses of a layer's arrays in the block of that name."""
        floats = self._array_floats(steps, batch)
        return self._cut(x, self.allocate(f"layer {name}", sum(floats)), floats, steps, batch)

    def _array_floats(self, steps: int, batch: int) -> tuple[int, int, int]:
        row = batch * self.stride
        return (
            self.code.states * (steps + 1) * row, self.program.sums * steps * row,
            (self.program.values * row + self.program.norms * batch) * steps,
        )  # fmt: skip

    def _cut(self, x: int, start: int, floats: Sequence[int], steps: int, batch: int) -> Addresses:
        sums = start + 4 * floats[0]
        blocks = x, start, sums, sums + 4 * floats[1]
        return value_addresses(self.program, blocks, self.code.states, steps, batch, self.stride)

    def _segment(
        self, name: str, weights: Sequence[int], values: Addresses, gradients: Addresses, rows: tuple[int, int]
    ) -> None:
        table = self.code.table(name, weights, values, gradients)
        if table:
            self.commands.call_segment(self.code.addresses[name], table, *rows, self.units)

    def _packed(self, layer: int, *, transposed: bool) -> tuple[int, list[int]]:
        """Record the packing of a layer's matrices; return the address of the full ones, and of each in blocks."""
        given = self.values.layers[layer]
        packed = self.allocate("packed", self.packed_floats)
        if self.matrices:
            strides = (1, self.units) if transposed else (self.units, 1)
            self._pack(self.matrices, self.units, self.units, *strides, given.weights.data_ptr(), packed)
        sizes = [self.units // groups for groups in self.code.layout.groups]
        floats = [self.units * self._panels(size) for size in sizes]
        found = []
        at = self.allocate("packed blocks", sum(floats)) if sizes else 0
        for block, size, count in zip(given.blocks, sizes, floats, strict=True):
            strides = (1, size) if transposed else (size, 1)
            self._pack(self.units // size, size, size, *strides, block.data_ptr(), at)
            found.append(at)
            at += 4 * count
        return packed, found

    def _pack(self, count: int, rows: int, columns: int, *strides_and_addresses: int) -> None:
        self.commands.call(
            CALL_PACK, count, rows, columns, self._panels(columns) // self.columns, *strides_and_addresses
        )

    def _panels(self, columns: int) -> int:
        """Round a number of columns up to whole panels."""
        return -(-columns // self.columns) * self.columns

    def _gemm(self, *arguments: int | str) -> None:
        """Record C = start + A @ B; arguments are those of `gemm.GEMM`."""
        self.commands.call(CALL_GEMM, *arguments)

    def _inverse(self) -> int:
        return self.allocate(f"inverse {self.batch}", 1, 1.0 / self.batch)

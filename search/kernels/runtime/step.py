"""Command buffer of a training step, or of a score, for one shape of batch.

Lookup or projection of the inputs, layers forward, readout and loss; in training also layers backward, gradient norm,
clipping and update. T steps, B sequences, H units, S: H rounded up to whole vectors, D input size, V output size.

A batch has a batch size for each step: layers compute nothing for the columns beyond it, whose sequences have ended.

Parameters have rows of H numbers and all other arrays rows of S. What is in the padding beyond H stays there: products
read H columns of their left matrix, and parameters' gradients are written up to H.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from search.kernels.codegen.gemm import panel_columns, whole_panels
from search.kernels.codegen.library import CALL_GATHER, CALL_PACK, CALL_SCATTER
from search.kernels.codegen.loss import HEADS, loss_function
from search.kernels.codegen.memory import CHECK, CHECK_ENDED, CLEAR, CLEAR_ENDED, COPY, COPY_ROWS, SELECT
from search.kernels.codegen.update import UPDATES
from search.kernels.parameters import LayerParameters
from search.kernels.plan.adjoint import Buffer, BufferKind
from search.kernels.plan.build import program_of
from search.kernels.plan.program import Program
from search.kernels.runtime.buffers import (
    Addresses,
    ModelBuffers,
    gradient_addresses,
    gradient_floats,
    table_addresses,
    table_floats,
    value_addresses,
    value_floats,
    vector_addresses,
)
from search.kernels.runtime.commands import CommandBuffer
from search.kernels.runtime.compiled import CompiledCell
from search.kernels.runtime.dropout_commands import DropoutCommands
from search.kernels.runtime.input_commands import InputCommands
from search.kernels.runtime.library import kernel_library
from search.kernels.runtime.note_commands import NoteCommands

BLOCK_FLOATS = 65_536
"""Largest number of logits in a block of rows, unless that is fewer than `BLOCK_ROWS` rows: they fit a fast cache."""

CHUNK_FLOATS = 262_144
"""Largest number of values and gradients of a layer in a chunk of steps, unless that is fewer than two steps.

A chunk runs all of a layer's operations before the next one starts, and they find in a fast cache what others wrote.
"""

MOST_ROWS = 192
"""Largest number of rows in a block: their outputs stay in a fast cache for the products that read them again."""

BLOCK_ROWS = 48
"""Rows of a block with many logits. With 10,000 words, 64 rows are 6 % slower: they exceed a cache of 512 kB."""


class StepCommands:
    """Commands of a training step, or of a score unless `train` is set, for batches of one shape.

    Symbols, the loss mask and the batch size of each step are copied into the arrays `inputs`, `targets`, `loss_mask`
    and `sizes` before a run. Inputs and targets that are values or notes are not copied: their addresses are bound to
    the arguments "inputs" and "targets" of `commands`.
    """

    def __init__(self, model: ModelBuffers, train: bool, steps: int, batch: int) -> None:
        self.model, self.train = model, train
        self.steps, self.batch, self.units = steps, batch, model.units
        self.input_size, self.output_size = model.input_size, model.output_size
        self.reads_symbols, self.head = model.reads_symbols, HEADS[model.head]
        self.stride = model.padded_units  # S
        self.rows = steps * batch
        self.allocate, self.values, self.gradients = model.arena.allocate, model.values, model.gradients
        self.columns = panel_columns(model.code.host)
        by_symbol = model.code.program if model.code.by_symbol else program_of(model.code.graph, by_symbol=True)
        self.delay = by_symbol.longest_delay if self.reads_symbols else 0
        self.table_rows = self.input_size + self.delay * batch
        # Dropout makes the inputs of equal symbols differ, so the first layer reads vectors.
        dropped = train and model.dropout is not None
        self.by_symbol = self.reads_symbols and self.table_rows < self.rows and not dropped
        self.by_note = model.code.by_note and not dropped
        layout = model.code.layout
        self.matrices, self.biases, self.vectors = len(layout.full), len(layout.biased), len(layout.vectors)
        self.arrays: list[Addresses] = []  # values of each layer
        self.commands = CommandBuffer(kernel_library(model.code.host))
        self.dropout: DropoutCommands | None = None
        if train and model.dropout is not None:
            self.dropout = DropoutCommands(model, model.dropout, self.commands, steps, batch)
        self.weights: list[LayerParameters] = []  # of each layer, without the columns that dropout leaves out
        self.loss_mask = self._shared("loss_mask", np.float32)
        self.sizes = np.full(steps, batch, np.int64)
        self.targets = self._shared("targets", np.int64) if self.head.symbols else np.empty(0, np.int64)
        self.entry = InputCommands(model, self.commands, steps, batch, self.delay)
        self.inputs = self.entry.symbols
        self.target_address: int | str = self.targets.ctypes.data if self.head.symbols else "targets"
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

    def _code(self, layer: int) -> CompiledCell:
        """Return the machine code of a layer."""
        return self.model.code_for(layer == 0 and self.by_symbol, layer == 0 and self.by_note)

    def _record(self) -> None:
        self.commands.region("mask")
        mask = self.loss_mask.ctypes.data
        self.entry.check()
        if self.head.symbols:
            self.commands.call(CHECK, self.target_address, mask, self.rows, self.output_size)
        self.commands.call(CHECK_ENDED, self.steps, self.batch, self.sizes.ctypes.data, mask)
        index, count = self.allocate("index", 2 * self.rows), self.model.count.ctypes.data
        self.commands.call(SELECT, mask, self.rows, index, count, self.model.results.ctypes.data)
        self._region("layers")
        x = self.entry.enter(by_symbol=self.by_symbol, projected=self._code(0).program.reads_x)
        self.notes = NoteCommands(self.model, self.commands, self.batch, self.entry.projection)
        for layer in range(self.model.layers):
            x = self._forward(layer, self._dropped(layer, x))
        x = self._dropped(self.model.layers, x)
        self._region("readout")
        d_x = self._readout(x, index, count)
        if self.train:
            self._region("layers")
            for layer in reversed(range(self.model.layers)):
                d_x = self._backward(layer, self._back_dropped(layer + 1, d_x))
            d_x = self._back_dropped(0, d_x)
            # The first layer's backward has done it, by symbol or by note.
            if not (self.by_symbol or (self.by_note and not self._code(0).program.reads_x)):
                self._clear_ended(d_x, 0, self.steps)
                self.entry.back(d_x)
            if self.model.tied:
                entry, readout = self.gradients.entry.data_ptr(), self.gradients.readout.data_ptr()
                numbers = self.model.row_numbers.ctypes.data
                self.commands.call(
                    CALL_SCATTER, self.output_size, self.units, numbers, readout, self.units, entry, self.units
                )
            self.commands.region("update")
            flat, model = self.values.flat, self.model
            self.commands.call(
                UPDATES[model.updates.name], self.gradients.flat.data_ptr(), flat.data_ptr(), flat.numel(),
                model.control.ctypes.data, self._inverse(), model.results.ctypes.data,
                model.updates.moments.data_ptr(), model.parts.ctypes.data, len(model.parts),
            )  # fmt: skip

    def _dropped(self, place: int, x: int) -> int:
        """Record the dropout of a layer's inputs, or of the last outputs; return the address of the rest (T, B, S)."""
        if self.dropout is None:
            return x
        target = x if place == 0 else self.allocate(f"dropped {place}", self.rows * self.stride)
        self.dropout.apply(place, x, target)
        return target

    def _back_dropped(self, place: int, d_x: int) -> int:
        """Record the same of their gradient (T, B, S), in place."""
        if self.dropout is not None:
            self.dropout.apply(place, d_x, d_x)
        return d_x

    def _forward(self, layer: int, x: int) -> int:
        """Record a layer's forward over all steps; return the address of its outputs (T, B, S)."""
        code = self._code(layer)
        self.weights.append(self.values.layers[layer] if self.dropout is None else self.dropout.weights(layer))
        packed, blocks = self._packed(layer, transposed=True)
        starts, floats = self._starts(code.program)
        self.commands.call(CLEAR, 4 * floats, starts)
        if self.biases:
            numbers, biases = code.sums_of_biases.ctypes.data, self.values.layers[layer].biases.data_ptr()
            self.commands.call(CALL_SCATTER, self.biases, self.units, numbers, starts, self.stride, biases, self.units)
        weights = (packed, starts, 0, 0), (*blocks, *(0 for _ in blocks))
        values = self._arrays(f"{layer}", code.program, x) | self._padded_vectors(layer)
        if code.by_symbol:
            values |= self._tables("table", code.program, x)
        self.arrays.append(values)
        one = 4 * self.batch * self.stride
        carried = self.model.layers * code.states * self.batch * self.stride
        carry = self.allocate(f"carry {self.train}", carried) + layer * code.states * one
        for k in range(code.states):
            delay = code.program.delayed.get(k)
            to = values[BufferKind.OLD, k] if delay is None else values[BufferKind.NEW, k] + self._carried_rows(delay)
            self.commands.call(COPY, one, carry + k * one, to)
        if code.by_symbol:
            self._segment(code, "before", weights, values, {}, 0, self.input_size)
        for s in code.program.notes:
            self.notes.tables(code.program, s, packed, starts)
        for first, steps in self._chunks(code):
            for s in code.program.notes:
                self.notes.forward(s, self._from_step(code.program, values, False, first), first, steps)
            if not code.by_symbol:
                self._segment(code, "before", weights, values, {}, first, steps)
            self._segment(code, "forward", weights, values, {}, first, steps)
        for k in range(code.states):
            delay = code.program.delayed.get(k)
            if delay is None:
                self.commands.call(COPY, one, values[BufferKind.OLD, k] + self.steps * one, carry + k * one)
            else:
                last = self.steps - 1
                self._by_symbol(CALL_GATHER, values[BufferKind.NEW, k], carry + k * one, delay, last, self.steps)
        if 0 not in code.program.delayed:
            return values[BufferKind.NEW, 0]
        outputs = self.allocate("outputs by symbol", self.rows * self.stride)
        self._by_symbol(CALL_GATHER, values[BufferKind.NEW, 0], outputs, code.program.delayed[0], 0, self.steps)
        return outputs

    def _readout(self, outputs: int, index: int, count: int) -> int:
        """Record readout and loss, in training with gradients; return the address of the outputs' gradient."""
        padded, readout = self.model.padded_output_size, self.values.readout.data_ptr()
        start = self.allocate("start", padded)
        self.commands.call(COPY, 4 * self.output_size, self.values.readout_bias.data_ptr(), start)
        packed = self.allocate("readout", self._panels(self.output_size) * self.units)
        self._pack(1, self.units, self.output_size, 1, self.units, readout, packed)
        most = max(BLOCK_ROWS, min(MOST_ROWS, BLOCK_FLOATS // padded))
        block = self.model.code.pad(min(most, self.rows))
        gathered = self.allocate("gathered", block * self.stride)
        logits = self.allocate("logits", block * padded)
        whole_blocks = -(-self.rows // block) * block
        arguments: list[int | str] = [
            count, index, outputs, packed, start, self.target_address, gathered, logits,
            *(self.allocate(name, whole_blocks) for name in ("nats", "first", "second")),
            self.allocate("picked", block), self.values.log_scale.data_ptr(), self.allocate("scales", 2 * padded),
            self.model.results.ctypes.data, block, self.units, self.output_size, padded, self.rows,
        ]  # fmt: skip
        name = loss_function(self.model.head, self.train)
        if not self.train:
            self.commands.call(name, *arguments)
            return 0
        back = self.allocate("readout back", self._panels(self.units) * self.output_size)
        self._pack(1, self.output_size, self.units, self.units, 1, readout, back)
        d_outputs = self._output_gradient(0)
        d_bias, d_scale = self.allocate("d readout bias", padded), self.allocate("d log scale", padded)
        self.commands.call(CLEAR, 4 * self.gradients.flat.numel(), self.gradients.flat.data_ptr())
        if self.model.tied:
            self.commands.call(CLEAR, 4 * self.gradients.entry.numel(), self.gradients.entry.data_ptr())
        self.commands.call(CLEAR, 4 * padded, d_bias)
        self.commands.call(CLEAR, 4 * padded, d_scale)
        d_readout = self.gradients.readout.data_ptr()
        one, zeros = self.allocate("one", 1), self.allocate("zeros", self.stride)
        self.commands.call(name, *arguments, back, self._inverse(), zeros, one, d_outputs, d_readout, d_bias, d_scale)
        self.commands.call(COPY, 4 * self.output_size, d_bias, self.gradients.readout_bias.data_ptr())
        if self.head.scaled:
            self.commands.call(COPY, 4 * self.output_size, d_scale, self.gradients.log_scale.data_ptr())
        return d_outputs

    def _backward(self, layer: int, d_output: int) -> int:
        """Record a layer's backward; return the address of its input's gradient."""
        code, values = self._code(layer), self.arrays[layer]
        program = code.program
        states = {k: self._state_gradient(program, k, d_output) for k in range(code.states) if k not in program.delayed}
        d_x = self._output_gradient((self.model.layers - layer) % 2)
        if not code.by_symbol and program.reads_x == code.by_note:
            self.commands.call(CLEAR, 4 * self.rows * self.stride, d_x)
        totals, floats = self._starts(program)
        self.commands.call(CLEAR, 4 * floats, totals)
        zeros = totals + 4 * (floats - self.stride)
        packed, blocks = self._packed(layer, transposed=False)
        given = self.gradients.layers[layer]
        weights = (packed, zeros, given.weights.data_ptr(), totals), (*blocks, *(b.data_ptr() for b in given.blocks))
        vectors = self._cleared_vectors()
        chunks = self._chunks(code)
        shape = chunks[0][1], self.batch, self.stride  # no chunk is longer than the first
        free = self.allocate("gradients", gradient_floats(program, *shape))
        gradients = gradient_addresses(program, d_x, states, free, d_output, *shape) | vectors
        if code.by_symbol:
            gradients |= self._table_gradients(program, d_output)
        for first, steps in reversed(chunks):
            self._segment(code, "backward", weights, values, gradients, first, steps)
            if not code.by_symbol:
                self._segment(code, "before_backward", weights, values, gradients, first, steps)
            for s in program.notes:
                self._clear_ended(gradients[BufferKind.SUM, s], first, steps)
                self.notes.backward(s, gradients, first, steps, first + steps == self.steps)
        for s in program.notes:
            self.notes.back_from_tables(program, s, packed, given.weights.data_ptr())
        if code.by_symbol:
            self._segment(code, "before_backward", weights, values, gradients, 0, self.input_size)
        if code.by_symbol and self.stride > self.units:
            entry, d_entry = self.gradients.entry.data_ptr(), gradients[BufferKind.X, 0]
            self.commands.call(COPY_ROWS, self.input_size, self.units, d_entry, self.stride, entry, self.units)
        if self.biases:
            numbers, biases = code.sums_of_biases.ctypes.data, given.biases.data_ptr()
            self.commands.call(CALL_GATHER, self.biases, self.units, numbers, totals, self.stride, biases, self.units)
        if given.vectors is not None and self.vectors:
            found, to = vectors[BufferKind.PARAM, 0], given.vectors.data_ptr()
            self.commands.call(COPY_ROWS, self.vectors, self.units, found, self.stride, to, self.units)
        if self.dropout is not None:
            self.dropout.columns(layer, given)
        return d_x

    def _clear_ended(self, rows: int, first: int, steps: int) -> None:
        """Record zeros for the sequences that have ended, in the rows (T, B, S) of steps from `first` on."""
        self.commands.call(CLEAR_ENDED, steps, self.batch, self.stride, self.sizes.ctypes.data + 8 * first, rows)

    def _tables(self, name: str, program: Program, x: int) -> Addresses:
        """Return the addresses of the tables in the block of that name."""
        first = self.allocate(name, table_floats(program, self.table_rows, self.stride))
        return table_addresses(program, x, first, self.table_rows, self.stride)

    def _table_gradients(self, program: Program, d_output: int) -> Addresses:
        """Record the initial gradients of the tables: zero, plus that of the outputs; return their addresses."""
        gradients = self._tables("table gradients", program, self.entry.cleared_gradient())
        floats = table_floats(program, self.table_rows, self.stride)
        self.commands.call(CLEAR, 4 * floats, self.allocate("table gradients", floats))
        if 0 in program.delayed:
            self._clear_ended(d_output, 0, self.steps)
            self._by_symbol(CALL_SCATTER, gradients[BufferKind.NEW, 0], d_output, program.delayed[0], 0, self.steps)
        return gradients

    def _carried_rows(self, delay: int) -> int:
        """Return how many bytes into the table of a state of that delay its values before the first step are."""
        return 4 * (self.input_size + delay * self.batch) * self.stride

    def _chunks(self, code: CompiledCell) -> list[tuple[int, int]]:
        """Return the first step and the number of steps of each chunk; the first step of each is even."""
        floats = sum(value_floats(code.program, code.states, 2, self.batch, self.stride))  # of two steps
        steps = 2 * max(1, CHUNK_FLOATS // (2 * max(floats, 1)))
        return [(first, min(steps, self.steps - first)) for first in range(0, self.steps, steps)]

    def _from_step(self, program: Program, addresses: Addresses, gradient: bool, first: int) -> Addresses:
        """Return addresses for a chunk that starts at step `first`.

        Gradients of sums and values are needed within a chunk only, so all chunks use the same memory for them; of
        states that two steps use in turn, an even step always has the first row.
        """
        if first == 0:
            return addresses
        found = {}
        for (kind, index), address in addresses.items():
            in_turn = kind in (BufferKind.OLD, BufferKind.NEW) and index not in program.tracked
            kept = gradient and (kind in (BufferKind.SUM, BufferKind.VALUE) or in_turn)
            if kept or kind is BufferKind.PARAM or Buffer(kind, index) in program.tables:
                found[kind, index] = address
            else:
                row = 1 if kind is BufferKind.SCALE else self.stride
                found[kind, index] = address + 4 * first * self.batch * row
        return found

    def _by_symbol(self, kernel: str, table: int, rows: int, delay: int, start: int, stop: int) -> None:
        """Record a gather or scatter of whole rows by the symbols of some steps, as they were `delay` steps before."""
        numbers = self.inputs.ctypes.data + 8 * (start - delay) * self.batch
        count = (stop - start) * self.batch
        self.commands.call(kernel, count, self.stride, numbers, table, self.stride, rows, self.stride)

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

    def _output_gradient(self, n: int) -> int:
        """Return the address of an array (T, B, S) for the gradient of a layer's outputs; a row (B, S) is before it."""
        one = self.batch * self.stride
        return self.allocate(f"d {n}", (self.steps + 1) * one) + 4 * one

    def _state_gradient(self, program: Program, k: int, d_output: int) -> int:
        """Record the initial gradient of state k: zero, or that of the outputs if all steps are kept."""
        one = self.batch * self.stride
        tracked = k in program.tracked
        if tracked and k == 0:  # the outputs' gradient becomes that of the state, with a row for the state before them
            self.commands.call(CLEAR, 4 * one, d_output - 4 * one)
            return d_output - 4 * one
        floats = (self.steps + 1 if tracked else 2) * one
        found = self.allocate(f"d state {k}", floats)
        self.commands.call(CLEAR, 4 * floats, found)
        return found

    def _arrays(self, name: str, program: Program, x: int) -> Addresses:
        """Return the addresses of a layer's arrays in the block of that name, without tables."""
        floats = self._array_floats(program)
        first = self.allocate(f"layer {name}", sum(floats))
        sums = first + 4 * floats[0]
        blocks = x, first, sums, sums + 4 * floats[1]
        return value_addresses(program, blocks, self.model.code.states, self.steps, self.batch, self.stride)

    def _array_floats(self, program: Program) -> tuple[int, int, int]:
        return value_floats(program, self.model.code.states, self.steps, self.batch, self.stride)

    def _starts(self, program: Program) -> tuple[int, int]:
        """Return the address and size of a row for each sum, one for matrices that nothing reads, and one of zeros."""
        floats = (program.sums + 2) * self.stride
        return self.allocate("starts", floats), floats

    def _segment(
        self,
        code: CompiledCell,
        name: str,
        weights: tuple[Sequence[int], Sequence[int]],
        values: Addresses,
        gradients: Addresses,
        first: int,
        steps: int,
    ) -> None:
        """Record a segment for steps from `first` on; `weights` are those before and behind the symbols and sizes."""
        values = self._from_step(code.program, values, False, first)
        gradients = self._from_step(code.program, gradients, True, first)
        symbols = self.inputs.ctypes.data + 8 * first * self.batch if code.by_symbol else 0
        sizes = self.sizes.ctypes.data + 8 * first
        table = code.table(name, (*weights[0], symbols, sizes, *weights[1]), values, gradients)
        if table:
            self.commands.call_segment(code.addresses[name], table, steps, self.batch, self.units)

    def _packed(self, layer: int, *, transposed: bool) -> tuple[int, list[int]]:
        """Record the packing of a layer's matrices; return the address of the full ones, and of each in blocks."""
        given = self.weights[layer]
        packed = self.allocate("packed", self.matrices * self._panels(self.units) * self.units)
        if self.matrices:
            strides = (1, self.units) if transposed else (self.units, 1)
            self._pack(self.matrices, self.units, self.units, *strides, given.weights.data_ptr(), packed)
        sizes = [self.units // groups for groups in self.model.code.layout.groups]
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
        return whole_panels(columns, self.columns)

    def _inverse(self) -> int:
        return self.allocate(f"inverse {self.batch}", 1, 1.0 / self.batch)

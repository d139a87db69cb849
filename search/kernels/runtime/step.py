"""What a training step, or a score, calls in order: a model's tape for one shape of batch.

Lookup or projection of the inputs, layers forward, readout and loss; in training layers backward, norm, clipping and
update. T steps, B sequences, H units (whole vectors), V symbols or notes, K matrices of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from search.kernels.codegen.gemm import panel_columns
from search.kernels.codegen.loss import READOUTS
from search.kernels.codegen.sgd import CHECK, CLEAR, COPY, DESCEND, SELECT
from search.kernels.plan.adjoint import Kind
from search.kernels.runtime.addresses import Where, gradient_floats, gradients_at, values_at
from search.kernels.runtime.buffers import Model
from search.kernels.runtime.commands import Tape
from search.kernels.runtime.library import CALL_GATHER, CALL_MULTIPLY, CALL_PACK, CALL_SCATTER, instruments

BLOCK_FLOATS = 65_536
"""Logits of a block of rows, at most, unless these are fewer than `BLOCK_ROWS` rows: they should fit a fast cache."""

BLOCK_ROWS = 48  # with 10,000 words, 64 take 6 % longer: less of a block stays in a cache of 512 kB


class Script:
    """The tape of a score, or where `train` is set of a training step, for batches of one shape.

    Symbols and `loss_mask` are put into arrays of the script; the tape is pointed to rolls, as `inputs` and `targets`.
    """

    def __init__(self, model: Model, train: bool, steps: int, batch: int) -> None:
        self.model, self.train = model, train
        self.code, self.program = model.code, model.code.program
        self.steps, self.batch, self.units, self.output_size = steps, batch, model.units, model.output_size
        self.rows = steps * batch
        self.take, self.values, self.gradients = model.memory.take, model.values, model.gradients
        self.columns = panel_columns(self.code.host)
        self.matrices = len(self.code.sums_of_matrices)
        self.by_symbol = not model.multi_label and self.output_size < self.rows
        self.table_rows = (1, self.output_size) if self.by_symbol else (steps, batch)
        self.packed_floats = self.matrices * self._panels(self.units) * self.units
        self.starts_floats = (self.program.sums + 2) * self.units
        tools = instruments(self.code.host)
        self.early: list[Where] = []
        self.late: list[Where] = []
        self.tape = Tape(tools.play, tools.addresses)
        self.loss_mask = self._shared("loss_mask", np.float32)
        self.inputs, self.targets = (
            np.empty(0, np.int64) if model.multi_label else self._shared(name, np.int64)
            for name in ("inputs", "targets")
        )
        symbols = not model.multi_label
        self.counts = self.loss_mask.ctypes.data
        self.read: int | str = self.inputs.ctypes.data if symbols else "inputs"  # a roll lies where its task left it
        self.aim: int | str = self.targets.ctypes.data if symbols else "targets"
        self._write()
        self.tape.end()
        self.carried: npt.NDArray[np.float32] = model.memory[f"carry {train}"].numpy()  # all states before a batch

    def _part(self, name: str) -> None:
        self.tape.part(name if self.train else "evaluation")

    def _shared(self, name: str, kind: type[np.generic]) -> npt.NDArray[Any]:
        """An array (T, B) in memory kept by name, to put a batch into."""
        self.take(name, self.rows * np.dtype(kind).itemsize // 4)
        whole = self.model.memory[name].numpy().view(kind)
        return whole[: self.rows].reshape(self.steps, self.batch)

    def _write(self) -> None:
        self.tape.part("counting")
        if not self.model.multi_label:
            ones = self.take("ones", self.rows, 1.0)
            self.tape.call(CHECK, self.read, ones, self.rows, self.output_size)
            self.tape.call(CHECK, self.aim, self.counts, self.rows, self.output_size)
        index, count = self.take("index", 2 * self.rows), self.model.count.ctypes.data
        self.tape.call(SELECT, self.counts, self.rows, index, count, self.model.results.ctypes.data)
        self._part("layers")
        x = self._entered()
        for layer in range(self.model.layers):
            x = self._forward(layer, x)
        self._part("readout")
        d_x = self._readout(x, index, count)
        if self.train:
            self._part("layers")
            for layer in reversed(range(self.model.layers)):
                d_x = self._backward(layer, d_x)
            self._entry_gradient(d_x)
            self.tape.part("update")
            flat = self.values.flat
            self.tape.call(
                DESCEND, self.gradients.flat.data_ptr(), flat.data_ptr(), flat.numel(),
                self.model.control.ctypes.data, self._inverse(), self.model.results.ctypes.data,
            )  # fmt: skip

    def _entered(self) -> int:
        """The first layer's input: a table of all symbols, or the rows of all steps."""
        entry = self.values.entry.data_ptr()
        if self.by_symbol:
            return entry
        x = self.take("x", self.rows * self.units)
        if self.model.multi_label:
            self._multiply(
                self.rows, self.units, self.output_size, self.read, self.output_size, 1, entry, self.columns,
                self.units, self.values.entry_bias.data_ptr(), 0, x,
            )  # fmt: skip
        else:
            self.tape.call(CALL_GATHER, self.rows, self.units, self.read, entry, x)
        return x

    def _forward(self, layer: int, x: int) -> int:
        """A layer over all steps; the address of its outputs."""
        packed = self._packed(self.values.weights[layer], transposed=True)
        starts = self.take("starts", self.starts_floats)
        self.tape.call(CLEAR, 4 * self.starts_floats, starts)
        numbers = self.code.sums_of_matrices.data_ptr()
        if self.matrices:
            biases = self.values.biases[layer].data_ptr()
            self.tape.call(CALL_SCATTER, self.matrices, self.units, numbers, starts, biases)
        weights = packed, starts, 0, 0
        looks_up = layer == 0 and self.by_symbol
        late_x = self.take("x", self.rows * self.units) if looks_up and self.code.reads_x_late else x
        late = self._arrays(f"{layer}", late_x, self.steps, self.batch)
        early = self._arrays("table", x, *self.table_rows) if looks_up else late
        self.early.append(early)
        self.late.append(late)
        one = 4 * self.batch * self.units
        carry = self.take(f"carry {self.train}", self.model.layers * self.code.states * self.batch * self.units)
        for k in range(self.code.states):
            self.tape.call(COPY, one, carry + (layer * self.code.states + k) * one, late[Kind.OLD, k])
        self._section("before", weights, early, {}, self.table_rows if looks_up else (self.steps, self.batch))
        if looks_up:
            for key in self.code.handed_over:
                self.tape.call(CALL_GATHER, self.rows, self.units, self.read, early[key], late[key])
        self._section("forward", weights, late, {}, (self.steps, self.batch))
        for k in range(self.code.states):
            last = late[Kind.OLD, k] + self.steps * one
            self.tape.call(COPY, one, last, carry + (layer * self.code.states + k) * one)
        return late[Kind.NEW, 0]

    def _readout(self, outputs: int, index: int, count: int) -> int:
        """Loss and metric, and in training the gradients; the address of the outputs' gradient."""
        padded, readout = self.model.padded_width, self.values.readout.data_ptr()
        start = self.take("start", padded)
        self.tape.call(COPY, 4 * self.output_size, self.values.readout_bias.data_ptr(), start)
        packed = self.take("readout", self._panels(self.output_size) * self.units)
        self._pack(1, self.units, self.output_size, 1, self.units, readout, packed)
        most = max(BLOCK_ROWS, BLOCK_FLOATS // padded)
        block = self.code.pad(min(most, self.rows))
        gathered = self.take("gathered", block * self.units)
        logits = self.take("logits", block * padded)
        arguments: list[int | str] = [
            count, index, outputs, packed, start, self.aim, gathered, logits, self.take("sums", block),
            self.take("picked", block), self.model.results.ctypes.data, block, self.units, self.output_size, padded,
        ]  # fmt: skip
        name = READOUTS[self.model.multi_label, self.train]
        if not self.train:
            self.tape.call(name, *arguments)
            return 0
        back = self.take("readout back", self._panels(self.units) * self.output_size)
        self._pack(1, self.output_size, self.units, self.units, 1, readout, back)
        d_outputs = self.take("d 0", self.rows * self.units)
        d_bias = self.take("d readout bias", padded)
        self.tape.call(CLEAR, 4 * self.gradients.flat.numel(), self.gradients.flat.data_ptr())
        self.tape.call(CLEAR, 4 * self.rows * self.units, d_outputs)
        self.tape.call(CLEAR, 4 * padded, d_bias)
        d_readout = self.gradients.readout.data_ptr()
        one, zeros = self.take("one", 1), self.take("zeros", self.units)
        self.tape.call(name, *arguments, back, self._inverse(), zeros, one, d_outputs, d_readout, d_bias)
        self.tape.call(COPY, 4 * self.output_size, d_bias, self.gradients.readout_bias.data_ptr())
        return d_outputs

    def _backward(self, layer: int, d_output: int) -> int:
        """The gradients of a layer's weights and biases; the address of its input's gradient."""
        program, code, size = self.program, self.code, 4 * self.rows * self.units
        late, early, looks_up = self.late[layer], self.early[layer], layer == 0 and self.by_symbol
        states = [self._state_gradient(k, d_output) for k in range(code.states)]
        d_x = self.take(f"d {(self.model.layers - layer) % 2}", self.rows * self.units)
        if not program.reads_x:
            self.tape.call(CLEAR, size, d_x)
        totals = self.take("starts", self.starts_floats)
        self.tape.call(CLEAR, 4 * self.starts_floats, totals)
        last = totals + 4 * (self.starts_floats - self.units)
        packed = self._packed(self.values.weights[layer], transposed=False)
        weights = packed, last, self.gradients.weights[layer].data_ptr(), totals
        free = self.take("gradients", gradient_floats(program, self.steps, self.batch, self.units))
        shape = self.steps, self.batch, self.units
        gradients = late_gradients = gradients_at(program, d_x, states, free, d_output, *shape)
        self._section("backward", weights, late, late_gradients, (self.steps, self.batch))
        if looks_up:
            floats = self._array_floats(*self.table_rows)
            table = self.take("table gradients", sum(floats))
            self.tape.call(CLEAR, 4 * sum(floats), table)
            gradients = self._cut(self.gradients.entry.data_ptr(), table, floats, *self.table_rows)
            for key in code.gradients_handed_over:
                self.tape.call(CALL_SCATTER, self.rows, self.units, self.read, gradients[key], late_gradients[key])
        rows = self.table_rows if looks_up else (self.steps, self.batch)
        self._section("before_backward", weights, early, gradients, rows)
        if self.matrices:
            numbers, biases = self.code.sums_of_matrices.data_ptr(), self.gradients.biases[layer].data_ptr()
            self.tape.call(CALL_GATHER, self.matrices, self.units, numbers, totals, biases)
        return d_x

    def _state_gradient(self, k: int, d_output: int) -> int:
        """Memory of a state's gradient: nothing comes from after the last step, and from outputs if all are kept."""
        one = self.batch * self.units
        tracked = k in self.program.tracked
        floats = (self.steps + 1 if tracked else 2) * one
        found = self.take(f"d state {k}", floats)
        self.tape.call(CLEAR, 4 * (one if tracked and k == 0 else floats), found)
        if tracked and k == 0:
            self.tape.call(COPY, 4 * self.steps * one, d_output, found + 4 * one)
        return found

    def _entry_gradient(self, d_x: int) -> None:
        entry = self.gradients.entry.data_ptr()
        if self.by_symbol:
            return  # the first layer's backward has it
        if not self.model.multi_label:
            self.tape.call(CALL_SCATTER, self.rows, self.units, self.read, entry, d_x)
            return
        zeros = self.take("zeros", self.units)
        self._multiply(
            self.output_size,
            self.units,
            self.rows,
            self.read,
            1,
            self.output_size,
            d_x,
            self.columns,
            self.units,
            zeros,
            0,
            entry,
        )
        self._multiply(
            1, self.units, self.rows, self.take("one", 1), 0, 0, d_x, self.columns, self.units, zeros, 0,
            self.gradients.entry_bias.data_ptr(),
        )  # fmt: skip

    def _arrays(self, name: str, x: int, steps: int, batch: int) -> Where:
        """A layer's states, sums and values of so many rows, in memory kept by name."""
        floats = self._array_floats(steps, batch)
        return self._cut(x, self.take(f"layer {name}", sum(floats)), floats, steps, batch)

    def _array_floats(self, steps: int, batch: int) -> tuple[int, int, int]:
        row = batch * self.units
        return (
            self.code.states * (steps + 1) * row, self.program.sums * steps * row, self.program.values * steps * row
        )  # fmt: skip

    def _cut(self, x: int, start: int, floats: Sequence[int], steps: int, batch: int) -> Where:
        sums = start + 4 * floats[0]
        blocks = x, start, sums, sums + 4 * floats[1]
        return values_at(self.program, blocks, self.code.states, steps, batch, self.units)

    def _section(
        self, name: str, weights: Sequence[int], values: Where, gradients: Where, rows: tuple[int, int]
    ) -> None:
        table = self.code.table(name, weights, values, gradients)
        if table:
            self.tape.section(self.code.addresses[name], table, *rows, self.units)

    def _packed(self, weight: Tensor, *, transposed: bool) -> int:
        """A layer's matrices as products read them."""
        packed = self.take("packed", self.packed_floats)
        if self.matrices:
            strides = (1, self.units) if transposed else (self.units, 1)
            self._pack(self.matrices, self.units, self.units, *strides, weight.data_ptr(), packed)
        return packed

    def _pack(self, count: int, rows: int, columns: int, *places: int) -> None:
        self.tape.call(CALL_PACK, count, rows, columns, self._panels(columns) // self.columns, *places)

    def _panels(self, columns: int) -> int:
        """Columns of whole panels."""
        return -(-columns // self.columns) * self.columns

    def _multiply(self, *arguments: int | str) -> None:
        """C = start + A @ B, with the rows of C as long as there are columns."""
        self.tape.call(CALL_MULTIPLY, *arguments, arguments[1])

    def _inverse(self) -> int:
        return self.take(f"inverse {self.batch}", 1, 1.0 / self.batch)

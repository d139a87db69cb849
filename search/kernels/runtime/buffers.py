"""Memory that machine code reads and writes: parameters, an arena, and the addresses of a program's buffers.

T steps, B sequences, H units, S: H rounded up to whole vectors, D input size, V output size, P parameters. All arrays
are float32. Parameters and their gradients have rows of H numbers without gaps, all other arrays rows of S, of which
those from H on are padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from search.kernels.batches import Side, sides
from search.kernels.codegen.loss import HEADS
from search.kernels.codegen.update import CONTROL
from search.kernels.dropout import Dropout
from search.kernels.optimisers import Updates
from search.kernels.parameters import LayerParameters
from search.kernels.plan.adjoint import Buffer, BufferKind
from search.kernels.plan.program import Program
from search.kernels.runtime.compiled import CompiledCell, compile_cell

Addresses: TypeAlias = dict[tuple[BufferKind, int], int]
"""Addresses of a program's buffers, values or gradients, each at its first step."""


@dataclass(frozen=True)
class Parameters:
    """Parameters of a model, or their gradients, as views of `flat` (P,).

    `entry` (D, H); `entry_bias` (H,) for inputs of values, else (0,); the parameters of each layer; `readout` (V, H);
    `readout_bias` (V,); `log_scale` (V,) if the head has a scale for each output, else (0,). If the readout is the
    embedding, their gradients are apart, and that of the embedding is no view of `flat`.
    """

    flat: Tensor
    entry: Tensor
    entry_bias: Tensor
    layers: tuple[LayerParameters, ...]
    readout: Tensor
    readout_bias: Tensor
    log_scale: Tensor


class Arena:
    """Named blocks of memory that are kept between calls; a block only ever grows.

    Each block has `slack` numbers more than is asked for, which may be read and never matter.
    """

    def __init__(self) -> None:
        self.slack = 0
        self._blocks: dict[str, Tensor] = {}

    def allocate(self, name: str, floats: int, fill: float | None = None) -> int:
        """Return the address of the block `name`, after growing it to at least `floats` numbers.

        With `fill`, a new block is filled with that number. Growing a block moves it and drops its contents.
        """
        block = self._blocks.get(name)
        floats += self.slack
        if block is None or block.numel() < floats:
            block = self._blocks[name] = new_block(floats)
            if fill is not None:
                block.fill_(fill)
        return block.data_ptr()

    def __getitem__(self, name: str) -> Tensor:
        return self._blocks[name]

    def bytes_held(self) -> int:
        """Return the size of all blocks; it grows whenever a block is moved."""
        return sum(block.numel() * block.element_size() for block in self._blocks.values())


def new_block(floats: int) -> Tensor:
    """Return uninitialised memory for an arena."""
    return torch.empty(floats)


@dataclass(frozen=True)
class ModelBuffers:
    """All memory of a model around a compiled cell.

    It reads symbols, or values unless `reads_symbols`, and predicts what `head` says (`codegen.loss.HEADS`).

    `code` is the machine code of the first layer, if the batches are large enough; `code_for` has that of others too.

    Arguments and results of a call are at fixed addresses: `control` (largest gradient norm, then the numbers of the
    optimiser's step), `results` (nats, gradient norm, number of steps in the loss mask), and `count` (that number
    again, as an integer). So are the moments of `updates`, the `parts` of the parameters that it goes through, and
    the `mask_keys` of dropout.
    """

    code: CompiledCell
    values: Parameters
    gradients: Parameters
    reads_symbols: bool
    head: str
    updates: Updates
    dropout: Dropout | None = None
    arena: Arena = field(default_factory=Arena)
    control: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(CONTROL))
    results: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    count: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))

    def __post_init__(self) -> None:
        self.arena.slack = self.code.slack

    @cached_property
    def parts(self) -> npt.NDArray[np.int64]:
        """Parts of the parameters for the update, from `Updates.parts`."""
        return self.updates.parts()

    @cached_property
    def row_numbers(self) -> npt.NDArray[np.int64]:
        """Numbers of all rows of the readout, to add the embedding's gradient to its own."""
        return np.arange(self.output_size)

    @cached_property
    def mask_keys(self) -> npt.NDArray[np.int64]:
        """Keys of the masks of a training step (places, 2); none without dropout."""
        return np.zeros((0 if self.dropout is None else self.dropout.places(self.layers), 2), np.int64)

    def code_for(self, by_symbol: bool = False, by_note: bool = False) -> CompiledCell:
        """Return the machine code of the cell for inputs as vectors, by symbol, or by note."""
        if (self.code.by_symbol, self.code.by_note) == (by_symbol, by_note):
            return self.code
        found = compile_cell(self.code.graph, by_symbol, by_note)
        assert found is not None, "one of a cell's programs was compiled, so the others can be"
        return found

    @property
    def tied(self) -> bool:
        """True if the readout has the matrix of the embedding."""
        return self.values.entry.data_ptr() == self.values.readout.data_ptr()

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.values.layers)

    @property
    def units(self) -> int:
        """H, the number of units of a layer."""
        return self.values.readout.shape[1]

    @property
    def padded_units(self) -> int:
        """S, the number of units rounded up to whole vectors."""
        return self.code.pad(self.units)

    @property
    def input_size(self) -> int:
        """D, the number of symbols or values that are read."""
        return self.values.entry.shape[0]

    @property
    def output_size(self) -> int:
        """V, the number of symbols, notes or values that are predicted."""
        return self.values.readout.shape[0]

    @property
    def sides(self) -> tuple[Side, Side]:
        """Kinds and sizes of inputs and targets."""
        return sides(self.reads_symbols, self.input_size, HEADS[self.head].symbols, self.output_size)

    @property
    def padded_output_size(self) -> int:
        """V rounded up to whole vectors."""
        return self.code.pad(self.output_size)


def value_addresses(
    program: Program, blocks: tuple[int, int, int, int], states: int, steps: int, batch: int, stride: int
) -> Addresses:
    """Return the addresses of a layer's values, without tables.

    Args:
        program: Program of the cell.
        blocks: Addresses of x (T, B, S), then of states (T + 1, B, S each), sums and values (T, B, S each); a number
            for each row (T, B) and norm follows the values.
        states: Number of states of the cell.
        steps: T.
        batch: B.
        stride: S.
    """
    x, first_state, sums, values = blocks
    row = 4 * batch * stride
    found = {(BufferKind.X, 0): x}
    for n, k in enumerate(k for k in range(states) if k not in program.delayed):
        found[BufferKind.OLD, k] = first_state + n * (steps + 1) * row
        found[BufferKind.NEW, k] = found[BufferKind.OLD, k] + row
    for n, s in enumerate(_stepped(program, BufferKind.SUM, program.sums)):
        found[BufferKind.SUM, s] = sums + n * steps * row
    stepped = _stepped(program, BufferKind.VALUE, program.values)
    for n, v in enumerate(stepped):
        found[BufferKind.VALUE, v] = values + n * steps * row
    scales = values + len(stepped) * steps * row
    for n, k in enumerate(_stepped(program, BufferKind.SCALE, program.norms)):
        found[BufferKind.SCALE, k] = scales + n * 4 * steps * batch
    return found


def value_floats(program: Program, states: int, steps: int, batch: int, stride: int) -> tuple[int, int, int]:
    """Return how many numbers a layer's states, sums and values take, without tables."""
    row = batch * stride
    counts = {BufferKind.SUM: program.sums, BufferKind.VALUE: program.values, BufferKind.SCALE: program.norms}
    sums, values, scales = (len(_stepped(program, kind, count)) for kind, count in counts.items())
    return (
        (states - len(program.delayed)) * (steps + 1) * row,
        sums * steps * row,
        (values * row + scales * batch) * steps,
    )


def table_addresses(program: Program, x: int, first: int, rows: int, stride: int) -> Addresses:
    """Return the addresses of the tables of a layer, or of their gradients.

    Args:
        program: Program of the cell by symbol.
        x: Address of the table of x.
        first: Address of `table_floats` numbers for the other tables.
        rows: Rows of a table.
        stride: S.
    """
    found = {(BufferKind.X, 0): x}
    for n, buffer in enumerate(_tables(program)):
        found[buffer.kind, buffer.index] = first + 4 * n * rows * stride
        if buffer.kind is BufferKind.NEW:  # the values before a step are those after the step before it
            found[BufferKind.OLD, buffer.index] = found[buffer.kind, buffer.index]
    return found


def table_floats(program: Program, rows: int, stride: int) -> int:
    """Return how many numbers the tables of a layer take, without that of x."""
    return len(_tables(program)) * rows * stride


def _tables(program: Program) -> list[Buffer]:
    """Return the tables of a program that have memory of their own."""
    return [buffer for buffer in program.tables if buffer.kind not in (BufferKind.X, BufferKind.OLD)]


def _stepped(program: Program, kind: BufferKind, count: int) -> list[int]:
    """Return the numbers of the buffers of a kind that are no tables."""
    return [n for n in range(count) if Buffer(kind, n) not in program.tables]


def gradient_addresses(
    program: Program, x: int, states: Mapping[int, int], free: int, output: int, steps: int, batch: int, stride: int
) -> Addresses:
    """Return the addresses of a layer's gradients, without those of tables.

    Args:
        program: Program of the cell.
        x: Address of the gradient of x (T, B, S).
        states: Address of each state's gradient: (T + 1, B, S) if the program tracks the state, else (2, B, S) for even
            and odd steps in turn.
        free: Address of `gradient_floats` numbers, for the gradients of sums and values.
        output: Address of the gradient of the visible output (T, B, S).
        steps: T.
        batch: B.
        stride: S.
    """
    row = 4 * batch * stride
    found = {(BufferKind.X, 0): x, (BufferKind.OUTPUT, 0): output}
    for k, state in states.items():
        found[BufferKind.OLD, k] = state
        found[BufferKind.NEW, k] = state + (row if k in program.tracked else 0)
    for s in _stepped(program, BufferKind.SUM, program.sums):
        found[BufferKind.SUM, s] = free
        free += steps * row
    for v in _stepped(program, BufferKind.VALUE, program.values):
        found[BufferKind.VALUE, v] = free
        free += row * (1 if v in program.scratch else steps)
    return found


def vector_addresses(count: int, address: int, stride: int) -> Addresses:
    """Return the addresses of a layer's learned vectors, `count` rows of S numbers at `address`, or their gradients."""
    return {(BufferKind.PARAM, k): address + 4 * k * stride for k in range(count)}


def gradient_floats(program: Program, steps: int, batch: int, stride: int) -> int:
    """Return how many numbers the gradients of a layer's sums and values take, without those of tables."""
    values = _stepped(program, BufferKind.VALUE, program.values)
    rows = sum(1 if v in program.scratch else steps for v in values)
    return (len(_stepped(program, BufferKind.SUM, program.sums)) * steps + rows) * batch * stride

"""A whole model in machine code: a training step, or the score of a batch, is one call.

A `NativeModel` records a command buffer for each shape of batch it meets: lookup or projection of the inputs, layers
forward, readout and loss, layers backward, gradient norm, clipping and update. Its memory is allocated once, for the
largest batch so far. The states at the end of a batch stay there as the states before the next one.

T steps, B sequences, H units, D input size, V output size.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.kernels.batches import (
    RowScores,
    batch_sizes,
    check_carried,
    check_ended,
    check_mask,
    check_states,
    check_types,
    check_values,
)
from search.kernels.codegen.loss import HEADS
from search.kernels.dropout import Dropout
from search.kernels.errors import KernelError
from search.kernels.optimisers import OptimiserName, Updates
from search.kernels.plan.build import pays_by_note
from search.kernels.runtime.buffers import ModelBuffers, Parameters
from search.kernels.runtime.compiled import compile_cell
from search.kernels.runtime.step import StepCommands

MOST_SHAPES = 256
"""Command buffers that a model keeps, one for each shape of batch."""


class NativeModel:
    """Machine code of a model around a cell, with the states between its batches."""

    def __init__(self, buffers: ModelBuffers) -> None:
        self.buffers = buffers
        self._steps: dict[tuple[bool, int, int], StepCommands] = {}
        self._batches: dict[bool, int] = {}  # B of the states kept for training and for scores; 0 if all have ended
        allocate = buffers.arena.allocate
        allocate("one", 1, 1.0)
        allocate("zeros", buffers.padded_units, 0.0)
        # Beyond V, symbols have no probability, and a head without symbols adds no loss.
        allocate("start", buffers.padded_output_size, float("-inf") if HEADS[buffers.head].symbols else 0.0)

    def train(
        self, inputs: npt.NDArray[Any], targets: npt.NDArray[Any], loss_mask: npt.NDArray[Any], starts: bool,
        rate: float, max_norm: float, lengths: npt.NDArray[Any] | None = None,
    ) -> tuple[float, float, int]:  # fmt: skip
        """Train on a batch by one step of the optimiser with gradient clipping by norm.

        The loss is averaged over the batch and summed over time.

        Args:
            inputs: (T, B) symbols or (T, B, D) values.
            targets: (T, B) symbols, or (T, B, V) notes or values.
            loss_mask: (T, B), 1 where a step has a part in the loss, else 0.
            starts: Whether the states before the batch are zero; else they are those after the previous batch.
            rate: Learning rate.
            max_norm: Gradient norm above which the gradient is scaled down to it.
            lengths: (B,) steps of each sequence, the longest (T) first; nothing is computed behind them. All have T
                steps if it is None.

        Returns:
            The loss in nats, summed over the steps in the loss mask, the norm of the gradient, and the number of those
            steps. If loss or norm is not finite, neither a parameter nor the optimiser's state changes.

        Raises:
            KernelError: A shape, a type, a symbol, a length or a value of the loss mask does not fit the model.
        """
        control, updates = self.buffers.control, self.buffers.updates
        numbers = updates.numbers(rate)
        if self.buffers.dropout is not None:
            self.buffers.mask_keys[...] = self.buffers.dropout.keys(updates.steps, self.buffers.layers)
        control[0], control[1 : 1 + len(numbers)] = max_norm, numbers
        self._run(True, inputs, targets, loss_mask, starts, lengths)
        nats, norm, steps = self.buffers.results.tolist()
        updates.steps += math.isfinite(nats) and math.isfinite(norm)
        return nats, norm, int(steps)

    def score(
        self, inputs: npt.NDArray[Any], targets: npt.NDArray[Any], loss_mask: npt.NDArray[Any], starts: bool,
        lengths: npt.NDArray[Any] | None = None,
    ) -> RowScores:  # fmt: skip
        """Return the score of each step in the loss mask; arguments and errors are those of `train`."""
        self._run(False, inputs, targets, loss_mask, starts, lengths)
        arena, steps, head = self.buffers.arena, int(self.buffers.count[0]), HEADS[self.buffers.head]
        nats = arena["nats"][:steps].numpy().copy()
        if head.symbols:
            return RowScores(nats, arena["first"][:steps].numpy().astype(np.int64))
        if not head.real:
            return RowScores(nats)
        first, second = (arena[name][:steps].numpy().copy() for name in ("first", "second"))
        first /= self.buffers.output_size
        second /= self.buffers.output_size
        return RowScores(nats, squared=first, absolute=second)

    def states(self, train: bool) -> Tensor:
        """Return the states after the last batch of training, or of scores: (layers, states, B, H).

        B is 0 after a batch with lengths: its sequences have ended.
        """
        buffers = self.buffers
        shape = buffers.layers, buffers.code.states, self._batches[train], buffers.padded_units
        return buffers.arena[f"carry {train}"][: int(np.prod(shape))].view(shape)[..., : buffers.units]

    def carry(self, states: Tensor, train: bool) -> None:
        """Continue training, or scores, from states (layers, states, B, H) instead of those after the last batch.

        Raises:
            KernelError: The shape of the states is not that of the model's.
        """
        buffers = self.buffers
        check_states(tuple(states.shape), (buffers.layers, buffers.code.states, buffers.units))
        held = buffers.arena.bytes_held()
        shape = *states.shape[:3], buffers.padded_units
        floats = int(np.prod(shape))
        buffers.arena.allocate(f"carry {train}", floats)
        if buffers.arena.bytes_held() > held:  # the block may have moved
            self._steps.clear()
        carried = buffers.arena[f"carry {train}"]
        carried.fill_(0.0)  # as before the first batch; what is in the padding never matters
        carried[:floats].view(shape)[..., : buffers.units] = states
        self._batches[train] = states.shape[2]

    def _run(
        self,
        train: bool,
        inputs: npt.NDArray[Any],
        targets: npt.NDArray[Any],
        loss_mask: npt.NDArray[Any],
        starts: bool,
        lengths: npt.NDArray[Any] | None,
    ) -> None:
        buffers, given = self.buffers, (inputs, targets, loss_mask)
        check_types(*given, buffers.sides)
        if loss_mask.dtype != np.float32:  # else machine code checks it
            check_mask(loss_mask)
        steps, batch = loss_mask.shape
        if not starts:
            check_carried(batch, self._batches.get(train, 0))
        sizes = None if lengths is None else batch_sizes(lengths, steps, batch)
        step = self._steps.get((train, steps, batch)) or self._recorded(train, steps, batch)
        if starts:
            self._batches[train] = batch
            step.carried.fill(0.0)
        if buffers.reads_symbols:
            step.inputs[...] = inputs
        else:  # too large to copy
            inputs = np.ascontiguousarray(inputs, np.float32)
            step.commands.bind("inputs", inputs.ctypes.data)
        if HEADS[buffers.head].symbols:
            step.targets[...] = targets
        else:
            targets = np.ascontiguousarray(targets, np.float32)
            step.commands.bind("targets", targets.ctypes.data)
        step.loss_mask[...] = loss_mask
        step.sizes[...] = batch if sizes is None else sizes
        if step.commands.run():
            check_values(*given, buffers.sides)
            check_ended(step.sizes, loss_mask)
            raise KernelError("machine code refused a batch: a symbol or a value of the loss mask is out of range")
        if sizes is not None:  # a column that ended early has states of an earlier batch
            self._batches[train] = 0

    def _recorded(self, train: bool, steps: int, batch: int) -> StepCommands:
        """Record and keep the command buffer for a shape of batch."""
        arena = self.buffers.arena
        held = arena.bytes_held()
        commands = StepCommands(self.buffers, train, steps, batch)
        if arena.bytes_held() > held:  # a block may have moved after its address was recorded
            self._steps.clear()
            commands = StepCommands(self.buffers, train, steps, batch)
        if len(self._steps) >= MOST_SHAPES:  # a task with samples of all lengths
            self._steps.clear()
        self._steps[train, steps, batch] = commands
        return commands


def native_model(
    graph: GateGraph,
    values: Parameters,
    gradients: Parameters,
    reads_symbols: bool,
    head: str,
    updates: Updates | None = None,
    dropout: Dropout | None = None,
) -> NativeModel | None:
    """Return a model in machine code, or None if it cannot have one.

    Machine code needs float32 parameters in main memory and at least one layer.

    Args:
        graph: Cell of every layer.
        values: Parameters of the model.
        gradients: Where the gradients of the parameters go.
        reads_symbols: Whether an input is one symbol, not D values.
        head: Kind of output, of `codegen.loss.HEADS`.
        updates: Optimiser; SGD if None.
        dropout: What training steps leave out; nothing if None.
    """
    by_note = not reads_symbols and pays_by_note(graph, *values.entry.shape)
    code = compile_cell(graph, reads_symbols, by_note)
    tensors = (values.flat, gradients.flat)
    plain = all(t.dtype is torch.float32 and t.device.type == "cpu" for t in tensors)
    if code is None or not plain or not values.layers:
        return None
    updates = updates or Updates(OptimiserName.SGD, values.flat)
    return NativeModel(ModelBuffers(code, values, gradients, reads_symbols, head, updates, dropout))

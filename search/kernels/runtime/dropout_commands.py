"""Commands of dropout in a training step. Legend: T steps, B sequences, H units, S: H rounded up to whole vectors."""

from __future__ import annotations

import numpy as np

from search.kernels.codegen.dropout import DROPOUT
from search.kernels.codegen.memory import COPY
from search.kernels.dropout import Dropout, recurrent_matrices
from search.kernels.parameters import LayerParameters
from search.kernels.runtime.buffers import ModelBuffers
from search.kernels.runtime.commands import CommandBuffer


class DropoutCommands:
    """Records the dropout of a model's training step, for batches of one shape."""

    def __init__(self, model: ModelBuffers, dropout: Dropout, commands: CommandBuffer, steps: int, batch: int) -> None:
        self._model, self._commands, self._keys = model, commands, model.mask_keys
        self._numbers = dropout.threshold, int(dropout.scale.view(np.int32))
        self.variational = dropout.variational
        self._groups = (steps, batch) if dropout.variational else (1, steps * batch)
        self._matrices = recurrent_matrices(model.code.graph)

    def apply(self, place: int, source: int, target: int) -> None:
        """Record the dropout of an array (T, B, S) of values, or of their gradients."""
        units, stride = self._model.units, self._model.padded_units
        self._call(self._groups, units, 0, (source, stride), (target, stride), place)

    def weights(self, layer: int) -> LayerParameters:
        """Record copies of a layer's matrices with the columns that are left out; return them with the rest."""
        given = self._model.values.layers[layer]
        if not self.variational:
            return given
        arena, name = self._model.arena, f"kept {layer}"
        arena.allocate(name, given.weights.numel())
        weights = arena[name][: given.weights.numel()].view(given.weights.shape)
        blocks = []
        for k, block in enumerate(given.blocks):
            arena.allocate(f"{name} {k}", block.numel())
            blocks.append(arena[f"{name} {k}"][: block.numel()].view(block.shape))
        kept = LayerParameters(weights, given.biases, tuple(blocks), given.vectors)
        for source, target in zip((given.weights, *given.blocks), (weights, *blocks), strict=True):
            self._commands.call(COPY, 4 * source.numel(), source.data_ptr(), target.data_ptr())
        self.columns(layer, kept)
        return kept

    def columns(self, layer: int, of: LayerParameters) -> None:
        """Record the dropout of columns of a layer's recurrent matrices, or of their gradients, in place."""
        if not self.variational:
            return
        full, grouped = self._matrices
        units, place = self._model.units, self._model.layers + 1 + layer
        for k in sorted(full):
            array = of.weights[k].data_ptr(), units
            self._call((units, 1), units, 0, array, array, place)
        for k in sorted(grouped):
            size = of.blocks[k].shape[-1]
            for g, block in enumerate(of.blocks[k]):
                array = block.data_ptr(), size
                self._call((size, 1), size, g * size, array, array, place)

    def _call(
        self,
        groups: tuple[int, int],
        columns: int,
        first: int,
        source: tuple[int, int],
        target: tuple[int, int],
        place: int,
    ) -> None:
        keys = self._keys[place].ctypes.data
        self._commands.call(DROPOUT, *groups, columns, first, *source, *target, keys, *self._numbers)

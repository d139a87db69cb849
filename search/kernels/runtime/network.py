"""A whole model in machine code: a training step, or a score, is one call.

A `Network` writes a script of calls for each shape of batch that it meets: lookup or projection of the inputs, layers
forward, readout and loss, layers backward, norm, clipping and update. Its memory is taken once, for the largest
batch so far; the states at the end of a batch are kept there as those before the next.

T steps, B sequences, H units (whole vectors), V symbols or notes, K matrices of a layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.kernels.errors import KernelError
from search.kernels.runtime.buffers import Model, Parameters
from search.kernels.runtime.compiled import compiled
from search.kernels.runtime.step import Script

MOST_SCRIPTS = 256
"""Scripts that a network keeps, one a shape of batch."""


class Network:
    """The machine code of a model around a cell, and the states between its batches."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._scripts: dict[tuple[bool, int, int], Script] = {}
        self._batches: dict[bool, int] = {}  # of the states kept for training and for scores
        take = model.memory.take
        take("one", 1, 1.0)
        take("zeros", model.units, 0.0)
        take("start", model.padded_width, 0.0 if model.multi_label else float("-inf"))

    def train(
        self, inputs: npt.NDArray[Any], targets: npt.NDArray[Any], loss_mask: npt.NDArray[Any], starts: bool,
        rate: float, max_norm: float,
    ) -> tuple[float, float, int]:  # fmt: skip
        """One step of SGD on a batch, its loss averaged over the batch and summed over time, its gradient clipped.

        `inputs` and `targets` are (T, B) symbols or (T, B, V) rolls, `loss_mask` (T, B); with `starts` the states are
        zero before the batch, else those after the one before. Returns the loss in nats, summed over the steps that
        count, the gradient's norm, and how many steps count. Where loss or norm is not finite, nothing changes.

        Raises `KernelError` where a shape or a symbol does not fit.
        """
        control = self.model.control
        control[0], control[1] = rate, max_norm
        self._play(True, inputs, targets, loss_mask, starts)
        nats, _, _, norm, steps = self.model.results.tolist()
        return nats, norm, int(steps)

    def score(
        self, inputs: npt.NDArray[Any], targets: npt.NDArray[Any], loss_mask: npt.NDArray[Any], starts: bool
    ) -> tuple[float, float, float, int]:
        """Loss and metric of a batch; arguments and errors as those of `train`.

        Returns sums over the steps that count: nats, the metric (hits for symbols, nats for rolls), its square, and 1.
        """
        self._play(False, inputs, targets, loss_mask, starts)
        nats, metric, squared, _, steps = self.model.results.tolist()
        return nats, metric, squared, int(steps)

    def states(self, train: bool) -> Tensor:
        """The states after the last batch of that kind: (layers, states, B, H)."""
        model = self.model
        shape = model.layers, model.code.states, self._batches[train], model.units
        return model.memory[f"carry {train}"][: int(np.prod(shape))].view(shape)

    def _play(
        self,
        train: bool,
        inputs: npt.NDArray[Any],
        targets: npt.NDArray[Any],
        loss_mask: npt.NDArray[Any],
        starts: bool,
    ) -> None:
        model, shape = self.model, loss_mask.shape
        expected = (*shape, model.output_size) if model.multi_label else shape
        if inputs.shape != expected or targets.shape != expected or len(shape) != 2 or 0 in shape:
            raise KernelError(
                f"inputs have shape {inputs.shape}, targets {targets.shape} and loss_mask {shape}; they must be "
                f"(steps, batch), none of them 0, the first two with {model.output_size} notes where they are rolls"
            )
        steps, batch = shape
        if not starts and self._batches.get(train) != batch:
            raise KernelError(
                f"a batch of {batch} sequences goes on from states of {self._batches.get(train, 0)}; "
                "it must have as many, or start anew"
            )
        script = self._scripts.get((train, steps, batch)) or self._written(train, steps, batch)
        if starts:
            self._batches[train] = batch
            script.carried.fill(0.0)
        if model.multi_label:  # too large to copy
            inputs, targets = np.ascontiguousarray(inputs, np.float32), np.ascontiguousarray(targets, np.float32)
            script.tape.point("inputs", inputs.ctypes.data)
            script.tape.point("targets", targets.ctypes.data)
        else:
            script.inputs[...] = inputs
            script.targets[...] = targets
        script.loss_mask[...] = loss_mask
        if script.tape.play():
            for name, symbols in (("inputs", inputs), ("targets", targets)):
                low, high = symbols.min(), symbols.max()
                if low < 0 or high >= model.output_size:
                    raise KernelError(
                        f"symbols of {name} go from {low} to {high}; the model has 0 to {model.output_size - 1}"
                    )

    def _written(self, train: bool, steps: int, batch: int) -> Script:
        """The script for a shape of batch, kept."""
        held = self.model.memory.bytes_held()
        script = Script(self.model, train, steps, batch)
        if self.model.memory.bytes_held() > held:  # some of it was moved, maybe after its address was written down
            self._scripts.clear()
            script = Script(self.model, train, steps, batch)
        if len(self._scripts) >= MOST_SCRIPTS:  # a task with samples of all lengths
            self._scripts.clear()
        self._scripts[train, steps, batch] = script
        return script


def network(graph: GateGraph, values: Parameters, gradients: Parameters, multi_label: bool) -> Network | None:
    """The machine code of a model, or None where it gets none: not float32, or units that are no whole vectors."""
    code = compiled(graph)
    tensors = (values.flat, gradients.flat)
    plain = all(t.dtype is torch.float32 and t.device.type == "cpu" for t in tensors)
    units = values.readout.shape[1]
    if code is None or not plain or not values.weights or code.pad(units) != units:
        return None
    return Network(Model(code, values, gradients, multi_label))

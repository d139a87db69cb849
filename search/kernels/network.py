"""A whole model in machine code: a training step, or a score, is one call.

A `Network` writes a tape of calls for each shape of batch that it meets: lookup or projection of the inputs, layers
forward, readout and loss, layers backward, norm, clipping and update. Its memory is taken once, for the largest
batch so far; the states at the end of a batch are kept there as those before the next.

T steps, B sequences, H units (whole vectors), V symbols or notes, K matrices of a layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.kernels.compiled import compiled
from search.kernels.errors import KernelError
from search.kernels.parameters import Model, Parameters
from search.kernels.script import Script
from search.kernels.tape import Tape

MOST_TAPES = 256
"""Tapes that a network keeps, one a shape of batch."""


@dataclass(frozen=True)
class Played:
    """What a play came to: sums over `counted` steps, and the gradient's norm (0 for a score)."""

    nats: float
    metric: float
    metric_squared: float
    norm: float
    counted: int


class Network:
    """The machine code of a model around a cell, and the states between its batches."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._tapes: dict[tuple[bool, int, int], Tape] = {}
        self._batches: dict[bool, int] = {}  # of the states kept for training and for scores
        take = model.memory.take
        take("one", 1, 1.0)
        take("zeros", model.units, 0.0)
        take("start", model.padded_width, 0.0 if model.roll else float("-inf"))

    def train(
        self, inputs: npt.NDArray[Any], targets: npt.NDArray[Any], counted: npt.NDArray[Any], starts: bool,
        rate: float, max_norm: float,
    ) -> Played:  # fmt: skip
        """One step of SGD on a batch, its loss averaged over the batch and summed over time, its gradient clipped.

        `inputs` and `targets` are (T, B) symbols or (T, B, V) rolls, `counted` (T, B); with `starts` the states are
        zero before the batch, else those after the one before. Where loss or norm is not finite, nothing changes.

        Raises `KernelError` where a shape or a symbol does not fit.
        """
        self.model.control[0], self.model.control[1] = rate, max_norm
        return self._play(True, inputs, targets, counted, starts)

    def score(
        self, inputs: npt.NDArray[Any], targets: npt.NDArray[Any], counted: npt.NDArray[Any], starts: bool
    ) -> Played:
        """Loss and metric of a batch: hits for symbols, nats for rolls; arguments and errors as those of `train`."""
        return self._play(False, inputs, targets, counted, starts)

    def states(self, train: bool) -> Tensor:
        """The states after the last batch of that kind: (layers, states, B, H)."""
        model = self.model
        shape = model.layers, model.code.states, self._batches[train], model.units
        return model.memory[f"carry {train}"][: int(np.prod(shape))].view(shape)

    def _play(
        self, train: bool, inputs: npt.NDArray[Any], targets: npt.NDArray[Any], counted: npt.NDArray[Any], starts: bool
    ) -> Played:
        kind = np.float32 if self.model.roll else np.int64
        inputs, targets = np.ascontiguousarray(inputs, kind), np.ascontiguousarray(targets, kind)
        counted = np.ascontiguousarray(counted, np.float32)
        steps, batch = counted.shape if counted.ndim == 2 else (0, 0)
        shape = (steps, batch, self.model.width) if self.model.roll else (steps, batch)
        if inputs.shape != shape or targets.shape != shape or 0 in shape:
            raise KernelError(
                f"inputs have shape {inputs.shape}, targets {targets.shape} and counted {counted.shape}; they must be "
                f"(steps, batch), none of them 0, the first two with {self.model.width} notes where they are rolls"
            )
        if not starts and self._batches.get(train) != batch:
            raise KernelError(
                f"a batch of {batch} sequences goes on from states of {self._batches.get(train, 0)}; "
                "it must have as many, or start anew"
            )
        tape = self._tapes.get((train, steps, batch)) or self._written(train, steps, batch)
        if starts:
            self._batches[train] = batch
            self.model.memory[f"carry {train}"].zero_()
        tape.point("inputs", inputs.__array_interface__["data"][0])
        tape.point("targets", targets.__array_interface__["data"][0])
        tape.point("counted", counted.__array_interface__["data"][0])
        if tape.play():
            for name, symbols in (("inputs", inputs), ("targets", targets)):
                low, high = symbols.min(), symbols.max()
                if low < 0 or high >= self.model.width:
                    raise KernelError(
                        f"symbols of {name} go from {low} to {high}; the model has 0 to {self.model.width - 1}"
                    )
        nats, metric, squared, norm, steps_counted = self.model.results.tolist()
        return Played(nats, metric, squared, norm, int(steps_counted))

    def _written(self, train: bool, steps: int, batch: int) -> Tape:
        """The tape for a shape of batch, kept."""
        held = self.model.memory.bytes_held()
        tape = Script(self.model, train, steps, batch).tape
        if self.model.memory.bytes_held() > held:  # some of it was moved, maybe after its address was written down
            self._tapes.clear()
            tape = Script(self.model, train, steps, batch).tape
        if len(self._tapes) >= MOST_TAPES:  # a task with samples of all lengths
            self._tapes.clear()
        self._tapes[train, steps, batch] = tape
        return tape


def network(graph: GateGraph, values: Parameters, gradients: Parameters, roll: bool) -> Network | None:
    """The machine code of a model, or None where it gets none: not float32, or units that are no whole vectors."""
    code = compiled(graph)
    tensors = (values.flat, gradients.flat)
    plain = all(t.dtype is torch.float32 and t.device.type == "cpu" for t in tensors)
    units = values.readout.shape[1]
    if code is None or not plain or not values.weights or code.pad(units) != units:
        return None
    return Network(Model(code, values, gradients, roll))

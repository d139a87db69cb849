"""Dropout: which numbers a training step leaves out, as a function of the trial's seed and the step.

On the inputs of every layer and on the last layer's outputs, so on no connection from step to step (Zaremba et al.
2014, section 3.1). With `variational`, a mask is the same at every step of a window, and there is one more for each
layer: of the units that recurrent matrices read, shared by the sequences of a batch (Gal and Ghahramani 2016, section
4; a mask of units is one of a matrix's columns). What is kept is divided by its probability.

The generator is counter-based (Salmon et al. 2011): number i of a mask is a hash of i and of two keys, so machine code
and PyTorch get the same masks in any order. The hash is two rounds of `lowbias32` (Wellons 2018, "Prospecting for hash
functions").

T steps, B sequences, H units, L layers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.cells.operations import Op
from search.cells.parameters import layout_of
from search.kernels.parameters import LayerParameters

FIRST_FACTOR, SECOND_FACTOR = 0x7FEB352D, 0x846CA68B
"""Factors of `lowbias32`, between shifts by 16, 15 and 16 bits."""

Keys = npt.NDArray[np.int64]
"""Two keys for each place, each from 0 to 2**32 - 1: (places, 2)."""


@dataclass(frozen=True)
class Dropout:
    """Dropout of a trial.

    Attributes:
        rate: probability that a number is left out, above 0 and below 1.
        variational: whether masks are the same at every step of a window, and the units that recurrent matrices read
            have one too.
        seed: seed of the masks.
    """

    rate: float
    variational: bool
    seed: int

    @property
    def threshold(self) -> int:
        """Least hash, a whole number of 32 bits, that is left out."""
        return min(round((1.0 - self.rate) * 2**32), 2**32 - 1)

    @property
    def scale(self) -> np.float32:
        """Factor of what is kept."""
        return np.float32(1.0 / (1.0 - self.rate))

    def places(self, layers: int) -> int:
        """Return the number of places with a mask: inputs of each layer, outputs, and units of each layer."""
        return 2 * layers + 1 if self.variational else layers + 1

    def keys(self, step: int, layers: int) -> Keys:
        """Return the keys of each place for the training step that follows `step` steps."""
        found = [
            hashlib.blake2b(f"dropout {self.seed} {step} {place}".encode(), digest_size=8).digest()
            for place in range(self.places(layers))
        ]
        return np.frombuffer(b"".join(found), "<u4").reshape(-1, 2).astype(np.int64)

    def mask(self, keys: npt.NDArray[np.int64], rows: int, columns: int) -> Tensor:
        """Return the factors (rows, columns) of a place, 0 or `scale`, from its two keys."""
        value = np.arange(rows * columns, dtype=np.uint32)
        with np.errstate(over="ignore"):
            for key in keys.astype(np.uint32):
                value = _lowbias32(value ^ key)
        kept = value.astype(np.int64) < self.threshold
        return torch.from_numpy((kept * self.scale).astype(np.float32).reshape(rows, columns))


def _lowbias32(value: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    value = (value ^ (value >> np.uint32(16))) * np.uint32(FIRST_FACTOR)
    value = (value ^ (value >> np.uint32(15))) * np.uint32(SECOND_FACTOR)
    return value ^ (value >> np.uint32(16))


class Masks:
    """Masks of one training step of a model, as factors of its values."""

    def __init__(self, dropout: Dropout, step: int, layers: int) -> None:
        self._dropout, self._layers = dropout, layers
        self._keys = dropout.keys(step, layers)

    def apply(self, place: int, values: Tensor) -> Tensor:
        """Return values (T, B, H) with dropout: the inputs of layer `place`, or the outputs, after the last layer."""
        steps, batch, units = values.shape
        if self._dropout.variational:
            return values * self._dropout.mask(self._keys[place], batch, units)
        return values * self._dropout.mask(self._keys[place], steps * batch, units).view(values.shape)

    def masked(self, graph: GateGraph, layer: int, parameters: LayerParameters) -> LayerParameters:
        """Return a layer's parameters with the masked columns of its recurrent matrices, if dropout is variational."""
        if not self._dropout.variational:
            return parameters
        count, units = parameters.weights.shape[::2]
        mask = self._dropout.mask(self._keys[self._layers + 1 + layer], 1, units)[0]
        full, grouped = recurrent_matrices(graph)
        factors = torch.ones(count, 1, units)
        factors[sorted(full)] = mask
        blocks = (
            block * mask.view(len(block), 1, -1) if k in grouped else block for k, block in enumerate(parameters.blocks)
        )
        return LayerParameters(parameters.weights * factors, parameters.biases, tuple(blocks), parameters.vectors)


def recurrent_matrices(graph: GateGraph) -> tuple[frozenset[int], frozenset[int]]:
    """Return the full matrices, and those in blocks, that read a state or what is computed from one, by their numbers.

    `graph` is canonical. The numbers are those of `search.cells.parameters`.
    """
    recurrent: list[bool] = []
    for node in graph.nodes:
        recurrent.append(node.op is Op.STATE or any(recurrent[j] for j in node.inputs))
    layout = layout_of(graph)
    full, grouped = (
        frozenset(k for k, i in enumerate(nodes) if recurrent[graph.nodes[i].inputs[0]])
        for nodes in (layout.full, layout.grouped)
    )
    return full, grouped

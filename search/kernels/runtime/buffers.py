"""A model as machine code is given it: its numbers, their gradients, and memory to work in."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from torch import Tensor

from search.kernels.runtime.compiled import Compiled
from search.kernels.runtime.memory import Arena


@dataclass(frozen=True)
class Parameters:
    """A model's numbers, or their gradients: float32 without gaps, all of them views of `flat` (P,).

    `entry` (V, H), `entry_bias` (H,) for rolls, else (0,); for each layer `weights` (K, H, H) and `biases` (K, H);
    `readout` (V, H), `readout_bias` (V,).
    """

    flat: Tensor
    entry: Tensor
    entry_bias: Tensor
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    readout: Tensor
    readout_bias: Tensor


@dataclass(frozen=True)
class Model:
    """A model around a compiled cell. `multi_label`: it reads and predicts piano rolls, not symbols.

    What changes from call to call and is always at the same place: `control` (learning rate, largest norm), `results`
    (nats, the sums of the metric and of its square, the gradient's norm, counted steps), `count` (of those steps).
    """

    code: Compiled
    values: Parameters
    gradients: Parameters
    multi_label: bool
    memory: Arena = field(default_factory=Arena)
    control: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    results: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(5))
    count: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))

    @property
    def layers(self) -> int:
        return len(self.values.weights)

    @property
    def units(self) -> int:
        return self.values.readout.shape[1]

    @property
    def output_size(self) -> int:
        """V: symbols, or notes."""
        return self.values.readout.shape[0]

    @property
    def padded_width(self) -> int:
        return self.code.pad(self.output_size)

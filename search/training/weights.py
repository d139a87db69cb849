"""The weights of a stored trial: trained again, since a trial is a function of its inputs, and laid out for a module.

A run keeps no weights, but everything that they follow from. Under the versions, processor and commit that a trial was
trained in, they come out as they were, bit for bit; elsewhere rounding differs, and with it, a little, the result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from results.store.files import write_atomically
from search.cells.export.layer_code import Block
from search.cells.export.module_text import Network
from search.cells.graph import GateGraph
from search.training.model import SequenceModel
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.trial import Point, TrialResult, train_trial
from tasks.task import Output, Task


@dataclass(frozen=True)
class Trained:
    """A trial's result, and its model with the weights of the best epoch; no model where the trial came to nothing."""

    result: TrialResult
    model: SequenceModel | None


@dataclass
class _Keeper:
    """Takes the model that a trial hands over."""

    model: SequenceModel | None = field(default=None)

    def keep(self, model: SequenceModel) -> None:
        self.model = model


def train_again(graph: GateGraph, task: Task, setting: Setting, budget: Budget, seed: int) -> Trained:
    """Train a trial with one thread, as every trial is, and keep its model."""
    torch.set_num_threads(1)
    keeper = _Keeper()
    result = train_trial(graph, task, setting, budget, seed, on_end=keeper.keep)
    return Trained(result, keeper.model)


def is_same(result: TrialResult, curve: Sequence[tuple[int, float, float]], validation: float | None) -> bool:
    """Whether a trial came out as it was stored: its whole learning curve, and its metric."""
    return result.curve == tuple(Point(*point) for point in curve) and result.validation == validation


def network_of(model: SequenceModel, weights: Path) -> Network:
    """What the exporter needs to know of the model, whose weights are in that file."""
    symbols = model.output is Output.SYMBOLS
    return Network(model.output_size, symbols, model.units, len(model.weights), weights.name)


def module_weights(model: SequenceModel, blocks: Sequence[Block]) -> dict[str, Tensor]:
    """The model's numbers by the names of the exported network's parameters.

    `entry.*`, `readout.*`, and for layer k and each block `cell.layers.k.BLOCK.weight` (n H, H) and `.bias` (n H,).
    """
    symbols = model.output is Output.SYMBOLS
    found = {"entry.weight": model.entry if symbols else model.entry.T}
    if not symbols:
        found["entry.bias"] = model.entry_bias
    for k, (weight, bias) in enumerate(zip(model.weights, model.biases, strict=True)):
        for block in blocks:
            name, chosen = f"cell.layers.{k}.{block.attribute}", list(block.matrices)
            found[f"{name}.weight"] = weight[chosen].flatten(0, 1)
            found[f"{name}.bias"] = bias[chosen].flatten()
    found |= {"readout.weight": model.readout, "readout.bias": model.readout_bias}
    return {name: tensor.detach().clone().contiguous() for name, tensor in found.items()}


def write_weights(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file; a reader sees the old file or the new one. Raises `StoreError` where it cannot."""
    write_atomically(path, save(dict(tensors), {"format": "pt", **metadata}))

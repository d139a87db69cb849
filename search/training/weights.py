"""Weights of a stored trial: retrained from the trial's inputs, and arranged for an exported module.

A run stores no weights, but all inputs that determine them. Under the versions, processor and commit of the trial they
are reproduced bit for bit; elsewhere rounding differs, and the result differs slightly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from results.store.files import write_atomically
from search.cells.export.module import Parameter, Role
from search.cells.export.module_text import Network
from search.cells.graph import GateGraph
from search.kernels.parameters import LayerParameters, NodeParameters
from search.training.heads import is_scaled
from search.training.model import SequenceModel
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.trial import Point, TrialResult, train_trial
from tasks.task import Task


@dataclass(frozen=True)
class Trained:
    """Result of a trial, and its model with the weights of the best epoch; no model if the trial has no metrics."""

    result: TrialResult
    model: SequenceModel | None


@dataclass
class _Keeper:
    """Holder of the model that `train_trial` passes to `on_end`."""

    model: SequenceModel | None = field(default=None)

    def keep(self, model: SequenceModel) -> None:
        """Keep the model."""
        self.model = model


def retrain_trial(
    graph: GateGraph, task: Task, setting: Setting, budget: Budget, seed: int, chance: float | None
) -> Trained:
    """Retrain a trial with one thread, as every trial is trained, and return its result and its model.

    `chance` is that of the trial's run (`results.scores.score.chance_of`); None if the run stores none.
    """
    torch.set_num_threads(1)
    keeper = _Keeper()
    result = train_trial(graph, task, setting, budget, seed, chance=chance, on_end=keeper.keep)
    return Trained(result, keeper.model)


def is_same(result: TrialResult, curve: Sequence[tuple[int, float, float]], validation: float | None) -> bool:
    """Return whether a result equals the stored trial: its whole learning curve and its metric."""
    return result.curve == tuple(Point(*point) for point in curve) and result.validation == validation


def network_of(model: SequenceModel, weights: Path) -> Network:
    """Return the exporter's description of a model whose weights are in a file."""
    both = model.interface
    sizes = both.input_size, both.reads_symbols, both.output_size
    return Network(*sizes, model.units, len(model.weights), weights.name, is_scaled(model.interface.output))


def module_weights(model: SequenceModel, parameters: Sequence[Parameter]) -> dict[str, Tensor]:
    """Return the model's weights by the names of the exported network's parameters.

    `entry.*`, `readout.*`, `log_scale` if the model has scales, and for layer k `cell.layers.k.NAME` for the name of
    each parameter of a layer.
    """
    symbols = model.interface.reads_symbols
    found = {"entry.weight": model.entry if symbols else model.entry.T}
    if not symbols:
        found["entry.bias"] = model.entry_bias
    for k, layer in enumerate(model.layer_parameters()):
        own = layer_weights(model.graph, layer, parameters)
        found |= {f"cell.layers.{k}.{name}": tensor for name, tensor in own.items()}
    found |= {"readout.weight": model.readout, "readout.bias": model.readout_bias}
    if is_scaled(model.interface.output):
        found["log_scale"] = model.log_scale
    return {name: tensor.detach().clone().contiguous() for name, tensor in found.items()}


def layer_weights(graph: GateGraph, layer: LayerParameters, parameters: Sequence[Parameter]) -> dict[str, Tensor]:
    """Return the parameters of a layer of the canonical graph by their names in a layer of the exported module.

    H units, n matrices that are stacked: weights are (n H, H), or (n, g, H / g, H / g) with g groups, biases (n H,),
    and all others (H,).
    """
    of_node = NodeParameters(graph, layer)

    def found(parameter: Parameter) -> Tensor:
        sources = parameter.sources
        signed = list(zip(parameter.signs, sources, strict=True))
        match parameter.role:
            case Role.WEIGHT if parameter.grouped:
                return torch.stack([sign * of_node.blocks[i] for sign, i in signed])
            case Role.WEIGHT:
                return torch.cat([sign * of_node.weight[i] for sign, i in signed])
            case Role.BIAS:
                return torch.cat([sign * of_node.bias[i] for sign, i in signed])
            case Role.VECTOR | Role.GAIN:
                return parameter.signs[0] * of_node.vectors[sources[0]][0]
            case Role.OFFSET:
                return of_node.vectors[sources[0]][1]

    return {parameter.name: found(parameter) for parameter in parameters}


def write_weights(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file atomically. Raises `StoreError` if it cannot be written."""
    write_atomically(path, save(dict(tensors), {"format": "pt", **metadata}))

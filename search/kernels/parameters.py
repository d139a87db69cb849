"""Parameters of one layer of a cell as tensors, and what the slow paths compute from them. H units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.cells.operations import NORM_EPSILON, OPERATIONS, Op
from search.cells.parameters import ParameterLayout, layout_of
from search.kernels.errors import KernelError


@dataclass(frozen=True)
class LayerParameters:
    """Parameters of a layer in the order of `search.cells.parameters`.

    `weights` (K, H, H), `biases` (N, H), `blocks` (g, H / g, H / g) each, `vectors` (P, H).
    """

    weights: Tensor
    biases: Tensor
    blocks: tuple[Tensor, ...] = ()
    vectors: Tensor | None = None

    def tensors(self) -> tuple[Tensor, ...]:
        """Return all tensors."""
        return self.weights, self.biases, *self.blocks, *(() if self.vectors is None else (self.vectors,))

    def map(self, function: Callable[[Tensor], Tensor]) -> LayerParameters:
        """Return the parameters with a function applied to each tensor."""
        vectors = None if self.vectors is None else function(self.vectors)
        return LayerParameters(
            function(self.weights), function(self.biases), tuple(function(b) for b in self.blocks), vectors
        )

    def check(self, graph: GateGraph, units: int) -> None:
        """Raise `KernelError` if a shape does not fit the graph and its units."""
        layout = layout_of(graph)
        if units % layout.unit_multiple:
            raise KernelError(f"{units} units are given; the cell's groups need a multiple of {layout.unit_multiple}")
        for name, tensor, expected in (
            ("weight", self.weights, (len(layout.full), units, units)),
            ("bias", self.biases, (len(layout.biased), units)),
            ("vectors", torch.empty(0, units) if self.vectors is None else self.vectors, (len(layout.vectors), units)),
        ):
            if tensor.shape != expected:
                raise KernelError(
                    f"{name} has shape {tuple(tensor.shape)}; the cell with {units} units needs {expected}"
                )
        shapes = [(g, units // g, units // g) for g in layout.groups]
        if [tuple(block.shape) for block in self.blocks] != shapes:
            raise KernelError(f"blocks have shapes {[tuple(b.shape) for b in self.blocks]}; the cell needs {shapes}")


class NodeParameters:
    """Parameters of a layer by node. Tensors are views of those of the layer."""

    def __init__(self, graph: GateGraph, parameters: LayerParameters) -> None:
        layout: ParameterLayout = layout_of(graph)
        self.weight = {i: parameters.weights[k] for k, i in enumerate(layout.full)}
        self.blocks = dict(zip(layout.grouped, parameters.blocks, strict=True))
        self.bias = {i: parameters.biases[k] for k, i in enumerate(layout.biased)}
        vectors = parameters.weights.new_zeros(0) if parameters.vectors is None else parameters.vectors
        self.vectors = {
            i: vectors[k : k + (2 if graph.nodes[i].op is Op.NORM else 1)] for i, k in layout.first_vector.items()
        }

    def linear(self, i: int, value: Tensor) -> Tensor:
        """Return W v + b of a `linear` node for values (..., H)."""
        if i in self.weight:
            product = value @ self.weight[i].T
        else:
            block = self.blocks[i]
            parts = value.reshape(*value.shape[:-1], *block.shape[:2])
            product = torch.einsum("...gk,gok->...go", parts, block).flatten(-2)
        return product + self.bias[i] if i in self.bias else product

    def norm(self, i: int, value: Tensor) -> Tensor:
        """Return the layer norm (Ba et al. 2016, section 3) of values (..., H), with gain and offset of its node."""
        gain, offset = self.vectors[i]
        return torch.nn.functional.layer_norm(value, value.shape[-1:], gain, offset, NORM_EPSILON)

    def apply(self, graph: GateGraph, i: int, values: Any) -> Tensor:
        """Return the value of a node other than the input and a state, from the `values` of its inputs by node."""
        node = graph.nodes[i]
        if node.op is Op.LINEAR:
            return self.linear(i, values[node.inputs[0]])
        if node.op is Op.NORM:
            return self.norm(i, values[node.inputs[0]])
        return apply_pointwise(node.op, *(values[j] for j in node.inputs))


def apply_pointwise(op: Op, *inputs: Tensor) -> Tensor:
    """Apply a pointwise operation to its one or two inputs."""
    return torch_function(op)(*inputs)


@cache
def torch_function(op: Op) -> Callable[..., Tensor]:
    """Return the PyTorch function of a pointwise operation."""
    module, _, name = OPERATIONS[op].torch.rpartition(".")
    function: Callable[..., Tensor] = getattr(import_module(module), name)
    return function

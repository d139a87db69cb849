"""Starts of a layer's parameters: what initialisation does after the random draw of all parameters. H units."""

from __future__ import annotations

import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.cells.operations import Node
from search.cells.parameters import layout_of
from search.cells.starts import RULES, Rule, Start, StartRule
from search.kernels.parameters import LayerParameters


def apply_starts(graph: GateGraph, layer: LayerParameters, generator: torch.Generator) -> None:
    """Apply the start of each node to a layer's parameters, which hold the random draw.

    Matrices are scaled by `random` or become orthogonal, and the identity is added. A number is added to a bias; a rule
    replaces it. A vector starts as its start says. Rules draw from `generator`, in the order of the nodes; cells
    without rules draw nothing.
    """
    layout = layout_of(graph)
    with torch.no_grad():
        for k, i in enumerate(layout.full):
            _start_matrix(layer.weights[k], graph.nodes[i], generator)
        for blocks, i in zip(layer.blocks, layout.grouped, strict=True):
            for block in blocks:
                _start_matrix(block, graph.nodes[i], generator)
        draws = _Draws(generator)
        for k, i in enumerate(layout.biased):
            bias = graph.nodes[i].bias
            if isinstance(bias, StartRule):
                layer.biases[k] = draws.start(bias, layer.biases[k])
            elif bias is not None:
                layer.biases[k].add_(bias)
        if layer.vectors is not None:
            for k, vector in enumerate(layout.vectors):
                layer.vectors[k] = draws.start(vector.start, layer.vectors[k])


def _start_matrix(matrix: Tensor, node: Node, generator: torch.Generator) -> None:
    if node.orthogonal:
        torch.nn.init.orthogonal_(matrix, generator=generator)
        return
    if node.random != 1.0:
        matrix.mul_(node.random)
    matrix.diagonal().add_(node.identity)


class _Draws:
    """Draws of start rules within one layer; rules that share a draw get the same one."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator
        self._shared: dict[tuple[Rule, tuple[float, ...]], Tensor] = {}

    def start(self, start: Start, like: Tensor) -> Tensor:
        """Return the start of a vector of the size and type of `like` (H,)."""
        if not isinstance(start, StartRule):
            return torch.full_like(like, start)
        key = start.rule, start.arguments
        drawn = self._shared.get(key)
        if drawn is None:
            drawn = self._draw(start.rule, start.arguments, like)
            if RULES[start.rule].shared:
                self._shared[key] = drawn
        return -drawn if start.negative else drawn

    def _draw(self, rule: Rule, arguments: tuple[float, ...], like: Tensor) -> Tensor:
        units = like.shape[0]

        def uniform(low: float, high: float) -> Tensor:
            return torch.empty_like(like).uniform_(low, high, generator=self._generator)

        match rule:
            case Rule.UNIFORM:
                return uniform(*arguments)
            case Rule.CHRONO:
                return uniform(1.0, arguments[0] - 1.0).log()
            case Rule.UNIFORM_GATE:
                n = arguments[0] if arguments else max(float(units), 2.0)
                return torch.logit(uniform(1.0 / n, 1.0 - 1.0 / n))
            case Rule.LINSPACE:
                low, high = arguments
                return low + (high - low) * torch.arange(units, dtype=like.dtype) / max(units - 1, 1)

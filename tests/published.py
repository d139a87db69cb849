"""Comparison of a library entry with its paper's equations, written as a plain loop in the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.cells.parameters import layout_of
from search.kernels.parameters import LayerParameters
from search.kernels.reference import run_reference
from search.training.initialisation import apply_starts

UNITS, BATCH, STEPS = 12, 3, 6


@dataclass(frozen=True)
class Weights:
    """Parameters of a layer in the order in which the formula's text uses them, in float64.

    `matrices` (H, H) each, or (g, H / g, H / g) for g groups; `biases` (H,) of the linears that have one; `vectors`
    (H,) of each `param`, and gain and offset of each `norm`.
    """

    matrices: list[Tensor]
    biases: list[Tensor]
    vectors: list[Tensor]


Equations: TypeAlias = Callable[[Weights, Tensor, tuple[Tensor, ...]], Sequence[Tensor]]
"""One step from the weights, x (B, H) and the states (B, H) each, to the new states, in the formula's order."""


def check_published(name: str, equations: Equations, *, states: Sequence[Tensor] | None = None) -> None:
    """Assert that a library cell computes the equations: outputs, last states and all gradients, in float64.

    Args:
        name: Name of the entry.
        equations: One step in plain PyTorch, written from the paper.
        states: The states before the first step; random by default.
    """
    graph = parse_formula(LIBRARY[name].formula)
    generator = torch.Generator().manual_seed(len(name))

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return (torch.randn(*shape, generator=generator, dtype=torch.float64) * scale).requires_grad_()

    layout = layout_of(graph)
    parameters = LayerParameters(
        weights=normal(len(layout.full), UNITS, UNITS, scale=UNITS**-0.5),
        biases=normal(len(layout.biased), UNITS, scale=0.3),
        blocks=tuple(normal(g, UNITS // g, UNITS // g, scale=(UNITS // g) ** -0.5) for g in layout.groups),
        vectors=normal(len(layout.vectors), UNITS, scale=0.7),
    )
    x = normal(STEPS, BATCH, UNITS)
    first = tuple(normal(BATCH, UNITS, scale=0.5) for _ in range(graph.states)) if states is None else tuple(states)
    full, blocks = iter(parameters.weights), iter(parameters.blocks)
    assert parameters.vectors is not None
    weights = Weights(
        [next(full) if graph.nodes[i].groups == 1 else next(blocks) for i in graph.linears],
        list(parameters.biases),
        list(parameters.vectors),
    )
    now, visible = first, []
    for step in x.unbind(0):
        now = tuple(equations(weights, step, now))
        visible.append(now[0])
    leaves = [*parameters.tensors(), x, *(state for state in first if state.requires_grad)]
    expected = _results(torch.stack(visible), now, leaves)
    found = _results(*run_reference(graph, parameters, x, first), leaves)
    assert all(value.isfinite().all() for value in expected)
    assert any(gradient.count_nonzero() for gradient in expected[-len(leaves) :])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


def _results(outputs: Tensor, last: tuple[Tensor, ...], leaves: list[Tensor]) -> list[Tensor]:
    """Return outputs, last states, and the gradients of a fixed projection of both."""
    generator = torch.Generator().manual_seed(7)
    parts = [outputs, *last]
    loss = sum((p * torch.randn(p.shape, generator=generator, dtype=p.dtype)).sum() for p in parts)
    assert isinstance(loss, Tensor)
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True, retain_graph=True)
    return [*parts, *gradients]


def starts_of(name: str, units: int = 64, seed: int = 0) -> Weights:
    """Return the parameters of a library cell at initialisation, in the order of the formula's text.

    The random draw before the starts is U[-s, s] with s = 1 / sqrt(units), as in `SequenceModel.initialise`.
    """
    graph: GateGraph = parse_formula(LIBRARY[name].formula)
    layout = layout_of(graph)
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.empty(*shape).uniform_(-(units**-0.5), units**-0.5, generator=generator)

    parameters = LayerParameters(
        drawn(len(layout.full), units, units),
        drawn(len(layout.biased), units),
        tuple(drawn(g, units // g, units // g) for g in layout.groups),
        drawn(len(layout.vectors), units),
    )
    apply_starts(graph, parameters, generator)
    full, blocks = iter(parameters.weights), iter(parameters.blocks)
    assert parameters.vectors is not None
    return Weights(
        [next(full) if graph.nodes[i].groups == 1 else next(blocks) for i in graph.linears],
        list(parameters.biases),
        list(parameters.vectors),
    )

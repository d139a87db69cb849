"""Cells and arguments shared by the tests of kernels."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

import pytest
import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.cells.library import STUDY
from search.cells.parameters import layout_of
from search.kernels.parameters import LayerParameters
from tests.test_search.test_kernels.comparison import descendants, layered_descendants
from tests.test_search.test_kernels.vocabulary import vocabulary_mutants

Arguments: TypeAlias = tuple[LayerParameters, Tensor, tuple[Tensor, ...]]
Draw: TypeAlias = Callable[..., Arguments]
Layer: TypeAlias = Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
Results: TypeAlias = dict[str, Tensor]
Evaluate: TypeAlias = Callable[[Layer, GateGraph, Arguments], Results]

MUTANTS = int(os.environ.get("GATESEARCH_TEST_MUTANTS", "20"))
"""Number of random mutants on which each path is compared with the reference; 1,000 take a few minutes."""


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def mutants() -> list[GateGraph]:
    """Return descendants of all named cells, 1 to 20 mutations deep; every other one with leaky relu for relu."""
    return descendants([cell.graph for cell in STUDY.values()], MUTANTS, 20)


@pytest.fixture(scope="session")
def layered_mutants() -> list[GateGraph]:
    """Return descendants of the cells `LAYERED`."""
    return layered_descendants(MUTANTS // 2)


@pytest.fixture(scope="session")
def enriched_mutants() -> list[GateGraph]:
    """Return mutants with learned vectors, numbers, softplus, norms, bias-less and block-diagonal matrices."""
    return vocabulary_mutants(MUTANTS)


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Return draw(graph, units=, batch=, steps=, seed=, dtype=): random arguments of a layer that require gradients."""

    def drawn(
        graph: GateGraph,
        units: int = 16,
        batch: int = 3,
        steps: int = 4,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> Arguments:
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int, scale: float = 1.0) -> Tensor:
            values = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
            return values.to(dtype).requires_grad_()

        layout = layout_of(graph)
        weight = normal(len(layout.full), units, units, scale=0.7 / units**0.5)
        bias = normal(len(layout.biased), units, scale=0.3)
        x = normal(steps, batch, units)
        states = tuple(normal(batch, units, scale=0.5) for _ in range(graph.states))
        blocks = tuple(normal(g, units // g, units // g, scale=0.7 / (units // g) ** 0.5) for g in layout.groups)
        vectors = normal(len(layout.vectors), units, scale=0.5)
        return LayerParameters(weight, bias, blocks, vectors), x, states

    return drawn


@pytest.fixture(scope="session")
def evaluate() -> Evaluate:
    """Return evaluate(path, graph, arguments): outputs, last states, and all gradients of a random projection."""

    def evaluated(path: Layer, graph: GateGraph, arguments: Arguments) -> Results:
        parameters, x, states = arguments
        outputs, last = path(graph, parameters, x, states)
        generator = torch.Generator().manual_seed(1)
        loss = torch.stack(
            [
                (part * torch.randn(part.shape, generator=generator, dtype=torch.float64).to(part)).sum()
                for part in (outputs, *last)
            ]
        ).sum()
        named = {"weight": parameters.weights, "bias": parameters.biases, "x": x}
        named |= {f"state {k}": s for k, s in enumerate(states)}
        named |= {f"blocks {k}": b for k, b in enumerate(parameters.blocks)}
        if parameters.vectors is not None:
            named["vectors"] = parameters.vectors
        loss = loss + 0.0 * x.sum()  # so that the results of a constant cell have gradients, too
        gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
        results = {"outputs": outputs.detach()}
        results |= {f"last {k}": s.detach() for k, s in enumerate(last)}
        for (name, value), gradient in zip(named.items(), gradients, strict=True):
            results[f"gradient of {name}"] = torch.zeros_like(value) if gradient is None else gradient
        return results

    return evaluated

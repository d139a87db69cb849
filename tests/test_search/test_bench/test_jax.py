"""The peer in JAX computes every operation: its step on NumPy arrays, and all of it where JAX is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from search.bench.jax import LayerArrays, ModelArrays, cell_step, has_jax, initial_arrays, jax_step, jax_update
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.cells.operations import OPERATIONS, POINTWISE
from search.kernels.parameters import LayerParameters
from search.kernels.reference import run_reference
from search.training.model import SequenceModel
from search.training.stepper import EagerStepper
from tasks.interface import Interface
from tasks.task import Output
from tests.test_search.interfaces import draw_batch
from tests.test_search.test_cells.vocabulary import sprinkled
from tests.test_search.test_kernels.stages import VALUES

STEPS, BATCH, UNITS, SYMBOLS = 5, 3, 8, 6
EVERY = parse_formula(
    "a = softplus(leaky_relu(linear(x, groups=4) - 0.5 * h))\n"
    "c' = param(1) * c + norm(relu(a) + linear(h, bias=False))\n"
    "d' = 0.25; e' = param(2); h' = sigmoid(linear(c') * d + e) * tanh(linear(2) + norm(x)) - linear(h, groups=2)"
)


def cells() -> dict[str, GateGraph]:
    found = {
        name: LIBRARY[name].graph for name in ("lstm", "lstm-peephole", "slstm-heads", "layernorm-lstm", "fastgrnn")
    }
    found |= {f"sprinkled {k}": sprinkled(LIBRARY["mut1"].graph, np.random.default_rng(k), 0.5) for k in range(5)}
    return found | {"every operation": EVERY}


CELLS = cells()


def drawn(graph: GateGraph) -> tuple[LayerParameters, Tensor, tuple[Tensor, ...]]:
    """Return parameters, input and states in float64."""
    layer = initial_arrays(graph, UNITS, 1, Interface.same(Output.SYMBOLS, SYMBOLS), np.random.default_rng(1)).layers[0]
    parameters = LayerParameters(
        torch.tensor(layer.weights), torch.tensor(layer.biases), tuple(map(torch.tensor, layer.blocks)),
        torch.tensor(layer.vectors),
    ).map(Tensor.double)  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(STEPS, BATCH, UNITS, generator=generator, dtype=torch.float64)
    states = torch.randn(graph.states, BATCH, UNITS, generator=generator, dtype=torch.float64)
    return parameters, x, tuple(states)


@pytest.mark.parametrize("name", CELLS)
def test_a_step_is_that_of_the_reference(name: str) -> None:
    graph = CELLS[name]
    parameters, x, states = drawn(graph)
    outputs, last = run_reference(graph, parameters, x, states)
    assert parameters.vectors is not None
    layer = LayerArrays(
        parameters.weights.numpy(), parameters.biases.numpy(), tuple(b.numpy() for b in parameters.blocks),
        parameters.vectors.numpy(),
    )  # fmt: skip
    now: tuple[Any, ...] = tuple(state.numpy() for state in states)
    for step, expected in zip(x.numpy(), outputs.numpy(), strict=True):
        now = cell_step(graph, VALUES, layer, now, step)
        np.testing.assert_allclose(now[0], expected, rtol=1e-9, atol=1e-12)
    for found, wanted in zip(now, last, strict=True):
        assert found.shape == (BATCH, UNITS)
        np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-9, atol=1e-12)


FEW = {("slstm-heads", Output.SYMBOLS), ("layernorm-lstm", Output.MULTI_LABEL)}
OUTPUTS = [one for one in Output if one is not Output.GAUSSIAN]  # JAX's has scales of 1
STEPS_OF = [
    # JAX compiles each for seconds, so two of them stand for all in CI.
    pytest.param(name, output, marks=pytest.mark.slow if (name, output) in FEW else pytest.mark.exact)
    for name in ("lstm", "slstm-heads", "layernorm-lstm", "every operation")
    for output in OUTPUTS
]


@pytest.mark.skipif(not has_jax(), reason="JAX is not installed")
@pytest.mark.parametrize(("name", "output"), STEPS_OF)
def test_a_training_step_is_that_of_the_eager_backend(name: str, output: Output) -> None:
    graph = CELLS[name].canonical()
    rng = np.random.default_rng(0)
    interface = Interface.same(output, SYMBOLS)
    batch = draw_batch(rng, interface, STEPS, BATCH, share=1.0)
    arrays = initial_arrays(graph, UNITS, 2, interface, rng)
    model = SequenceModel(graph, UNITS, 2, interface)
    copy_into(model, arrays)
    stepper, update = EagerStepper(model), jax_update(graph, batch, interface, 0.5, 0.1)
    for _ in range(2):
        value, arrays = update(arrays)
        assert float(value) * BATCH == pytest.approx(stepper.train(batch, 0.5, 0.1).nats, rel=1e-5)
    after = model.flat.clone()
    copy_into(model, arrays)
    torch.testing.assert_close(model.flat, after, rtol=1e-4, atol=1e-5)
    losses = [jax_step(graph, UNITS, 2, batch, interface, 0.5, 0.1)() for _ in range(2)]
    assert losses[0] == losses[1] == pytest.approx(float(value), rel=0.5)


@torch.no_grad()
def copy_into(model: SequenceModel, arrays: ModelArrays) -> None:
    model.entry.copy_(torch.tensor(np.asarray(arrays.entry)))
    if model.entry_bias.numel():
        model.entry_bias.copy_(torch.tensor(np.asarray(arrays.entry_bias)))
    model.readout.copy_(torch.tensor(np.asarray(arrays.readout)))
    model.readout_bias.copy_(torch.tensor(np.asarray(arrays.readout_bias)))
    for own, layer in zip(model.layer_parameters(), arrays.layers, strict=True):
        given = (layer.weights, layer.biases, *layer.blocks, layer.vectors)
        for tensor, array in zip(own.tensors(), given, strict=True):
            tensor.copy_(torch.tensor(np.asarray(array)))


def test_all_functions_are_named() -> None:
    for op in POINTWISE:
        module, _, name = OPERATIONS[op].jax.rpartition(".")
        assert module in ("jax.nn", "jax.numpy"), op
        assert name, op
        if find_spec("jax") is not None:
            pytest.importorskip(module)

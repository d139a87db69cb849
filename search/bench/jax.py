"""Training step in JAX for comparison, if JAX is installed: a jitted scan over the nodes of the cell.

T steps, B sequences, H units, V symbols or notes. Arrays of a layer's parameters have the shapes of
`search.cells.parameters`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from search.cells.graph import GateGraph
from search.cells.operations import NORM_EPSILON, OPERATIONS, POINTWISE, Op
from search.cells.parameters import layout_of
from tasks.interface import Interface, Output
from tasks.task import Batch


def has_jax() -> bool:
    """Return whether JAX can be imported."""
    return importlib.util.find_spec("jax") is not None


class LayerArrays(NamedTuple):
    """Parameters of a layer: (K, H, H), (N, H), (g, H / g, H / g) each, and (P, H)."""

    weights: Any
    biases: Any
    blocks: tuple[Any, ...]
    vectors: Any


class ModelArrays(NamedTuple):
    """Parameters of a model: embedding or projection (V, H) and its bias (H,), layers, readout (V, H) and (V,)."""

    entry: Any
    entry_bias: Any
    layers: tuple[LayerArrays, ...]
    readout: Any
    readout_bias: Any


def cell_step(
    graph: GateGraph, functions: Mapping[Op, Callable[..., Any]], parameters: LayerArrays, states: Sequence[Any], x: Any
) -> tuple[Any, ...]:
    """Return the new states (B, H) of a layer after one step, with arrays of any library that indexes as NumPy does.

    Args:
        graph: the cell.
        functions: functions of arrays, for each pointwise operation.
        parameters: the layer's parameters.
        states: states before the step, (B, H) each.
        x: input (B, H).
    """
    layout = layout_of(graph)
    full = {i: k for k, i in enumerate(layout.full)}
    grouped = {i: k for k, i in enumerate(layout.grouped)}
    biased = {i: k for k, i in enumerate(layout.biased)}
    zeros = (x > 0.0) * 0.0  # numbers and learned vectors are added to it, so that all values are (B, H)
    values: list[Any] = []
    for i, node in enumerate(graph):
        read = [values[j] for j in node.inputs]
        match node.op:
            case Op.INPUT:
                value = x
            case Op.STATE:
                value = states[node.state]
            case Op.NUMBER:
                value = zeros + node.value
            case Op.PARAM:
                value = zeros + parameters.vectors[layout.first_vector[i]]
            case Op.LINEAR:
                if i in full:
                    value = read[0] @ parameters.weights[full[i]].T
                else:
                    blocks = parameters.blocks[grouped[i]]
                    parts = read[0].reshape(*read[0].shape[:-1], *blocks.shape[:2], 1)
                    value = (blocks @ parts).reshape(read[0].shape)
                value = value + parameters.biases[biased[i]] if i in biased else value
            case Op.NORM:
                k = layout.first_vector[i]
                centred = read[0] - read[0].mean(-1, keepdims=True)
                scale = ((centred * centred).mean(-1, keepdims=True) + NORM_EPSILON) ** 0.5
                value = centred / scale * parameters.vectors[k] + parameters.vectors[k + 1]
            case _:
                value = functions[node.op](*read)
        values.append(value)
    return tuple(values[i] for i in graph.outputs)


def initial_arrays(
    graph: GateGraph, units: int, layers: int, interface: Interface, rng: np.random.Generator
) -> ModelArrays:
    """Return parameters of a model, drawn from U[-s, s] with s = 1 / sqrt(H), as NumPy arrays in float32."""
    layout = layout_of(graph)

    def drawn(*shape: int) -> Any:
        return (rng.uniform(-1, 1, shape) / units**0.5).astype(np.float32)

    def layer() -> LayerArrays:
        return LayerArrays(
            drawn(len(layout.full), units, units),
            drawn(len(layout.biased), units),
            tuple(drawn(g, units // g, units // g) for g in layout.groups),
            drawn(len(layout.vectors), units),
        )

    return ModelArrays(
        drawn(interface.input_size, units),
        drawn(units),
        tuple(layer() for _ in range(layers)),
        drawn(interface.output_size, units),
        drawn(interface.output_size),
    )


def jax_update(
    graph: GateGraph, data: Batch, interface: Interface, rate: float, norm: float
) -> Callable[[ModelArrays], tuple[Any, ModelArrays]]:
    """Return the jitted function that does one training step: parameters to the loss and the new parameters.

    A step is forward, backward, gradient clipping by norm, and update. The loss is that of `SequenceModel.loss`.
    """
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    jax: Any = importlib.import_module("jax")
    jnp: Any = importlib.import_module("jax.numpy")
    inputs, targets = jnp.asarray(data.inputs), jnp.asarray(data.targets)
    batch = data.inputs.shape[1]
    functions = {op: _function(OPERATIONS[op].jax) for op in POINTWISE}

    def run_layer(layer: LayerArrays, x: Any) -> Any:
        def step(states: Any, now: Any) -> Any:
            after = cell_step(graph, functions, layer, states, now)
            return after, after[0]

        zeros = tuple(jnp.zeros(x.shape[1:]) for _ in range(graph.states))
        return jax.lax.scan(step, zeros, x)[1]

    def loss(parameters: ModelArrays) -> Any:
        entry = parameters.entry
        values = entry[inputs] if interface.reads_symbols else inputs @ entry + parameters.entry_bias
        for layer in parameters.layers:
            values = run_layer(layer, values)
        logits = values @ parameters.readout.T + parameters.readout_bias
        match interface.output:
            case Output.SYMBOLS:
                nats = -jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], -1)
            case Output.MULTI_LABEL:
                nats = jnp.logaddexp(0.0, logits) - logits * targets
            case _:  # of a scale of 1: learned scales cost next to nothing
                nats = 0.5 * jnp.square(logits - targets)
        return nats.sum() / batch

    def update(parameters: ModelArrays) -> Any:
        value, gradients = jax.value_and_grad(loss)(parameters)
        total = jnp.sqrt(sum(jnp.square(g).sum() for g in jax.tree_util.tree_leaves(gradients)))
        factor = rate * jnp.minimum(1.0, norm / total)
        return value, jax.tree_util.tree_map(lambda p, g: p - factor * g, parameters, gradients)

    jitted: Callable[[ModelArrays], tuple[Any, ModelArrays]] = jax.jit(update)
    return jitted


def jax_step(
    graph: GateGraph, units: int, layers: int, data: Batch, interface: Interface, rate: float, norm: float
) -> Callable[[], float]:
    """Return a function that does one training step on one thread and returns the loss.

    Args:
        graph: cell of every layer.
        units: size of the hidden state.
        layers: number of layers.
        data: batch that every step trains on.
        interface: kinds and sizes of inputs and outputs.
        rate: learning rate.
        norm: largest gradient norm.
    """
    kept = initial_arrays(graph, units, layers, interface, np.random.default_rng(0))
    update = jax_update(graph, data, interface, rate, norm)

    def run() -> float:
        nonlocal kept
        value, kept = update(kept)
        return float(value)

    return run


def _function(name: str) -> Callable[..., Any]:
    """Return the function of a dotted name."""
    module, _, attribute = name.rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return function

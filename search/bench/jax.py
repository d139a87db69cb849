"""Training step in JAX for comparison, if JAX is installed: a jitted scan over the nodes of the cell."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from search.cells.graph import GateGraph
from search.cells.operations import OPERATIONS, POINTWISE, Op
from tasks.task import Batch, Output


def has_jax() -> bool:
    """Return whether JAX can be imported."""
    return importlib.util.find_spec("jax") is not None


def jax_step(
    graph: GateGraph, units: int, layers: int, data: Batch, output: Output, rate: float, norm: float
) -> Callable[[], float]:
    """Return a function that does one training step on one thread and returns the loss.

    A step is forward, backward, gradient clipping by norm, and update.

    Args:
        graph: cell of every layer.
        units: size of the hidden state.
        layers: number of layers.
        data: batch that every step trains on.
        output: kind of output.
        rate: learning rate.
        norm: largest gradient norm.
    """
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    jax: Any = importlib.import_module("jax")
    jnp: Any = importlib.import_module("jax.numpy")
    output_size = int(data.inputs.max()) + 1 if output is Output.SYMBOLS else data.inputs.shape[-1]
    inputs, targets = jnp.asarray(data.inputs), jnp.asarray(data.targets)
    batch, matrices = data.inputs.shape[1], len(graph.linears)
    meaning: dict[Op, Callable[..., Any]] = {op: _function(OPERATIONS[op].jax) for op in POINTWISE}

    def run_layer(weight: Any, bias: Any, x: Any) -> Any:
        number = {i: k for k, i in enumerate(graph.linears)}

        def step(states: Any, now: Any) -> Any:
            values: list[Any] = []
            for i, node in enumerate(graph):
                read = [values[j] for j in node.inputs]
                if node.op is Op.INPUT:
                    values.append(now)
                elif node.op is Op.STATE:
                    values.append(states[node.state])
                elif node.op is Op.LINEAR:
                    values.append(read[0] @ weight[number[i]].T + bias[number[i]])
                else:
                    values.append(meaning[node.op](*read))
            after = tuple(values[i] for i in graph.outputs)
            return after, after[0]

        zeros = tuple(jnp.zeros((batch, units)) for _ in range(graph.states))
        return jax.lax.scan(step, zeros, x)[1]

    def loss(parameters: Any) -> Any:
        entry, entry_bias, weights, biases, readout, readout_bias = parameters
        values = entry[inputs] if output is Output.SYMBOLS else inputs @ entry + entry_bias
        for layer in range(layers):
            values = run_layer(weights[layer], biases[layer], values)
        logits = values @ readout.T + readout_bias
        if output is Output.SYMBOLS:
            nats = -jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], -1)
        else:
            nats = jnp.logaddexp(0.0, logits) - logits * targets
        return nats.sum() / batch

    def update(parameters: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(parameters)
        total = jnp.sqrt(sum(jnp.square(g).sum() for g in gradients))
        factor = rate * jnp.minimum(1.0, norm / total)
        return value, [p - factor * g for p, g in zip(parameters, gradients, strict=True)]

    rng = np.random.default_rng(0)
    shapes = [
        (output_size, units),
        (units,),
        (layers, matrices, units, units),
        (layers, matrices, units),
        (output_size, units),
        (output_size,),
    ]
    kept = [jnp.asarray(rng.uniform(-1, 1, shape) / units**0.5, jnp.float32) for shape in shapes]
    jitted = jax.jit(update)

    def run() -> float:
        nonlocal kept
        value, kept = jitted(kept)
        return float(value)

    return run


def _function(name: str) -> Callable[..., Any]:
    """Return the function of a dotted name."""
    module, _, attribute = name.rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return function

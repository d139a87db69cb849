"""Pointwise stages in numpy, operation by operation: what symbolic backward and machine code are compared with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from search.cells.graph import GateGraph
from search.cells.operations import Op
from search.kernels.plan.adjoint import Buffer, BufferKind, Stage

Array = NDArray[np.float64]


def run_stage(stage: Stage, memory: dict[Buffer, Array]) -> None:
    """Run a stage on the arrays in `memory`."""
    meaning: dict[str, Callable[..., Array]] = {
        "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
        "tanh": np.tanh,
        "relu": lambda v: np.where(v <= 0, 0.0, v),
        "leaky_relu": lambda v: np.where(v > 0, v, 0.01 * v),
        "choose": lambda v, then, otherwise: np.asarray(np.where(v > 0, then, otherwise), np.float64),
        "softplus": lambda v: np.logaddexp(v, 0.0),
        "gate": lambda v, g: np.where(v <= 0, 0.0, g),
        "neg": np.negative,
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
    }
    values: list[Array] = []
    for instruction in stage.instructions:
        if instruction.buffer is not None:
            values.append(memory[instruction.buffer].copy())
        elif instruction.op == "number":
            values.append(np.full(1, instruction.number))
        else:
            values.append(meaning[instruction.op](*(values[a] for a in instruction.arguments)))
    for buffer, number in stage.stores:
        memory[buffer] = values[number]


def inputs_of(graph: GateGraph) -> dict[int, Buffer]:
    """Return the leaves and the results of matrices, as if all of them were in memory."""
    buffers = {i: Buffer(BufferKind.SUM, i) for i in graph.linears}
    for i, node in enumerate(graph):
        if node.op is Op.INPUT:
            buffers[i] = Buffer(BufferKind.X)
        elif node.op is Op.STATE:
            buffers[i] = Buffer(BufferKind.OLD, node.state)
    return buffers

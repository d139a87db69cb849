"""Pointwise stages in numpy, operation by operation: what symbolic backward and machine code are compared with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from search.cells.graph import GateGraph
from search.cells.operations import OPERATIONS, POINTWISE, Op
from search.cells.parameters import layout_of
from search.kernels.plan.adjoint import Buffer, BufferKind, Stage

Array = NDArray[np.float64]


VALUES: dict[Op, Callable[..., Array]] = {
    op: np.vectorize(value, otypes=[float]) for op in POINTWISE if (value := OPERATIONS[op].value) is not None
}
"""Pointwise operations on arrays, which `tests/test_search/test_every_operation.py` compares with PyTorch's."""


def _choose(v: Array, a: Array, b: Array) -> Array:
    return np.where(v > 0, a, b)


def run_stage(stage: Stage, memory: dict[Buffer, Array]) -> None:
    """Run a stage on the arrays in `memory`: of rows and columns if the stage is by rows, with vectors of columns."""
    meaning: dict[str, Callable[..., Array]] = {
        "choose": _choose,
        "gate": lambda v, g: np.where(v <= 0, 0.0, g),
        "neg": np.negative,
    }
    meaning |= {op.value: function for op, function in VALUES.items()}
    values: list[Array] = []
    for instruction in stage.instructions:
        if instruction.buffer is not None:
            values.append(memory[instruction.buffer].copy())
        elif instruction.op == "number":
            values.append(np.full(1, instruction.number))
        else:
            values.append(meaning[instruction.op](*(values[a] for a in instruction.arguments)))
    shape = next((memory[b].shape for b in stage.buffers() if b.kind is not BufferKind.PARAM), ())
    for buffer, number in stage.stores:
        if buffer.kind is BufferKind.PARAM:  # each row adds to it
            memory[buffer] = memory[buffer] + np.broadcast_to(values[number], shape).sum(0)
        else:
            memory[buffer] = np.broadcast_to(values[number], shape).copy()


def inputs_of(graph: GateGraph) -> dict[int, Buffer]:
    """Return the leaves and the results of matrices, as if all of them were in memory."""
    buffers = {i: Buffer(BufferKind.SUM, i) for i in graph.linears}
    for i, node in enumerate(graph):
        if node.op is Op.INPUT:
            buffers[i] = Buffer(BufferKind.X)
        elif node.op is Op.STATE:
            buffers[i] = Buffer(BufferKind.OLD, node.state)
        elif node.op is Op.PARAM:
            buffers[i] = Buffer(BufferKind.PARAM, layout_of(graph).first_vector[i])
    return buffers

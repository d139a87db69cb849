"""Reference implementation of a cell: node by node, step by step, with gradients by autograd.

It is slow and runs any graph on any device with any floating-point type. Every faster path is tested against it.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from search.cells.graph import GateGraph
from search.cells.operations import LEAKY_SLOPE, Op


def run_reference(
    graph: GateGraph, weight: Tensor, bias: Tensor, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer of a cell over a sequence; arguments and results are those of `search.kernels.eager.run_eager`."""
    matrix = {i: k for k, i in enumerate(graph.linears)}
    visible = []
    for step in x.unbind(0):
        values: list[Tensor] = []
        for i, node in enumerate(graph):
            if node.op is Op.INPUT:
                values.append(step)
            elif node.op is Op.STATE:
                values.append(states[node.state])
            elif node.op is Op.LINEAR:
                k = matrix[i]
                values.append(values[node.inputs[0]] @ weight[k].T + bias[k])
            else:
                values.append(apply_pointwise(node.op, *(values[j] for j in node.inputs)))
        states = tuple(values[i] for i in graph.outputs)
        visible.append(states[0])
    return torch.stack(visible), states


def apply_pointwise(op: Op, *inputs: Tensor) -> Tensor:
    """Apply a pointwise operation to its one or two inputs."""
    return _POINTWISE[op](*inputs)


_POINTWISE: dict[Op, Callable[..., Tensor]] = {
    Op.SIGMOID: torch.sigmoid,
    Op.TANH: torch.tanh,
    Op.RELU: torch.relu,
    Op.LEAKY_RELU: partial(leaky_relu, negative_slope=LEAKY_SLOPE),
    Op.ADD: torch.add,
    Op.SUB: torch.sub,
    Op.MUL: torch.mul,
}

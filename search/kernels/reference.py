"""Reference implementation of a cell: node by node, step by step, with gradients by autograd.

It is slow and runs any graph on any device with any floating-point type. Every faster path is tested against it.
"""

import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.cells.operations import Op
from search.kernels.parameters import LayerParameters, NodeParameters


def run_reference(
    graph: GateGraph, parameters: LayerParameters, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer of a cell over a sequence; arguments and results are those of `search.kernels.eager.run_eager`."""
    of_node = NodeParameters(graph, parameters)
    visible = []
    for step in x.unbind(0):
        values: list[Tensor] = []
        for i, node in enumerate(graph):
            match node.op:
                case Op.INPUT:
                    values.append(step)
                case Op.STATE:
                    values.append(states[node.state])
                case Op.PARAM:
                    values.append(of_node.vectors[i][0].expand_as(step))
                case Op.NUMBER:
                    values.append(torch.full_like(step, node.value))
                case _:
                    values.append(of_node.apply(graph, i, values))
        states = tuple(values[i] for i in graph.outputs)
        visible.append(states[0])
    return torch.stack(visible), states

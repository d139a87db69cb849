"""A cell over a sequence in plain PyTorch: any device, any floating-point type, gradients by autograd.

This path runs where there is no machine code. It follows the cell's plan: what depends on x alone is computed for all
steps at once, and matrices that read the same value are stacked. T steps, B sequences, H units, K matrices.
"""

import torch
from torch import Tensor
from torch.nn.functional import linear

from search.cells.graph import GateGraph
from search.cells.operations import Op
from search.kernels.errors import KernelError
from search.kernels.parameters import LayerParameters, NodeParameters
from search.kernels.plan.plan import Level, Phase, plan_of


def run_eager(
    graph: GateGraph, parameters: LayerParameters, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer of a cell over a sequence, differentiable in parameters, x and states.

    Args:
        graph: The cell.
        parameters: The layer's parameters; a matrix computes v @ W.T.
        x: (T, B, H).
        states: The values of the `graph.states` states before the first step, (B, H) each.

    Returns:
        The visible outputs (T, B, H) and the states after the last step, (B, H) each.

    Raises:
        KernelError: A shape does not fit the graph or the other arguments.
    """
    _check_shapes(graph, parameters, x, states)
    plan = plan_of(graph)
    of_node = NodeParameters(graph, parameters)

    def stack(levels: tuple[Level, ...]) -> list[tuple[Level, list[tuple[Tensor, Tensor]]]]:
        """Return each level with the matrices and biases of its stacked products, those with one group only."""
        zero = x.new_zeros(x.shape[-1])
        stacked = []
        for level in levels:
            parts = []
            for product in level.products:
                whole = [i for i in product.linears if i in of_node.weight]
                matrices = torch.cat([of_node.weight[i] for i in whole]) if whole else x.new_zeros(0, x.shape[-1])
                biases = torch.cat([of_node.bias.get(i, zero) for i in whole]) if whole else x.new_zeros(0)
                parts.append((matrices, biases))
            stacked.append((level, parts))
        return stacked

    def compute(levels: list[tuple[Level, list[tuple[Tensor, Tensor]]]], values: dict[int, Tensor]) -> None:
        for level, parts in levels:
            for product, (matrices, biases) in zip(level.products, parts, strict=True):
                whole = [i for i in product.linears if i in of_node.weight]
                if whole:
                    result = linear(values[product.source], matrices, biases)
                    values.update(zip(whole, result.chunk(len(whole), dim=-1), strict=True))
                for i in product.linears:
                    if i not in of_node.weight:
                        values[i] = of_node.linear(i, values[product.source])
            for i in level.nodes:
                values[i] = of_node.apply(graph, i, values)

    whole: dict[int, Tensor] = {}  # node -> its values at all steps, (T, B, H)
    for i, node in enumerate(graph):
        if node.op is Op.INPUT:
            whole[i] = x
        elif node.op is Op.PARAM:
            whole[i] = of_node.vectors[i][0].expand_as(x)
        elif node.op is Op.NUMBER:
            whole[i] = x.new_tensor(node.value).expand_as(x)
    leaves = {node.state: i for i, node in enumerate(graph) if node.op is Op.STATE}
    compute(stack(plan.before), whole)

    read_later = [i for i in leaves.values() if plan.phases[i] is not None]
    wanted = {j for i, node in enumerate(graph) if plan.phases[i] is Phase.AFTER for j in node.inputs} | set(
        graph.outputs
    )
    kept: dict[int, list[Tensor]] = {
        i: [] for i in wanted if plan.phases[i] is Phase.LOOP or graph.nodes[i].op is Op.STATE
    }
    wanted_in_loop = {j for i, node in enumerate(graph) if plan.phases[i] is Phase.LOOP for j in node.inputs}
    wanted_in_loop |= {graph.outputs[k] for k in plan.carried}
    known = {i: steps.unbind(0) for i, steps in whole.items() if i in wanted_in_loop}
    current = {i: states[graph.nodes[i].state] for i in read_later}
    loop = stack(plan.loop)
    for t in range(x.shape[0]):
        values = {i: steps[t] for i, steps in known.items()}
        values.update(current)
        compute(loop, values)
        for i, steps in kept.items():
            steps.append(values[i])
        current = {i: values[graph.outputs[graph.nodes[i].state]] for i in read_later}

    whole.update((i, torch.stack(steps)) for i, steps in kept.items())
    compute(stack(plan.after), whole)
    return whole[graph.outputs[0]], tuple(whole[i][-1] for i in graph.outputs)


def _check_shapes(graph: GateGraph, parameters: LayerParameters, x: Tensor, states: tuple[Tensor, ...]) -> None:
    if x.dim() != 3 or 0 in x.shape:
        raise KernelError(f"x has shape {tuple(x.shape)}; it must be (steps, batch, units), none of them 0")
    _, batch, units = x.shape
    parameters.check(graph, units)
    if len(states) != graph.states:
        raise KernelError(f"{len(states)} states given; the graph has {graph.states}, pass one tensor for each")
    for k, state in enumerate(states):
        if state.shape != (batch, units):
            raise KernelError(f"state {k} has shape {tuple(state.shape)}; it must be ({batch}, {units}) to match x")

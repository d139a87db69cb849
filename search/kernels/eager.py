"""A cell over a sequence by its plan, in plain torch: any device, any floating-point type, gradients by autograd.

The path that runs where no machine code does. T steps, B sequences, H units.
"""

import torch
from torch import Tensor
from torch.nn.functional import linear

from search.cells.graph import GateGraph
from search.cells.operations import Op
from search.kernels.plan.plan import Level, Phase, plan_of
from search.kernels.reference import apply_pointwise


def run_eager(
    graph: GateGraph, weight: Tensor, bias: Tensor, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """As `search.kernels.recurrence.run_layer`, whose arguments it takes and whose results it gives."""
    plan = plan_of(graph)
    matrix = {i: k for k, i in enumerate(graph.linears)}

    def stack(levels: tuple[Level, ...]) -> list[tuple[Level, list[tuple[Tensor, Tensor]]]]:
        stacked = []
        for level in levels:
            parts = []
            for product in level.products:
                chosen = [matrix[i] for i in product.linears]
                parts.append((weight[chosen].flatten(0, 1), bias[chosen].flatten()))
            stacked.append((level, parts))
        return stacked

    def compute(levels: list[tuple[Level, list[tuple[Tensor, Tensor]]]], values: dict[int, Tensor]) -> None:
        for level, parts in levels:
            for product, (matrices, biases) in zip(level.products, parts, strict=True):
                result = linear(values[product.source], matrices, biases)
                values.update(zip(product.linears, result.chunk(len(product.linears), dim=-1), strict=True))
            for i in level.nodes:
                node = graph.nodes[i]
                values[i] = apply_pointwise(node.op, *(values[j] for j in node.inputs))

    inputs = {i: x for i, node in enumerate(graph) if node.op is Op.INPUT}
    leaves = {node.state: i for i, node in enumerate(graph) if node.op is Op.STATE}
    whole = dict(inputs)  # node -> its values at all steps, (T, B, H)
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

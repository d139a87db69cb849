"""A cell over a sequence in plain PyTorch: any device, any floating-point type, gradients by autograd.

This path runs where there is no machine code. It follows the cell's plan: only states that depend on themselves are
computed step by step, all else for all steps at once, and matrices that read the same value are stacked. T steps, B
sequences, H units, K matrices.
"""

import torch
from torch import Tensor
from torch.nn.functional import linear

from search.cells.graph import GateGraph
from search.cells.operations import Op
from search.kernels.errors import KernelError
from search.kernels.plan.plan import Level, Phase, Product, plan_of
from search.kernels.reference import apply_pointwise


def run_eager(
    graph: GateGraph, weight: Tensor, bias: Tensor, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer of a cell over a sequence, differentiable in weight, bias, x and states.

    Args:
        graph: The cell.
        weight: (K, H, H); matrix k belongs to node `graph.linears[k]` and computes v @ weight[k].T.
        bias: (K, H).
        x: (T, B, H).
        states: The values of the `graph.states` states before the first step, (B, H) each.

    Returns:
        The visible outputs (T, B, H) and the states after the last step, (B, H) each.

    Raises:
        KernelError: A shape does not fit the graph or the other arguments.
    """
    _check_shapes(graph, weight, bias, x, states)
    run = _Run(graph, weight, bias, x, states)
    for phase in plan_of(graph).phases:
        if phase.loops:
            run.step_by_step(phase)
        else:
            run.at_once(phase)
    new_states = [run.whole(i) for i in graph.outputs]
    return new_states[0], tuple(values[-1] for values in new_states)


class _Run:
    """Values of a cell's nodes while its phases run."""

    def __init__(self, graph: GateGraph, weight: Tensor, bias: Tensor, x: Tensor, states: tuple[Tensor, ...]) -> None:
        self.graph, self.weight, self.bias, self.states = graph, weight, bias, states
        self.steps = x.shape[0]
        self.matrix = {i: k for k, i in enumerate(graph.linears)}
        self.known = {i: x for i, node in enumerate(graph) if node.op is Op.INPUT}  # node -> (T, B, H)

    def whole(self, i: int) -> Tensor:
        """Return a node's values at all steps, (T, B, H); what is not known is computed from what is."""
        if i not in self.known:
            node = self.graph.nodes[i]
            if node.op is Op.STATE:
                new = self.whole(self.graph.outputs[node.state])
                self.known[i] = torch.cat([self.states[node.state][None], new[:-1]])
            else:
                self.known[i] = apply_pointwise(node.op, *(self.whole(j) for j in node.inputs))
        return self.known[i]

    def at_once(self, phase: Phase) -> None:
        """Compute a phase for all steps at once."""
        for level, stacked in self._stacked(phase):
            for product, parts in stacked:
                self._multiply(product, parts, self.whole(product.source), self.known)
            for i in level.targets:
                self.whole(i)

    def step_by_step(self, phase: Phase) -> None:
        """Compute a phase step by step, and keep its products and targets."""
        levels = self._stacked(phase)
        linears = {i for level in phase.levels for product in level.products for i in product.linears}
        kept = linears | {i for level in phase.levels for i in level.targets}
        here = linears | {i for level in phase.levels for i in level.nodes}
        read = {j for i in here for j in self.graph.nodes[i].inputs} - here
        current = {
            i: self.states[self.graph.nodes[i].state]
            for i in read | kept
            if self.graph.nodes[i].op is Op.STATE and self.graph.outputs[self.graph.nodes[i].state] in kept
        }
        early = {i: self.whole(i).unbind(0) for i in read - set(current)}
        found: dict[int, list[Tensor]] = {i: [] for i in kept}
        for t in range(self.steps):
            values = {i: steps[t] for i, steps in early.items()}
            values.update(current)
            for level, stacked in levels:
                for product, parts in stacked:
                    self._multiply(product, parts, self._value(product.source, values), values)
                for i in level.targets:
                    self._value(i, values)
            for i, steps in found.items():
                steps.append(values[i])
            current = {i: values[self.graph.outputs[self.graph.nodes[i].state]] for i in current}
        self.known.update((i, torch.stack(steps)) for i, steps in found.items())

    def _value(self, i: int, values: dict[int, Tensor]) -> Tensor:
        """Return a node's value at one step, from those known at that step."""
        if i not in values:
            node = self.graph.nodes[i]
            values[i] = apply_pointwise(node.op, *(self._value(j, values) for j in node.inputs))
        return values[i]

    def _stacked(self, phase: Phase) -> list[tuple[Level, list[tuple[Product, tuple[Tensor, Tensor]]]]]:
        """Return the levels of a phase with the stacked matrices and biases of their products."""
        found = []
        for level in phase.levels:
            products = []
            for product in level.products:
                chosen = [self.matrix[i] for i in product.linears]
                products.append((product, (self.weight[chosen].flatten(0, 1), self.bias[chosen].flatten())))
            found.append((level, products))
        return found

    def _multiply(
        self, product: Product, parts: tuple[Tensor, Tensor], source: Tensor, values: dict[int, Tensor]
    ) -> None:
        results = linear(source, *parts).chunk(len(product.linears), dim=-1)
        values.update(zip(product.linears, results, strict=True))


def _check_shapes(graph: GateGraph, weight: Tensor, bias: Tensor, x: Tensor, states: tuple[Tensor, ...]) -> None:
    if x.dim() != 3 or 0 in x.shape:
        raise KernelError(f"x has shape {tuple(x.shape)}; it must be (steps, batch, units), none of them 0")
    _, batch, units = x.shape
    matrices = len(graph.linears)
    if weight.shape != (matrices, units, units):
        raise KernelError(
            f"weight has shape {tuple(weight.shape)}; {matrices} matrices of {units} units need "
            f"({matrices}, {units}, {units})"
        )
    if bias.shape != (matrices, units):
        raise KernelError(f"bias has shape {tuple(bias.shape)}; it must be ({matrices}, {units}) to match weight")
    if len(states) != graph.states:
        raise KernelError(f"{len(states)} states given; the graph has {graph.states}, pass one tensor for each")
    for k, state in enumerate(states):
        if state.shape != (batch, units):
            raise KernelError(f"state {k} has shape {tuple(state.shape)}; it must be ({batch}, {units}) to match x")

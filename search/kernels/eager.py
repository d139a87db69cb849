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
from search.kernels.parameters import LayerParameters, NodeParameters
from search.kernels.plan.plan import Phase, Product, plan_of


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
    run = _Run(graph, parameters, x, states)
    for phase in plan_of(graph).phases:
        if phase.loops:
            run.step_by_step(phase)
        else:
            run.at_once(phase)
    new_states = [run.whole(i) for i in graph.outputs]
    return new_states[0], tuple(values[-1] for values in new_states)


class _Run:
    """Values of a cell's nodes while its phases run."""

    def __init__(self, graph: GateGraph, parameters: LayerParameters, x: Tensor, states: tuple[Tensor, ...]) -> None:
        self.graph, self.states = graph, states
        self.of_node = NodeParameters(graph, parameters)
        self.steps, _, units = x.shape
        self.zero = x.new_zeros(units)
        self.known: dict[int, Tensor] = {}  # node -> its values at all steps, (T, B, H)
        for i, node in enumerate(graph):
            if node.op is Op.INPUT:
                self.known[i] = x
            elif node.op is Op.PARAM:
                self.known[i] = self.of_node.vectors[i][0].expand_as(x)
            elif node.op is Op.NUMBER:
                self.known[i] = x.new_tensor(node.value).expand_as(x)

    def whole(self, i: int) -> Tensor:
        """Return a node's values at all steps, (T, B, H); what is not known is computed from what is."""
        if i not in self.known:
            node = self.graph.nodes[i]
            if node.op is Op.STATE:
                new = self.whole(self.graph.outputs[node.state])
                self.known[i] = torch.cat([self.states[node.state][None], new[:-1]])
            else:
                self.known[i] = self.of_node.apply(self.graph, i, {j: self.whole(j) for j in node.inputs})
        return self.known[i]

    def at_once(self, phase: Phase) -> None:
        """Compute a phase for all steps at once."""
        for level in phase.levels:
            for product in level.products:
                self._multiply(product, self._stacked(product), self.whole(product.source), self.known)
            for i in level.targets:
                self.whole(i)

    def step_by_step(self, phase: Phase) -> None:
        """Compute a phase step by step, and keep its products and targets."""
        levels = [(level, [(product, self._stacked(product)) for product in level.products]) for level in phase.levels]
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
            for level, products in levels:
                for product, stacked in products:
                    self._multiply(product, stacked, self._value(product.source, values), values)
                for i in level.targets:
                    self._value(i, values)
            for i, steps in found.items():
                steps.append(values[i])
            current = {i: values[self.graph.outputs[self.graph.nodes[i].state]] for i in current}
        self.known.update((i, torch.stack(steps)) for i, steps in found.items())

    def _value(self, i: int, values: dict[int, Tensor]) -> Tensor:
        """Return a node's value at one step, from those known at that step."""
        if i not in values:
            read = {j: self._value(j, values) for j in self.graph.nodes[i].inputs}
            values[i] = self.of_node.apply(self.graph, i, read)
        return values[i]

    def _stacked(self, product: Product) -> tuple[Tensor, Tensor]:
        """Return the stacked matrices and biases of a product, of those with one group only."""
        chosen = self._of_one_group(product)
        if not chosen:
            return self.zero, self.zero
        weights = torch.cat([self.of_node.weight[i] for i in chosen])
        return weights, torch.cat([self.of_node.bias.get(i, self.zero) for i in chosen])

    def _multiply(
        self, product: Product, stacked: tuple[Tensor, Tensor], source: Tensor, values: dict[int, Tensor]
    ) -> None:
        chosen = self._of_one_group(product)
        if chosen:
            values.update(zip(chosen, linear(source, *stacked).chunk(len(chosen), dim=-1), strict=True))
        values.update((i, self.of_node.linear(i, source)) for i in product.linears if i not in chosen)

    def _of_one_group(self, product: Product) -> list[int]:
        return [i for i in product.linears if i in self.of_node.weight]


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

"""A cell in a network: embedding or projection, layers of the cell, readout.

T steps, B sequences side by side, H units, K matrices of a cell, V symbols or notes.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from search.cells.graph import GateGraph
from search.cells.operations import Op
from search.core.errors import BudgetError
from search.kernels.recurrence import run_layer
from search.training.readout import softmax_nats
from search.training.settings import Setting
from tasks.task import Batch, Output

UNIT_STEP = 16
"""Units come in multiples of this, a vector register's output_size in float32."""

LARGE_VOCABULARY = 256
"""From here on the readout is worth code of its own; below, what PyTorch has costs less than calling it."""

States = tuple[tuple[Tensor, ...], ...]
"""For each layer, the cell's states: (B, H) each."""


def count_parameters(graph: GateGraph, units: int, layers: int, output_size: int, output: Output) -> int:
    """Weights and biases of a whole model: embedding or projection, layers, readout."""
    cell = len(graph.linears) * (units * units + units)
    entry = output_size * units + (units if output is Output.MULTI_LABEL else 0)
    return entry + layers * cell + units * output_size + output_size


def units_for(graph: GateGraph, setting: Setting, output_size: int, output: Output) -> int:
    """The largest multiple of 16 units whose model stays within the setting's parameter budget, by binary search.

    Raises `BudgetError` where 16 units are too many.
    """

    def fits(steps: int) -> bool:
        return count_parameters(graph, steps * UNIT_STEP, setting.layers, output_size, output) <= setting.parameters

    if not fits(1):
        least = count_parameters(graph, UNIT_STEP, setting.layers, output_size, output)
        raise BudgetError(
            f"a budget of {setting.parameters:,} parameters is too small: {UNIT_STEP} units in {setting.layers} layers "
            f"take {least:,}"
        )
    low, high = 1, 2
    while fits(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low * UNIT_STEP


@dataclass(frozen=True)
class Score:
    """How a model did on some steps: sums over `steps` counted steps, ready to be added up."""

    steps: int
    nats: float
    metric: float
    metric_squared: float

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.steps + other.steps,
            self.nats + other.nats,
            self.metric + other.metric,
            self.metric_squared + other.metric_squared,
        )


class SequenceModel(nn.Module):
    """Embedding (symbols) or projection (piano roll) to H, layers of one cell, readout to V logits.

    All parameters are views of one buffer and all gradients views of another, so that clipping and the update are one
    operation each (`flat`, `flat_grad`: (P,)).
    """

    def __init__(self, graph: GateGraph, units: int, layers: int, output_size: int, output: Output) -> None:
        super().__init__()
        self.graph = graph.canonical()
        self.units, self.output_size, self.output = units, output_size, output
        matrices = len(self.graph.linears)
        self.entry = nn.Parameter(torch.empty(output_size, units))
        self.entry_bias = nn.Parameter(torch.empty(units if output is Output.MULTI_LABEL else 0))
        self.weights = nn.ParameterList(torch.empty(matrices, units, units) for _ in range(layers))
        self.biases = nn.ParameterList(torch.empty(matrices, units) for _ in range(layers))
        self.readout = nn.Parameter(torch.empty(output_size, units))
        self.readout_bias = nn.Parameter(torch.empty(output_size))
        self.flat, self.flat_grad = self._flatten()

    def _flatten(self) -> tuple[Tensor, Tensor]:
        size = sum(p.numel() for p in self.parameters())
        flat, grad = torch.zeros(size), torch.zeros(size)
        start = 0
        for parameter in self.parameters():
            stop = start + parameter.numel()
            parameter.data = flat[start:stop].view_as(parameter)
            parameter.grad = grad[start:stop].view_as(parameter)
            start = stop
        return flat, grad

    def initialise(self, scale: float, generator: torch.Generator) -> None:
        """Every number from U[-s, s], s = scale / sqrt(H); then each matrix's identity and bias are added."""
        bound = scale / math.sqrt(self.units)
        with torch.no_grad():
            self.flat.uniform_(-bound, bound, generator=generator)
            linears = [node for node in self.graph if node.op is Op.LINEAR]
            for weight, bias in zip(self.weights, self.biases, strict=True):
                for k, node in enumerate(linears):
                    weight[k].diagonal().add_(node.identity)
                    bias[k].add_(node.bias)

    def zero_states(self, batch: int) -> States:
        """The states before a sequence: zeros."""
        return tuple(
            tuple(torch.zeros(batch, self.units) for _ in range(self.graph.states)) for _ in range(len(self.weights))
        )

    def outputs(self, inputs: Tensor, states: States) -> tuple[Tensor, States]:
        """The last layer's outputs (T, B, H), and the states after the last step.

        `inputs`: (T, B) symbols or (T, B, V) rolls.
        """
        values: Tensor = self.entry
        symbols: Tensor | None = None
        if self.output is Output.SYMBOLS:
            symbols = inputs  # the first layer looks them up, or computes once a symbol
        else:
            values = inputs @ self.entry + self.entry_bias
        after = []
        for weight, bias, before in zip(self.weights, self.biases, states, strict=True):
            values, final = run_layer(self.graph, weight, bias, values, before, symbols)
            symbols = None
            after.append(tuple(state.detach() for state in final))
        return values, tuple(after)

    def logits(self, outputs: Tensor) -> Tensor:
        """(N, H) outputs to (N, V) logits."""
        return functional.linear(outputs, self.readout, self.readout_bias)

    def loss(self, batch: Batch, states: States) -> tuple[Tensor, int, States]:
        """The study's loss, averaged over the batch and summed over time; the counted steps; the states after it."""
        outputs, after = self.outputs(torch.tensor(batch.inputs), states)
        outputs, targets, steps = _counted(outputs, batch)
        if self.output is Output.MULTI_LABEL:
            total = functional.binary_cross_entropy_with_logits(self.logits(outputs), targets, reduction="sum")
        elif self.output_size >= LARGE_VOCABULARY:
            total = softmax_nats(outputs, self.readout, self.readout_bias, targets)
        else:
            total = functional.cross_entropy(self.logits(outputs), targets, reduction="sum")
        return total / batch.inputs.shape[1], steps, after

    @torch.no_grad()
    def score(self, batch: Batch, states: States) -> tuple[Score, States]:
        """Loss and metric on a batch: accuracy for symbols, nats for rolls; and the states after it."""
        outputs, after = self.outputs(torch.tensor(batch.inputs), states)
        outputs, targets, steps = _counted(outputs, batch)
        logits = self.logits(outputs)
        if self.output is Output.SYMBOLS:
            nats = functional.cross_entropy(logits, targets, reduction="none").double()
            metric = (logits.argmax(1) == targets).double()
        else:
            cells = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
            nats = metric = cells.double().sum(1)
        return Score(steps, float(nats.sum()), float(metric.sum()), float(metric.square().sum())), after


def _counted(outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor, int]:
    """Outputs (N, H) and targets of the N steps that count, and N: the readout is not computed for the others."""
    outputs, targets = outputs.flatten(0, 1), torch.tensor(batch.targets).flatten(0, 1)
    loss_mask = batch.loss_mask.reshape(-1)
    steps = int(loss_mask.sum())
    if steps < loss_mask.size:
        index = torch.tensor(loss_mask).nonzero().squeeze(1)
        outputs, targets = outputs.index_select(0, index), targets.index_select(0, index)
    return outputs, targets, steps

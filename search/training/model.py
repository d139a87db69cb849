"""Model around a cell: embedding or projection, layers of the cell, readout.

T steps, B sequences of a batch, H units, K matrices of a cell, D input size, V output size, N steps in the loss mask, P
numbers in all.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from search.cells.graph import GateGraph
from search.cells.parameters import ParameterLayout, layout_of
from search.core.errors import BudgetError
from search.kernels.batches import RowScores, check_symbols
from search.kernels.dropout import Masks
from search.kernels.eager import run_eager
from search.kernels.parameters import LayerParameters
from search.training.heads import HEADS, is_scaled
from search.training.initialisation import apply_starts
from search.training.settings import Setting
from search.training.tying import check_tied
from tasks.interface import OUTPUTS, Interface
from tasks.task import Batch

_DECAYED = frozenset({"entry", "weights", "blocks", "readout"})
"""Parameters of a model that weight decay applies to."""

States = tuple[tuple[Tensor, ...], ...]
"""States of the cell for each layer, (B, H) each."""


def count_parameters(graph: GateGraph, units: int, layers: int, interface: Interface, *, tied: bool = False) -> int:
    """Return the number of weights and biases of a model: embedding or projection, layers, readout.

    With `tied`, embedding and readout have one matrix.
    """
    return _count(layout_of(graph), units, layers, interface, tied)


def _count(layout: ParameterLayout, units: int, layers: int, interface: Interface, tied: bool) -> int:
    entry = interface.input_size * units + (0 if interface.reads_symbols else units)
    readout = interface.output_size * (units + (2 if is_scaled(interface.output) else 1))
    return entry + layers * layout.count(units) + readout - (interface.output_size * units if tied else 0)


def units_for(graph: GateGraph, setting: Setting, interface: Interface) -> int:
    """Return the number of units whose model's count of parameters is nearest to the setting's budget.

    The model may have a few parameters more than the budget. Of two numbers that are equally near, it is the smaller.
    The units of a cell with block-diagonal matrices are a multiple of its groups.

    Raises:
        BudgetError: The smallest model, of 1 unit without groups, exceeds the budget.
        SearchError: Embedding and readout are to be tied, and the interface has no such matrices.
    """
    if setting.tied:
        check_tied(interface)
    layout = layout_of(graph)
    multiple = layout.unit_multiple

    def count(blocks: int) -> int:
        return _count(layout, blocks * multiple, setting.layers, interface, setting.tied)

    budget = setting.parameter_budget
    if count(1) > budget:
        layers = f"{setting.layers} layer{'s' if setting.layers > 1 else ''}"
        raise BudgetError(
            f"a budget of {budget:,} parameters is too small: a model of "
            f"{multiple} unit{'s' if multiple > 1 else ''} in {layers} takes {count(1):,}"
        )
    low, high = 1, 2
    while count(high) <= budget:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= budget else (low, middle)
    return multiple * (low if budget - count(low) <= count(high) - budget else high)


class SequenceModel(nn.Module):
    """Embedding (symbols) or projection (values) to H units, layers of one cell, readout to V outputs.

    All parameters are views of `flat` (P,) and all gradients views of `flat_grad` (P,), so that clipping and the update
    are one operation each. With `tied`, the readout has the matrix of the embedding (Press and Wolf 2017).

    Raises:
        SearchError: The interface has no matrices that can be tied.
    """

    def __init__(self, graph: GateGraph, units: int, layers: int, interface: Interface, *, tied: bool = False) -> None:
        super().__init__()
        self.graph = graph.canonical()
        self.units, self.interface = units, interface
        self.head = HEADS[interface.output]
        output_size = interface.output_size
        layout = layout_of(self.graph)
        self.entry = nn.Parameter(torch.empty(interface.input_size, units))
        self.entry_bias = nn.Parameter(torch.empty(0 if interface.reads_symbols else units))
        self.weights = nn.ParameterList(torch.empty(len(layout.full), units, units) for _ in range(layers))
        self.biases = nn.ParameterList(torch.empty(len(layout.biased), units) for _ in range(layers))
        self.blocks = nn.ModuleList(
            nn.ParameterList(torch.empty(g, units // g, units // g) for g in layout.groups) for _ in range(layers)
        )
        self.vectors = nn.ParameterList(torch.empty(len(layout.vectors), units) for _ in range(layers))
        if tied:
            check_tied(interface)
        self.tied = tied
        self.readout = self.entry if tied else nn.Parameter(torch.empty(output_size, units))
        self.readout_bias = nn.Parameter(torch.empty(output_size))
        self.log_scale = nn.Parameter(torch.empty(output_size if is_scaled(interface.output) else 0))
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

    def decayed(self) -> tuple[slice, ...]:
        """Return the parts of `flat` that weight decay applies to: matrices, and neither biases nor learned vectors."""
        parts: list[slice] = []
        start = 0
        for name, parameter in self.named_parameters():
            stop = start + parameter.numel()
            if name.partition(".")[0] in _DECAYED and stop > start:
                parts.append(slice(start, stop))
            start = stop
        return tuple(parts)

    def initialise(self, scale: float, generator: torch.Generator) -> None:
        """Draw all parameters from U[-s, s], s = scale / sqrt(H), then apply each node's start. Learned scales are 1.

        Entries of a block-diagonal matrix are drawn from the same interval as those of a full one.
        """
        bound = scale / math.sqrt(self.units)
        with torch.no_grad():
            self.flat.uniform_(-bound, bound, generator=generator)
            for layer in self.layer_parameters():
                apply_starts(self.graph, layer, generator)
            self.log_scale.zero_()

    def layer_parameters(self) -> tuple[LayerParameters, ...]:
        """Return the parameters of each layer of the cell, as views."""
        layers = zip(self.weights, self.biases, self.blocks, self.vectors, strict=True)
        return tuple(
            LayerParameters(weights, biases, tuple(blocks.parameters()), vectors)
            for weights, biases, blocks, vectors in layers
        )

    def zero_states(self, batch: int) -> States:
        """Return the zero states before a sequence, for `batch` sequences."""
        return tuple(
            tuple(torch.zeros(batch, self.units) for _ in range(self.graph.states)) for _ in range(len(self.weights))
        )

    def outputs(self, inputs: Tensor, states: States, masks: Masks | None = None) -> tuple[Tensor, States]:
        """Return the last layer's outputs (T, B, H) and the states after the last step, detached.

        Args:
            inputs: (T, B) symbols or (T, B, D) values.
            states: The states before the first step.
            masks: What dropout leaves out; nothing if None.

        Raises:
            KernelError: A shape or a symbol does not fit the model.
        """
        values = self.enter(inputs)
        after = []
        for k, (parameters, before) in enumerate(zip(self.layer_parameters(), states, strict=True)):
            if masks is not None:
                values, parameters = masks.apply(k, values), masks.masked(self.graph, k, parameters)
            values, final = run_eager(self.graph, parameters, values, before)
            after.append(tuple(state.detach().clone() for state in final))  # a state may be a view of a parameter
        return values if masks is None else masks.apply(len(after), values), tuple(after)

    def enter(self, inputs: Tensor) -> Tensor:
        """Return the first layer's input (T, B, H): symbols (T, B) embedded, or values (T, B, D) projected.

        Raises:
            KernelError: A symbol is not one of the model's.
        """
        if not self.interface.reads_symbols:
            return inputs @ self.entry + self.entry_bias
        check_symbols("inputs", inputs.numpy(), self.interface.input_size)
        return functional.embedding(inputs, self.entry)

    def logits(self, outputs: Tensor) -> Tensor:
        """Return the readout (N, V) of outputs (N, H): logits, or the means of real values."""
        return functional.linear(outputs, self.readout, self.readout_bias)

    def loss(self, batch: Batch, states: States, masks: Masks | None = None) -> tuple[Tensor, int, States]:
        """Return the loss, the number of steps in the loss mask, and the states after the batch.

        The loss is that of Jozefowicz et al. (2015): averaged over the batch and summed over time. `masks` are those
        of dropout.

        Raises:
            KernelError: The states do not fit the batch, or an input symbol is not one of the model's.
        """
        outputs, targets, after = self._masked(batch, states, masks)
        total = self.head.losses(self.logits(outputs), targets, self.log_scale).sum()
        return total / batch.inputs.shape[1], len(targets), after

    @torch.no_grad()
    def score(self, batch: Batch, states: States) -> tuple[RowScores, States]:
        """Return the score of each step in the loss mask, and the states after the batch.

        Raises:
            KernelError: As for `loss`.
        """
        outputs, targets, after = self._masked(batch, states)
        logits = self.logits(outputs)
        losses = self.head.losses(logits, targets, self.log_scale)
        return self.head.scores(logits, targets)._replace(nats=losses.numpy()), after

    def _masked(self, batch: Batch, states: States, masks: Masks | None = None) -> tuple[Tensor, Tensor, States]:
        """Return outputs (N, H) and targets of the steps in the loss mask, and the states after the batch.

        Steps outside the loss mask need no readout.
        """
        read = torch.long if self.interface.reads_symbols else torch.float32
        predicted = torch.long if OUTPUTS[self.interface.output].symbols else torch.float32
        outputs, after = self.outputs(torch.tensor(batch.inputs, dtype=read), states, masks)
        outputs, targets = outputs.flatten(0, 1), torch.tensor(batch.targets, dtype=predicted).flatten(0, 1)
        index = torch.tensor(np.flatnonzero(batch.loss_mask))
        if len(index) < len(targets):
            outputs, targets = outputs.index_select(0, index), targets.index_select(0, index)
        return outputs, targets, after

"""One layer of a cell in machine code, as an autograd function: what the tests compare with the reference.

It records the commands that a training step records for its first layer, and nothing else of the step.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.cells.parameters import layout_of
from search.kernels.codegen.library import CALL_SCATTER
from search.kernels.codegen.memory import COPY
from search.kernels.optimisers import OptimiserName, Updates
from search.kernels.parameters import LayerParameters
from search.kernels.plan.adjoint import BufferKind
from search.kernels.plan.program import Program
from search.kernels.runtime.buffers import Addresses, ModelBuffers, Parameters
from search.kernels.runtime.compiled import compile_cell
from search.kernels.runtime.step import StepCommands


def run_native(
    graph: GateGraph,
    parameters: LayerParameters,
    x: Tensor,
    states: tuple[Tensor, ...],
    symbols: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a layer; arguments and results are those of `search.kernels.eager.run_eager`.

    With `symbols` (T, B), x is a table (V, H) whose rows the steps read.
    """
    arguments = (*parameters.tensors(), x, *states)
    outputs, *last = _NativeLayer.apply(graph, symbols, *arguments)  # type: ignore[no-untyped-call]
    return outputs, tuple(last)


class _NativeLayer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, graph: GateGraph, symbols: Tensor | None, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(symbols, *tensors)
        ctx.graph = graph
        found = _run(graph, symbols, tensors, None)
        return found.outputs, *found.last

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        symbols, *tensors = ctx.saved_tensors
        found = _run(ctx.graph, symbols, tuple(tensors), gradients)
        return None, None, *found.d_parameters.tensors(), found.d_x, *found.d_states


class _Result(NamedTuple):
    outputs: Tensor
    last: list[Tensor]
    d_parameters: LayerParameters
    d_x: Tensor
    d_states: list[Tensor]


def _run(
    graph: GateGraph, symbols: Tensor | None, tensors: tuple[Tensor, ...], d_results: tuple[Tensor, ...] | None
) -> _Result:
    """Run forward and backward; `d_results` holds the gradients of the outputs and of the last states."""
    code = compile_cell(graph, by_symbol=symbols is not None)
    assert code is not None
    *given, x = (t.contiguous() for t in tensors[: len(tensors) - graph.states])
    states = tensors[len(tensors) - graph.states :]
    blocks = 2 + len(layout_of(graph).groups)
    parameters = LayerParameters(given[0], given[1], tuple(given[2:blocks]), *given[blocks:])
    units, batch, width = x.shape[-1], states[0].shape[0], code.pad(x.shape[-1])
    steps = len(x) if symbols is None else len(symbols)
    table = x if symbols is not None else torch.zeros(1, units)
    values, gradients = (
        Parameters(torch.empty(0), entry, torch.empty(0), (layer,), entry, torch.empty(0), torch.empty(0))
        for layer, entry in ((parameters, table), (parameters.map(torch.zeros_like), torch.zeros_like(table)))
    )
    model = ModelBuffers(code, values, gradients, True, "symbols", Updates(OptimiserName.SGD, values.flat))
    model.arena.allocate("one", 1, 1.0)
    model.arena.allocate("zeros", width, 0.0)
    for _ in range(2):  # the first pass sizes the arena, whose blocks then stay where they are
        layer = _LayerCommands(model, steps, batch, None if symbols is not None else x, d_results)
    if symbols is not None:
        layer.inputs[...] = symbols.numpy()
    shape = code.states, batch, width
    carried = torch.from_numpy(layer.carried)[: prod(shape)].view(shape)[..., :units]
    carried.copy_(torch.stack(states))
    assert layer.commands.run() == 0

    def read(name: str, *rows: int) -> Tensor:
        return model.arena[name][: prod(rows) * width].view(*rows, width)[..., :units].clone()

    d_states = [read(f"d before {k}", batch) for k in range(code.states)]
    d_x = gradients.entry if symbols is not None else read("d 1", steps + 1, batch)[1:]
    outputs = read("outputs", steps, batch)
    return _Result(outputs, list(carried.clone()), gradients.layers[0], d_x, d_states)


class _LayerCommands(StepCommands):
    """Commands of a layer's forward and backward; `x` is None if symbols are looked up in the model's table."""

    def __init__(
        self, model: ModelBuffers, steps: int, batch: int, x: Tensor | None, d_results: tuple[Tensor, ...] | None
    ) -> None:
        padding = model.padded_units - model.units
        self._x = None if x is None else _padded(x, padding)
        shape = batch, model.units
        zeros = (torch.zeros(steps, *shape), *(torch.zeros(shape) for _ in range(model.code.states)))
        d_outputs, d_first, *d_others = (_padded(d, padding) for d in d_results or zeros)
        d_outputs[-1] += d_first  # state 0 after the last step is the last output
        self._d_outputs = torch.cat([d_outputs[:1], d_outputs])  # a row that the gradient of a state may take
        self._d_last = [None, *d_others]
        self._d_before: dict[int, int] = {}  # address of the gradient of each state before the first step
        super().__init__(model, True, steps, batch)

    def _record(self) -> None:
        if self._x is not None:
            self.by_symbol = False
        x = self.entry.enter(by_symbol=self.by_symbol, projected=False) if self._x is None else self._x.data_ptr()
        outputs = self._forward(0, x)
        floats = self.rows * self.stride
        self.commands.call(COPY, 4 * floats, outputs, self.allocate("outputs", floats))
        d_x = self._backward(0, self._d_outputs[1:].data_ptr())
        if self._x is None and not self.by_symbol:
            self.entry.back(d_x)
        for k, address in self._d_before.items():
            row = self.batch * self.stride
            self.commands.call(COPY, 4 * row, address, self.allocate(f"d before {k}", row))

    def _state_gradient(self, program: Program, k: int, d_output: int) -> int:
        address = self._d_before[k] = super()._state_gradient(program, k, d_output)
        d_last = self._d_last[k]
        if d_last is not None:
            row = 4 * self.batch * self.stride
            at = self.steps if k in program.tracked else self.steps % 2
            self.commands.call(COPY, row, d_last.data_ptr(), address + at * row)
        return address

    def _table_gradients(self, program: Program, d_output: int) -> Addresses:
        found = super()._table_gradients(program, d_output)
        for k, delay in program.delayed.items():
            table = found[BufferKind.NEW, k]
            self._d_before[k] = table + self._carried_rows(delay)
            d_last = self._d_last[k]
            if d_last is not None:
                self._by_symbol(CALL_SCATTER, table, d_last.data_ptr(), delay, self.steps - 1, self.steps)
        return found


def _padded(rows: Tensor, padding: int) -> Tensor:
    """Return a copy with rows of whole vectors, whose padding and slack are NaN: no result may depend on them."""
    found = torch.nn.functional.pad(rows.detach(), (0, padding), value=float("nan"))
    return torch.cat([found.flatten(), torch.full((16,), float("nan"))])[: found.numel()].view(found.shape)

"""A cell over a sequence in machine code, as one autograd function.

T steps, B sequences, H units, P units padded to whole vectors, K matrices, Z sums. Arrays of all steps are (T, B, P),
one after another in one allocation of their kind; states have a step more, their initial values.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from search.cells.graph import GateGraph
from search.kernels.adjoint import Kind, Place
from search.kernels.llvm import module_text
from search.kernels.machine import Host, Library, host
from search.kernels.product import PACK, panel_columns, publish_products
from search.kernels.program import Program, program_of

CACHED_CELLS = 256
"""Compiled cells kept in a process; the one used longest ago goes first."""


@dataclass(frozen=True)
class Compiled:
    """A cell's functions. `forward` and `backward` take (table of pointers, T, B, H, P)."""

    program: Program
    host: Host
    library: Library  # keeps the code alive
    forward: Callable[..., None]
    backward: Callable[..., None]
    pack: Callable[..., None]

    def pad(self, units: int) -> int:
        """P for H units."""
        return -(-units // self.host.width) * self.host.width

    def packed(self, weight: Tensor, *, backward: bool) -> Tensor:
        """(K, H, H) in panels of columns, as products read it: of W for the backward, of its transpose else."""
        count, units, _ = weight.shape
        columns = panel_columns(self.host)
        panels = -(-units // columns)
        packed = empty(max(1, count * panels * units * columns))
        if count:
            strides = (units, 1) if backward else (1, units)
            self.pack(count, units, panels, *strides, weight.data_ptr(), packed.data_ptr())
        return packed


@lru_cache(maxsize=CACHED_CELLS)
def compiled(graph: GateGraph) -> Compiled | None:
    """The machine code of a graph, or None where this machine gets none."""
    machine = host()
    if machine is None:
        return None
    products = publish_products(machine)
    program = program_of(graph)
    try:
        library = Library(module_text(program, machine), machine)
    except RuntimeError:  # a version of LLVM that rejects the text: slower paths serve
        return None
    size, pointer = ctypes.c_int64, ctypes.c_void_p
    run = (pointer, size, size, size, size)
    pack = products.function(PACK, size, size, size, size, size, pointer, pointer)
    return Compiled(
        program, machine, library, library.function("forward", *run), library.function("backward", *run), pack
    )


def run_compiled(
    code: Compiled, weight: Tensor, bias: Tensor, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """As `search.kernels.recurrence.run_layer`, for float32 tensors in main memory."""
    outputs, *last = _Layer.apply(code, weight, bias, x, *states)  # type: ignore[no-untyped-call]
    return outputs, tuple(last)


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, code: Compiled, weight: Tensor, bias: Tensor, x: Tensor, *states: Tensor
    ) -> tuple[Tensor, ...]:
        program = code.program
        steps, batch, units = x.shape
        padded = code.pad(units)
        weight = weight.contiguous()
        x = _pad(x, padded)
        whole = empty(len(states), steps + 1, batch, padded)
        for k, state in enumerate(states):
            whole[k, 0, :, :units] = state
        sums = empty(program.sums, steps, batch, padded)
        values = empty(program.values, steps, batch, padded)
        starts = zeros(program.sums + 1, padded)
        if len(bias):
            rows = [program.sums if s is None else s for s in program.matrix_sums]
            starts[:, :units].index_add_(0, torch.tensor(rows), bias)
        where = _Forward(x, whole, sums, values)
        pointers = [where.pointer(place) for place in program.places(backward=False)]
        packed = code.packed(weight, backward=False)
        code.forward(_table([packed.data_ptr(), starts.data_ptr(), 0, *pointers]), steps, batch, units, padded)
        ctx.save_for_backward(weight, x, whole, sums, values)
        ctx.code = code
        ctx.units = units
        ctx.set_materialize_grads(False)
        return whole[0, 1:, :, :units], *(whole[k, steps, :, :units].clone() for k in range(len(states)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        code: Compiled = ctx.code
        program = code.program
        weight, x, whole, sums, values = ctx.saved_tensors
        steps, batch, padded = x.shape
        units = ctx.units
        output = _pad(gradients[0], padded) if gradients[0] is not None else torch.zeros_like(x)
        d_states = []
        for k, last in enumerate(gradients[1:]):
            if k in program.tracked:
                d_state = zeros(steps + 1, batch, padded)
                if k == 0:
                    d_state[1:] = output
                final = d_state[steps]
            else:
                d_state = zeros(2, batch, padded)
                final = d_state[steps % 2]
            if last is not None:
                final[:, :units] += last
            d_states.append(d_state)
        d_sums = empty(*sums.shape)
        d_x = empty(*x.shape) if program.reads_x else torch.zeros_like(x)
        d_values = [empty(1 if v in program.scratch else steps, batch, padded) for v in range(program.values)]
        d_weight = (zeros if None in program.matrix_sums else empty)(len(weight), units, padded)
        starts = zeros(padded)
        there = _Forward(x, whole, sums, values)
        here = _Backward(program, d_x, d_states, d_sums, d_values, output)
        pointers = [
            here.pointer(place) if place.gradient else there.pointer(place) for place in program.places(backward=True)
        ]
        packed = code.packed(weight, backward=True)
        table = _table([packed.data_ptr(), starts.data_ptr(), d_weight.data_ptr(), *pointers])
        code.backward(table, steps, batch, units, padded)
        totals = torch.cat([d_sums.flatten(1, 2).sum(1)[:, :units], zeros(1, units)])
        rows = [program.sums if s is None else s for s in program.matrix_sums]
        return (
            None,
            d_weight[:, :, :units],
            totals[torch.tensor(rows, dtype=torch.long)],
            d_x[:, :, :units],
            *(d_state[0, :, :units] for d_state in d_states),
        )


@dataclass(frozen=True)
class _Forward:
    """Where the arrays of the forward are."""

    x: Tensor
    states: Tensor
    sums: Tensor
    values: Tensor

    def pointer(self, place: Place) -> int:
        match place.kind:
            case Kind.X:
                return self.x.data_ptr()
            case Kind.OLD:
                return self.states[place.index].data_ptr()
            case Kind.NEW:
                return self.states[place.index, 1].data_ptr()
            case Kind.SUM:
                return self.sums[place.index].data_ptr()
            case _:
                return self.values[place.index].data_ptr()


@dataclass(frozen=True)
class _Backward:
    """Where the gradients are."""

    program: Program
    x: Tensor
    states: Sequence[Tensor]
    sums: Tensor
    values: Sequence[Tensor]
    output: Tensor

    def pointer(self, place: Place) -> int:
        match place.kind:
            case Kind.X:
                return self.x.data_ptr()
            case Kind.OLD:
                return self.states[place.index].data_ptr()
            case Kind.NEW:
                tracked = place.index in self.program.tracked
                return self.states[place.index][1 if tracked else 0].data_ptr()
            case Kind.SUM:
                return self.sums[place.index].data_ptr()
            case Kind.OUTPUT:
                return self.output.data_ptr()
            case _:
                return self.values[place.index].data_ptr()


def empty(*shape: int) -> Tensor:
    """Memory for an array that machine code reads or writes. Every such array but the caller's comes from here."""
    return torch.empty(shape)


def zeros(*shape: int) -> Tensor:
    """As `empty`, filled with zeros."""
    return empty(*shape).zero_()


def _pad(values: Tensor, padded: int) -> Tensor:
    """(T, B, H) as contiguous (T, B, P): the tensor itself where it is that already."""
    units = values.shape[-1]
    if units == padded:
        return values.contiguous()
    wider = zeros(*values.shape[:-1], padded)
    wider[..., :units] = values
    return wider


def _table(pointers: Sequence[int]) -> Any:
    return (ctypes.c_void_p * len(pointers))(*pointers)

"""A cell over a sequence in machine code, as one autograd function.

T steps, B sequences, H units, P units padded to whole vectors, K matrices, V rows of a table. Arrays of all steps are
(T, B, P); those of the states have a step more, their values before the first.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from search.kernels.adjoint import Kind, Place, gradient
from search.kernels.compiled import Compiled, gather, pack, packed_size, scatter
from search.kernels.program import Section


def run_compiled(
    code: Compiled, weight: Tensor, bias: Tensor, x: Tensor, states: tuple[Tensor, ...], symbols: Tensor | None = None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """As `search.kernels.recurrence.run_layer`, for float32 tensors in main memory.

    With `symbols`, what depends on x alone is computed once a row of the table x, and looked up.
    """
    outputs, *last = _Layer.apply(code, weight, bias, x, symbols, *states)  # type: ignore[no-untyped-call]
    return outputs, tuple(last)


@dataclass(frozen=True)
class Arrays:
    """What lies at the places of a program: values, or gradients with respect to them.

    `states[k]` is (T + 1, B, P); for the gradients of states in `handed_on` it is (2, B, P), even and odd steps.
    """

    x: Tensor
    states: Tensor | Sequence[Tensor]
    sums: Tensor | Sequence[Tensor]
    values: Tensor | Sequence[Tensor]
    output: Tensor | None = None
    handed_on: frozenset[int] = frozenset()

    def at(self, place: Place) -> Tensor:
        """The array of that place, from its first step on."""
        k = place.index
        match place.kind:
            case Kind.X:
                return self.x
            case Kind.OLD:
                return self.states[k]
            case Kind.NEW:
                return self.states[k] if k in self.handed_on else self.states[k][1:]
            case Kind.SUM:
                return self.sums[k]
            case Kind.VALUE:
                return self.values[k]
        assert self.output is not None
        return self.output


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, code: Compiled, weight: Tensor, bias: Tensor, x: Tensor, symbols: Tensor | None, *states: Tensor
    ) -> tuple[Tensor, ...]:
        program = code.program
        units = x.shape[-1]
        padded = code.pad(units)
        x, weight = _pad(x, padded), weight.contiguous()
        packed = empty(packed_size(code.host, weight))
        pack(code.host, weight, packed, transposed=True)
        starts = zeros(program.sums + 1, padded)
        if len(bias):
            starts[:, :units].index_add_(0, _sums_of_matrices(code), bias)

        def arrays(x: Tensor, steps: int, batch: int) -> Arrays:
            return Arrays(
                x,
                empty(len(states), steps + 1, batch, padded),
                empty(program.sums, steps, batch, padded),
                empty(program.values, steps, batch, padded),
            )

        if symbols is None:
            steps, batch, _ = x.shape
            early = late = arrays(x, steps, batch)
        else:
            symbols = symbols.contiguous()
            steps, batch = symbols.shape
            early = arrays(x.unsqueeze(0), 1, len(x))
            late = arrays(empty(steps, batch, padded) if Place(Kind.X) in program.handed_over else x, steps, batch)
        for k, state in enumerate(states):
            late.states[k][0, :, :units] = state
        if program.before.places:
            _run(code.before, program.before, (packed, starts, None), early, early, units)
        if symbols is not None:
            for place in program.handed_over:
                gather(code.host, symbols, early.at(place), late.at(place))
        if program.forward.places:
            _run(code.forward, program.forward, (packed, starts, None), late, late, units)
        ctx.save_for_backward(weight, symbols, *(t for a in (early, late) for t in (a.x, a.states, a.sums, a.values)))
        ctx.code = code
        ctx.units = units
        ctx.set_materialize_grads(False)
        whole = late.states
        return whole[0][1:, :, :units], *(whole[k][steps, :, :units].clone() for k in range(len(states)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        code: Compiled = ctx.code
        program, units = code.program, ctx.units
        weight, symbols, *saved = ctx.saved_tensors
        early, late = Arrays(*saved[:4]), Arrays(*saved[4:])
        steps, batch, padded = late.states[0].shape
        steps -= 1
        output = zeros(steps, batch, padded) if gradients[0] is None else _pad(gradients[0], padded)
        d_late = Arrays(
            empty(steps, batch, padded) if program.reads_x else zeros(steps, batch, padded),
            [_state_gradient(code, k, output, last) for k, last in enumerate(gradients[1:])],
            empty(program.sums, steps, batch, padded),
            [empty(1 if v in program.scratch else steps, batch, padded) for v in range(program.values)],
            output,
            frozenset(range(len(late.states))) - program.tracked,
        )
        packed = empty(packed_size(code.host, weight))
        pack(code.host, weight, packed, transposed=False)
        d_weight = (zeros if None in program.matrices else empty)(len(weight), units, padded)
        parts = packed, zeros(padded), d_weight
        if program.backward.places:
            _run(code.backward, program.backward, parts, late, d_late, units)
        d_early = d_late
        if symbols is not None:
            rows = early.states[0].shape[1]
            d_early = Arrays(
                zeros(1, rows, padded),
                zeros(len(late.states), 2, rows, padded),
                zeros(program.sums, 1, rows, padded),
                zeros(program.values, 1, rows, padded),
            )
            for place in map(gradient, program.handed_over):
                if place in program.backward.places or place.kind is Kind.NEW:
                    scatter(code.host, symbols, d_early.at(place), d_late.at(place))
        if program.before_backward.places:
            _run(code.before_backward, program.before_backward, parts, early, d_early, units)
        d_x = d_early.x[..., :units]
        return (
            None,
            d_weight[:, :, :units],
            _bias_gradient(code, d_early, d_late, units),
            d_x if symbols is None else d_x[0],
            None,
            *(d_state[0, :, :units] for d_state in d_late.states),
        )


def _run(
    function: Callable[..., None],
    section: Section,
    weights: tuple[Tensor, Tensor, Tensor | None],
    values: Arrays,
    gradients: Arrays,
    units: int,
) -> None:
    """Call a section's function with the addresses of all that it uses."""
    pointers = [0 if tensor is None else tensor.data_ptr() for tensor in weights]
    pointers += [(gradients if place.gradient else values).at(place).data_ptr() for place in section.places]
    steps, batch, padded = values.sums[0].shape if len(values.sums) else values.states[0][1:].shape
    function((ctypes.c_void_p * len(pointers))(*pointers), steps, batch, units, padded)


def _state_gradient(code: Compiled, k: int, output: Tensor, last: Tensor | None) -> Tensor:
    """The gradient with respect to state k that the loop starts from: that of its last value, and of outputs."""
    steps, batch, padded = output.shape
    if k in code.program.tracked:
        whole = zeros(steps + 1, batch, padded)
        if k == 0:
            whole[1:] = output
        final = whole[steps]
    else:
        whole = zeros(2, batch, padded)
        final = whole[steps % 2]
    if last is not None:
        final[:, : last.shape[-1]] += last
    return whole


def _bias_gradient(code: Compiled, early: Arrays, late: Arrays, units: int) -> Tensor:
    """(K, H): all biases of a sum have the gradient of the sum, added up over its rows."""
    program = code.program
    in_loop = {place.index for place in program.backward.places if place.gradient and place.kind is Kind.SUM}
    totals = zeros(program.sums + 1, units)
    for s in range(program.sums):
        rows = (late if s in in_loop else early).sums[s]
        torch.sum(rows[..., :units], (0, 1), out=totals[s])
    return totals[_sums_of_matrices(code)]


def _sums_of_matrices(code: Compiled) -> Tensor:
    """For each matrix its sum; one more than there are for a matrix that nothing reads."""
    program = code.program
    return torch.tensor([program.sums if m is None else m.sum for m in program.matrices], dtype=torch.long)


def empty(*shape: int) -> Tensor:
    """Memory for an array that machine code reads or writes. Every such array but the caller's comes from here."""
    return torch.empty(shape)


def zeros(*shape: int) -> Tensor:
    """As `empty`, filled with zeros."""
    return empty(*shape).zero_()


def _pad(values: Tensor, padded: int) -> Tensor:
    """(..., H) as contiguous (..., P): the tensor itself where it is that already."""
    units = values.shape[-1]
    if units == padded:
        return values.contiguous()
    wider = zeros(*values.shape[:-1], padded)
    wider[..., :units] = values
    return wider

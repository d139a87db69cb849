"""A cell over a sequence in machine code, as one autograd function.

T steps, B sequences, H units, P units padded to whole vectors, K matrices, V rows of a table. Arrays of all steps are
(T, B, P); those of the states have a step more, their values before the first.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from search.kernels.plan.program import Program
from search.kernels.runtime.addresses import Where, gradient_floats, gradients_at, values_at
from search.kernels.runtime.compiled import Compiled
from search.kernels.runtime.memory import empty, pad, scratch, zeros


def run_compiled(
    code: Compiled, weight: Tensor, bias: Tensor, x: Tensor, states: tuple[Tensor, ...], symbols: Tensor | None = None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """As `search.kernels.recurrence.run_layer`, for float32 tensors in main memory.

    With `symbols`, what depends on x alone is computed once a row of the table x, and looked up.
    """
    outputs, *last = _Layer.apply(code, weight, bias, x, symbols, *states)  # type: ignore[no-untyped-call]
    return outputs, tuple(last)


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, code: Compiled, weight: Tensor, bias: Tensor, x: Tensor, symbols: Tensor | None, *states: Tensor
    ) -> tuple[Tensor, ...]:
        program, units = code.program, x.shape[-1]
        padded = code.pad(units)
        x, weight, bias = pad(x, padded), weight.contiguous(), pad(bias, padded)
        packed = scratch(code.packed_size(weight))
        code.pack(weight, packed, transposed=True)
        starts = zeros(program.sums + 1, padded)
        code.scatter(code.sums_of_matrices, padded, starts.data_ptr(), bias.data_ptr())
        weights = packed, starts.data_ptr(), 0, 0

        if symbols is None:
            steps, batch, _ = x.shape
            early = late = _arrays(code, x, steps, batch)
        else:
            symbols = symbols.contiguous()
            steps, batch = symbols.shape
            early = _arrays(code, x, 1, len(x))
            looked_up = empty(steps, batch, padded) if code.reads_x_late else x
            late = _arrays(code, looked_up, steps, batch)
        whole = late[1]
        for k, state in enumerate(states):
            whole[k, 0, :, :units] = state
        early_places, late_places = _values(code, *early), _values(code, *late)
        rows = (steps, batch) if symbols is None else (1, len(x))
        code.run("before", weights, early_places, {}, rows, units)
        if symbols is not None:
            for key in code.handed_over:
                code.gather(symbols, padded, early_places[key], late_places[key])
        code.run("forward", weights, late_places, {}, (steps, batch), units)
        ctx.save_for_backward(weight, symbols, *early, *late)
        ctx.code, ctx.units = code, units
        ctx.set_materialize_grads(False)
        return whole[0, 1:, :, :units], *(whole[k, steps, :, :units].clone() for k in range(len(states)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        code: Compiled = ctx.code
        program, units = code.program, ctx.units
        weight, symbols, *arrays = ctx.saved_tensors
        early, late = arrays[:4], arrays[4:]
        steps, batch, padded = late[2].shape[1:]
        output = zeros(steps, batch, padded) if gradients[0] is None else pad(gradients[0], padded)
        states = [_state_gradient(program, k, output, last) for k, last in enumerate(gradients[1:])]
        d_late = d_x = empty(steps, batch, padded) if program.reads_x else zeros(steps, batch, padded)
        d_weight = (zeros if None in program.matrices else empty)(len(weight), units, padded)
        totals = zeros(
            program.sums + 2, padded
        )  # of the sums' gradients, then zeros for dead matrices and to start from
        d_bias = empty(len(weight), padded)

        size = code.packed_size(weight)
        packed = scratch(size + gradient_floats(program, steps, batch, padded))
        addresses = d_late.data_ptr(), [state.data_ptr() for state in states], packed + 4 * size, output.data_ptr()
        late_gradients = gradients_at(program, *addresses, steps, batch, padded)
        code.pack(weight, packed, transposed=False)
        weights = packed, totals[-1].data_ptr(), d_weight.data_ptr(), totals.data_ptr()
        code.run("backward", weights, _values(code, *late), late_gradients, (steps, batch), units)
        if symbols is None:
            early_gradients, rows = late_gradients, (steps, batch)
        else:
            rows = (1, len(early[0]))
            d_x, *others = (zeros(*tensor.shape) for tensor in early)
            early_gradients = _values(code, d_x, *others)
            for key in code.gradients_handed_over:
                code.scatter(symbols, padded, early_gradients[key], late_gradients[key])
        code.run("before_backward", weights, _values(code, *early), early_gradients, rows, units)
        code.gather(code.sums_of_matrices, padded, totals.data_ptr(), d_bias.data_ptr())
        initial = (state[0, :, :units] for state in states)
        return None, d_weight[:, :, :units], d_bias[:, :units], d_x[..., :units], None, *initial


def _arrays(code: Compiled, x: Tensor, steps: int, batch: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Memory for x (given), states, sums and values of so many rows."""
    program, padded = code.program, x.shape[-1]
    return (
        x,
        empty(code.states, steps + 1, batch, padded),
        empty(program.sums, steps, batch, padded),
        empty(program.values, steps, batch, padded),
    )


def _values(code: Compiled, x: Tensor, states: Tensor, sums: Tensor, values: Tensor) -> Where:
    """Addresses of what `_arrays` gave."""
    blocks = x.data_ptr(), states.data_ptr(), sums.data_ptr(), values.data_ptr()
    _, steps, batch, padded = states.shape
    return values_at(code.program, blocks, code.states, steps - 1, batch, padded)


def _state_gradient(program: Program, k: int, output: Tensor, last: Tensor | None) -> Tensor:
    """What the backward starts from: the gradient of the last value of state k, and of outputs where all are kept.

    (T + 1, B, P) where the gradients of all steps are kept; else (2, B, P), for even and odd steps in turn.
    """
    steps, batch, padded = output.shape
    if k in program.tracked:
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

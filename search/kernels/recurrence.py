"""One layer of a cell over a sequence, by the fastest path that serves its arguments.

T steps, B sequences, H units, K matrices.
"""

import torch
from torch import Tensor
from torch.nn.functional import embedding

from search.cells.graph import GateGraph
from search.kernels.eager import run_eager
from search.kernels.errors import KernelError
from search.kernels.runtime.compiled import compiled
from search.kernels.sequence import run_compiled


def run_layer(
    graph: GateGraph,
    weight: Tensor,
    bias: Tensor,
    x: Tensor,
    states: tuple[Tensor, ...],
    symbols: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer of a cell over a sequence.

    `weight` (K, H, H): matrix k belongs to node `graph.linears[k]` and acts as v @ weight[k].T; `bias` (K, H); `x`
    (T, B, H); `states`: the `graph.states` values before the first step, (B, H) each.

    With `symbols` (T, B), x is a table (V, H) instead, and a step reads its rows by number: what an embedding of the
    symbols would be. Where the table has fewer rows than the sequence has symbols, what depends on x alone is then
    computed once a row.

    Returns the visible outputs (T, B, H) and the states after the last step, (B, H) each. Differentiable in weight,
    bias, x and states. Raises `KernelError` where a shape or a symbol does not fit.
    """
    _check(graph, weight, bias, x, states, symbols)
    code = compiled(graph) if _is_plain(weight, bias, x, *states) else None
    if symbols is not None and (code is None or len(x) >= symbols.numel()):
        x, symbols = embedding(symbols, x), None
    if code is None:
        return run_eager(graph, weight, bias, x, states)
    return run_compiled(code, weight, bias, x, states, symbols)


def backend_for(graph: GateGraph, x: Tensor) -> str:
    """The path that `run_layer` takes for this graph and such an input: "llvm" (machine code) or "eager" (torch)."""
    return "llvm" if _is_plain(x) and compiled(graph) is not None else "eager"


def _is_plain(*tensors: Tensor) -> bool:
    """What machine code is made for: single precision in main memory."""
    return all(t.dtype is torch.float32 and t.device.type == "cpu" for t in tensors)


def _check(
    graph: GateGraph, weight: Tensor, bias: Tensor, x: Tensor, states: tuple[Tensor, ...], symbols: Tensor | None
) -> None:
    shape = x.shape
    if symbols is not None:
        if x.dim() != 2 or symbols.dim() != 2 or symbols.dtype is not torch.long:
            raise KernelError(
                f"x has shape {tuple(x.shape)} and symbols {tuple(symbols.shape)} of {symbols.dtype}; with symbols, x "
                "must be a table (rows, units) and symbols whole numbers (steps, batch) of torch.long"
            )
        shape = torch.Size((*symbols.shape, x.shape[1]))
    if len(shape) != 3 or 0 in shape:
        raise KernelError(f"x has shape {tuple(shape)}; it must be (steps, batch, units), none of them 0")
    if symbols is not None:
        low, high = (int(v) for v in symbols.aminmax())
        if low < 0 or high >= len(x):
            raise KernelError(f"symbols go from {low} to {high}; the table x has rows 0 to {len(x) - 1}")
    _, batch, units = shape
    matrices = len(graph.linears)
    if weight.shape != (matrices, units, units):
        raise KernelError(
            f"weight has shape {tuple(weight.shape)}; {matrices} matrices of {units} units need "
            f"({matrices}, {units}, {units})"
        )
    if bias.shape != (matrices, units):
        raise KernelError(f"bias has shape {tuple(bias.shape)}; it must be ({matrices}, {units}) as weight is")
    if len(states) != graph.states:
        raise KernelError(f"{len(states)} states are given; the graph has {graph.states}, one tensor each")
    for k, state in enumerate(states):
        if state.shape != (batch, units):
            raise KernelError(f"state {k} has shape {tuple(state.shape)}; it must be ({batch}, {units}) as x is")

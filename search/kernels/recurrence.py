"""One layer of a cell over a sequence, by the fastest path that serves its arguments.

T steps, B sequences, H units, K matrices.
"""

import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.kernels.compiled import compiled, run_compiled
from search.kernels.eager import run_eager
from search.kernels.errors import KernelError


def run_layer(
    graph: GateGraph, weight: Tensor, bias: Tensor, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer of a cell over a sequence.

    `weight` (K, H, H): matrix k belongs to node `graph.linears[k]` and acts as v @ weight[k].T; `bias` (K, H); `x`
    (T, B, H); `states`: the `graph.states` values before the first step, (B, H) each.

    Returns the visible outputs (T, B, H) and the states after the last step, (B, H) each. Differentiable in weight,
    bias, x and states. Raises `KernelError` where a shape does not fit.
    """
    _check(graph, weight, bias, x, states)
    if _is_plain(weight, bias, x, *states):
        code = compiled(graph)
        if code is not None:
            return run_compiled(code, weight, bias, x, states)
    return run_eager(graph, weight, bias, x, states)


def backend_for(graph: GateGraph, x: Tensor) -> str:
    """The path that `run_layer` takes for this graph and such an input: "llvm" (machine code) or "eager" (torch)."""
    return "llvm" if _is_plain(x) and compiled(graph) is not None else "eager"


def _is_plain(*tensors: Tensor) -> bool:
    """What machine code is made for: single precision in main memory."""
    return all(t.dtype is torch.float32 and t.device.type == "cpu" for t in tensors)


def _check(graph: GateGraph, weight: Tensor, bias: Tensor, x: Tensor, states: tuple[Tensor, ...]) -> None:
    if x.dim() != 3 or x.shape[0] < 1:
        raise KernelError(f"x has shape {tuple(x.shape)}; it must be (steps, batch, units) with at least one step")
    _, batch, units = x.shape
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

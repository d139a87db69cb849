"""Train models with every array next to a page that may not be touched. A separate program: a fault ends the process.

Each array that machine code gets is in a mapping of its own, between two pages without access; the array touches the
page after it or the page before it. `test_bounds.py` runs this program.
"""

import ctypes
import mmap
import sys
import weakref
from math import prod

import numpy as np
import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.mutation import propose
from search.cells.notation.formula import parse_formula
from search.kernels.dropout import Dropout
from search.kernels.optimisers import OptimiserName, Updates
from search.kernels.parameters import LayerParameters
from search.kernels.plan.program import Program
from search.kernels.runtime import buffers
from search.kernels.runtime.buffers import Addresses, Parameters, value_addresses
from search.kernels.runtime.native_model import native_model
from search.kernels.runtime.step import StepCommands
from search.training.model import SequenceModel
from tasks.interface import OUTPUTS, Input, Interface, Output
from tests.test_search.test_kernels.vocabulary import GUARDED, VOCABULARY, fitting_units

PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def guarded(at_end: bool, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return an array full of NaN (or ones) whose last (or first) byte is next to a page without access."""
    count = prod(shape)
    size = max(1, count) * dtype.itemsize
    pages = -(-size // PAGE) * PAGE
    start = libc.mmap(None, pages + 2 * PAGE, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0) + PAGE
    assert libc.mprotect(start, pages, mmap.PROT_READ | mmap.PROT_WRITE) == 0
    address = start + pages - size if at_end else start
    buffer = (ctypes.c_char * size).from_address(address)
    weakref.finalize(buffer, libc.munmap, start - PAGE, pages + 2 * PAGE)  # the tensor holds the buffer
    array = torch.frombuffer(buffer, dtype=dtype, count=max(1, count))[:count].view(shape)
    return array.fill_(float("nan") if dtype.is_floating_point else 1)


def separate_arrays(commands: StepCommands, name: str, program: Program, x: int) -> Addresses:
    """Allocate a layer's states, sums and values apart, so that each has guards of its own."""
    sizes = commands._array_floats(program)
    states, sums, values = (commands.allocate(f"layer {name} {n}", floats) for n, floats in enumerate(sizes))
    shape = commands.model.code.states, commands.steps, commands.batch, commands.stride
    return value_addresses(program, (x, states, sums, values), *shape)


def run(at_end: bool, mutants: int) -> None:
    """Train models of named cells and of mutants, and print how many cells were run."""
    setattr(buffers, "new_block", lambda floats: guarded(at_end, floats))  # noqa: B010 - no test to undo it in
    setattr(StepCommands, "_arrays", separate_arrays)  # noqa: B010
    sunk = "c' = tanh(linear(x) + linear(c)); h' = sigmoid(linear(c') + linear(tanh(x))) * c"
    delayed = "h' = tanh(linear(x) + linear(p) + linear(q)) + h * p; p' = sigmoid(linear(x)); q' = p"
    graphs = [parse_formula(sunk).canonical(), *(LIBRARY[name].graph for name in ("lstm", "gru", "mut1", "mut3"))]
    for k in range(mutants):
        rng = np.random.default_rng(k)
        graphs.append(graphs[k].canonical())
        for _ in range(3):
            graphs[-1] = getattr(propose(graphs[-1], rng).child, "graph", graphs[-1])
    for graph in graphs:
        for units, batch in ((16, 10), (48, 5), (32, 1), (1, 3), (15, 2), (33, 4), (50, 1)):
            train(graph, units, batch, at_end)
    vocabulary = [parse_formula(text).canonical() for text in (delayed, *(VOCABULARY[name] for name in GUARDED))]
    for graph in vocabulary:
        for units, batch in ((1, 3), (33, 4)):
            train(graph, fitting_units(graph, units), batch, at_end)
    print("ran", len(graphs + vocabulary))


def train(graph: GateGraph, units: int, batch: int, at_end: bool) -> None:
    """Train and score models of all kinds of input and output; each array of the model and of the batch is guarded."""
    for first, output in enumerate(Output):
        for n, (output_size, steps) in enumerate(((2, 3), (17, 1), (40, 2))):
            same = Interface.same(output, output_size)
            other = Input.VALUES if same.reads_symbols else Input.SYMBOLS
            interface = (same, Interface(other, 19, output, output_size))[(first + n) % 2]
            model = SequenceModel(graph, units, 2, interface)
            # Weights are small: the squared error of a cell whose values grow is soon infinite.
            parts = [guarded(at_end, *p.shape).copy_(torch.randn(p.shape) * 0.1) for p in model.parameters()]
            gradients = [guarded(at_end, *p.shape).zero_() for p in parts]  # which code adds to
            flat, flat_grad = (guarded(at_end, model.flat.numel()).zero_() for _ in range(2))
            names = [name for name, _ in model.named_parameters()]
            values = _parameters(flat, dict(zip(names, parts, strict=True)))
            given = _parameters(flat_grad, dict(zip(names, gradients, strict=True)))
            updates = Updates(OptimiserName.ADAMW, flat, 0.1, model.decayed())
            updates.moments = guarded(at_end, *updates.moments.shape).zero_()
            dropout = Dropout(0.3, batch % 2 == 0, 0) if units == 33 else None
            code = native_model(graph, values, given, interface.reads_symbols, output, updates, dropout)
            assert code is not None
            sides = (
                (interface.reads_symbols, interface.input_size), (OUTPUTS[output].symbols, output_size)
            )  # fmt: skip
            inputs, targets = (
                guarded(at_end, steps, batch, dtype=torch.long).fill_(1).numpy()
                if symbols
                else guarded(at_end, steps, batch, size).fill_(1).numpy()
                for symbols, size in sides
            )
            mask = guarded(at_end, steps, batch).fill_(1.0)
            for share in (1.0, 0.0):
                mask[0] = share
                for starts in (True, False):
                    nats, _, count = code.train(inputs, targets, mask.numpy(), starts, 0.1, 1.0)
                    assert np.isfinite(nats)
                    assert count == int(mask.sum())
                    assert np.isfinite(code.score(inputs, targets, mask.numpy(), starts).nats).all()
            lengths = np.array([steps, *range(min(steps, batch - 1), 0, -1), *[0] * batch])[:batch]
            mask.copy_(torch.from_numpy(np.arange(steps)[:, None] < lengths))
            nats, _, count = code.train(inputs, targets, mask.numpy(), True, 0.1, 1.0, lengths)
            assert np.isfinite(nats)
            assert count == lengths.sum()
            assert np.isfinite(code.score(inputs, targets, mask.numpy(), True, lengths).nats).all()
            assert all(part.isfinite().all() for part in gradients)


def _parameters(flat: Tensor, parts: dict[str, Tensor]) -> Parameters:
    """Return a model's parameters from the tensors of each name."""

    def layer(k: int) -> LayerParameters:
        blocks = tuple(part for name, part in parts.items() if name.startswith(f"blocks.{k}."))
        return LayerParameters(parts[f"weights.{k}"], parts[f"biases.{k}"], blocks, parts[f"vectors.{k}"])

    layers = tuple(layer(k) for k in range(2))
    ends = (parts[name] for name in ("readout", "readout_bias", "log_scale"))
    return Parameters(flat, parts["entry"], parts["entry_bias"], layers, *ends)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for at_end in (True, False):  # in one process, which compiles each cell once
        run(at_end, int(sys.argv[1]))

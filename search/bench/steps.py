"""Duration of a training step: cells in machine code against PyTorch's layers and slower implementations.

All contestants are whole models with the same embedding, readout, loss, clipping and update. A cell's step is the one
that a trial runs (`search.training.stepper`), machine code from end to end. Its peers are PyTorch's layers, or the cell
run by PyTorch, with PyTorch's embedding, readout and loss around them. All contestants run in turn in one process on
one thread, so that a change in the machine's speed affects all of them, and medians are compared.

A cell's first layer computes what depends on x alone, or on one delayed x, once for each symbol, as in training; its
peers look symbols up and multiply at each step. A cell may therefore take less time than the floor, the matrix products
of its peers. With `--roll`, a cell may multiply the projection of the notes with the matrices that read it first. With
more symbols than a batch has steps, all contestants compute the same products.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from search.bench.jax import jax_step
from search.bench.peers import PADDED
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, SEEDS
from search.cells.mutation import Rule, propose
from search.cells.text import counted
from search.core.errors import SearchError
from search.kernels.codegen.executable import may_execute
from search.kernels.dropout import Masks
from search.kernels.eager import run_eager
from search.kernels.plan.plan import Level, plan_of
from search.kernels.reference import run_reference
from search.kernels.runtime.compiled import compile_cell
from search.training.model import SequenceModel, States
from search.training.stepper import stepper_for
from tasks.interface import OUTPUTS, Interface, Output
from tasks.task import Batch

LEARNING_RATE, MAX_NORM = 1e-3, 5.0


@dataclass(frozen=True)
class Shape:
    """Size of the models and batches, and kinds and sizes of inputs and outputs.

    With `shortest`, the sequences end after `steps` to `shortest` steps, evenly spaced, and steps behind their ends are
    not in the loss mask.
    """

    units: int
    layers: int = 1
    batch: int = 20
    steps: int = 50
    interface: Interface = field(default_factory=lambda: Interface.same(Output.SYMBOLS, 40))
    shortest: int | None = None

    def lengths(self) -> npt.NDArray[np.int64] | None:
        """Return the steps of each sequence, the longest first; None if all have as many."""
        if self.shortest is None:
            return None
        return np.linspace(self.steps, self.shortest, self.batch).round().astype(np.int64)


@dataclass(frozen=True)
class Timing:
    """Cell against a peer: medians in milliseconds, and their ratio, below 1 if the cell is faster.

    Sequences have `steps` steps, or from `shortest` to `steps` if that is not None.
    """

    cell: str
    units: int
    layers: int
    batch: int
    steps: int
    shortest: int | None
    ours_ms: float
    peer: str
    peer_ms: float
    ratio: float
    backend: str


def compare_cells(cells: dict[str, GateGraph], shape: Shape, peers: Sequence[str], repeats: int) -> list[Timing]:
    """Time every cell against every peer; peers that run a graph run that of each cell.

    Raises:
        SearchError: a peer makes machine code, and this process may not make memory executable.
    """
    _check_executable(peers)
    data = _batch(shape)
    contestants: dict[tuple[str, str], Callable[[], object]] = {
        ("ours", name): _training(SequenceModel(graph, *_size(shape)), data) for name, graph in cells.items()
    }
    for peer in peers:
        if peer.startswith("torch."):
            contestants[peer, ""] = _training(_TorchModel(peer, shape), data)
            continue
        for name, graph in cells.items():
            contestants[peer, name] = _peer_step(peer, graph, shape, data)
    took = _in_turn(contestants, repeats)
    rows = []
    for name, graph in cells.items():
        backend = _backend(graph, shape)
        for peer in peers:
            ours, theirs = took["ours", name], took[peer, "" if peer.startswith("torch.") else name]
            rows.append(_timing(name, shape, ours, peer, theirs, backend))
    return rows


def compare_mutants(count: int, shape: Shape, repeats: int) -> list[Timing]:
    """Time random mutants of the seeds against the reference; return medians over mutants, also of the ratio."""
    rows = []
    for graph in random_mutants(count):
        rows += compare_cells({"mutant": graph}, shape, ["reference"], repeats)
    ours, theirs = (statistics.median(values) for values in zip(*((r.ours_ms, r.peer_ms) for r in rows), strict=True))
    backends = "/".join(sorted({row.backend for row in rows}))
    row = _timing(counted(count, "mutant"), shape, ours, "reference", theirs, backends)
    return [Timing(**vars(row) | {"ratio": statistics.median(r.ratio for r in rows)})]


def compare_first_step(shape: Shape, nodes: int = 30, graphs: int = 5) -> list[Timing]:
    """Time the first step of a new graph, compilation included, against its later steps; return medians over graphs."""
    data = _batch(shape)
    _training(
        SequenceModel(LIBRARY["tanh"].graph, *_size(shape)), data
    )()  # once in a process: compile the kernel library
    first, warm = [], []
    for graph in _graphs_of(nodes, graphs):
        compile_cell.cache_clear()
        model = SequenceModel(graph, *_size(shape))
        started = time.perf_counter()
        step = _training(model, data)
        step()
        first.append((time.perf_counter() - started) * 1e3)
        warm.append(statistics.median(_milliseconds(step) for _ in range(20)))
    name, backend = f"first step, {nodes} nodes", _backend(graph, shape)
    return [_timing(name, shape, statistics.median(first), "its later steps", statistics.median(warm), backend)]


def _graphs_of(nodes: int, count: int) -> list[GateGraph]:
    """Return `count` descendants of the LSTM with that number of nodes, always the same ones."""
    rng = np.random.default_rng(0)
    seed = graph = LIBRARY["lstm"].graph
    found: list[GateGraph] = []
    while len(found) < count:
        child = propose(graph, rng, rule=Rule.ONE_TO_THREE, max_nodes=nodes).child
        graph = seed if child is None or len(child.graph) < len(seed) else child.graph
        if len(graph) == nodes:
            found.append(graph)
            graph = seed
    return found


def random_mutants(count: int) -> list[GateGraph]:
    """Return descendants of the seeds, 1 to 20 transformations away, always the same ones.

    They are drawn as a search draws children (`search.cells.mutation.propose`, which transforms each node with
    probability p), each from the one before until that many transformations are done. None is rejected; nearly half of
    them keep fewer than two matrices.
    """
    found: list[GateGraph] = []
    rng = np.random.default_rng(0)
    while len(found) < count:
        graph = LIBRARY[SEEDS[len(found) % len(SEEDS)]].graph
        left = int(rng.integers(1, 21))
        while left > 0:
            child = propose(graph, rng).child
            if child is None:
                break
            graph, left = child.graph, left - len(child.mutations)
        found.append(graph)
    return found


def _size(shape: Shape) -> tuple[int, int, Interface]:
    return shape.units, shape.layers, shape.interface


def _backend(graph: GateGraph, shape: Shape) -> str:
    return stepper_for(SequenceModel(graph, *_size(shape))).backend


def _timing(cell: str, shape: Shape, ours: float, peer: str, theirs: float, backend: str) -> Timing:
    size = shape.units, shape.layers, shape.batch, shape.steps, shape.shortest
    return Timing(cell, *size, ours, peer, theirs, ours / theirs, backend)


def _batch(shape: Shape) -> Batch:
    rng, both = np.random.default_rng(0), shape.interface
    if both == Interface.same(both.output, both.output_size) and not OUTPUTS[both.output].real:  # predicts its inputs
        data = _values(rng, (shape.steps + 1, shape.batch), both.output, both.output_size)
        inputs, targets = data[:-1], data[1:]
    else:
        rows = shape.steps, shape.batch
        read = Output.SYMBOLS if both.reads_symbols else Output.GAUSSIAN
        inputs = _values(rng, rows, read, both.input_size)
        targets = _values(rng, rows, both.output, both.output_size)
    mask, lengths = np.ones((shape.steps, shape.batch), np.float32), shape.lengths()
    if lengths is not None:
        mask[np.arange(shape.steps)[:, None] >= lengths] = 0.0
    return Batch(inputs, targets, mask, True, lengths)


def _values(rng: np.random.Generator, rows: tuple[int, int], output: Output, size: int) -> npt.NDArray[Any]:
    """Return random symbols, notes that sound on one step in twenty, or standard normal values."""
    if OUTPUTS[output].symbols:
        return rng.integers(0, size, rows)
    if OUTPUTS[output].binary:
        return (rng.random((*rows, size)) < 0.05).astype(np.float32)
    return rng.standard_normal((*rows, size), np.float32)


def _check_executable(peers: Sequence[str]) -> None:
    """Check that peers that make machine code can: oneDNN, below PyTorch's layers, and XLA, below JAX, fail without."""
    needing = [peer for peer in peers if peer.startswith("torch.") or peer == "jax"]
    if needing and not may_execute():
        raise SearchError(
            f"{needing[0]} cannot be timed: it makes machine code, and this process may not make memory executable; "
            "allow it, or name others by --peer (eager, reference, floor)"
        )


def _peer_step(peer: str, graph: GateGraph, shape: Shape, data: Batch) -> Callable[[], object]:
    if peer == PADDED:
        return _training(SequenceModel(graph, *_size(shape)), replace(data, lengths=None))
    if peer == "floor":
        return _floor(graph, shape)
    if peer == "jax":
        return jax_step(graph, shape.units, shape.layers, data, shape.interface, LEARNING_RATE, MAX_NORM)
    return _training(_ByPath(peer, graph, shape), data)


def _training(model: SequenceModel, data: Batch) -> Callable[[], object]:
    """Return a function that runs one training step: forward, loss, backward, clipping, update."""
    model.initialise(1.0, torch.Generator().manual_seed(0))
    stepper = stepper_for(model)
    return lambda: stepper.train(data, LEARNING_RATE, MAX_NORM)


class _ByPath(SequenceModel):
    """Model whose layers are run by the eager path or the reference."""

    def __init__(self, path: str, graph: GateGraph, shape: Shape) -> None:
        super().__init__(graph, *_size(shape))
        self.run = {"eager": run_eager, "reference": run_reference}[path]

    def outputs(self, inputs: Tensor, states: States, masks: Masks | None = None) -> tuple[Tensor, States]:
        values = _entered(self, inputs)
        for parameters, before in zip(self.layer_parameters(), states, strict=True):
            values, _ = self.run(self.graph, parameters, values, before)
        return values, states


class _TorchModel(SequenceModel):
    """Model around PyTorch's own layers; sequences that end early are packed (`torch.nn.utils.rnn`)."""

    def __init__(self, peer: str, shape: Shape) -> None:
        super().__init__(LIBRARY["tanh"].graph, shape.units, 0, shape.interface)
        kind = {"torch.nn.LSTM": nn.LSTM, "torch.nn.GRU": nn.GRU}[peer]
        self.recurrent = kind(shape.units, shape.units, shape.layers)
        lengths = shape.lengths()
        self.lengths = None if lengths is None else torch.from_numpy(lengths)
        self.flat, self.flat_grad = self._flatten()

    def outputs(self, inputs: Tensor, states: States, masks: Masks | None = None) -> tuple[Tensor, States]:
        values = _entered(self, inputs)
        if self.lengths is None:
            return self.recurrent(values)[0], states
        packed, _ = self.recurrent(nn.utils.rnn.pack_padded_sequence(values, self.lengths))
        return nn.utils.rnn.pad_packed_sequence(packed)[0], states


def _entered(model: SequenceModel, inputs: Tensor) -> Tensor:
    if model.interface.reads_symbols:
        return functional.embedding(inputs, model.entry)
    return inputs @ model.entry + model.entry_bias


def _floor(graph: GateGraph, shape: Shape) -> Callable[[], None]:
    """Return a function that computes only the matrix products of a training step in PyTorch, stacked where possible.

    Each matrix takes part in three products: forward, the gradient of its input, and its own gradient. Only the first
    two, and only those of the loop's levels, run step by step.
    """
    plan, units, rows = plan_of(graph), shape.units, shape.steps * shape.batch

    def sizes(levels: tuple[Level, ...]) -> list[int]:
        return [len(product.linears) for level in levels for product in level.products]

    jobs: list[tuple[int, Tensor, Tensor, Tensor]] = []  # repetitions, left, right, result
    for phase in plan.phases:
        batch, times = (shape.batch, shape.steps) if phase.loops else (rows, 1)
        for count in sizes(phase.levels):
            weight, read, result = (
                torch.zeros(*s) for s in ((count * units, units), (batch, units), (batch, count * units))
            )
            all_read, all_results = torch.zeros(rows, units), torch.zeros(rows, count * units)
            jobs += [(times, read, weight.T, result), (times, result, weight, read)]
            jobs.append((1, all_results.T, all_read, torch.empty_like(weight)))

    def step() -> None:
        for _ in range(shape.layers):
            for times, left, right, result in jobs:
                for _ in range(times):
                    torch.mm(left, right, out=result)

    return step


def _in_turn(contestants: dict[tuple[str, str], Callable[[], object]], repeats: int) -> dict[tuple[str, str], float]:
    """Return the median milliseconds of each contestant, after one round of warm-up.

    In each round a contestant runs two steps, and the second is timed: as in training, the step before was its own.
    """
    took: dict[tuple[str, str], list[float]] = {key: [] for key in contestants}
    for _ in range(repeats + 1):
        for key, step in contestants.items():
            step()
            took[key].append(_milliseconds(step))
    return {key: statistics.median(times[1:]) for key, times in took.items()}


def _milliseconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return (time.perf_counter() - start) * 1e3

"""Contestants of the bench: equal models for all, and a floor of all matrix products and nothing else."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from search.bench.jax import has_jax
from search.bench.peers import PADDED, PEERS
from search.bench.steps import (
    Shape,
    _batch,
    _ByPath,
    _floor,
    _size,
    _TorchModel,
    compare_cells,
    compare_first_step,
    compare_mutants,
    random_mutants,
)
from search.cells.library import LIBRARY
from search.training.model import SequenceModel
from tasks.interface import Interface, Output

SHAPE = Shape(units=16, layers=2, batch=3, steps=4, interface=Interface.same(Output.SYMBOLS, 5))


def loss_of(model: SequenceModel, shape: Shape) -> float:
    model.initialise(1.0, torch.Generator().manual_seed(0))
    return model.loss(_batch(shape), model.zero_states(shape.batch))[0].item()


@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize("path", ["eager", "reference"])
def test_slower_paths_train_the_same_model(path: str, output: Output) -> None:
    shape = Shape(16, 2, 3, 4, Interface.same(output, 5))
    graph = LIBRARY["gru"].graph
    assert loss_of(_ByPath(path, graph, shape), shape) == pytest.approx(
        loss_of(SequenceModel(graph, *_size(shape)), shape), rel=1e-5
    )


@pytest.mark.parametrize(("peer", "gates"), [("torch.nn.LSTM", 4), ("torch.nn.GRU", 3)])
def test_torchs_layers_have_the_sizes_asked_for_and_train_in_the_same_buffer(peer: str, gates: int) -> None:
    model = _TorchModel(peer, SHAPE)
    layers = 2 * gates * (2 * 16 * 16 + 2 * 16)
    assert model.flat.numel() == layers + 5 * 16 + 5 * 16 + 5
    model.initialise(1.0, torch.Generator().manual_seed(0))
    torch.autograd.backward(model.loss(_batch(SHAPE), model.zero_states(3))[0])
    assert all(p.grad is not None and p.grad.count_nonzero() > 0 for p in model.parameters() if p.numel())
    assert model.flat_grad.count_nonzero() > 0.95 * layers


@pytest.mark.parametrize("name", ["lstm", "gru", "mut3"])
def test_the_floor_multiplies_three_times_by_every_matrix_of_every_layer_and_step(name: str) -> None:
    graph = LIBRARY[name].graph
    with FlopCounterMode(display=False) as counter:
        _floor(graph, SHAPE)()
    rows, matrices = SHAPE.batch * SHAPE.steps, len(graph.linears)
    assert counter.get_total_flops() == 3 * 2 * SHAPE.layers * matrices * 16 * 16 * rows


def test_every_cell_meets_every_peer() -> None:
    cells = {name: LIBRARY[name].graph for name in ("tanh", "mut1")}
    peers = [peer for peer in PEERS if peer != "jax"]
    rows = compare_cells(cells, SHAPE, peers, repeats=2)
    assert [(row.cell, row.peer) for row in rows] == [(cell, peer) for cell in cells for peer in peers]
    for row in rows:
        assert row.ratio == row.ours_ms / row.peer_ms > 0
        assert (row.units, row.layers, row.batch) == (16, 2, 3)


@pytest.mark.parametrize("peer", ["torch.nn.LSTM", "torch.nn.GRU"])
def test_sequences_that_end_early_are_packed_for_torch_and_padding_changes_no_loss(peer: str) -> None:
    ending = replace(SHAPE, shortest=2)
    batch = _batch(ending)
    assert batch.lengths is not None
    assert batch.lengths.tolist() == [SHAPE.steps, round((SHAPE.steps + 2) / 2), 2]
    assert batch.loss_mask.sum() == batch.lengths.sum()
    losses = []
    for shape in (ending, SHAPE):  # packed, and padded
        model = _TorchModel(peer, shape)
        model.initialise(1.0, torch.Generator().manual_seed(0))
        losses.append(model.loss(batch, model.zero_states(3))[0].item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    rows = compare_cells({"gru": LIBRARY["gru"].graph}, ending, [peer, PADDED], repeats=1)
    assert [row.peer for row in rows] == [peer, PADDED]


def test_mutants_and_a_first_step_are_one_row_each() -> None:
    (mutants,) = compare_mutants(3, SHAPE, repeats=1)
    assert (mutants.cell, mutants.peer) == ("3 mutants", "reference")
    (first,) = compare_first_step(SHAPE, nodes=25)
    assert first.cell == "first step, 25 nodes"
    assert min(first.ours_ms, first.peer_ms) > 0


def test_mutants_are_the_same_every_time_and_none_is_left_out() -> None:
    graphs = random_mutants(100)
    assert graphs == random_mutants(100)
    counts = [len(graph.linears) for graph in graphs]
    assert min(counts) == 0 < 4 < max(counts)
    assert len({graph.id for graph in graphs}) > 60


def test_jax_takes_part_where_it_is_installed() -> None:
    assert ("jax" in PEERS) == has_jax()

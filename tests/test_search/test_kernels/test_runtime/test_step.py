"""Command buffers of training steps and scores: what they share, and how their memory is sized."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
import torch

from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.kernels.optimisers import OptimiserName, Updates
from search.kernels.parameters import LayerParameters
from search.kernels.runtime import step
from search.kernels.runtime.buffers import ModelBuffers, Parameters
from search.kernels.runtime.compiled import compile_cell
from search.kernels.runtime.step import BLOCK_FLOATS, BLOCK_ROWS, StepCommands
from tests.test_search.test_kernels.hosts import require_host

T, B, H = 6, 4, 16
DELAYED = "h' = tanh(linear(q) + linear(p)) + h; p' = x; q' = p"


def model(output_size: int, *, layers: int = 2, multi_label: bool = False, name: str = "gru") -> ModelBuffers:
    require_host()
    graph = LIBRARY[name].graph if name in LIBRARY else parse_formula(name).canonical()
    code = compile_cell(graph)
    assert code is not None
    matrices = len(graph.linears)

    def parameters(generator: torch.Generator) -> Parameters:
        shapes = [
            (output_size, H), (H if multi_label else 0,), *[(matrices, H, H)] * layers, *[(matrices, H)] * layers,
            (output_size, H), (output_size,),
        ]  # fmt: skip
        flat = torch.randn(sum(torch.Size(s).numel() for s in shapes), generator=generator) * 0.1
        parts, start = [], 0
        for shape in shapes:
            stop = start + torch.Size(shape).numel()
            parts.append(flat[start:stop].view(shape))
            start = stop
        entry, entry_bias, *cell, readout, readout_bias = parts
        both = zip(cell[:layers], cell[layers:], strict=True)
        stacked = tuple(LayerParameters(*b) for b in both)
        return Parameters(flat, entry, entry_bias, stacked, readout, readout_bias, torch.empty(0))

    generator = torch.Generator().manual_seed(0)
    values, gradients = parameters(generator), parameters(generator)
    head, updates = "multi-label" if multi_label else "symbols", Updates(OptimiserName.SGD, values.flat)
    found = ModelBuffers(code, values, gradients, not multi_label, head, updates)
    found.arena.allocate("one", 1, 1.0)
    found.arena.allocate("zeros", H, 0.0)
    found.arena.allocate("start", found.padded_output_size, 0.0 if multi_label else float("-inf"))
    return found


def recorded(buffers: ModelBuffers, *, train: bool, steps: int = T, batch: int = B) -> StepCommands:
    for _ in range(2):  # the first pass sizes the arena
        commands = StepCommands(buffers, train, steps, batch)
    return commands


def fill(commands: StepCommands, output_size: int) -> None:
    rng = np.random.default_rng(0)
    commands.inputs[...] = rng.integers(output_size, size=commands.inputs.shape)
    commands.targets[...] = rng.integers(output_size, size=commands.targets.shape)
    commands.loss_mask[...] = 1.0
    commands.carried.fill(0.0)


@pytest.mark.parametrize(
    ("output_size", "multi_label", "by_symbol"), [(23, False, True), (24, False, False), (5, True, False)]
)
def test_a_table_is_computed_once_a_symbol_if_it_has_fewer_rows_than_the_batch_has_steps(
    output_size: int, multi_label: bool, by_symbol: bool
) -> None:
    commands = recorded(model(output_size, multi_label=multi_label), train=True)
    assert commands.by_symbol == by_symbol
    assert (commands.delay, commands.table_rows) == (0, output_size)


def test_tables_have_a_row_more_for_each_sequence_and_delay() -> None:
    # A table of delay 2 has 15 + 2 * 4 rows, one less than the batch has steps; with 16 symbols it would have as many.
    for output_size, by_symbol in ((15, True), (16, False)):
        commands = recorded(model(output_size, name=DELAYED), train=True)
        assert (commands.delay, commands.table_rows, commands.by_symbol) == (2, output_size + 2 * B, by_symbol)


def test_the_numbers_before_the_symbols_name_the_rows_of_earlier_steps() -> None:
    commands = recorded(model(9, name=DELAYED), train=True)
    fill(commands, 9)
    whole = np.concatenate([(9 + B + np.arange(B))[None], (9 + np.arange(B))[None], commands.inputs])
    for delay in range(3):
        address = commands.inputs.ctypes.data - 8 * delay * B
        rows = np.ctypeslib.as_array((ctypes.c_int64 * (T * B)).from_address(address)).reshape(T, B)
        np.testing.assert_array_equal(rows, whole[2 - delay : 2 - delay + T])


def test_a_batch_is_put_into_arrays_of_its_shape() -> None:
    commands = recorded(model(9), train=True)
    for array in (commands.inputs, commands.targets, commands.loss_mask):
        assert array.shape == (T, B)
    assert commands.inputs.dtype == commands.targets.dtype == np.int64
    assert commands.loss_mask.dtype == np.float32
    rolls = recorded(model(9, multi_label=True), train=True)
    assert rolls.inputs.size == rolls.targets.size == 0  # bound to the task's own arrays
    assert len(rolls.carried) >= 2 * B * H


def test_a_score_changes_neither_parameters_nor_gradients_and_a_training_step_both() -> None:
    buffers = model(9)
    values, gradients = buffers.values.flat.clone(), buffers.gradients.flat.clone()
    score = recorded(buffers, train=False)
    fill(score, 9)
    assert score.commands.run() == 0
    assert torch.equal(buffers.values.flat, values)
    assert torch.equal(buffers.gradients.flat, gradients)
    buffers.control[:2] = 1.0, 0.5  # largest norm, learning rate
    training = recorded(buffers, train=True)
    fill(training, 9)
    assert training.commands.run() == 0
    norm = buffers.results[1]
    assert norm == pytest.approx(buffers.gradients.flat.double().norm().item(), rel=1e-6)
    moved = values - 0.5 * min(1.0, 1.0 / norm) * buffers.gradients.flat
    torch.testing.assert_close(buffers.values.flat, moved)


def test_states_after_a_batch_are_those_before_the_next() -> None:
    """Two runs of three steps give the states of one run of six."""
    whole, parts = model(9), model(9)
    one = recorded(whole, train=False)
    fill(one, 9)
    assert one.commands.run() == 0
    two = recorded(parts, train=False, steps=T // 2)
    two.carried.fill(0.0)
    for half in (slice(0, T // 2), slice(T // 2, T)):
        two.inputs[...], two.targets[...], two.loss_mask[...] = one.inputs[half], one.targets[half], 1.0
        assert two.commands.run() == 0
    assert np.abs(one.carried).max() > 0
    np.testing.assert_allclose(two.carried, one.carried, rtol=1e-5, atol=1e-6)


def test_a_large_vocabulary_takes_blocks_of_few_rows() -> None:
    large = model(10_000, layers=1)
    recorded(large, train=True, steps=50, batch=20)
    assert large.arena["logits"].numel() == large.code.pad(BLOCK_ROWS) * large.padded_output_size
    small = model(40, layers=1)
    recorded(small, train=True, steps=50, batch=20)
    assert 0 < small.arena["logits"].numel() <= BLOCK_FLOATS


def test_a_number_out_of_range_ends_the_step_before_anything_is_computed() -> None:
    buffers = model(9)
    values = buffers.values.flat.clone()
    training = recorded(buffers, train=True)
    fill(training, 9)
    training.inputs[3, 2] = 9
    assert training.commands.run() == 1
    assert torch.equal(buffers.values.flat, values)


def test_chunks_cover_the_steps_once_and_start_at_even_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    for floats, lengths in ((1, [2, 2, 2, 1]), (1 << 30, [7])):
        monkeypatch.setattr(step, "CHUNK_FLOATS", floats)
        buffers = model(9)
        chunks = recorded(buffers, train=True, steps=7)._chunks(buffers.code)
        assert [count for _, count in chunks] == lengths
        assert [first for first, _ in chunks] == [2 * n for n in range(len(lengths))]


@pytest.mark.parametrize("multi_label", [False, True])
def test_gradients_are_the_same_in_chunks_of_any_length(multi_label: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for floats in (1, 2_000, 1 << 30):
        monkeypatch.setattr(step, "CHUNK_FLOATS", floats)
        buffers = model(9, multi_label=multi_label)
        buffers.control[:2] = 1.0, 0.5  # largest norm, learning rate
        training = recorded(buffers, train=True, steps=T + 1)
        if multi_label:
            rolls = (np.random.default_rng(0).random((2, T + 1, B, 9)) < 0.3).astype(np.float32)
            for name, roll in zip(("inputs", "targets"), rolls, strict=True):
                training.commands.bind(name, roll.ctypes.data)
            training.loss_mask[...] = 1.0
            training.carried.fill(0.0)
        else:
            fill(training, 9)
        assert training.commands.run() == 0
        found.append(buffers.gradients.flat.clone())
    assert found[0].abs().max() > 1e-3
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-4, atol=1e-6)

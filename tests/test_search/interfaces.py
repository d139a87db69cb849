"""Interfaces of models, and random batches for them."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from search.kernels.batches import RowScores
from tasks.batch import Batch
from tasks.interface import OUTPUTS, Input, Interface, Output


def pairs(input_size: int, output_size: int) -> list[Interface]:
    """Return every pair of a kind of input and a kind of output."""
    return [Interface(read, input_size, output, output_size) for read, output in product(Input, Output)]


def draw_batch(rng: np.random.Generator, interface: Interface, steps: int, batch: int, share: float = 0.7) -> Batch:
    """Draw a batch; a step is in the loss mask with probability `share`."""
    if interface == Interface.same(interface.output, interface.output_size):
        both = _draw(rng, (2, steps, batch), OUTPUTS[interface.output].symbols, interface)
        inputs, targets = both
    else:
        inputs = (
            rng.integers(interface.input_size, size=(steps, batch))
            if interface.reads_symbols
            else rng.standard_normal((steps, batch, interface.input_size), np.float32)
        )
        targets = _draw(rng, (steps, batch), OUTPUTS[interface.output].symbols, interface)
    mask = (rng.random((steps, batch)) < share).astype(np.float32)
    return Batch(inputs, targets, mask, starts=True)


def with_ends(rng: np.random.Generator, batch: Batch) -> Batch:
    """Return a batch of which all sequences but the first may end early, some before they begin."""
    steps, columns = batch.loss_mask.shape
    lengths = np.sort(rng.integers(0, steps + 1, columns))[::-1].copy()
    lengths[0] = steps
    going_on = np.arange(steps)[:, None] < lengths
    return replace(batch, loss_mask=batch.loss_mask * going_on.astype(np.float32), lengths=lengths)


def _draw(rng: np.random.Generator, shape: tuple[int, ...], symbols: bool, interface: Interface) -> npt.NDArray[Any]:
    size = interface.output_size
    if symbols:
        return rng.integers(size, size=shape)
    if OUTPUTS[interface.output].binary:
        return (rng.random((*shape, size)) < 0.2).astype(np.float32)
    return rng.standard_normal((*shape, size), np.float32)


def assert_same_scores(found: RowScores, expected: RowScores) -> None:
    """Assert that all parts of two scores are equal to the bit."""
    for part, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part, other)

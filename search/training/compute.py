"""Cost of a trial in multiply-adds of matrix products: the same on every machine, whatever trains it.

H units, D input size, V output size, L layers, g groups of a matrix.

A *position* is one step of one column of a batch. A model reads a position with

    entry + L * (sum of H * H / g over the cell's matrices)

multiply-adds, where the entry is 0 for an embedding, which is looked up, and D * H for a projection of values. A
position in the loss mask needs the readout as well, H * V. A training step costs three times its forward pass: the
backward pass multiplies each matrix twice, once for the gradient of its inputs and once for that of its weights. (The
projection's inputs need no gradient; this is not subtracted.) An evaluation is a forward pass. So a trial costs

    steps * 3 * forward(training window) + points * forward(validation set) + forward(test set)

with as many validations as its learning curve has points, and a test evaluation if it has one. Operations that work
element by element are left out: they cost H each, where a matrix costs H * H.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from search.cells.graph import GateGraph
from search.cells.parameters import layout_of
from search.training.trial import EVALUATION_BATCH, EVALUATION_STEPS
from tasks.interface import Interface
from tasks.task import Batch, Split, Task

BACKWARD = 2
"""Products of a backward pass for each product of the forward pass."""

WINDOWS = 64
"""Training windows over which the mean is taken; windows of whole samples differ in length."""


@dataclass(frozen=True)
class Positions:
    """Number of positions: those that a model reads, and those of them in the loss mask."""

    read: float
    predicted: float


@dataclass(frozen=True)
class DataSize:
    """Positions of a task's data: of a training window, on average, and of the two evaluation sets."""

    training: Positions
    validation: Positions
    test: Positions


@dataclass(frozen=True)
class ModelProducts:
    """Multiply-adds of a model's forward pass for each position that it reads, and for each in the loss mask."""

    read: int
    predicted: int

    def forward(self, positions: Positions) -> float:
        """Return the multiply-adds of a forward pass over these positions."""
        return self.read * positions.read + self.predicted * positions.predicted


def data_size(task: Task, batch: int, unroll: int) -> DataSize:
    """Return the positions of a task's data, for training windows of `batch` columns and `unroll` steps.

    It reads the first training windows of a fixed seed and both evaluation sets.

    Raises:
        TaskError: the data of the task cannot be read.
    """
    windows = islice(task.training(batch, unroll, np.random.default_rng(0)), WINDOWS)
    total = _positions(windows)
    return DataSize(
        Positions(total.read / WINDOWS, total.predicted / WINDOWS),
        *(_positions(task.evaluation(s, EVALUATION_BATCH, EVALUATION_STEPS)) for s in (Split.VALIDATION, Split.TEST)),
    )


def _positions(windows: Iterable[Batch]) -> Positions:
    read = predicted = 0
    for window in windows:
        read += window.loss_mask.size
        predicted += int(np.count_nonzero(window.loss_mask))
    return Positions(float(read), float(predicted))


def matrix_groups(graph: GateGraph) -> tuple[int, ...]:
    """Return the number of groups of each matrix of a canonical graph."""
    layout = layout_of(graph)
    return (1,) * len(layout.full) + layout.groups


def model_products(groups: Sequence[int], units: int, layers: int, interface: Interface) -> ModelProducts:
    """Return the multiply-adds of a model (see the module).

    Args:
        groups: groups of each matrix of the cell.
        units: size of the cell's vectors.
        layers: number of layers.
        interface: kinds and sizes of inputs and outputs.
    """
    cell = sum(units * (units // number) for number in groups)
    entry = 0 if interface.reads_symbols else interface.input_size * units
    return ModelProducts(entry + layers * cell, units * interface.output_size)


def trial_compute(model: ModelProducts, data: DataSize, steps: int, points: int, tested: bool) -> float:
    """Return the multiply-adds of a trial.

    Args:
        model: cost of its model.
        data: sizes of its task's data.
        steps: training steps done.
        points: validations, the points of its learning curve.
        tested: whether it was evaluated on the test set.
    """
    training = (1 + BACKWARD) * steps * model.forward(data.training)
    return training + points * model.forward(data.validation) + tested * model.forward(data.test)

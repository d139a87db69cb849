"""Interface of a task: batches of sequences with a loss mask, and a metric.

Dimension letters: T time steps, B columns of a batch (independent sequences), D input size, W output size.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar

import numpy as np

from tasks.batch import Batch, Split
from tasks.description import Description, reading
from tasks.errors import TaskError
from tasks.interface import OUTPUTS, Input, Interface, Output
from tasks.metrics import ACCURACY, CROSS_ENTROPY, METRICS, NATS_PER_STEP, Metric
from tasks.watch import OwnCode, watch

__all__ = [
    "ACCURACY",
    "CROSS_ENTROPY",
    "METRICS",
    "NATS_PER_STEP",
    "Batch",
    "Input",
    "Interface",
    "Metric",
    "Output",
    "Split",
    "Task",
]


class Task(ABC):
    """Source of batches with a metric. Immutable, picklable, and built from keyword parameters.

    A user's task sets `name`, `metric` and `output`, and implements `output_size`, `training` and `evaluation`. Unless
    its inputs are what it predicts, symbols or values, it sets `input` and implements `input_size` as well. For samples
    that are random texts, `tasks.generated.GeneratedTask` takes less code.

    Every batch that a task yields is checked (`tasks.watch`): `training` and `evaluation` raise `TaskError` where one
    breaks a rule, where the task's own code raises an exception, and where a training stream ends.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1  # increases when the same parameters give other data
    metric: ClassVar[Metric]
    output: ClassVar[Output]
    input: ClassVar[Input | None] = None  # None: symbols if the outputs are symbols, else values
    also: ClassVar[tuple[Metric, ...]] = ()  # metrics that are reported besides `metric` and the usual ones
    summary: ClassVar[str] = ""  # one line, for the list of tasks
    alone: ClassVar[bool] = False  # whether each window is whole samples of any length: `steps` is ignored
    required: ClassVar[tuple[str, ...]] = ("name", "metric", "output")  # attributes that a class must set

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        watch(cls)

    @property
    @abstractmethod
    def output_size(self) -> int:
        """Number of symbols, notes or values that are predicted."""

    @property
    def input_size(self) -> int:
        """Number of symbols or values that are read; by default that of the outputs."""
        return self.output_size

    @property
    def interface(self) -> Interface:
        """Kinds and sizes of inputs and outputs, which a model of the task has."""
        output = self.output
        kind = self.input or (Input.SYMBOLS if OUTPUTS[output].symbols else Input.VALUES)
        return Interface(kind, self.input_size, output, self.output_size)

    @abstractmethod
    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield endless windows of `batch` columns and at most `steps` steps, determined by `rng` alone."""

    @abstractmethod
    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        """Yield the fixed set of a split once, the same on every call; training data for the training split."""

    @cached_property
    def checksum(self) -> str:
        """SHA-256 (hex) of name, version and `content`: equal data have equal checksums."""
        digest = hashlib.sha256(f"{self.name} {self.version} {self.output_size}\n".encode())
        for part in self.content():
            digest.update(part)
        return digest.hexdigest()

    def content(self) -> Iterator[bytes]:
        """Yield the bytes that the checksum covers: the evaluation sets, and the start of one training stream."""
        streams = [
            self.evaluation(Split.VALIDATION, 8, 64),
            self.evaluation(Split.TEST, 8, 64),
            islice(self.training(8, 64, np.random.default_rng(0)), 16),
        ]
        for stream in streams:
            for window in stream:
                yield np.ascontiguousarray(window.inputs).tobytes()
                yield np.ascontiguousarray(window.targets).tobytes()
                yield np.ascontiguousarray(window.loss_mask).tobytes()

    def constant_baseline(self, split: Split = Split.VALIDATION) -> float:
        """Return the metric of the best constant prediction on a split.

        It predicts the frequencies of the targets of that split at every step: for accuracy, the most frequent symbol.
        Of real values it predicts the mean, or what else is best for the metric.

        Raises:
            TaskError: the loss mask of the split is empty.
        """
        kind = OUTPUTS[self.output]
        totals, steps, values = np.zeros(self.output_size), 0.0, []
        for window in self.evaluation(split, 8, 64):
            loss_mask = window.loss_mask > 0
            steps += float(loss_mask.sum())
            if kind.symbols:
                totals += np.bincount(window.targets[loss_mask], minlength=self.output_size)
            elif kind.binary:
                totals += window.targets[loss_mask].sum(axis=0, dtype=np.float64)
            else:
                values.append(window.targets[loss_mask])
        if steps == 0:
            raise TaskError(f"task {self.name!r}: the loss mask of its {split} set is empty; make the set larger")
        if kind.real:
            found = np.concatenate(values).astype(np.float64)
            return self.metric.of_errors(found - self.metric.centre(found))
        return self.metric.constant(totals / steps)

    @property
    def baseline_name(self) -> str:
        """Name of the prediction that `constant_baseline` measures; a task that has another overrides both."""
        return "constant baseline"

    def chance_level(self) -> float:
        """Return the validation metric that a trial must exceed to go on: that of a model that has learnt nothing.

        By default that is the constant baseline. A task whose baseline is harder than that overrides this.
        """
        return self.constant_baseline()

    def ceiling(self, split: Split, batch: int = 50) -> float | None:
        """Return the best expected value of the metric on a split, whatever the predictor; None if it is not known.

        The predictor knows how the data are generated and remembers all earlier steps of a column. The expectation is
        over what is random at each step, given those before it. On one fixed set, a predictor may be better by luck.

        Args:
            split: the fixed set of this split.
            batch: number of columns of the evaluation: the first symbol of a column is not predicted. The default is
                that of a trial.
        """
        del split, batch
        return None

    def description(self, split: Split) -> Description:
        """Return what was read for a split; worked out once (see `describe`)."""
        return self._descriptions[split]

    def describe(self) -> dict[Split, Description]:
        """Work out the descriptions of all splits from batches: the fixed sets, and the start of a training stream.

        A task that knows more about its data overrides this, and may add facts with `dataclasses.replace`.
        """
        streams = {
            Split.TRAIN: islice(self.training(8, 64, np.random.default_rng(0)), 64),
            Split.VALIDATION: self.evaluation(Split.VALIDATION, 8, 64),
            Split.TEST: self.evaluation(Split.TEST, 8, 64),
        }
        readings = {split: reading(stream, self.output_size, self.output) for split, stream in streams.items()}
        return {
            split: read.description(
                f"{type(self).__module__}:{type(self).__qualname__}",
                [readings[other] for other in Split if other is not split],
                endless=split is Split.TRAIN,
            )
            for split, read in readings.items()
        }

    @cached_property
    def _descriptions(self) -> dict[Split, Description]:
        with OwnCode(self, "describe"):
            return self.describe()

    def uniform_loss(self) -> float:
        """Return the loss per step without training: uniform, ln W for symbols, W ln 2 for notes (`OUTPUTS`)."""
        return OUTPUTS[self.output].untrained_loss(self.output_size)

    def label(self, index: int) -> str:
        """Return the name of an output: a symbol, a note or a value."""
        return str(index)

    def render(self, batch: Batch, column: int = 0) -> str:
        """Return a column of a batch as readable text: the symbols in order, or the outputs of each step on a line.

        If symbols are single characters, a second line marks those in the loss mask with `^`.
        """
        targets, loss_mask = batch.targets[:, column], batch.loss_mask[:, column] > 0
        if self.output is Output.MULTI_LABEL:
            chords = ([self.label(int(note)) for note in np.flatnonzero(notes)] for notes in targets[loss_mask])
            return "\n".join(" ".join(chord) or "(silence)" for chord in chords)
        if OUTPUTS[self.output].real:
            return "\n".join(" ".join(f"{value:.3g}" for value in values) for values in targets[loss_mask])
        if self.interface.input is Input.VALUES:
            return " ".join(self.label(int(index)) for index in targets[loss_mask])
        labels = [self.label(int(index)) for index in (batch.inputs[0, column], *targets)]
        if any(len(label) != 1 for label in labels):
            return " ".join(labels)
        return "".join(labels) + "\n " + "".join("^" if weighted else " " for weighted in loss_mask)

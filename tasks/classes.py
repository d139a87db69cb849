"""Classes task: the label of a sequence of real values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from tasks.cache import Arrays, key_of, load_or_build
from tasks.description import Description
from tasks.errors import TaskError
from tasks.folders import unread_fact
from tasks.interface import Input
from tasks.labelled.description import describe_labelled, render_labelled
from tasks.labelled.files import Files, files_of
from tasks.labelled.sets import MISSING, NAMES, LabelSets, Preparation, label_sets, packed, unpacked
from tasks.labelled.table import Columns
from tasks.metrics import ACCURACY, MACRO_F1, METRICS, metrics_of
from tasks.packing import Sequences, of_labels
from tasks.parameters import check_integer, check_number
from tasks.task import Batch, Output, Split, Task

_FORMAT = "classes 3"  # version of the cache's content; increases when the same files give other arrays


@dataclass(frozen=True, kw_only=True)
class Classes(Task):
    """Labelled sequences of real values of any lengths; the label is predicted at the last step of each.

    A batch is whole sequences of similar lengths (`tasks.packing`). Values are standardised by the training part, each
    channel by itself.

    Parameters:
        data: a file in the formats `.ts` or `.arff` of the UCR and UEA archive of time series classification (Dau et
            al. 2019; Bagnall et al. 2018), a long table (CSV, Parquet, `.npz`), or a folder with `NAME_TRAIN.ts` and
            `NAME_TEST.ts`, or the like. A set in two parts keeps its test part. A single file is divided into three.
            Copies of a sequence are in one split.
        validation: share of the training part, or of the single file, that is held out; of each class.
        test: share of a single file that is the test; of each class.
        missing: what is done about missing values, `refuse`, `forward` or `mean` (`tasks.labelled.sets.MISSING`).
        average: number of successive steps that become one.
        every_step: whether the label is predicted at each step, not at the last one alone.
        ranked_by: metric that ranks, accuracy, cross_entropy or macro_f1.
        sequence: column of a table that says to which sequence a row belongs.
        time: column that sorts the rows of a sequence; if empty, they are in order.
        label_column: column of the label.
        ignore: columns that are not read, with commas between them; all others are channels.
        decimal: decimal mark of a CSV file.

    Raises:
        TaskError: a parameter is out of range, or a file is unusable.
    """

    name = "classes"
    metric = ACCURACY
    also = (MACRO_F1,)
    output = Output.SYMBOLS
    input = Input.VALUES
    alone = True
    summary = "labels of your sequences (.ts, .arff or a long table); accuracy"

    data: str
    validation: float = 0.2
    test: float = 0.2
    missing: str = MISSING[0]
    average: int = 1
    every_step: bool = False
    ranked_by: str = ACCURACY.name
    sequence: str = "id"
    time: str = "time"
    label_column: str = "label"
    ignore: str = ""
    decimal: str = "."

    def __post_init__(self) -> None:
        if not isinstance(self.data, str | Path):
            raise TaskError(f"task 'classes': data = {self.data!r}, but it must be the path of a file or folder")
        for name in ("validation", "test"):
            check_number(self.name, name, getattr(self, name), 0.01, 0.5)
        check_integer(self.name, "average", self.average, 1, 1_000_000)
        _check_choice(self.name, "missing", self.missing, MISSING)
        _check_choice(self.name, "decimal", self.decimal, (".", ","))
        _check_choice(self.name, "ranked_by", self.ranked_by, tuple(metric.name for metric in metrics_of(self.output)))
        if not isinstance(self.every_step, bool):
            raise TaskError(f"task 'classes': every_step = {self.every_step!r}, but it must be true or false")
        for name in ("sequence", "time", "label_column", "ignore"):
            if not isinstance(getattr(self, name), str):
                raise TaskError(
                    f"task 'classes': {name} = {getattr(self, name)!r}, but it must be the name of a column"
                )
        object.__setattr__(self, "metric", METRICS[self.ranked_by])
        _ = self._sets  # read here, so that a bad file is an error before any worker starts

    @property
    def input_size(self) -> int:
        return len(self._sets.channels)

    @property
    def output_size(self) -> int:
        return len(self._sets.classes)

    def label(self, index: int) -> str:
        return self._sets.classes[index]

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        return self._sequences[Split.TRAIN].training(batch, rng)

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        return self._sequences[split].evaluation(batch)

    def content(self) -> Iterator[bytes]:
        yield "\n".join(self._sets.classes).encode() + bytes([self.every_step])
        for found in self._sets.sets.values():
            for array in (found.values, found.lengths, found.labels):
                yield array.astype(array.dtype.newbyteorder("<")).tobytes()

    def describe(self) -> dict[Split, Description]:
        path, parts = Path(self.data), self._files.parts
        source = str(path) if list(parts) == [None] else f"{path} ({', '.join(file.name for file in parts.values())})"
        unread = unread_fact(path, self._files.others, "only the files of one set are")
        described = describe_labelled(self._sets, source, every_step=self.every_step)
        train = described[Split.TRAIN]
        return described | {Split.TRAIN: replace(train, facts=(*train.facts, *unread))}

    def render(self, batch: Batch, column: int = 0) -> str:
        return render_labelled(batch, column, self.label)

    @cached_property
    def _files(self) -> Files:
        return files_of(Path(self.data))

    @cached_property
    def _sequences(self) -> dict[Split, Sequences]:
        return {
            split: of_labels(found.values, found.lengths, found.labels, every_step=self.every_step)
            for split, found in self._sets.sets.items()
        }

    @cached_property
    def _sets(self) -> LabelSets:
        ignored = tuple(name.strip() for name in self.ignore.split(",") if name.strip())
        columns = Columns(self.sequence, self.time or None, self.label_column, ignored, self.decimal)
        shares = {Split.VALIDATION: self.validation, Split.TEST: self.test}
        preparation = Preparation(self.missing, self.average, shares)
        parts: list[bytes | str] = [_FORMAT, repr((columns, preparation))]
        for part, path in self._files.parts.items():
            try:
                with path.open("rb") as file:
                    parts += [str(part), path.name, hashlib.file_digest(file, "sha256").digest()]
            except OSError as error:
                raise TaskError(f"cannot read {path}: {error.strerror or error}; check the file") from error

        def build() -> Arrays:
            return packed(label_sets(self._files.read(columns), preparation))

        return unpacked(load_or_build("classes", key_of(parts), NAMES, build))


def _check_choice(task: str, name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise TaskError(f"task {task!r}: {name} = {value!r}, but it must be one of {', '.join(choices)}")

"""Speech task: recorded vowels of nine speakers, from the package `sktime`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.cache import Arrays, key_of, load_or_build
from tasks.description import Description, Fact, Kind, package_source
from tasks.errors import TaskError
from tasks.interface import Input
from tasks.labelled.description import PADDING, describe_labelled, render_labelled
from tasks.labelled.sets import NAMES, LabelSets, Preparation, label_sets, packed, unpacked
from tasks.labelled.ts import read_ts
from tasks.metrics import ACCURACY, MACRO_F1, NATS_PER_STEP, metrics_of_task
from tasks.packing import Sequences, of_labels, of_next_steps
from tasks.task import Batch, Output, Split, Task

_FORMAT = "speech 3"  # version of the cache's content; increases when the same files give other arrays
_PREDICTIONS = ("frames", "speaker")
_HELD_OUT = 0.2  # share of each speaker's training utterances that is validation
_FOLDER = "sktime/datasets/data/JapaneseVowels"
_FILES = {Split.TRAIN: "JapaneseVowels_TRAIN.ts", Split.TEST: "JapaneseVowels_TEST.ts"}


@dataclass(frozen=True, kw_only=True)
class Speech(Task):
    """Two successive vowels, /ae/, spoken by nine men: the next frame, or the speaker at the last frame.

    The set is "Japanese Vowels" (Kudo, Toyama and Shimbo 1999, "Multidimensional Curve Classification Using
    Passing-Through Regions") in the UEA archive. It is small: 270 utterances for training, and 370 for the test, of 7
    to 29 frames. A frame is 12 cepstral coefficients of linear prediction, of 25.6 ms each 6.4 ms. The files come with
    the package `sktime`, whose code is not run. A fifth of each speaker's training utterances is validation. Values are
    standardised by the training part.

    Parameters: `predict` is `frames` (the default) or `speaker`. Frames are predicted by a normal distribution for each
    coefficient, in nats per frame; an utterance of L frames has L - 1 predictions. The constant baseline is that of the
    naive forecast, the frame before. Speakers are classes, in accuracy.

    Raises:
        TaskError: the parameter is another, or `sktime` or its data are not installed.
    """

    name = "speech"
    metric = NATS_PER_STEP
    output = Output.GAUSSIAN
    input = Input.VALUES
    alone = True
    extra = ("speech", "sktime")  # as `tasks.registry.missing_extra` reads it
    summary = "frames of recorded vowels (gatesearch[speech]); negative log-likelihood of the next frame"

    predict: str = _PREDICTIONS[0]

    def __post_init__(self) -> None:
        if self.predict not in _PREDICTIONS:
            raise TaskError(
                f"task 'speech': predict = {self.predict!r}, but it must be one of {', '.join(_PREDICTIONS)}"
            )
        if not self._frames:
            object.__setattr__(self, "output", Output.SYMBOLS)
            object.__setattr__(self, "metric", ACCURACY)
            object.__setattr__(self, "also", (MACRO_F1,))
            object.__setattr__(self, "summary", "speakers of recorded vowels (gatesearch[speech]); accuracy")
        _ = self._sets  # read here, so that missing data are an error before any worker starts

    @property
    def input_size(self) -> int:
        return len(self._sets.channels)

    @property
    def output_size(self) -> int:
        return len(self._sets.channels if self._frames else self._sets.classes)

    def label(self, index: int) -> str:
        return f"coefficient {index + 1}" if self._frames else self._sets.classes[index]

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        return self._sequences[Split.TRAIN].training(batch, rng)

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        return self._sequences[split].evaluation(batch)

    def content(self) -> Iterator[bytes]:
        yield self.predict.encode()
        for found in self._sets.sets.values():
            for array in (found.values, found.lengths, found.labels):
                yield array.astype(array.dtype.newbyteorder("<")).tobytes()

    def constant_baseline(self, split: Split = Split.VALIDATION) -> float:
        return self.metric.of_errors(self._errors(split)["naive"]) if self._frames else super().constant_baseline(split)

    @property
    def baseline_name(self) -> str:
        return "naive forecast" if self._frames else super().baseline_name

    def chance_level(self) -> float:
        """Return, of frames, the metric of the mean of training."""
        return self.metric.of_errors(self._errors(Split.VALIDATION)["mean"]) if self._frames else super().chance_level()

    def describe(self) -> dict[Split, Description]:
        found = describe_labelled(self._sets, package_source("sktime"), every_step=self._frames)
        if not self._frames:
            return found
        described = {}
        for split, each in found.items():
            forecasts = self._errors(split)
            length = len(self._sequences[split].targets)
            described[split] = replace(
                each,
                steps=length,
                counted=length,
                seen=self.output_size,
                facts=(
                    *each.facts,
                    *(
                        Fact(f"{name} forecast, {metric.name}", metric.of_errors(errors), Kind.METRIC)
                        for metric in metrics_of_task(self)
                        for name, errors in forecasts.items()
                    ),
                ),
            )
        return described

    def render(self, batch: Batch, column: int = 0) -> str:
        if not self._frames:
            return render_labelled(batch, column, self.label)
        return super().render(batch, column) or PADDING

    @property
    def _frames(self) -> bool:
        return self.predict == "frames"

    def _errors(self, split: Split) -> dict[str, npt.NDArray[np.float64]]:
        """Return the errors (S, W) of two forecasts that need no training: the frame before, and the mean, 0."""
        found = self._sequences[split]
        targets = found.targets.astype(np.float64)
        return {"naive": targets - found.inputs, "mean": targets}

    @cached_property
    def _sequences(self) -> dict[Split, Sequences]:
        return {
            split: of_next_steps(each.values, each.lengths)
            if self._frames
            else of_labels(each.values, each.lengths, each.labels, every_step=False)
            for split, each in self._sets.sets.items()
        }

    @cached_property
    def _sets(self) -> LabelSets:
        files = {split: _file(name) for split, name in _FILES.items()}
        key = key_of([_FORMAT, *(path.read_bytes() for path in files.values())])

        def build() -> Arrays:
            read = {split: read_ts(path) for split, path in files.items()}
            return packed(label_sets(read, Preparation(shares={Split.VALIDATION: _HELD_OUT})))

        return unpacked(load_or_build("speech", key, NAMES, build))


def _file(name: str) -> Path:
    """Return a file of the data set, without importing the package that has it.

    Raises:
        TaskError: the package or the file is not there.
    """
    try:
        path = Path(str(distribution("sktime").locate_file(f"{_FOLDER}/{name}")))
    except PackageNotFoundError as error:
        raise TaskError(
            "task 'speech' needs the package sktime, which has its data; run: pip install 'gatesearch[speech]'"
        ) from error
    if not path.is_file():
        raise TaskError(f"task 'speech': sktime has no file {path}; run: pip install --force-reinstall sktime")
    return path

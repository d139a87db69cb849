"""Audio task: prediction of the next sample of recorded sound, or of the label of a recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tasks.audio.facts import sample_descriptions, spectrum_descriptions
from tasks.audio.log_mel import HOP_SECONDS, LogMel, most_bands
from tasks.audio.mu_law import LEVELS, MuLaw, decoded
from tasks.audio.pictures import spectrogram, wave
from tasks.audio.recordings import Recordings, load_recordings
from tasks.audio.samples import CHUNK_SECONDS, Samples, Stretch, stretch_windows
from tasks.audio.spectra import Scale, Spectra
from tasks.description import Description
from tasks.errors import TaskError
from tasks.metrics import BITS_PER_SYMBOL, MACRO_F1, metrics_of
from tasks.parameters import check_integer, check_number
from tasks.row_file import RowReader
from tasks.task import ACCURACY, METRICS, Batch, Input, Metric, Output, Split, Task

MU_LAW, LOG_MEL = "mu-law", "log-mel"

_EVALUATION_SECONDS = {MU_LAW: 20.0, LOG_MEL: 1000.0}


@dataclass(frozen=True, kw_only=True)
class Audio(Task):
    """Recorded sound of a user's own, from WAV or FLAC files: mixed to one channel and resampled.

    With the features `mu-law`, the next sample is predicted as one of 256 levels (`tasks.audio.mu_law`); the first
    sample of a recording is not. Training draws stretches of half a second from random places, each from a zero state.

    With the features `log-mel`, the label of a recording is predicted at its last step, from log-mel frames
    (`tasks.audio.log_mel`) that are standardised by those of training. Labels are the names of subfolders. A window is
    whole recordings of similar lengths, each from a zero state.

    Folders `train`, `valid` and `test` give the splits; otherwise checksums of the recordings do, and a single
    recording is divided by time (`tasks.audio.recordings`). Recordings are converted once, into a file of the cache,
    from which only what is needed is read.

    Parameters: `data` is a folder or file, `features` is "mu-law" or "log-mel", `rate` is in samples per second.
    `bands` is the number of log-mel bands, and recordings are cut to the first `max_seconds` for them.
    `max_evaluation_seconds` limits what evaluation reads of each split, evenly spaced: 20 by default, for log-mel
    1000. `ranked_by` is the metric that ranks: by default bits_per_symbol, for log-mel accuracy.

    Raises:
        TaskError: a parameter is out of range, files are unusable, or a package is missing.
    """

    name = "audio"
    metric = BITS_PER_SYMBOL
    output = Output.SYMBOLS
    summary = "samples of recorded sound (WAV or FLAC files), or labels of recordings; bits or accuracy"

    data: str
    features: str = MU_LAW
    rate: int = 8000
    bands: int = 40
    max_seconds: float = 10.0
    max_evaluation_seconds: float | None = None
    ranked_by: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.data, str | Path):
            raise TaskError(f"task 'audio': data = {self.data!r}, but it must be the path of a file or folder")
        if self.features not in _EVALUATION_SECONDS:
            raise TaskError(f"task 'audio': features = {self.features!r}, but it must be {MU_LAW} or {LOG_MEL}")
        check_integer(self.name, "rate", self.rate, 1000, 192_000)
        check_integer(self.name, "bands", self.bands, 1, 256)
        check_number(self.name, "max_seconds", self.max_seconds, 0.1, 3600)
        if self.max_evaluation_seconds is not None:
            check_number(self.name, "max_evaluation_seconds", self.max_evaluation_seconds, 0.1, 36_000)
        if self._labelled and self.bands > most_bands(self.rate):
            raise TaskError(
                f"task 'audio': bands = {self.bands}, but at rate = {self.rate} some bands would be empty; "
                f"give at most {most_bands(self.rate)}"
            )
        object.__setattr__(self, "metric", self._metric())
        object.__setattr__(self, "input", Input.VALUES if self._labelled else Input.SYMBOLS)
        object.__setattr__(self, "also", (MACRO_F1,) if self._labelled else ())
        object.__setattr__(self, "alone", self._labelled)
        for split, part in self._recordings.parts.items():  # read here, so that bad files are an error before workers
            if not self._labelled and int(part.lengths.sum()) < 2:
                raise TaskError(f"task 'audio': {split} has a single sample; give longer recordings")

    @property
    def output_size(self) -> int:
        return len(self._recordings.classes) if self._labelled else LEVELS

    @property
    def input_size(self) -> int:
        return self.bands if self._labelled else LEVELS

    def label(self, index: int) -> str:
        return self._recordings.classes[index] if self._labelled else f"{float(decoded(np.array(index))):+.4f}"

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        with self._opened() as reader:
            if self._labelled:
                yield from self._spectra(Split.TRAIN).training(reader, self._scale, batch, rng)
            else:
                yield from self._samples(Split.TRAIN).drawn(reader, batch, steps, self._chunk, rng)

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        if not self._labelled:
            yield from stretch_windows(self._fixed_set(split), batch, steps)
            return
        with self._opened() as reader:
            yield from self._fixed_spectra(split).evaluation(reader, self._scale, batch)

    def content(self) -> Iterator[bytes]:
        recordings = self._recordings
        yield repr([self.features, self.rate, self.bands, self.max_seconds, *recordings.classes]).encode()
        for split, part in recordings.parts.items():
            yield f"\n{split} {' '.join(recordings.measures['digest'][part.numbers])}\n".encode()
            yield part.spans.astype("<i8").tobytes() + part.labels.astype("<i8").tobytes()
        yield from super().content()

    def describe(self) -> dict[Split, Description]:
        with self._opened() as reader:
            if self._labelled:
                whole = {split: self._spectra(split) for split in Split}
                evaluated = {split: self._fixed_spectra(split) for split in Split}
                return spectrum_descriptions(str(self.data), self._recordings, whole, evaluated, self.rate)
            samples = {split: self._samples(split) for split in Split}
            fixed = {split: self._fixed_set(split) for split in Split}
            return sample_descriptions(str(self.data), self._recordings, samples, fixed, reader, self.rate)

    def render(self, batch: Batch, column: int = 0) -> str:
        """Return a picture of a column: the wave of its samples, or its spectrum over time and its label."""
        if not self._labelled:
            return wave(np.append(batch.inputs[:1, column], batch.targets[:, column]), self.rate)
        length = int(np.flatnonzero(batch.loss_mask[:, column])[-1]) + 1 if batch.loss_mask[:, column].any() else 0
        shown = spectrogram(batch.inputs[:length, column])
        return f"{shown}\n{self.label(int(batch.targets[length - 1, column]))}" if length else "(padding)"

    @property
    def _labelled(self) -> bool:
        return self.features == LOG_MEL

    @property
    def _chunk(self) -> int:
        return round(self.rate * CHUNK_SECONDS)

    @property
    def _most(self) -> float:
        """Seconds that evaluation reads of a split."""
        given = self.max_evaluation_seconds
        return float(given) if given is not None else _EVALUATION_SECONDS[self.features]

    def _metric(self) -> Metric:
        if self.ranked_by is None:
            return ACCURACY if self._labelled else BITS_PER_SYMBOL
        fitting = [metric.name for metric in metrics_of(self.output)]
        if self.ranked_by not in fitting:
            raise TaskError(f"task 'audio': ranked_by = {self.ranked_by!r}, but it must be one of {', '.join(fitting)}")
        return METRICS[self.ranked_by]

    def _load(self) -> Recordings:
        path = Path(str(self.data))
        if self._labelled:
            setting = [LOG_MEL, str(self.bands)]
            return load_recordings(path, self.rate, lambda: LogMel(self.rate, self.bands), setting, labelled=True)
        return load_recordings(path, self.rate, MuLaw, [MU_LAW], labelled=False)

    @cached_property
    def _recordings(self) -> Recordings:
        return self._load()

    def _opened(self) -> RowReader:
        """Open the converted recordings; convert them again if the cache was emptied or is on another machine."""
        try:
            return self._recordings.rows.open()
        except FileNotFoundError:
            self.__dict__.pop("_recordings", None)
            return self._recordings.rows.open()

    def _samples(self, split: Split) -> Samples:
        return Samples(self._recordings.parts[split].spans)

    def _spectra(self, split: Split) -> Spectra:
        return Spectra.of(self._recordings.parts[split], round(self.max_seconds / HOP_SECONDS))

    def _fixed_spectra(self, split: Split) -> Spectra:
        return self._spectra(split).spread(round(self._most / HOP_SECONDS))

    def _fixed_set(self, split: Split) -> Stretch:
        if split not in self._fixed_sets:
            with self._opened() as reader:
                most = max(2, round(self._most * self.rate))
                self._fixed_sets[split] = self._samples(split).spread(reader, most, self._chunk)
        return self._fixed_sets[split]

    @cached_property
    def _fixed_sets(self) -> dict[Split, Stretch]:
        return {}

    @cached_property
    def _scale(self) -> Scale:
        with self._opened() as reader:
            return self._spectra(Split.TRAIN).scale(reader)

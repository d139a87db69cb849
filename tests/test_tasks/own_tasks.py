"""Tasks of a user. `Sound` keeps every rule; each of the others differs from it in one thing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tasks.interface import Input
from tasks.metrics import ACCURACY, MACRO_F1, MEAN_SQUARED_ERROR, NATS_PER_STEP, Metric
from tasks.task import Batch, Output, Split, Task


class Sound(Task):
    name, metric, output, output_size = "sound", ACCURACY, Output.SYMBOLS, 8

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        while True:
            yield self.window(batch, steps, rng)

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        rng = np.random.default_rng(list(Split).index(split))
        return (self.window(batch, steps, rng) for _ in range(10))

    def window(self, batch: int, steps: int, rng: np.random.Generator) -> Batch:
        """Return the next of 8 levels of a saw tooth."""
        levels = (np.arange(steps + 1)[:, None] + rng.integers(8, size=batch)) % 8
        window: Batch = self.changed(levels[:-1], levels[1:], np.ones((steps, batch), np.float32))
        return window

    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y, mask, True)


class Fractions(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch((x / 8).astype(np.float32), y, mask, True)


class Missing(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        x = x.astype(float)
        if x[0, 0] % 2:
            x[0, 0] = np.nan
        return Batch(x, y, mask, True)


class BatchFirst(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x.T, y.T, mask.T, True)


class Weights(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y, mask / mask.sum(), True)


class Halves(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        mask[1::2] = 0.5
        return Batch(x, y, mask, True)


class NothingCounts(Sound):
    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        for window in super().training(batch, steps, rng):
            yield Batch(window.inputs, window.targets, window.loss_mask * 0, True)


class OneBuffer(Sound):
    """Fills one array again and again."""

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        kept = None
        for number, window in enumerate(super().evaluation(split, batch, steps)):
            kept = kept or window
            kept.inputs[...], kept.targets[...] = window.inputs, (window.targets if number < 9 else 0)
            yield kept


class TwoBuffers(Sound):
    """Fills two arrays in turn, in training."""

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        buffers = np.empty((2, steps, batch), np.int64)
        for number, window in enumerate(super().training(batch, steps, rng)):
            buffers[number % 2] = window.inputs
            yield Batch(buffers[number % 2], window.targets, window.loss_mask, True)


class OutputText(Sound):
    output = "symbols"  # type: ignore[assignment]


class Bits(Sound):
    metric = Metric("bits", "bits per character", False)


class SameSets(Sound):
    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        return (self.window(batch, steps, np.random.default_rng(0)) for _ in range(10))

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        while True:
            yield self.window(batch, steps, np.random.default_rng(0))


class TrainsOnTest(Sound):
    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        while True:
            yield from self.evaluation(Split.TEST, batch, steps)


class Drifts(Sound):
    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        return (self.window(batch, steps, np.random.default_rng()) for _ in range(3))


class Grows(Sound):
    """Has one window more each time that it is read."""

    def __init__(self) -> None:
        self.reads = 0

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        self.reads += 1
        rng = np.random.default_rng(list(Split).index(split))
        return (self.window(batch, steps, rng) for _ in range(self.reads))


class OwnRandomNumbers(Sound):
    """Trains on random numbers of its own."""

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        return super().training(batch, steps, np.random.default_rng())


class Velocities(Sound):
    name, metric, output = "velocities", NATS_PER_STEP, Output.MULTI_LABEL

    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        x, y = (80 * np.eye(8, dtype=np.float32)[v] for v in (x, y))
        return Batch(x, y, mask, True)


class Roll(Sound):
    """A piano roll that keeps every rule."""

    name, metric, output = "roll", NATS_PER_STEP, Output.MULTI_LABEL

    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        x, y = (np.eye(8, dtype=np.float32)[v] for v in (x, y))
        return Batch(x, y, mask, True)


class RollAccuracy(Roll):
    name, metric = "roll-accuracy", ACCURACY


class MissingNotes(Roll):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        window = super().changed(x, y, mask)
        window.targets[3, 2, 1] = np.nan
        return window


class Surprise(Sound):
    name, metric = "surprise", NATS_PER_STEP


class FloatTargets(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y.astype(float), mask, True)


class FromOne(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x + 1, y + 1, mask, True)


class Minus100(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, np.where(x > 0, y, -100), mask, True)


class Shorter(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y[:-1], mask, True)


class Longer(Sound):
    """Yields windows of one step more than were asked for."""

    def window(self, batch: int, steps: int, rng: np.random.Generator) -> Batch:
        return super().window(batch, steps + 1, rng)


class Tuples(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return x, y


class Lists(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x.tolist(), y, mask, True)


class NeverStarts(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y, mask, False)


class StartsText(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y, mask, "yes")  # type: ignore[arg-type]


class LengthsList(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y, mask, True, [len(mask)] * mask.shape[1])  # type: ignore[arg-type]


class LengthsOfFloats(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y, mask, True, np.full(mask.shape[1], 64.0))


class LengthsOfSteps(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y, mask, True, np.full(len(mask), len(mask)))


class LengthsTooShort(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y, mask, True, np.full(mask.shape[1], len(mask) - 1))


class LengthsRise(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y, mask * 0, True, np.array([len(mask), 3, 2, 4, 4, 4, 4, 4]))


class LengthsBelowZero(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y, mask * 0, True, np.array([len(mask), *[-1] * 7]))


class CountsBehindTheEnd(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y, mask, True, np.array([*[len(mask)] * 6, 5, 5]))


class ContinuesWhatEnded(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        self.yielded = getattr(self, "yielded", 0) + 1
        return Batch(x, y, mask, self.yielded == 1, np.full(mask.shape[1], len(mask)))


class BoolMask(Sound):
    def changed(self, x: Any, y: Any, mask: Any) -> Any:
        return Batch(x, y, mask > 0, True)


class NoTest(Sound):
    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        return iter(()) if split is Split.TEST else super().evaluation(split, batch, steps)


class TestCountsNothing(Sound):
    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        for window in super().evaluation(split, batch, steps):
            yield Batch(window.inputs, window.targets, window.loss_mask * (split is not Split.TEST), True)


class ReturnsNothing(Sound):
    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        return None  # type: ignore[return-value]


class Ends(Sound):
    windows = 3

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        for _ in range(self.windows):
            yield self.window(batch, steps, rng)


class EndsLater(Ends):
    windows = 12


class EndsAfterTheCheck(Ends):
    """Ends later than a check reads."""

    name, windows = "ends-after-the-check", 400


class Raises(Sound):
    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        yield self.window(batch, steps, rng)
        raise FileNotFoundError("no such shard: data/part-007.npz")


class StopsAtOnce(Sound):
    """Calls `next` on something that is empty, outside a generator."""

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        return next(iter(()))


class Exits(Sound):
    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        raise SystemExit(3)


class NoSize(Sound):
    @property
    def output_size(self) -> int:  # type: ignore[override]
        return len(self.vocabulary)  # type: ignore[attr-defined]


class MetricText(Sound):
    metric = "accuracy"  # type: ignore[assignment]


class SizeText(Sound):
    output_size = "8"  # type: ignore[assignment]


class SizeOfNumPy(Sound):
    output_size = np.int64(8)  # type: ignore[assignment]


class HugeSize(Sound):
    output_size = 10**9


class KeepsFunction(Sound):
    name = "keeps-function"

    def __init__(self) -> None:
        self.shift = lambda x: x


class Talks(Sound):
    name = "talks"

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        print("loading data ...")
        return super().evaluation(split, batch, steps)


class Sensors(Task):
    """Three real values to two others."""

    name, metric, output, output_size = "sensors", MEAN_SQUARED_ERROR, Output.GAUSSIAN, 2
    input, input_size = Input.VALUES, 3

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        while True:
            yield self.batch(rng, batch, steps)

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        rng = np.random.default_rng(list(Split).index(split))
        for _ in range(10):
            yield self.batch(rng, batch, steps)

    def batch(self, rng: np.random.Generator, batch: int, steps: int) -> Batch:
        inputs, targets = (rng.normal(size=(steps, batch, size)).astype(np.float32) for size in (3, 2))
        return Batch(inputs, targets, np.ones((steps, batch), np.float32), True)


class Classes(Sensors):
    """Three real values to one of four classes, at the last step."""

    metric, output, output_size, also = ACCURACY, Output.SYMBOLS, 4, (MACRO_F1,)

    def batch(self, rng: np.random.Generator, batch: int, steps: int) -> Batch:
        last = np.zeros((steps, batch), np.float32)
        last[-1] = 1.0
        return Batch(super().batch(rng, batch, steps).inputs, rng.integers(4, size=last.shape), last, True)


class Tags(Sensors):
    """Three real values to a subset of three labels: the inputs are no notes."""

    metric, output, output_size = NATS_PER_STEP, Output.MULTI_LABEL, 3

    def batch(self, rng: np.random.Generator, batch: int, steps: int) -> Batch:
        window = super().batch(rng, batch, steps)
        return Batch(window.inputs, (window.inputs > 0).astype(np.float32), window.loss_mask, True)


class Gap(Sensors):
    def batch(self, rng: np.random.Generator, batch: int, steps: int) -> Batch:
        window = super().batch(rng, batch, steps)
        window.inputs[3, 1, 2] = np.nan
        return window


class Doubles(Sensors):
    def batch(self, rng: np.random.Generator, batch: int, steps: int) -> Batch:
        window = super().batch(rng, batch, steps)
        return Batch(window.inputs, window.targets.astype(np.float64), window.loss_mask, True)


class ReadsTwo(Sensors):
    input_size = 2


class InputText(Sensors):
    input = "values"  # type: ignore[assignment]


class InputSizeText(Sensors):
    input_size = "3"  # type: ignore[assignment]


class AlsoF1(Sensors):
    also = (MACRO_F1,)

"""Tasks that take no time, for tests of what is built on tasks."""

import ctypes
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from search.training.simulation import Simulation
from tasks.memorization import Memorization
from tasks.task import ACCURACY, NATS_PER_STEP, Batch, Output, Split, Task
from tasks.xml import Xml


def small_task(name: str) -> Task:
    """A generated task with evaluation sets of a few hundred characters."""
    if name == "memorization":
        return Memorization(length=2, validation=400, test=600)
    return Xml(min_letters=1, max_letters=2, validation=600, test=900)


@dataclass(frozen=True)
class Chords(Task):
    """A piano roll of four notes that sound in turn, with noise: a task whose metric is better when lower."""

    name = "chords"
    metric = NATS_PER_STEP
    output = Output.MULTI_LABEL

    noise: float = 0.1

    @property
    def output_size(self) -> int:
        return 4

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        starts = True
        while True:
            yield self._window(rng, batch, steps, starts)
            starts = False

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        rng = np.random.default_rng(list(Split).index(split))
        for k in range(4):
            yield self._window(rng, batch, steps, starts=k == 0)

    def _window(self, rng: np.random.Generator, batch: int, steps: int, starts: bool) -> Batch:
        turn = (np.arange(steps + 1)[:, None, None] % 4 == np.arange(4)).repeat(batch, axis=1)
        rolls = (turn ^ (rng.random(turn.shape) < self.noise)).astype(np.float32)
        return Batch(rolls[:-1], rolls[1:], np.ones((steps, batch), np.float32), starts)


@dataclass(frozen=True, kw_only=True)
class Deadly(Xml):
    """Kills the process that trains the one trial whose random numbers begin with `doomed`, leaving a mark a try."""

    name = "deadly"

    doomed: float = -1.0
    marks: str = ""

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        if rng.random() == self.doomed:
            with open(self.marks, "a") as file:
                file.write("x")
            os._exit(1)
        return super().training(batch, steps, rng)


@dataclass(frozen=True, kw_only=True)
class Patient(Xml):
    """Waits to be killed when it is trained for the first two times. Tells its process's id and the parent's."""

    name = "patient"

    pids: str = ""

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        if self.pids:
            with open(self.pids, "a+") as file:
                file.write(f"{os.getpid()} {os.getppid()}\n")
                file.seek(0)
                tries = len(file.readlines())
            if tries <= 2:
                time.sleep(600)
        return super().training(batch, steps, rng)


@dataclass(frozen=True, kw_only=True)
class Wicked(Xml):
    """Ends its process by a segmentation fault when it is trained first, then hangs, then takes more memory a batch.

    It hangs within the regular expression engine, which lets no other thread of Python run.
    """

    name = "wicked"

    marks: str = ""

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        with open(self.marks, "a+") as file:
            file.write("x")
            file.flush()
            tries = os.fstat(file.fileno()).st_size
        if tries == 1:
            ctypes.string_at(0)
        if tries == 2:
            re.match("(a+)+b", "a" * 64)
        return self._greedy(super().training(batch, steps, rng))

    def _greedy(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        taken = []
        for batch in batches:
            taken.append(b"x" * 2**26)
            yield batch


@dataclass(frozen=True, kw_only=True)
class Unreadable(Xml):
    """Can be sent to another process, and not be read there."""

    name = "unreadable"

    def __setstate__(self, state: dict[str, object]) -> None:
        raise RuntimeError("no such luck")


class Slowed(Simulation):
    """Draws the same outcomes, and takes its own time over each: nothing that is drawn from a seed."""

    def wait(self, seconds: float, on_batch: Callable[[], None] | None = None) -> None:
        if random.SystemRandom().random() < 0.2:
            time.sleep(random.SystemRandom().uniform(0.0, 0.05))


@dataclass(frozen=True, kw_only=True)
class Sluggish(Xml):
    """Gives the same batches, some of them late."""

    name = "xml"

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        for window in super().training(batch, steps, rng):
            if random.SystemRandom().random() < 0.05:
                time.sleep(random.SystemRandom().uniform(0.0, 0.1))
            yield window


@dataclass(frozen=True)
class Turning(Task):
    """Task whose validation answers are learned at first and unlearned later: after `turn` windows they change."""

    name = "turning"
    metric = ACCURACY
    output = Output.SYMBOLS

    turn: int = 40

    @property
    def output_size(self) -> int:
        return 3

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        window = 0
        while True:
            window += 1
            yield self._batch(rng.integers(3, size=(steps, batch)), 1 if window <= self.turn else 2)

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        # On validation the early answer is right; on test it is the late one, so test tells which weights it met.
        inputs = np.random.default_rng(0).integers(3, size=(10, batch))
        yield self._batch(inputs, 1 if split is Split.VALIDATION else 2)

    def _batch(self, inputs: np.ndarray[tuple[int, ...], np.dtype[np.int64]], shift: int) -> Batch:
        return Batch(inputs, (inputs + shift) % 3, np.ones(inputs.shape, np.float32), starts=True)

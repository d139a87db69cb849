"""Contract of all registered tasks, tested over the registry."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from search.training.trial import EVALUATION_BATCH
from tasks.errors import TaskError
from tasks.registry import TASKS, Scalar, load_task, missing_extra, needs_data, parameters_of
from tasks.streams import windows
from tasks.task import ACCURACY, CROSS_ENTROPY, NATS_PER_STEP, Batch, Output, Split, Task
from tasks.xml import Xml

# Parameters that keep a task small here, and parameters that make other data of it.
SMALL: dict[str, dict[str, Scalar]] = {
    "memorization": {"validation": 500, "test": 700},
    "arithmetic": {"digits": 3, "validation": 3000, "test": 4000},
    "xml": {"validation": 3000, "test": 4000},
    "language": {"vocabulary": 500, "max_tokens": 20_000, "max_evaluation_tokens": 3000},
}
CHANGED: dict[str, dict[str, Scalar]] = {
    "memorization": {"length": 4},
    "arithmetic": {"digits": 4},
    "xml": {"max_letters": 9},
    "language": {"max_tokens": 19_999},
}


@pytest.fixture(
    params=[name for name, kind in TASKS.items() if not (needs_data(kind) or missing_extra(kind))], scope="module"
)
def task(request: pytest.FixtureRequest, cache_folder: Path) -> Task:
    name: str = request.param
    return load_task(name, **SMALL.get(name, {}))


def first_windows(task: Task, seed: int, count: int = 40) -> list[Batch]:
    return list(islice(task.training(6, 35, np.random.default_rng(seed)), count))


def assert_equal_windows(left: list[Batch], right: list[Batch]) -> None:
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a.inputs, b.inputs)
        np.testing.assert_array_equal(a.targets, b.targets)
        np.testing.assert_array_equal(a.loss_mask, b.loss_mask)
        assert a.starts == b.starts


def assert_well_formed(task: Task, shown: list[Batch], batch: int, steps: int) -> None:
    assert shown[0].starts
    before = None
    for window in shown:
        length = len(window.loss_mask)
        assert length >= 1
        assert length <= steps or getattr(task, "alone", False)
        assert window.loss_mask.shape == (length, batch)
        assert window.loss_mask.dtype == np.float32
        assert set(np.unique(window.loss_mask)) <= {0.0, 1.0}
        if task.output is Output.GAUSSIAN:
            assert window.inputs.shape == (length, batch, task.input_size)
            assert window.targets.shape == (length, batch, task.output_size)
            assert window.inputs.dtype == window.targets.dtype == np.float32
            assert np.isfinite(window.inputs).all()
            assert np.isfinite(window.targets).all()
        elif task.output is Output.SYMBOLS:
            assert window.inputs.shape == window.targets.shape == (length, batch)
            assert window.inputs.dtype == window.targets.dtype == np.int64
            assert window.inputs.min() >= 0
            assert max(window.inputs.max(), window.targets.max()) < task.output_size
        else:
            assert window.inputs.shape == window.targets.shape == (length, batch, task.output_size)
            assert window.inputs.dtype == window.targets.dtype == np.float32
            assert set(np.unique(window.targets)) <= {0.0, 1.0}
        # Padding of whole sequences is zeros: the target before it is no input.
        followed = (
            window.loss_mask[1:] > 0 if task.output is Output.GAUSSIAN else np.ones((length - 1, batch), np.bool_)
        )
        np.testing.assert_array_equal(window.inputs[1:][followed], window.targets[:-1][followed])
        if not window.starts:
            assert before is not None
            np.testing.assert_array_equal(window.inputs[0], before)
        before = window.targets[-1]


def test_training_windows_are_well_formed(task: Task) -> None:
    assert_well_formed(task, first_windows(task, 0, 100), 6, 35)


@pytest.mark.parametrize("split", list(Split))
def test_evaluation_windows_are_well_formed_and_the_same_twice(task: Task, split: Split) -> None:
    shown = list(task.evaluation(split, 5, 20))
    assert_well_formed(task, shown, 5, 20)
    assert_equal_windows(shown, list(task.evaluation(split, 5, 20)))


def test_the_splits_differ(task: Task) -> None:
    sets = [next(task.evaluation(split, 5, 20)).targets.tobytes() for split in Split]
    assert len(set(sets)) == 3


def test_training_is_a_function_of_the_generator(task: Task) -> None:
    assert_equal_windows(first_windows(task, 1), first_windows(task, 1))
    same = [
        np.array_equal(a.targets, b.targets)
        for a, b in zip(first_windows(task, 1), first_windows(task, 2), strict=True)
    ]
    assert not all(same)


def test_nobody_can_write_into_the_tasks_own_arrays(task: Task) -> None:
    expected = list(task.evaluation(Split.VALIDATION, 5, 20))
    for window, copy in zip(task.evaluation(Split.VALIDATION, 5, 20), expected, strict=True):
        assert_equal_windows([window], [copy])
        for array in (window.inputs, window.targets, window.loss_mask):
            if array.flags.writeable:
                array[...] = 0
    assert_equal_windows(expected, list(task.evaluation(Split.VALIDATION, 5, 20)))


def test_a_pickled_copy_gives_the_same_data_from_memory_that_it_cannot_write(task: Task) -> None:
    """Workers receive the arrays outside the pickle, in read-only memory."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(task, protocol=5, buffer_callback=buffers.append)
    copy = pickle.loads(data, buffers=[bytes(buffer.raw()) for buffer in buffers])  # noqa: S301
    assert copy.checksum == task.checksum
    assert_equal_windows(first_windows(task, 5, 5), first_windows(copy, 5, 5))
    assert_equal_windows(list(task.evaluation(Split.TEST, 5, 20)), list(copy.evaluation(Split.TEST, 5, 20)))


def test_the_recorded_parameters_make_the_same_task(task: Task) -> None:
    parameters = parameters_of(task)
    assert SMALL.get(task.name, {}).items() <= parameters.items()
    again = load_task(task.name, **parameters)
    assert again.checksum == task.checksum
    assert parameters_of(again) == parameters


def test_the_checksum_is_of_the_data(task: Task) -> None:
    assert set(task.checksum) <= set("0123456789abcdef")
    assert len(task.checksum) == 64
    assert load_task(task.name, **SMALL.get(task.name, {})).checksum == task.checksum


@pytest.mark.parametrize("name", list(CHANGED))
def test_other_parameters_have_another_checksum(name: str) -> None:
    small = SMALL.get(name, {})
    assert load_task(name, **small).checksum != load_task(name, **(small | CHANGED[name])).checksum


def test_another_name_or_version_has_another_checksum() -> None:
    class Renamed(Xml):
        name = "renamed"

    class Newer(Xml):
        version = Xml.version + 1

    parameters = {"validation": 500, "test": 500}
    checksums = {kind(**parameters).checksum for kind in (Xml, Renamed, Newer)}
    assert len(checksums) == 3


def test_the_constant_guess_is_the_best_constant(task: Task) -> None:
    """For accuracy, counts by hand; for piano rolls, the sum of each note's loss at its own frequency.

    Of real values, the constant baseline is that of the naive forecast.
    """
    if task.output is Output.GAUSSIAN:
        found = list(task.evaluation(Split.VALIDATION, 8, 64))
        errors = np.concatenate([(window.targets - window.inputs)[window.loss_mask > 0] for window in found])
        nats = 0.5 * np.log(2 * np.pi * np.e * np.square(errors, dtype=np.float64).mean(axis=0)).sum()
        assert task.constant_baseline() == pytest.approx(nats, rel=1e-6)
        assert task.baseline_name == "naive forecast"
        return
    assert task.baseline_name == "constant baseline"
    symbols: dict[int, int] = {}
    notes, steps = [0] * task.output_size, 0
    for window in task.evaluation(Split.VALIDATION, 8, 64):
        for target, counted in zip(
            window.targets.reshape(-1, *window.targets.shape[2:]), window.loss_mask.ravel(), strict=True
        ):
            if not counted:
                continue
            steps += 1
            if task.output is Output.SYMBOLS:
                symbols[int(target)] = symbols.get(int(target), 0) + 1
            else:
                for note in np.flatnonzero(target):
                    notes[note] += 1
    if task.metric == ACCURACY:
        expected = max(symbols.values()) / steps
    elif task.metric == CROSS_ENTROPY:
        expected = -sum(count / steps * math.log(count / steps) for count in symbols.values())
    else:
        assert task.metric == NATS_PER_STEP
        shares = [count / steps for count in notes]
        expected = -sum(p * math.log(p) + (1 - p) * math.log(1 - p) for p in shares if 0 < p < 1)
    assert task.constant_baseline() == pytest.approx(expected, rel=1e-9)
    assert task.chance_level() == task.constant_baseline()


def test_the_uniform_loss_is_that_of_equal_probabilities(task: Task) -> None:
    if task.output is Output.SYMBOLS:
        expected = -math.log(1 / task.output_size)
    elif task.output is Output.GAUSSIAN:  # a standard normal distribution of standardised values
        expected = task.output_size * (0.5 * math.log(2 * math.pi) + 0.5)
    else:
        expected = sum(-math.log(0.5) for _ in range(task.output_size))
    assert task.uniform_loss() == pytest.approx(expected)


def test_every_counted_step_is_evaluated_whatever_the_batch(task: Task) -> None:
    totals = [
        sum(float(window.loss_mask.sum()) for window in task.evaluation(Split.TEST, batch, 35)) for batch in (1, 7)
    ]
    assert totals[0] == pytest.approx(totals[1], abs=7)  # a column's first symbol has nothing before it


def test_a_sample_can_be_read_by_people(task: Task) -> None:
    text = task.render(next(task.evaluation(Split.VALIDATION, 4, 20)), 3)
    assert len(text) >= 10
    assert task.summary
    assert "\n" not in task.summary


class Clock(Task):
    """Minimal task: a clock with three strikes, and a fourth that equals the third."""

    name = "clock"
    metric = CROSS_ENTROPY
    output = Output.SYMBOLS

    @property
    def output_size(self) -> int:
        return 12

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        while True:
            yield from windows(np.array([[9, 10, 11, 11]] * batch), np.ones((batch, 4), np.float32), steps)

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        return islice(self.training(batch, steps, np.random.default_rng(0)), 1)


class Silence(Clock):
    """Task with an empty loss mask."""

    name = "silence"

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        return windows(np.zeros((batch, 4), np.int64), np.zeros((batch, 4), np.float32), steps)


def test_a_task_may_be_three_methods() -> None:
    """In nats, the constant baseline of symbols is their entropy: targets 10, 11, 11."""
    clock = Clock()
    assert clock.constant_baseline() == pytest.approx(-(1 / 3) * math.log(1 / 3) - (2 / 3) * math.log(2 / 3))
    assert clock.uniform_loss() == pytest.approx(math.log(12))
    assert clock.render(next(clock.evaluation(Split.TEST, 2, 8))) == "9 10 11 11"
    assert parameters_of(clock) == {}
    assert clock.checksum == Clock().checksum != Silence().checksum


def test_a_guess_at_nothing_is_refused() -> None:
    with pytest.raises(TaskError, match=r"^task 'silence': the loss mask of its validation set is empty; make"):
        Silence().constant_baseline()


@pytest.mark.parametrize(
    ("a", "b", "higher", "lower"),
    [
        (2.0, 1.0, True, False),
        (1.0, 2.0, False, True),
        (1.0, 1.0, False, False),
        (math.nan, 1.0, False, False),
        (1.0, math.nan, False, False),
    ],
)
def test_better_follows_the_metrics_direction_and_nan_is_never_better(
    a: float, b: float, higher: bool, lower: bool
) -> None:
    assert ACCURACY.better(a, b) is higher
    assert CROSS_ENTROPY.better(a, b) is lower


def test_best_and_gain_follow_the_metrics_direction() -> None:
    assert (ACCURACY.best([0.2, 0.9, 0.5]), NATS_PER_STEP.best([0.2, 0.9, 0.5])) == (0.9, 0.2)
    assert (ACCURACY.gain(0.75, 0.5), NATS_PER_STEP.gain(0.75, 0.5)) == (0.25, -0.25)


def test_the_ceiling_is_one_where_every_counted_step_follows_from_earlier_ones_and_unknown_for_natural_data(
    task: Task,
) -> None:
    """The samples are parsed and the answers worked out here; the default batch is that of a trial."""
    assert Task.ceiling.__defaults__ == (EVALUATION_BATCH,)
    ceilings = [task.ceiling(split) for split in Split]
    if task.name in ("language", "music", "speech"):
        assert ceilings == [None] * 3
        return
    assert all(ceiling is not None and task.constant_baseline() < ceiling <= 1.0 for ceiling in ceilings)
    if task.name == "xml":
        return
    assert ceilings == [1.0] * 3
    right = steps = 0
    for window in task.evaluation(Split.TEST, 1, 10_000):
        text = "".join(map(task.label, (window.inputs[0, 0], *window.targets[:, 0])))
        for position in np.flatnonzero(window.loss_mask[:, 0]) + 1:
            if task.name == "memorization":
                guess = text[position - 5]
            else:
                problem, _, answer = re.sub("[a-z]", "", text[:position].rpartition(".")[2]).partition("=")
                a, operator, b = re.findall(r"^(-?\d+)([+-])(-?\d+)$", problem)[0]
                guess = f"{int(a) + int(b) if operator == '+' else int(a) - int(b)}."[len(answer)]
            right += guess == text[position]
            steps += 1
    assert right == steps > 100

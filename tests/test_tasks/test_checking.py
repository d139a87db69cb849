"""Tasks that break a rule are refused when they are loaded, in one line with task, split, window, value and rule."""

from __future__ import annotations

import importlib
import math
import re
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tasks.checking import check_task
from tasks.errors import TaskError
from tasks.interface import Input
from tasks.registry import TASKS, build_task, load_task, missing_extra, needs_data
from tasks.task import Batch, Split
from tasks.watch import BatchRules

HERE = Path(__file__).parent
FILE = HERE / "own_tasks.py"


@pytest.fixture(autouse=True)
def in_this_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(HERE))])
    importlib.invalidate_caches()


def line_of(text: str) -> int:
    """Return the number of the line of `own_tasks.py` that contains a text."""
    return next(number for number, line in enumerate(FILE.read_text().splitlines(), 1) if text in line)


BREACHES = {
    "Fractions": "task 'sound', validation, window 1: inputs has the dtype float32; symbols must be integers, so use",
    "Missing": "task 'sound', validation, window 1: inputs has the dtype float64; symbols must be integers",
    "BatchFirst": "window 1: loss_mask has the shape (8, 64); (steps, columns) must be at most 64 steps and exactly 8",
    "Weights": "task 'sound', validation, window 1: loss_mask has the value 0.00195312; every value must be 0 or 1",
    "Halves": "task 'sound', validation, window 1: loss_mask has the value 0.5; every value must be 0 or 1",
    "NothingCounts": "task 'sound', training: no step of the first 64 windows is in loss_mask, so nothing could be",
    "OneBuffer": "task 'sound', validation, window 1: its arrays were changed after it was yielded; yield new arrays",
    "TwoBuffers": "task 'sound', training, window 1: its arrays were changed after it was yielded; yield new arrays",
    "OutputText": "task 'sound': output = 'symbols'; it must be Output.SYMBOLS or Output.MULTI_LABEL",
    "Bits": "task 'sound': metric 'bits' is none of gatesearch's; import ACCURACY,",
    "SameSets": "task 'sound': validation and test are the same data; give each split its own",
    "TrainsOnTest": "task 'sound': all of test is among the first 64 windows of training; keep its data out of",
    "Drifts": "task 'sound', validation, window 1: is not the same when it is read again; seed its random numbers by",
    "Grows": "task 'sound', validation, window 2: is not the same when it is read again",
    "OwnRandomNumbers": "task 'sound', training, window 1: is not the same when it is read again; draw random numbers",
    "Velocities": "task 'velocities', validation, window 1: inputs has the value 80; every value must be 0 or 1",
    "RollAccuracy": "metric accuracy does not fit Output.MULTI_LABEL, whose predictions it cannot measure; use",
    "MissingNotes": "task 'roll', validation, window 1: targets has the value nan; every value must be 0 or 1",
    "Surprise": "metric nats_per_step does not fit Output.SYMBOLS, whose predictions it cannot measure; use",
    "FloatTargets": "task 'sound', validation, window 1: targets has the dtype float64; symbols must be integers",
    "FromOne": "task 'sound', validation, window 1: inputs has the symbol 8; symbols must be 0 to 7 (output_size 8)",
    "Minus100": "window 1: targets has the symbol -100; symbols must be 0 to 7 (output_size 8), and steps that do not",
    "Shorter": "task 'sound', validation, window 1: targets has the shape (63, 8), but loss_mask (64, 8)",
    "Longer": "task 'sound', validation, window 1: loss_mask has the shape (65, 8); (steps, columns) must be at most",
    "Tuples": "task 'sound', validation, window 1: is a tuple; yield gatesearch.Batch(inputs, targets, loss_mask,",
    "Lists": "task 'sound', validation, window 1: inputs is a list; it must be a NumPy array",
    "NeverStarts": "task 'sound', validation, window 1: starts is False in the first window; it must be True, since no",
    "StartsText": "task 'sound', validation, window 1: starts is 'yes'; it must be True or False",
    "LengthsList": "window 1: lengths has the type list; it must be a NumPy array of integers, so use np.array(",
    "LengthsOfFloats": "window 1: lengths has the dtype float64; it must be a NumPy array of integers, so use",
    "LengthsOfSteps": "window 1: lengths has the shape (64,); it must be (8,), the steps of each column",
    "LengthsTooShort": "window 1: lengths begins with 63; the longest sequence comes first, and has all 64 steps",
    "LengthsRise": "window 1: lengths has 4 at column 3 after 2; order the columns by length, the longest first",
    "LengthsBelowZero": "window 1: lengths has -1; a sequence has 0 steps or more",
    "CountsBehindTheEnd": "window 1: loss_mask is 1 at step 5 of column 6, of which lengths has 5; it must be 0 behind",
    "ContinuesWhatEnded": "window 2: starts is False after a window with lengths, whose sequences have ended; it must",
    "BoolMask": "task 'sound', validation, window 1: loss_mask has the dtype bool; it must be float32, so use .astype",
    "NoTest": "task 'sound', test: evaluation yields no window; it must yield the whole set",
    "TestCountsNothing": "task 'sound', test: no step of 10 windows is in loss_mask; mark those to be predicted with 1",
    "ReturnsNothing": "task 'sound', validation: returned NoneType; it must yield gatesearch.Batch objects",
    "Ends": "task 'sound', training: ended after 3 windows; it must be endless, so loop over the data",
    "EndsLater": "task 'sound', training: ended after 12 windows; it must be endless, so loop over the data",
    "Raises": "task 'sound' raised FileNotFoundError in training, own_tasks.py line {line}: no such shard:",
    "StopsAtOnce": "task 'sound' raised StopIteration in validation, own_tasks.py line {line}: without a message",
    "Exits": "task 'sound' raised SystemExit in validation, own_tasks.py line {line}: 3",
    "NoSize": "task 'sound' raised AttributeError in output_size, own_tasks.py line {line}: 'NoSize' object has no",
    "MetricText": "task 'sound': metric 'accuracy' is none of gatesearch's; import ACCURACY,",
    "SizeText": "task 'sound': output_size = '8'; it must be a whole number of at least 1",
    "SizeOfNumPy": "task 'sound': output_size has the type int64; it must be int, so use int()",
    "Gap": "task 'sensors', validation, window 1: inputs has the value nan; every value must be finite",
    "Doubles": "task 'sensors', validation, window 1: targets has the dtype float64; it must be float32",
    "ReadsTwo": "task 'sensors', validation, window 1: inputs has the shape (64, 8, 3), but loss_mask (64, 8); inputs",
    "InputText": "task 'sensors': input = 'values'; it must be Input.SYMBOLS or Input.VALUES, or None",
    "InputSizeText": "task 'sensors': input_size = '3'; it must be a whole number of at least 1",
    "AlsoF1": "task 'sensors': also lists macro_f1; Output.GAUSSIAN is measured by NATS_PER_STEP, MEAN_SQUARED_ERROR",
    "HugeSize": "task 'sound': output_size = 1000000000; it must be at most 10,000,000, since no model has more",
}
LINES = {
    "Raises": "raise FileNotFoundError",
    "StopsAtOnce": "next(iter(()))",
    "Exits": "raise SystemExit",
    "NoSize": "len(self.vocabulary)",
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_task_that_breaks_a_rule_is_refused_when_it_is_loaded(name: str) -> None:
    line = line_of(LINES[name]) if name in LINES else 0
    with pytest.raises(TaskError, match=re.escape(BREACHES[name].format(line=line))) as caught:
        load_task(f"own_tasks:{name}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["Sound", "Roll", "KeepsFunction", "Talks", "EndsAfterTheCheck"])
def test_a_task_that_breaks_none_is_loaded(name: str) -> None:
    assert load_task(f"own_tasks:{name}").output_size == 8


@pytest.mark.parametrize(("name", "sizes"), [("Sensors", (3, 2)), ("Classes", (3, 4)), ("Tags", (3, 3))])
def test_inputs_and_outputs_are_two_choices(name: str, sizes: tuple[int, int]) -> None:
    task = load_task(f"own_tasks:{name}")
    check_task(task, thorough=True)
    both = task.interface
    assert (both.input, both.input_size, both.output_size) == (Input.VALUES, *sizes)
    validation = [*task.evaluation(Split.VALIDATION, 8, 64)]
    targets = np.concatenate([batch.targets[batch.loss_mask > 0] for batch in validation]).astype(np.float64)
    expected = {
        "Sensors": targets.var(axis=0).mean(),
        "Classes": np.bincount(targets.astype(int)).max() / len(targets) if targets.ndim == 1 else 0.0,
        "Tags": 3 * math.log(2.0),
    }
    assert task.constant_baseline() == pytest.approx(expected[name], rel=1e-2 if name == "Tags" else 1e-6)


def test_the_cases_are_all_there() -> None:
    module = importlib.import_module(load_task("own_tasks:Sound").__module__)
    classes = {name for name, kind in vars(module).items() if getattr(kind, "__module__", None) == module.__name__}
    whole = {"Sound", "Roll", "KeepsFunction", "Talks", "EndsAfterTheCheck", "Sensors", "Classes", "Tags"}
    assert classes == {*BREACHES, *whole}


def test_what_was_read_is_counted() -> None:
    """The sets of `Sound` have 10 windows of 64 steps and 8 columns, all of them in the loss mask."""
    found = check_task(load_task("own_tasks:Sound"), thorough=True)
    assert [(part.name, part.windows, part.steps, part.counted) for part in found.sets] == [
        ("training", 300, 300 * 512, 300 * 512),
        ("validation", 10, 5120, 5120),
        ("test", 10, 5120, 5120),
    ]
    assert found.unpicklable is None


def test_a_thorough_check_says_why_a_task_cannot_be_sent_to_workers() -> None:
    found = check_task(load_task("own_tasks:KeepsFunction"), thorough=True)
    assert found.unpicklable is not None
    assert "lambda" in found.unpicklable
    assert found.lines()[-1].endswith("so use --workers 0")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.exact if name == "language" else ())
        for name, kind in TASKS.items()
        if not (needs_data(kind) or missing_extra(kind))
    ],
)
def test_the_projects_own_tasks_keep_every_rule(name: str, cache_folder: Path) -> None:
    small = {"language": {"vocabulary": 500, "max_tokens": 20_000, "max_evaluation_tokens": 3000}}
    task = load_task(name, **small.get(name, {}))
    found = check_task(task, thorough=True)
    validation = list(task.evaluation(Split.VALIDATION, 8, 64))
    assert found.sets[1].counted == sum(int(window.loss_mask.sum()) for window in validation)
    assert found.unpicklable is None


def test_a_stream_that_ends_after_the_check_says_so_when_it_is_read() -> None:
    stream = load_task("own_tasks:EndsAfterTheCheck").training(4, 5, np.random.default_rng(0))
    assert len(list(islice(stream, 400))) == 400
    with pytest.raises(TaskError, match=r"^task 'ends-after-the-check', training: ended after 400 windows; it must be"):
        next(stream)


def test_every_batch_is_checked_whoever_reads_it() -> None:
    """A task that was never loaded, only built: each of its windows is checked all the same."""
    task = build_task("own_tasks:FromOne")
    with pytest.raises(TaskError, match="training, window 1: inputs has the symbol 8"):
        next(task.training(30, 40, np.random.default_rng(0)))
    with pytest.raises(TaskError, match="test, window 1: inputs has the symbol 8"):
        list(task.evaluation(Split.TEST, 30, 40))
    with pytest.raises(TaskError, match="validation, window 1: inputs has the symbol 8"):
        task.constant_baseline()


LEVELS = {
    "raise ValueError('no level')": r"raised ValueError in LEVEL, levels\.py line 5: no level; correct it",
    "return None": "LEVEL: returned None; it must be a finite number",
    "return float('nan')": "LEVEL: returned nan; it must be a finite number",
    "return '0.5'": r"LEVEL: returned '0\.5'; it must be a finite number",
}


@pytest.mark.parametrize("level", ["constant_baseline", "chance_level"])
@pytest.mark.parametrize("body", LEVELS)
def test_a_level_that_is_no_number_names_the_task_and_the_line(
    body: str, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"""\
from own_tasks import Sound
class Own(Sound):
    name = "own"
    def {level}(self, split=None):
        {body}
"""
    (tmp_path / "levels.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "levels", raising=False)
    own = importlib.import_module("levels").Own()
    with pytest.raises(TaskError, match=f"^task 'own'.* {LEVELS[body].replace('LEVEL', level)}"):
        own.chance_level()


def test_a_level_that_is_no_method_is_refused_with_the_class() -> None:
    with pytest.raises(TaskError, match=r"^task 'sound': chance_level is a float; it is the name of a method of tasks"):
        type("Own", (type(build_task("own_tasks:Sound")),), {"chance_level": 0.3})


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.int32, np.uint64, np.int64])
@pytest.mark.parametrize("value", [-1, 0, 7, 8, 100, -100])
def test_symbols_of_every_integer_type_are_compared_with_the_output_size(kind: type, value: int) -> None:
    """The quick comparison of unsigned numbers finds what a plain one finds, also in arrays that are not contiguous."""
    rules = BatchRules(build_task("own_tasks:Sound"), 5, 6)
    symbols = np.zeros((5, 12), np.int64)
    symbols[3, 4] = value
    given: np.ndarray = symbols.astype(kind)[:, ::2].T
    breach = rules.breach(Batch(given, given, np.ones((6, 5), np.float32), True), first=True)
    assert (breach is None) == (0 <= int(given[2, 3]) < 8)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, 0.3, 80.0, -1.0, 2.0, np.nan, np.inf, 1e-40])
def test_rolls_of_other_values_than_0_and_1_are_found(value: float) -> None:
    rules = BatchRules(build_task("own_tasks:Roll"), 5, 6)
    roll = np.ones((6, 8, 5), np.float32).transpose(0, 2, 1)
    roll[2, 3, 4] = value
    breach = rules.breach(Batch(roll, roll, np.ones((6, 5), np.float32), True), first=True)
    assert (breach is None) == (value in (0.0, 1.0))


def test_what_a_task_prints_goes_to_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    task = load_task("own_tasks:Talks")
    before = capsys.readouterr()
    assert (before.out, "loading data ..." in before.err) == ("", True)
    list(task.evaluation(Split.TEST, 2, 3))
    print("the reader's own")
    after = capsys.readouterr()
    assert (after.out, after.err) == ("the reader's own\n", "loading data ...\n")

"""The recorded vowels are those of the package's files, read without running its code."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from search.cli.descriptions import summary_line
from search.cli.main import run
from tasks.checking import check_task
from tasks.errors import TaskError
from tasks.metrics import ACCURACY, CROSS_ENTROPY, MACRO_F1, NATS_PER_STEP, metrics_of_task
from tasks.registry import build_task, load_task, missing_extra, parameters_of, task_class
from tasks.speech import Speech
from tasks.task import Output, Split
from tests.paths import ROOT

needs_sktime = pytest.mark.skipif(find_spec("sktime") is None, reason="gatesearch[speech] is not installed")

Utterances = dict[str, list[npt.NDArray[np.float64]]]


def utterances(part: str) -> Utterances:
    """Return the utterances of each speaker, by a plain reading of the file's lines."""
    folder = importlib.metadata.distribution("sktime").locate_file("sktime/datasets/data/JapaneseVowels")
    found: Utterances = {}
    text = Path(str(folder), f"JapaneseVowels_{part}.ts").read_text("utf-8")
    for line in re.split("@data", text, flags=re.IGNORECASE)[1].split():
        *channels, speaker = line.split(":")
        frames = np.array([[float(value) for value in channel.split(",")] for channel in channels]).T
        found.setdefault(speaker, []).append(frames)
    return found


@needs_sktime
def test_the_set_has_the_published_sizes() -> None:
    """270 utterances for training, 30 of each of 9 speakers; 370 for the test; 7 to 29 frames of 12 coefficients."""
    task = load_task("speech", predict="speaker")
    assert task.summary == "speakers of recorded vowels (gatesearch[speech]); accuracy"
    sizes = {split: task.description(split).sequences for split in Split}
    assert sizes == {Split.TRAIN: 216, Split.VALIDATION: 54, Split.TEST: 370}
    assert (task.input_size, task.output_size) == (12, 9)
    lengths = [fact.value for fact in task.description(Split.TEST).facts if "sequence" in fact.name]
    assert lengths == [7, 29, 0]
    for split, each in (Split.TRAIN, 24), (Split.VALIDATION, 6):
        windows = task.evaluation(split, 50, 1)
        speakers = [int(one) for window in windows for one in window.targets[window.loss_mask > 0]]
        assert np.bincount(speakers).tolist() == [each] * 9


@needs_sktime
@pytest.mark.parametrize("predict", ["frames", "speaker"])
def test_every_rule_of_tasks_is_kept(predict: str) -> None:
    task = load_task("speech", predict=predict)
    check_task(task, thorough=True)
    assert build_task("speech", **parameters_of(task)).checksum == task.checksum
    assert "from sktime" in summary_line("speech", task)
    assert "sktime" not in sys.modules


@needs_sktime
def test_metrics_and_kinds_are_those_of_what_is_predicted() -> None:
    frames, speaker = Speech(), Speech(predict="speaker")
    assert (frames.output, frames.output_size, frames.metric) == (Output.GAUSSIAN, 12, NATS_PER_STEP)
    assert (speaker.output, speaker.output_size, speaker.metric) == (Output.SYMBOLS, 9, ACCURACY)
    assert metrics_of_task(speaker) == (ACCURACY, CROSS_ENTROPY, MACRO_F1)
    assert speaker.label(0) == "1"
    assert frames.checksum != speaker.checksum


@needs_sktime
def test_frames_are_those_of_the_files_standardised_by_the_training_part() -> None:
    task = Speech()
    raw = {part: [one for each in utterances(part).values() for one in each] for part in ("TRAIN", "TEST")}

    def read(split: Split) -> list[npt.NDArray[np.float32]]:
        """Return utterances: the first input of each, and its targets."""
        found = []
        for window in task.evaluation(split, 10, 1):
            for column in range(10):
                steps = int(window.loss_mask[:, column].sum())
                if steps:
                    inputs, targets = window.inputs[:steps, column], window.targets[:steps, column]
                    np.testing.assert_array_equal(inputs[1:], targets[:-1])
                    found.append(np.concatenate([inputs[:1], targets]))
        return found

    training = np.concatenate(read(Split.TRAIN))
    np.testing.assert_allclose(training.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(training.std(axis=0), 1.0, rtol=1e-5)
    for part, splits in ("TRAIN", [Split.TRAIN, Split.VALIDATION]), ("TEST", [Split.TEST]):
        shown = sorted((one for split in splits for one in read(split)), key=lambda one: one[0, 0])
        expected = sorted(raw[part], key=lambda one: one[0, 0])
        before, after = np.concatenate(expected), np.concatenate(shown)
        assert before.shape == after.shape
        for channel in range(12):
            slope, shift = np.polyfit(before[:, channel], after[:, channel], 1)
            np.testing.assert_allclose(before[:, channel] * slope + shift, after[:, channel], atol=2e-5)


@needs_sktime
def test_the_naive_forecast_is_the_constant_baseline() -> None:
    task = Speech()
    training = [one for each in utterances("TRAIN").values() for one in each]
    test = [one for each in utterances("TEST").values() for one in each]
    told = {fact.name: fact.value for fact in task.description(Split.TEST).facts}
    # Errors in raw units; the scale of training, of the utterances that are not validation, is found from the task.
    variances = np.square(np.concatenate([np.diff(one, axis=0) for one in test])).mean(axis=0)
    whole = np.concatenate(training).std(axis=0)
    nats = 0.5 * np.log(2.0 * np.pi * np.e * variances / whole**2).sum()
    assert task.constant_baseline(Split.TEST) == pytest.approx(nats, abs=0.3)
    assert told["naive forecast, nats_per_step"] == task.constant_baseline(Split.TEST)
    assert told["mean forecast, nats_per_step"] > 10 + told["naive forecast, nats_per_step"]
    validation = {fact.name: fact.value for fact in task.description(Split.VALIDATION).facts}
    assert task.chance_level() == validation["mean forecast, nats_per_step"] > 10 + task.constant_baseline()
    speakers = Speech(predict="speaker")
    assert speakers.chance_level() == speakers.constant_baseline()
    assert task.description(Split.TEST).counted == sum(len(one) - 1 for one in test)


def missing(name: str) -> importlib.metadata.Distribution:
    raise importlib.metadata.PackageNotFoundError(name)


def elsewhere(folder: Path) -> Callable[[str], importlib.metadata.Distribution]:
    """Return a look-up that finds an installed package without its files."""
    (folder / "sktime-1.dist-info").mkdir()
    (folder / "sktime-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: sktime\nVersion: 1\n")
    return lambda name: importlib.metadata.Distribution.at(folder / "sktime-1.dist-info")


def test_a_missing_package_or_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for found, message in (
        (
            missing,
            r"^task 'speech' needs the package sktime, which has its data; run: pip install 'gatesearch\[speech\]'$",
        ),
        (
            elsewhere(tmp_path),
            r"^task 'speech': sktime has no file .*JapaneseVowels_TRAIN\.ts; run: pip install --force",
        ),
    ):
        monkeypatch.setattr("tasks.speech.distribution", found)
        with pytest.raises(TaskError, match=message):
            build_task("speech")


def test_an_extra_that_is_not_installed_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = task_class("speech")
    assert missing_extra(kind) == (None if find_spec("sktime") else "speech")
    monkeypatch.setattr(kind, "extra", ("speech", "no_package_of_this_name"))
    assert missing_extra(kind) == "speech"
    assert missing_extra(task_class("xml")) is None


def test_another_prediction_is_refused() -> None:
    with pytest.raises(TaskError, match=r"predict = 'words', but it must be one of frames, speaker"):
        build_task("speech", predict="words")


@needs_sktime
@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_page_has_the_accuracies_of_four_seeds(cell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Another processor rounds otherwise: an accuracy may differ by two of 370 utterances."""
    page = (ROOT / "docs" / "classes.md").read_text("utf-8")
    shown = re.search(rf"^\| `{cell}`, .*\| ([\d.]+) to ([\d.]+) \|$", page, re.MULTILINE)
    assert shown is not None
    found = []
    for seed in range(4):
        options = "--option predict=speaker --parameters 50000 --learning-rate 0.3 --json --seed"
        assert run(["train", cell, "speech", *options.split(), str(seed)]) == 0
        found.append(json.loads(capsys.readouterr().out)["test"])
    assert (min(found), max(found)) == pytest.approx((float(shown[1]), float(shown[2])), abs=0.0055)


@needs_sktime
@pytest.mark.slow
@pytest.mark.parametrize(("cell", "name"), [("gru", "GRU"), ("lstm", "LSTM")])
def test_the_page_has_the_nats_of_frames_of_four_seeds(
    cell: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another processor rounds otherwise, by less than a quarter of the standard error."""
    page = (ROOT / "docs" / "classes.md").read_text("utf-8")
    shown = re.search(rf"(-[\d.]+) to (-[\d.]+) nats by the {name}\b", page)
    assert shown is not None
    found = []
    for seed in range(4):
        options = "--parameters 50000 --learning-rate 0.03 --epochs 40 --json --seed"
        assert run(["train", cell, "speech", *options.split(), str(seed)]) == 0
        found.append(json.loads(capsys.readouterr().out)["test"])
    assert (min(found), max(found)) == pytest.approx((float(shown[1]), float(shown[2])), abs=0.05)

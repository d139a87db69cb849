"""A path names a file, or a set in parts; hidden files are no data, and nothing is chosen in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import TaskError
from tasks.labelled.files import files_of
from tasks.task import Split

ARCHIVE = {Split.TRAIN: "Set_TRAIN.ts", Split.TEST: "Set_TEST.ts"}


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text("")
    return folder


def names_of(path: Path) -> dict[Split | None, str]:
    return {part: file.name for part, file in files_of(path).parts.items()}


def test_the_archives_folders_are_read_whatever_lies_beside_the_set(tmp_path: Path) -> None:
    touched(tmp_path, *ARCHIVE.values(), "Set_TRAIN.arff", "Set_TEST.arff", "Set.jpg", ".hidden_TRAIN.ts",
            "._Set_TEST.ts", "SetDimension1_TRAIN.ts", "SetDimension1_TEST.ts", "Set.ts")  # fmt: skip
    found = files_of(tmp_path)
    assert {part: file.name for part, file in found.parts.items()} == ARCHIVE
    others = {"Set_TRAIN.arff", "Set_TEST.arff", "Set.jpg", "SetDimension1_TRAIN.ts", "SetDimension1_TEST.ts", "Set.ts"}
    assert {file.name for file in found.others} == others
    assert names_of(tmp_path / "Set_TRAIN.ts") == ARCHIVE  # the training file stands for the set
    assert names_of(tmp_path / "Set_TEST.ts") == {None: "Set_TEST.ts"}
    assert names_of(tmp_path / "Set.ts") == {None: "Set.ts"}


@pytest.mark.parametrize(
    "names",
    [
        ("train.csv", "valid.csv", "test.csv"),
        ("Train.csv", "VAL.csv", "TEST.csv"),
        ("my set-train.csv", "my set-dev.csv", "my set-test.csv"),
        ("x_training.csv.gz", "x_validation.csv.gz", "x_testing.csv.gz"),
    ],
)
def test_tables_in_three_parts_are_read(tmp_path: Path, names: tuple[str, str, str]) -> None:
    assert names_of(touched(tmp_path, *names)) == dict(zip(Split, names, strict=True))


def test_a_single_file_of_a_folder_is_all_of_the_data(tmp_path: Path) -> None:
    assert names_of(touched(tmp_path, "recordings.arff", "notes.txt")) == {None: "recordings.arff"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), r"has no visible file; it must have files that end with \.ts, \.arff, \.parquet"),
        (("a.txt", "b.wav"), r"has a\.txt, b\.wav; it must have files that end with \.ts"),
        (("A_TRAIN.ts", "A_TEST.ts", "B_TRAIN.ts", "B_TEST.ts"), r"has several sets: A, B; give the path of one file"),
        (("a.csv", "b.csv"), r"has several sets: a, b; give the path of one file"),
        (("A_TRAIN.ts",), r"has no file of the test part beside A_TRAIN\.ts; add it, or give the path of one file"),
        (("train.csv", "test.csv", "val.csv", "dev.csv"), r"has dev\.csv and val\.csv for one part; keep one of them"),
    ],
)
def test_a_folder_that_does_not_tell_its_set_is_one_line(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(TaskError, match=message) as caught:
        files_of(touched(tmp_path, *names))
    assert "\n" not in str(caught.value)


def test_a_path_that_is_no_data_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"none' does not exist, or is no regular file; give a \.ts, \.arff, CSV or"):
        files_of(tmp_path / "none")
    with pytest.raises(TaskError, match=r"notes\.txt' is of no known kind; it must end with \.ts, \.arff"):
        files_of(touched(tmp_path, "notes.txt") / "notes.txt")

"""Which files of a folder are data, of which split, and how they are named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks import folders
from tasks.errors import TaskError
from tasks.folders import division_of, files_of, listed, read_file, unread_fact, unusable, words_of
from tasks.task import Split


def touch(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return paths


def divided(folder: Path, *names: str) -> tuple[dict[Split, list[str]], list[str]] | None:
    touch(folder, *names)
    found = division_of(folder, files_of(folder))
    if found is None:
        return None

    def shown(paths: list[Path]) -> list[str]:
        return [str(path.relative_to(folder)) for path in paths]

    return {split: shown(paths) for split, paths in found.files.items()}, shown(found.beside)


def test_hidden_files_and_those_of_systems_are_no_data(tmp_path: Path) -> None:
    folder = tmp_path / ".hidden" / "data"
    good = touch(folder, "a.mid", "deep/er/b.mid", "c")
    touch(folder, "._a.mid", ".DS_Store", "__MACOSX/a.mid", "deep/._b.mid", ".git/b.mid", "Thumbs.db", "desktop.ini")
    assert files_of(folder) == sorted(good)


def test_linked_folders_are_followed_once_and_broken_links_are_files(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/a.mid", "data/b.mid")
    data = tmp_path / "data"
    (data / "link").symlink_to(tmp_path / "elsewhere")
    (data / "again").symlink_to(data)
    (data / "broken.mid").symlink_to(tmp_path / "nowhere")
    assert files_of(data) == [data / "b.mid", data / "broken.mid", data / "link" / "a.mid"]
    with pytest.raises(TaskError, match=r"broken.mid' cannot be read: No such file or directory; check the file"):
        read_file(data / "broken.mid", 100)


def test_a_folder_of_everything_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a", "b/c", "b/d")
    monkeypatch.setattr(folders, "MOST_FILES", 3)
    assert len(files_of(tmp_path)) == 3
    monkeypatch.setattr(folders, "MOST_FILES", 2)
    with pytest.raises(TaskError, match="has more than 2 files; give the folder of the data alone"):
        files_of(tmp_path)


def test_a_folder_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="nothing' cannot be read: No such file or directory; check it"):
        files_of(tmp_path / "nothing")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mid")
    with pytest.raises(TaskError, match=r"a.mid' is not a regular file; leave it out"):
        read_file(tmp_path / "a.mid", 100)


@pytest.mark.parametrize(
    "names", [("Train", "Valid", "Test"), ("TRAINING", "val", "testing"), ("train", "DEV", "test")]
)
def test_folders_of_splits_have_several_names_in_any_case(tmp_path: Path, names: tuple[str, str, str]) -> None:
    a, b, c = (f"{name}/x/a.mid" for name in names)
    found = divided(tmp_path, a, b, c, "more/a.mid", "a.mid")
    assert found == ({Split.TRAIN: [a], Split.VALIDATION: [b], Split.TEST: [c]}, ["a.mid", "more/a.mid"])


def test_folders_of_splits_may_lie_deeper(tmp_path: Path) -> None:
    names = ("x/train/a", "x/dev/a", "x/test/a", "y/train/a", "y/Val/a", "y/test/a", "z/a")
    assert divided(tmp_path, *names) == (
        {
            Split.TRAIN: ["x/train/a", "y/train/a"],
            Split.VALIDATION: ["x/dev/a", "y/Val/a"],
            Split.TEST: ["x/test/a", "y/test/a"],
        },
        ["z/a"],
    )


def test_a_folder_deeper_down_that_happens_to_be_called_test_divides_nothing(tmp_path: Path) -> None:
    assert divided(tmp_path, "x/test/a.mid", "x/b.mid") is None
    (tmp_path / "train").mkdir()  # without a file
    found = divided(tmp_path)
    assert found is not None
    assert not any(found[0].values())


def test_two_folders_for_one_split_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "train/a", "val/a", "dev/b", "test/a")
    with pytest.raises(TaskError, match=r"has the folders 'dev', 'val' for validation; keep one"):
        division_of(tmp_path, files_of(tmp_path))


def test_words_of_a_name() -> None:
    assert words_of("wikiTrain_2.DEV-x") == ["wiki", "train", "2", "dev", "x"]
    assert words_of("constraints latest") == ["constraints", "latest"]


def test_names_beyond_a_number_are_counted() -> None:
    assert listed(["a", "b"], 2) == "a, b"
    assert listed([str(n) for n in range(1005)], 2) == "0, 1 and 1,003 more"


def test_all_files_that_cannot_be_used_are_in_one_line(tmp_path: Path) -> None:
    one = unusable(tmp_path, 9, {tmp_path / "a": "'a' is bad; leave it out"})
    assert str(one) == "'a' is bad; leave it out"
    many = unusable(tmp_path, 40, {tmp_path / f"{k}": f"'{k}' is bad; leave it out" for k in range(30)})
    expected = ", ".join(f"'{k}' is bad" for k in range(20))
    assert str(many) == (
        f"30 of 40 files of data = '{tmp_path}' cannot be used: {expected} and 10 more; leave them out, or correct them"
    )


def test_files_that_are_not_read_are_named(tmp_path: Path) -> None:
    (fact,) = unread_fact(tmp_path, [tmp_path / "x" / "a.kar", tmp_path / "b"], "of another kind")
    assert (fact.value, fact.limit, fact.remedy, fact.whole) == (2, 0, "of another kind: 'x/a.kar', 'b'", True)
    assert unread_fact(tmp_path, [], "of another kind") == ()

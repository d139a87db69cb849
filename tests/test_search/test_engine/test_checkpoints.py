"""The cache of checkpoints: bounded, found again, and harmless whatever the disk does."""

import errno
import os
from pathlib import Path

import pytest

from search.engine.checkpoints import FOLDER, Checkpoints

A, B, C, D = ((cell * 16, "xml", '{"learning_rate": 1}', 0) for cell in "abcd")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run" / FOLDER


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_each_trial_has_its_own_and_the_last_one_counts(folder: Path) -> None:
    checkpoints = Checkpoints(folder)
    keys = [A, B, (A[0], "music", A[2], 0), (A[0], "xml", '{"learning_rate": 2}', 0), (A[0], "xml", A[2], 1)]
    assert [checkpoints.get(*key) for key in keys] == [None] * 5
    assert not folder.exists()  # nothing was kept yet
    for k, key in enumerate(keys):
        checkpoints.put(*key, bytes([k]))
    checkpoints.put(*B, b"further")
    assert [checkpoints.get(*key) for key in keys] == [b"\0", b"further", b"\2", b"\3", b"\4"]
    checkpoints.drop(*A)
    checkpoints.drop(*A)
    assert checkpoints.get(*A) is None
    assert len(list(folder.iterdir())) == 4
    # A resumed run finds them.
    assert [Checkpoints(folder).get(*key) for key in keys] == [None, b"further", b"\2", b"\3", b"\4"]


def test_the_oldest_are_dropped_first_and_the_total_is_bounded(folder: Path) -> None:
    checkpoints = Checkpoints(folder, limit=30)
    for key in (A, B, C):
        checkpoints.put(*key, b"x" * 10)
    assert size_of(folder) == 30
    checkpoints.put(*A, b"y" * 10)  # the newest now
    assert size_of(folder) <= 30
    checkpoints.put(*D, b"z" * 10)
    assert size_of(folder) <= 30
    assert checkpoints.get(*A) == b"y" * 10
    assert checkpoints.get(*D) == b"z" * 10
    assert checkpoints.get(*B) is None
    checkpoints.put(*B, b"w" * 31)  # larger than the limit: not kept, and nothing makes room for it
    assert checkpoints.get(*B) is None
    assert checkpoints.get(*D) == b"z" * 10
    checkpoints.put(*B, b"v" * 30)
    assert [checkpoints.get(*key) for key in (A, B, C, D)] == [None, b"v" * 30, None, None]
    assert size_of(folder) == 30


def test_the_order_of_age_and_the_bound_outlive_the_process(folder: Path) -> None:
    first = Checkpoints(folder, limit=100)
    for place, key in enumerate((B, A, C)):
        first.put(*key, b"x" * 10)
        newest = max(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, ns=(place, place))
    second = Checkpoints(folder, limit=25)
    assert [second.get(*key) is not None for key in (A, B, C)] == [True, False, True]
    second.put(*D, b"x" * 10)
    assert [second.get(*key) is not None for key in (A, B, C, D)] == [False, False, True, True]
    assert size_of(folder) == 20


def test_nothing_is_left_after_clear_but_what_others_put_there(folder: Path) -> None:
    checkpoints = Checkpoints(folder)
    checkpoints.put(*A, b"x")
    (folder / ".half.1234.tmp").write_bytes(b"of a killed process")
    checkpoints.clear()
    assert not folder.exists()
    assert checkpoints.get(*A) is None
    checkpoints.put(*A, b"again")
    assert checkpoints.get(*A) == b"again"
    (folder / "notes.txt").write_text("mine")
    checkpoints.clear()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    Checkpoints(folder / "none").clear()


def test_what_a_killed_write_left_is_removed(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / ".half.1234.tmp").write_bytes(b"x" * 100)
    Checkpoints(folder)
    assert list(folder.iterdir()) == []


def test_a_full_disk_means_no_checkpoint_and_keeps_the_earlier_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(folder)
    checkpoints.put(*A, b"early")
    write_bytes = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        write_bytes(self, data[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    checkpoints.put(*A, b"late")
    checkpoints.put(*B, b"other")
    monkeypatch.undo()
    assert checkpoints.get(*A) == b"early"
    assert checkpoints.get(*B) is None
    assert len(list(folder.iterdir())) == 1  # no part of a file


def test_a_folder_that_cannot_be_made_or_read_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file of that name")
    checkpoints = Checkpoints(tmp_path / FOLDER)
    checkpoints.put(*A, b"x")
    assert checkpoints.get(*A) is None
    checkpoints.clear()
    assert (tmp_path / FOLDER).read_text() == "a file of that name"


def test_a_file_that_was_taken_away_is_no_checkpoint(folder: Path) -> None:
    checkpoints = Checkpoints(folder, limit=10)
    checkpoints.put(*A, b"x" * 10)
    next(folder.iterdir()).unlink()
    assert checkpoints.get(*A) is None
    checkpoints.put(*B, b"x" * 10)
    assert checkpoints.get(*B) == b"x" * 10

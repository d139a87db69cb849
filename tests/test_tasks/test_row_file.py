"""Rows come back from the file as they were written, any part of them, and damage is mended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.cache import Arrays
from tasks.errors import TaskError
from tasks.row_file import Append, RowFile, load_or_write

ROWS = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)


class Writer:
    """Writes the rows, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, append: Append) -> Arrays:
        self.times += 1
        for block in np.split(ROWS, [1, 400, 400]):
            append(block)
        return {"names": np.array(["a", "b"])}


def load(write: Callable[[Append], Arrays], key: str = "k" * 64) -> tuple[RowFile, Arrays]:
    return load_or_write("rows-of-test", key, "<f4", 3, ["names"], write)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATESEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_any_part_comes_back() -> None:
    file, arrays = load(Writer())
    assert (file.rows, arrays["names"].tolist(), set(arrays)) == (1000, ["a", "b"], {"names"})
    with file.open() as reader:
        for begin, end in ((0, 1000), (0, 1), (17, 17), (399, 402), (999, 1000)):
            np.testing.assert_array_equal(reader.read(begin, end), ROWS[begin:end])


def test_they_are_written_once(cache: Path) -> None:
    writer = Writer()
    first, _ = load(writer)
    assert load(writer)[0] == first
    assert writer.times == 1
    assert sorted(path.suffix for path in cache.iterdir()) == [".npz", ".rows"]
    load(writer, "l" * 64)
    assert writer.times == 2


@pytest.mark.parametrize("damage", ["missing", "cut", "changed"])
def test_a_damaged_file_is_written_again(damage: str, caplog: pytest.LogCaptureFixture) -> None:
    writer = Writer()
    file, _ = load(writer)
    data = file.path.read_bytes()
    if damage == "missing":
        file.path.unlink()
    else:
        file.path.write_bytes(data[:-1] if damage == "cut" else b"\x07" + data[1:])
    with caplog.at_level(logging.WARNING):
        again, _ = load(writer)
    assert "is missing or damaged and is written again" in caplog.text
    assert (again, again.path.read_bytes(), writer.times) == (file, data, 2)


def test_reading_past_the_end_of_a_file_that_was_cut_is_an_error() -> None:
    file, _ = load(Writer())
    with file.open() as reader:
        file.path.write_bytes(b"")
        with pytest.raises(TaskError, match="was cut while it was read; restart the command"):
            reader.read(0, 10)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GATESEARCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        TaskError, match=r"^converted data cannot be written to '.*cache'.*; free some space, or let GAT"
    ):
        load(Writer())


def test_a_failed_conversion_leaves_nothing_behind(cache: Path) -> None:
    def fail(append: Append) -> Arrays:
        append(ROWS)
        raise TaskError("no")

    with pytest.raises(TaskError, match="no"):
        load(fail)
    assert list(cache.iterdir()) == []

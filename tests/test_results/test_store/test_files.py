"""A reader never sees half a file."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from results.store.errors import StoreError
from results.store.files import write_atomically


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ü.csv"
    write_atomically(path, "a,b\nü,\r\n")
    assert path.read_bytes() == "a,b\nü,\r\n".encode()
    assert [entry.name for entry in tmp_path.iterdir()] == ["ü.csv"]


def test_a_reader_sees_one_version_or_the_other(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    versions = {digit * 300_000 for digit in "01234"}
    write_atomically(path, "0" * 300_000)
    seen: set[str] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for version in sorted(versions) * 20:
        write_atomically(path, version)
    done.set()
    reader.join()
    assert seen
    assert seen <= versions


def test_after_an_error_the_old_file_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_atomically(path, "old")
    with pytest.raises(StoreError, match="not valid Unicode"):
        write_atomically(path, "new \udc80")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    for name in ("there.csv", "not yet.csv"):
        link = tmp_path / f"link to {name}"
        link.symlink_to(name)
        if name == "there.csv":
            (tmp_path / name).write_text("old")
        write_atomically(link, "new")
        assert link.is_symlink()
        assert (tmp_path / name).read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 4


def test_a_pipe_is_written_into_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write_atomically(path, "text")
    reader.join(timeout=30)
    assert read == [b"text"]
    assert path.is_fifo()


def test_the_longest_names_are_written(tmp_path: Path) -> None:
    for name in ("a" * 255, "ü" * 127):
        write_atomically(tmp_path / name, "text")
        assert (tmp_path / name).read_text() == "text"
    for path in (tmp_path / ("a" * 256), tmp_path):
        with pytest.raises(StoreError) as caught:
            write_atomically(path, "text")
        assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere/table\.csv: .*choose another folder") as caught:
        write_atomically(tmp_path / "nowhere" / "table.csv", "x")
    assert "\n" not in str(caught.value)


FULL_DISK = """
import resource, sys
from pathlib import Path
from results.store.errors import StoreError
from results.store.files import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_atomically(Path(sys.argv[1]), "x" * 20_000)
except StoreError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_atomically(path, "old")
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path}: the system refused it (File too large)")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]

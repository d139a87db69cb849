"""A reader never sees half a file."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from results.errors import StoreError
from results.files import write_atomically


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


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere/table\.csv: .*choose another folder") as caught:
        write_atomically(tmp_path / "nowhere" / "table.csv", "x")
    assert "\n" not in str(caught.value)


FULL_DISK = """
import resource, sys
from pathlib import Path
from results.errors import StoreError
from results.files import write_atomically
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

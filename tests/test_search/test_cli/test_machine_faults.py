"""Errors of the machine that no command foresaw are one line with the remedy, and no bug."""

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from search.cli import main
from search.cli.machine_faults import REMEDIES, machine_fault
from tests.paths import ROOT


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> Callable[[], int]:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(main.gatesearch, "main", fail)
    return lambda: main.run(["cells"])


@pytest.mark.parametrize("number", REMEDIES)
def test_a_fault_of_the_machine_is_one_line_with_file_and_remedy(
    number: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert failing(monkeypatch, OSError(number, os.strerror(number), "/some/file"))() == 2
    line = f"gatesearch: /some/file: {os.strerror(number)}; {REMEDIES[number]}, then run it again\n"
    assert capfd.readouterr().err == line


def test_too_little_memory_is_no_bug(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    line = "gatesearch: the memory does not suffice; free some memory, or raise its limit\n"
    for error in (
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ):
        assert failing(monkeypatch, error)() == 2
        assert capfd.readouterr().err == line


def test_an_error_of_ours_stays_one(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    for error in (FileNotFoundError(errno.ENOENT, "No such file or directory", "x"), RuntimeError("shape")):
        assert machine_fault(error) is None
        assert failing(monkeypatch, error)() == 1
        assert "internal error" in capfd.readouterr().err


def test_without_a_folder_for_temporary_files_verify_says_which_variable_to_set(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])
        patched.setattr(tempfile, "tempdir", None)
        assert main.run(["verify", str(ROOT / "results" / "published" / "baselines")]) == 2
    assert capfd.readouterr().err == (
        "gatesearch: no folder for temporary files can be written to (TMPDIR, /tmp, /var/tmp, /usr/tmp, the working "
        "directory); set TMPDIR to one that can\n"
    )

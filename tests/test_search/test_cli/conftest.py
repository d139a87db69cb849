"""Command lines in this process and through the installed command, over runs in a temporary folder."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch

from results.tables.columns import TIME_COLUMNS
from search.cli.main import run
from tests.tiny import TINY

COMMAND = Path(sys.executable).with_name("gatesearch")


@dataclass(frozen=True)
class Said:
    """Outcome of a command line."""

    status: int
    out: str
    err: str


Gatesearch = Callable[..., Said]


def assert_same_table(run: Path, other: Path) -> None:
    """That two runs' tables agree to the last bit, but for the time they took."""
    tables = [pd.read_csv(folder / "leaderboard_full.csv").drop(columns=list(TIME_COLUMNS)) for folder in (run, other)]
    pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Let what is started here be stopped by Ctrl-C, also where the tests themselves run in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh working directory with `tiny.toml`; runs are kept in its folder `runs`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATESEARCH_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path


@pytest.fixture
def gatesearch(capsys: pytest.CaptureFixture[str]) -> Gatesearch:
    """Runs a command line in this process."""

    def said(*arguments: str) -> Said:
        capsys.readouterr()
        status = run(arguments)
        captured = capsys.readouterr()
        return Said(status, captured.out, captured.err)

    return said


def _finish(folder: Path, *options: str) -> Path:
    """Search with the tiny profile, from its beginning to its end, and return the run's folder."""
    (folder / "tiny.toml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GATESEARCH_RUNS", str(folder / "runs"))
        assert run(["search", "done", "--profile", "tiny.toml", "--workers", "0", *options]) == 0
    return folder / "runs" / "done"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny search that ran to its end, undisturbed. Read it only."""
    return _finish(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same search with simulated trials. Read it only."""
    return _finish(tmp_path_factory.mktemp("simulated"), "--simulate")


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the installed command in a session of its own; what still runs at the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()

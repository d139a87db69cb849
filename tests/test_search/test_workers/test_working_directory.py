"""Nothing in the working directory is imported: not by the command, nor by Ray's workers, nor by worker processes."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.test_search.test_workers.shadows import imported, write_shadows

BIN = Path(sys.executable).parent

PROFILE = """
[search]
proposals = 2
window = 2
baselines = ["lstm", "gru"]
[grid]
scales = [1.0]
learning_rates = [0.3]
max_norms = [2.5]
layers = [1]
[finalists]
cells = 1
repeats = 2
[memorization]
accuracy = 0.0
parameters = [4000]
options = { length = 2, validation = 100, test = 100 }
schedule = { epoch_steps = 2, epochs = 1, halvings = 0, chance_epochs = 2 }
[tasks.xml]
threshold = 0.0
settings = 1
baseline_settings = 1
parameters = [4000]
options = { min_letters = 1, max_letters = 2, validation = 100, test = 100 }
schedule = { epoch_steps = 2, epochs = 1, halvings = 0, chance_epochs = 2 }
"""

PARITY = """
from dataclasses import dataclass
import random
import xml.dom
import numpy
from tasks.generated import GeneratedTask, Sample
from helper import BITS

@dataclass(frozen=True)
class Parity(GeneratedTask):
    name = "parity"
    summary = "is the number of ones odd?"
    vocabulary = "01="
    validation: int = 100
    test: int = 100

    def samples(self, rng):
        while True:
            bits = rng.integers(2, size=BITS)
            yield Sample("".join(map(str, bits)) + f"={bits.sum() % 2}", counts_from=BITS + 1)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with a profile, a task, a helper of the task, and files that are named like modules."""
    folder = tmp_path / "folder"
    folder.mkdir()
    write_shadows(folder, tmp_path / "imported")
    (folder / "tiny.toml").write_text(PROFILE)
    (folder / "parity.py").write_text(PARITY)
    (folder / "helper.py").write_text("BITS = 8\n")
    return folder


def search(folder: Path, *arguments: str, **environment: str) -> list[str]:
    """Search in a folder with the installed command; return the tasks of the trials, all of which have a result."""
    command = [str(BIN / "gatesearch"), "search", "run", *arguments]
    return run(command, folder, **environment)


def own_environment() -> dict[str, str]:
    """Return the environment without what an earlier search in this process asked of Ray: another home has no token."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}


def run(command: list[str], folder: Path, **environment: str) -> list[str]:
    whole = own_environment() | {"GATESEARCH_RUNS": str(folder / "runs"), "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(command, cwd=folder, env=whole, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
    with closing(sqlite3.connect(folder / "runs" / "run" / "run.sqlite")) as store:
        trials = store.execute("SELECT DISTINCT task, state FROM trials").fetchall()
    assert "failed" not in {state for _, state in trials}
    return sorted({task for task, _ in trials})


@pytest.mark.exact
def test_a_search_in_one_process_imports_a_users_task_of_the_folder_and_nothing_else(
    folder: Path, tmp_path: Path
) -> None:
    tasks = search(folder, "--profile", "tiny.toml", "--workers", "0", "--task", "parity:Parity")
    assert tasks == ["memorization", "parity", "xml"]
    assert imported(tmp_path / "imported") == []


@pytest.mark.slow
def test_the_module_of_the_command_imports_nothing_of_the_folder(tmp_path: Path) -> None:
    # Python itself looks for the module of `-m` in the working directory first: `search` has to be found elsewhere.
    folder = tmp_path / "folder"
    folder.mkdir()
    write_shadows(folder, tmp_path / "imported", without=("search.py", "search/__init__.py"))
    (folder / "tiny.toml").write_text(PROFILE)
    module = [sys.executable, "-m", "search.cli.main", "search", "run"]
    assert run([*module, "--profile", "tiny.toml", "--workers", "0"], folder) == ["memorization", "xml"]
    assert imported(tmp_path / "imported") == []


@pytest.mark.exact
@pytest.mark.ray
def test_workers_import_nothing_of_the_folder_but_a_users_task_even_if_pythonpath_names_it(
    folder: Path, tmp_path: Path
) -> None:
    # The interpreter of the command reads PYTHONPATH before the command can drop anything.
    for name in ("gatesearch.py", "sitecustomize.py"):
        (folder / name).unlink()
    task = ("--task", "parity:Parity")
    tasks = search(folder, "--profile", "tiny.toml", "--workers", "1", *task, PYTHONPATH=os.curdir)
    assert tasks == ["memorization", "parity", "xml"]
    assert imported(tmp_path / "imported") == []


def free_port() -> int:
    with socket.socket() as connection:
        connection.bind(("127.0.0.1", 0))
        return int(connection.getsockname()[1])


@pytest.fixture
def home() -> Iterator[str]:
    """A home folder for Ray's token and sockets, whose paths have to be short."""
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as home:
        yield home


@pytest.fixture
def head(tmp_path: Path, home: str) -> Iterator[str]:
    """Address of a Ray cluster of one node that was started in a folder of its own, full of the same files."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_shadows(elsewhere, tmp_path / "imported")
    port = free_port()
    options = ["--head", "--block", f"--port={port}", "--num-cpus=1", "--include-dashboard=false"]
    options += [f"--dashboard-agent-listen-port={free_port()}", f"--ray-client-server-port={free_port()}"]
    options += ["--disable-usage-stats", "--object-store-memory=100000000", "--node-ip-address=127.0.0.1"]
    # Ray itself runs `python -m` in this folder.
    process = subprocess.Popen(
        [BIN / "ray", "start", *options, f"--temp-dir={home}/ray"],
        cwd=elsewhere,
        env=own_environment() | {"HOME": home, "PYTHONSAFEPATH": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        said: list[str] = []
        while not said or "Ray runtime started" not in said[-1]:
            said.append(next(process.stdout, ""))
            assert said[-1], "".join(said)
        yield f"127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.slow
@pytest.mark.ray
def test_a_node_with_another_working_directory_imports_nothing_of_either(
    folder: Path, tmp_path: Path, head: str, home: str
) -> None:
    tasks = search(folder, "--profile", "tiny.toml", "--address", head, "--task", "parity:Parity", HOME=home)
    assert tasks == ["memorization", "parity", "xml"]
    assert imported(tmp_path / "imported") == []

"""A search whose disk is full, or may not be written, or whose table is in the way: one line, and nothing is lost."""

import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from results.store.store import Store
from tests.test_search.test_cli.conftest import Gatesearch, assert_same_table

# Root may write anywhere, so as root the process becomes nobody, once it has imported what nobody may not read.
PROGRAM = """
import os, sys
import search.cli.commands.search, search.cli.run_table, search.engine.cost, search.engine.run
from search.cli.main import run
{prelude}
sys.exit(run(sys.argv[1:]))
"""
NOBODY = "os.geteuid() or (os.setgid(65534), os.setuid(65534))"


def program(prelude: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command line in a process of its own, in which something is done first."""
    command = [sys.executable, "-c", PROGRAM.format(prelude=prelude), *arguments, "--workers", "0"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def open_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of runs that everybody can get to."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    monkeypatch.setenv("GATESEARCH_RUNS", str(folder))
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def small_files(limit: int = 230_000) -> Iterator[None]:
    """Let no file of this process grow beyond some bytes: a store gets about half of the tiny search."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


NAMESPACE = ("unshare", "--map-root-user", "--mount")
"""A process of its own view of the disks, which whoever starts it may mount in."""

SMALL_DISK = """
mount -t tmpfs -o size=300k small runs
{python} -m search.cli.main search full --profile tiny.toml --workers 0 2> first.txt
echo $? > first.status
cp -r runs/full kept
mount -o remount,size=50m runs
{python} -m search.cli.main search full --resume --workers 0 2> second.txt
echo $? > second.status
cp -r runs/full grown
"""


def trials(run: Path) -> int:
    with Store.open(run, readonly=True) as store:
        return len(store.trials())


def test_a_search_whose_disk_is_full_goes_on_when_there_is_room(
    here: Path, gatesearch: Gatesearch, finished: Path
) -> None:
    with small_files():
        full = gatesearch("search", "full", "--profile", "tiny.toml", "--workers", "0")
    assert full.status == 2
    assert full.err.count("\n") == 1
    assert full.err.startswith(f"gatesearch: {here / 'runs' / 'full' / 'run.sqlite'}: the disk ")
    assert "--resume" in full.err
    assert 0 < trials(here / "runs" / "full") < trials(finished)
    assert gatesearch("search", "full", "--resume", "--workers", "0").status == 0
    assert_same_table(here / "runs" / "full", finished)


@pytest.mark.slow
def test_a_search_on_a_small_disk_that_is_full_goes_on_when_the_disk_is_larger(here: Path, finished: Path) -> None:
    """A real one: a tmpfs of 300 kB, which is mounted for this test's processes alone."""
    (here / "runs").mkdir()
    script = SMALL_DISK.format(python=shlex.quote(sys.executable))
    may = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "small", "runs"], cwd=here, capture_output=True)
    if may.returncode:
        pytest.skip("this system lets nobody mount in a namespace of their own; the limit on a file's size is tested")
    ended = subprocess.run([*NAMESPACE, "sh", "-c", script], cwd=here, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert (here / "first.status").read_text() == "2\n"
    said = (here / "first.txt").read_text()
    assert said.count("\n") == 1
    assert "full" in said
    assert "--resume" in said
    assert 0 < trials(here / "kept") < trials(finished)
    assert ((here / "second.status").read_text(), (here / "second.txt").read_text()) == ("0\n", "")
    assert_same_table(here / "grown", finished)


@pytest.mark.slow
def test_a_run_that_may_only_be_read_is_left_alone_and_goes_on_when_it_may_be_written(
    open_runs: Path, gatesearch: Gatesearch, finished: Path
) -> None:
    run = open_runs / "cut"
    with small_files():
        assert gatesearch("search", "cut", "--profile", "tiny.toml", "--workers", "0").status == 2
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    for path in run.iterdir():
        path.chmod(0o444)
    run.chmod(0o555)
    refused = program(NOBODY, "search", "cut", "--resume")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith(f"gatesearch: {run}")
    assert "permissions" in refused.stderr
    run.chmod(0o755)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    for path in run.iterdir():
        path.chmod(0o644)
    assert gatesearch("search", "cut", "--resume", "--workers", "0").status == 0
    assert_same_table(run, finished)


def test_a_table_that_cannot_be_written_stops_no_search(here: Path, gatesearch: Gatesearch, finished: Path) -> None:
    run = here / "runs" / "blocked"
    (run / "leaderboard.csv").mkdir(parents=True)
    said = gatesearch("search", "blocked", "--profile", "tiny.toml", "--workers", "0")
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert said.err.startswith(f"gatesearch: {run / 'leaderboard.csv'}: ")
    assert "--resume" in said.err
    assert trials(run) == trials(finished)
    (run / "leaderboard.csv").rmdir()
    assert gatesearch("search", "blocked", "--resume", "--workers", "0").status == 0
    assert_same_table(run, finished)

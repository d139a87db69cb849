"""What Ray needs of a machine: what is missing is one line, and what can be replaced is."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from search.core.errors import SearchError
from search.workers import ray_environment
from search.workers.ray_environment import FOLDER_BYTES, SessionFolder, check_machine, set_variables
from tests.paths import ROOT

TINY = """
[search]
proposals = 0
baselines = ["gru", "lstm"]

[grid]
scales = [1.0]
learning_rates = [0.3]
max_norms = [2.5]
layers = [1]

[finalists]
cells = 0
repeats = 2

[tasks.xml]
threshold = 0.0
settings = 1
baseline_settings = 1
parameters = [8000]
options = { min_letters = 1, max_letters = 2, validation = 300, test = 300 }
schedule = { epoch_steps = 4, epochs = 2, halvings = 1, chance_epochs = 2 }
"""


def search(folder: Path, *before: str | Path, **variables: str | None) -> subprocess.CompletedProcess[str]:
    """Run a search of simulated trials on one Ray worker; `before` is the start of its command line."""
    (folder / "tiny.toml").write_text(TINY)
    given = {**os.environ, "GATESEARCH_RUNS": str(folder / "runs"), "PYTHONPATH": str(ROOT), **variables}
    environment = {name: value for name, value in given.items() if value is not None}
    words = ("search", "tiny", "--profile", "tiny.toml", "--simulate", "--workers", "1")
    command = [*before, sys.executable, "-P", "-m", "gatesearch", *words]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


def may_unshare() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0 and bool(ctypes.CDLL(None).unshare)


def test_this_machine_can_start_ray() -> None:
    check_machine(1)


@pytest.mark.slow
@pytest.mark.skipif(not may_unshare(), reason="needs root on Linux")
def test_without_loopback_a_search_ends_with_one_line_and_no_run(tmp_path: Path) -> None:
    done = search(tmp_path, "unshare", "-n")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "gatesearch: Ray cannot start: 127.0.0.1 does not answer (Network is unreachable); bring up the loopback "
        "interface (ip link set lo up), or train without Ray: --workers 0\n"
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(not may_unshare(), reason="needs root on Linux")
def test_with_too_few_processes_the_line_says_how_many_are_needed() -> None:
    program = (
        "import os, resource; os.setgroups([]); resource.setrlimit(resource.RLIMIT_NPROC, (50, 50)); os.setuid(54321); "
        "_check_threads(240)"
    )
    program = f"from search.workers.ray_environment import _check_threads; {program}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (
        "search.core.errors.SearchError: Ray cannot start: it needs about 240 processes and threads, and 49 can be "
        "started; raise the limit (ulimit -u, or that of the container), use fewer --workers, or train without Ray: "
        "--workers 0"
    ) in done.stderr


def test_low_limits_of_this_process_are_named_and_high_ones_are_not() -> None:
    def said(limits: str) -> str:
        program = (
            f"import resource as r; {limits}; from search.workers.ray_environment import low_limits as f; print(f())"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
        return done.stdout.strip()

    assert said("r.setrlimit(r.RLIMIT_NOFILE, (256, 256))") == ""
    assert said("r.setrlimit(r.RLIMIT_NOFILE, (40, 40))") == "40 open files (ulimit -n)"
    both = "r.setrlimit(r.RLIMIT_NOFILE, (64, 64)); r.setrlimit(r.RLIMIT_AS, (2**33, 2**33))"
    assert said(both) == "64 open files (ulimit -n), 8 GiB of address space (ulimit -v)"


@pytest.mark.slow
@pytest.mark.ray
def test_a_ray_that_does_not_start_names_the_low_limits(tmp_path: Path) -> None:
    done = search(tmp_path, "bash", "-c", 'ulimit -n 40; exec "$@"', "bash")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "(it may lack more than 40 open files (ulimit -n)); remove the cause, or train without it" in done.stderr


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.skipif(not may_unshare(), reason="needs root on Linux")
def test_where_all_but_the_runs_and_the_shared_memory_is_read_only_a_search_runs(tmp_path: Path) -> None:
    """As in a container with a read-only root, without a user, a home, or a folder for temporary files."""
    runs = tmp_path / "runs"
    runs.mkdir()
    (tmp_path / "tiny.toml").write_text(TINY)
    seal = f'mount --bind {runs} {runs} && mount -o remount,ro,bind / && exec "$@"'
    done = search(tmp_path, "unshare", "--mount", "bash", "-c", seal, "bash", HOME=None, USER=None, TMPDIR=None)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_short_folder_is_left_to_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", "/tmp")
    assert SessionFolder().path is None


@pytest.mark.parametrize("place", ["/tmp/" + "7" * FOLDER_BYTES, "/no/such/folder", "relative"])
def test_a_long_or_missing_folder_is_replaced_by_one_that_is_removed(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", place)
    folder = SessionFolder()
    assert folder.path is not None
    assert len(folder.path) <= FOLDER_BYTES
    assert os.stat(folder.path).st_mode & 0o777 == 0o700
    folder.remove()
    assert not os.path.exists(folder.path)


def test_where_no_folder_serves_the_line_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_environment, "_is_writable", lambda folder, missing=False: False)
    monkeypatch.setenv("RAY_TMPDIR", "/gone")
    with pytest.raises(SearchError) as caught:
        SessionFolder()
    assert str(caught.value) == (
        "Ray cannot start: the path of the folder for its sockets, '/gone' (RAY_TMPDIR), cannot be written to; "
        f"set RAY_TMPDIR to a writable folder of at most {FOLDER_BYTES} bytes, or train without Ray: --workers 0"
    )


def test_a_cluster_of_ones_own_has_its_own_token_and_a_joined_one_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, "")  # so that it is as before after the test
        monkeypatch.delenv(name)
    monkeypatch.setattr(ray_environment, "_token", "")
    monkeypatch.setattr(ray_environment, "_forget_token", lambda: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    set_variables(joins=False)
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    set_variables(joins=True)
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert "RAY_AUTH_MODE" not in os.environ
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("token of the user's")
    set_variables(joins=True)
    assert os.environ["RAY_AUTH_MODE"] == "token"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "named")
    set_variables(joins=False)
    assert os.environ["RAY_AUTH_TOKEN"] == "named"
    assert os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0"


@pytest.mark.slow
@pytest.mark.ray
def test_a_search_with_ray_needs_no_home_and_no_short_folder(tmp_path: Path) -> None:
    long = tmp_path / ("7" * FOLDER_BYTES)
    long.mkdir()
    done = search(tmp_path, HOME="/dev/null/home", TMPDIR=str(long), RAY_TMPDIR=None, RAY_AUTH_TOKEN=None)
    assert (done.returncode, done.stderr) == (0, "")
    assert ", with 1 worker" in done.stdout.splitlines()[0]
    assert list(long.iterdir()) == []

"""Names of runs, and the stores that they open."""

import os
import shutil
from pathlib import Path

import pytest

from results.store.errors import ResultsError
from results.store.runs import known_runs, open_run, run_folder
from results.store.store import Store


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of runs: `old`, and `new`, whose store was written later."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("GATESEARCH_RUNS", str(folder))
    for seed, name in enumerate(("new", "old")):
        Store.create(
            folder / name, name=name, seed=seed, profile="", strategy="paper", window=1, information={}
        ).close()
    os.utime(folder / "old" / "run.sqlite", (1e9, 1e9))
    os.utime(folder / "new" / "run.sqlite", (2e9, 2e9))
    return folder


def test_a_name_is_a_folder_of_the_runs_folder_and_a_path_is_itself(runs: Path) -> None:
    assert run_folder("quick-1") == runs / "quick-1"
    assert run_folder("./quick-1") == Path("quick-1")
    assert run_folder("/somewhere/run") == Path("/somewhere/run")


@pytest.mark.parametrize("name", ["", "..", "a b", "-x", "ü", "n" * 101, "a\0b", "a/..", "/", "x/" * 2049])
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(ResultsError, match="run"):
        run_folder(name)


def test_known_runs_are_the_folders_with_a_store_latest_first(runs: Path) -> None:
    (runs / "empty").mkdir()
    assert known_runs() == ["new", "old"]


def test_a_run_opens_by_name_and_by_path(runs: Path) -> None:
    for name in ("old", str(runs / "old")):
        with open_run(name) as store:
            assert (store.name, store.seed) == ("old", 1)


def test_a_run_in_the_working_directory_is_named_by_its_path(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs.parent)
    shutil.copytree(runs / "old", runs.parent / "pub")
    with pytest.raises(ResultsError, match=r"; give \./pub for the run in this folder; or available: new, old$"):
        open_run("pub")
    with open_run("./pub") as store:
        assert store.seed == 1


def test_a_missing_run_is_answered_with_those_there_are(runs: Path) -> None:
    for run in ("kpet", str(runs / "kpet")):
        with pytest.raises(ResultsError, match=r"^there is no run 'kpet' in .*; available: new, old$"):
            open_run(run)
    with pytest.raises(ResultsError, match=r"^there is no run 'odl' in .*; did you mean old\? available: new, old$"):
        open_run("odl")
    with pytest.raises(
        ResultsError, match=r"^there is no run in '.*elsewhere': run\.sqlite is missing; check the path$"
    ):
        open_run(str(runs.parent / "elsewhere"))

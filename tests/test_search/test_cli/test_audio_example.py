"""The example of recorded sound runs as its page says, and shows what its page shows."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import tomli_w

import gatesearch as library
from tests.docs_pages import commands_of
from tests.paths import ROOT
from tests.test_search.test_cli.conftest import Gatesearch

EXAMPLE = ROOT / "examples" / "audio"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the script in a copy of the example's folder, so that none of its files stay in the checkout."""
    folder = tmp_path_factory.mktemp("example") / "audio"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("sounds"))
    subprocess.run([sys.executable, "sounds.py"], cwd=folder, check=True, timeout=60)
    return folder


@pytest.fixture
def folder(written: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(written)
    monkeypatch.setenv("GATESEARCH_CACHE", str(written.parent / "cache"))
    return written


def reduced(folder: Path) -> Path:
    """Write the example's profile with short schedules, one setting of a cell, and a gate that does not close."""
    profile = tomllib.loads((EXAMPLE / "profile.toml").read_text("utf-8"))
    profile["finalists"] = {"cells": 0}
    profile["memorization"]["accuracy"] = 0.0
    for section in (profile["memorization"], *profile["tasks"].values()):
        section["schedule"] |= {"epoch_steps": 30, "epochs": 2, "halvings": 1, "chance_epochs": 2}
        section["settings"] = section["baseline_settings"] = 1
    for section in profile["tasks"].values():
        section["threshold"] = 0.0
    path = folder / "reduced.toml"
    path.write_text(tomli_w.dumps(profile), "utf-8")
    return path


def test_the_commands_of_the_page_print_its_numbers(gatesearch: Gatesearch, folder: Path) -> None:
    script, tasks, train, search = commands_of((EXAMPLE / "README.md").read_text("utf-8"))
    assert script.words == ["python", "sounds.py"]
    said = gatesearch(*tasks.words[1:])
    assert said.status == 0, said.err
    shown = [line for line in tasks.shown if line not in ("...", "")]
    assert len(shown) == 3
    for line in shown:
        assert line in said.out
    said = gatesearch(*train.words[1:])
    assert said.status == 0, said.err
    (line,) = (line for line in train.shown if line not in ("...", ""))
    pattern = r"test accuracy 0\.(\d)\d+ ± .*"  # other digits differ between processors
    (found, page) = (re.search(pattern, text) for text in (said.out, line))
    assert found is not None
    assert page is not None
    assert found[1] == page[1] == "9"
    assert search.words[:2] == ["gatesearch", "search"]


def test_a_small_search_with_the_profile_ranks_cells_on_both_tasks(gatesearch: Gatesearch, folder: Path) -> None:
    (search,) = (
        command for command in commands_of((EXAMPLE / "README.md").read_text("utf-8")) if command.words[1] == "search"
    )
    words = [str(reduced(folder)) if word == "profile.toml" else word for word in search.words[1:]]
    said = gatesearch(*words, "--proposals", "3", "--workers", "0")
    assert said.status == 0, said.err
    assert "audio: 256 symbols, 1,935,845 + 39,999 + 39,999 steps" in said.out
    assert "labels: 20 values to 3 symbols, 23,723 + " in said.out
    run = library.load("sound")
    trained = run.trials[run.trials["task"].isin(["audio", "labels"])]
    cells = trained.groupby("task")["cell"].nunique()
    assert cells["labels"] >= 3  # those given
    assert cells["audio"] >= 4  # and a new one
    given = trained["cell"].isin([library.cell(name).id for name in ("tanh", "lstm", "gru")])
    assert (trained.loc[given, "steps"] == 60).all()
    gru = trained[trained["cell"] == library.cell("gru").id].groupby("task")["validation"].min()
    assert gru["audio"] < 6.5  # bits per sample; 6.54 for the best constant
    assert gru["labels"] < 0.6  # ln 3 = 1.10 for the best constant
    assert gatesearch("verify", "sound").status == 0

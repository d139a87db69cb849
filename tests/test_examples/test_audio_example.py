"""The example of recorded sound runs: its script writes the sounds, and its profile searches on them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import tomli_w

import gatesearch
from tasks.audio.task import Audio
from tasks.task import Split
from tests.paths import ROOT

EXAMPLE = ROOT / "examples" / "audio"


@pytest.fixture
def sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATESEARCH_CACHE", str(tmp_path / "cache"))
    subprocess.run([sys.executable, str(EXAMPLE / "sounds.py")], cwd=tmp_path, check=True, timeout=60)
    return tmp_path / "sounds"


def reduced(folder: Path) -> Path:
    """Write the example's profile with the shortest schedules and a gate that does not close."""
    profile = tomllib.loads((EXAMPLE / "profile.toml").read_text("utf-8"))
    profile["finalists"] = {"cells": 0}
    profile["memorization"]["accuracy"] = 0.0
    for section in (profile["memorization"], *profile["tasks"].values()):
        section["schedule"] |= {"epoch_steps": 30, "epochs": 2, "halvings": 1, "chance_epochs": 2}
        section["settings"] = section["baseline_settings"] = 1
        section["threshold"] = 0.0
    del profile["memorization"]["threshold"]
    path = folder / "reduced.toml"
    path.write_text(tomli_w.dumps(profile), "utf-8")
    return path


def test_the_profile_searches_on_the_sounds(sounds: Path, tmp_path: Path) -> None:
    run = gatesearch.search(
        str(tmp_path / "run"), profile=reduced(tmp_path), proposals=3, data={"audio": sounds, "labels": sounds}
    )
    trained = run.trials[run.trials["task"].isin(["audio", "labels"])]
    cells = trained.groupby("task")["cell"].nunique()
    assert cells["labels"] >= 3  # those given
    assert cells["audio"] >= 4  # and a new one
    given = trained["cell"].isin([gatesearch.cell(name).id for name in ("tanh", "lstm", "gru")])
    assert (trained.loc[given, "steps"] == 60).all()
    gru = trained[trained["cell"] == gatesearch.cell("gru").id].groupby("task")["validation"].min()
    assert gru["audio"] < 4.5  # nats per sample; 4.53 for the best constant
    assert gru["labels"] < 0.6  # ln 3 = 1.10 for the best constant


def test_the_sounds_are_what_the_readme_says(sounds: Path) -> None:
    task = Audio(data=str(sounds), features="log-mel", bands=20)
    assert [task.label(index) for index in range(task.output_size)] == ["falling", "rising", "steady"]
    assert [task.description(split).sequences for split in Split] == [450, 75, 75]

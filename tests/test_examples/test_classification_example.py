"""The example of classes runs: its script writes the digits, and its profile searches on them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from sklearn.datasets import load_digits

import gatesearch
from tasks.classes import Classes
from tasks.task import Split
from tests.paths import ROOT

EXAMPLE = ROOT / "examples" / "classification"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("digits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATESEARCH_CACHE", str(folder / "cache"))
        subprocess.run([sys.executable, str(EXAMPLE / "digits.py")], cwd=folder, check=True, timeout=60)
        yield folder / "digits.csv"


def reduced(folder: Path) -> Path:
    """Write the example's profile with the shortest schedules and a gate that does not close."""
    profile = tomllib.loads((EXAMPLE / "profile.toml").read_text("utf-8"))
    profile["finalists"] = {"cells": 0}
    profile["confirmation"] = {"contenders": 0}
    profile["memorization"] |= {"accuracy": 0.0, "schedule": {"epoch_steps": 20, "epochs": 2, "halvings": 1}}
    profile["memorization"] |= {"settings": 1, "baseline_settings": 1}
    profile["tasks"]["classes"] |= {"settings": 1, "baseline_settings": 1, "threshold": 0.0}
    profile["tasks"]["classes"]["schedule"] |= {"epoch_steps": 54, "epochs": 4, "patience": 4, "halvings": 1}
    path = folder / "reduced.toml"
    path.write_text(tomli_w.dumps(profile), "utf-8")
    return path


@pytest.mark.slow
def test_the_profile_searches_on_the_digits(digits: Path, tmp_path: Path) -> None:
    run = gatesearch.search(
        str(tmp_path / "run"), profile=reduced(tmp_path), proposals=3, data={"classes": digits}, workers=0
    )
    trained = run.trials[run.trials["task"] == "classes"]
    assert trained["cell"].nunique() >= 3  # those given, and a new one
    gru = trained[trained["cell"] == gatesearch.cell("gru").id].iloc[0]
    assert gru["validation"] < 0.9  # nats; ln 10 = 2.30 for the best constant
    assert gru["steps"] == 4 * 54


def test_the_digits_are_those_of_scikit_learn(digits: Path) -> None:
    task = Classes(data=str(digits))
    assert [task.label(index) for index in range(task.output_size)] == [str(digit) for digit in range(10)]
    assert [task.description(split).sequences for split in Split] == [1079, 359, 359]
    counts = np.zeros(10, np.int64)
    for split in Split:
        for window in task.evaluation(split, 50, 1):
            counts += np.bincount(window.targets[window.loss_mask > 0], minlength=10)
    assert counts.tolist() == np.bincount(load_digits().target).tolist()

"""The data of the default tasks are those of the published runs."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tasks.registry import load_task

PUBLISHED = Path(__file__).parents[2] / "results" / "published"
RUNS = sorted(path.parent.name for path in PUBLISHED.glob("*/profile.toml"))


@pytest.mark.parametrize("name", [pytest.param("language", marks=pytest.mark.slow), "music"])
def test_packaged_data_have_the_checksums_of_the_published_runs(name: str) -> None:
    compared = 0
    for run in RUNS:
        checksums = json.loads((PUBLISHED / run / "published.json").read_text("utf-8"))["data"]
        if name in checksums:
            options = tomllib.loads((PUBLISHED / run / "profile.toml").read_text("utf-8"))["tasks"][name]["options"]
            assert load_task(name, **options).checksum == checksums[name]
            compared += 1
    assert compared >= 2

"""The example with Optuna and the pipeline of docs/ask-tell.md work; tests of the pages run its other scripts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs_pages import DOCS, files_of

PAGE = (DOCS / "ask-tell.md").read_text("utf-8")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the page's files, and the installed commands first on the path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATESEARCH_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    for name, text in files_of(PAGE).items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def ran(*command: str) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_optuna_proposes_cells_by_its_own_ask_and_tell(here: Path) -> None:
    pytest.importorskip("optuna", reason="the extra gatesearch[optuna] is not installed")
    value, found = ran(sys.executable, "with_optuna.py").splitlines()
    assert 0.0 < float(value.split()[0]) < 3.0
    assert re.fullmatch(r"15 trials, [0-5] of the best five found by Optuna", found)


@pytest.mark.slow
def test_the_pipeline_answers_each_cell(here: Path) -> None:
    (script,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    lines = ran("bash", "-euo", "pipefail", "-c", script).splitlines()
    assert len(lines) == 5
    assert all('"known": false' in line for line in lines[:4])
    assert lines[4].startswith('{"error": "line 1: ')

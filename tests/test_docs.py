"""What the documentation shows works as it stands there, and the documentation shows all that there is."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from results.tables.leaderboard import COLUMNS, TIME_COLUMNS
from search.cli.main import COMMANDS, run
from tests.docs_pages import DOCS, commands_of, files_of, run_page, shown_pattern

PAGES = {page.name: page.read_text("utf-8") for page in sorted(DOCS.glob("*.md"))}
CLUSTER = "cluster.md"
"""Starts Ray on this machine, and stops all of it: `.ci/cluster_page.py` runs this page, alone."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's working directory, with the data that the pages speak of as the reader's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("GATESEARCH_RUNS", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    text = "the cat sat on the mat and the dog sat on the cat\n" * 60
    (tmp_path / "ptb").mkdir()
    for name in ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"):
        (tmp_path / "ptb" / name).write_text(text)
    rng = np.random.default_rng(0)
    rolls = np.empty((1, 3), dtype=object)
    for k in range(3):
        rolls[0, k] = (rng.random((40, 88)) < 0.05).astype(float)
    savemat(tmp_path / "rolls.mat", {"traindata": rolls, "validdata": rolls, "testdata": rolls})
    return tmp_path


@pytest.fixture
def gatesearch(capsys: pytest.CaptureFixture[str]) -> Callable[[list[str]], tuple[int, str]]:
    def said(words: list[str]) -> tuple[int, str]:
        capsys.readouterr()
        status = run(words)
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return said


@pytest.mark.parametrize("page", [name for name in PAGES if name != CLUSTER])
def test_what_a_page_shows_runs_and_prints_what_it_shows(
    page: str, here: Path, gatesearch: Callable[[list[str]], tuple[int, str]]
) -> None:
    assert run_page(PAGES[page], here, gatesearch) or page == "study.md"


def test_the_pages_are_there_and_lead_to_each_other() -> None:
    assert set(PAGES) == {"cells.md", "data.md", "leaderboard.md", CLUSTER, "how-it-works.md", "study.md"}
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    for name in PAGES:
        assert f"docs/{name}" in readme
    for name, text in PAGES.items():
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (DOCS / target).exists(), f"{name} leads to {target}"


def test_every_column_of_the_table_is_explained_as_the_program_does() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGES["leaderboard.md"], re.MULTILINE)
    assert rows == list(COLUMNS.items())
    assert all(f"`{name}`" in PAGES["leaderboard.md"].splitlines()[-1] for name in TIME_COLUMNS)


def test_every_command_of_the_program_is_shown_somewhere() -> None:
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    for command in COMMANDS:
        assert any(f"gatesearch {command}" in text for text in (*PAGES.values(), readme)), command


def test_the_reader_of_pages_finds_files_and_commands() -> None:
    page = "```python\n# a.py: what it is\nx = 1\n```\n"
    page += "```console\n$ cat a.py  # look\nx = 1\n...\n$ gatesearch cells\n```\n"
    assert files_of(page) == {"a.py": "# a.py: what it is\nx = 1\n"}
    first, second = commands_of(page)
    assert (first.words, first.shown) == (["cat", "a.py"], ("x = 1", "..."))
    assert (second.words, second.shown) == (["gatesearch", "cells"], ())
    pattern = shown_pattern(("one", "...", "two  ", ""))
    assert re.fullmatch(pattern, "one\ntwo", re.DOTALL)
    assert re.fullmatch(pattern, "one\nand\nmore\ntwo", re.DOTALL)
    assert not re.fullmatch(pattern, "one\nand\nmore", re.DOTALL)
    assert not re.fullmatch(pattern, "0\none\ntwo", re.DOTALL)

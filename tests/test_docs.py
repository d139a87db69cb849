"""The documentation works as it is printed, and covers every column, command, profile field and task option."""

import re
import runpy
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from results.tables.columns import COLUMNS, FORMAT, TIME_COLUMNS
from results.tables.columns_page import columns_page
from search.cli.main import COMMANDS, run
from tests.docs_pages import DOCS, commands_of, files_of, run_page, shown_pattern
from tests.paths import ROOT
from tests.profile_fields import Field, profile_fields, task_options

README = (ROOT / "README.md").read_text("utf-8")
PAGES = {page.name: page.read_text("utf-8") for page in sorted(DOCS.glob("*.md"))}
INDEX, CLUSTER = "README.md", "cluster.md"
"""The cluster page starts Ray on this machine, and stops all of it: `.ci/cluster_page.py` runs that page, alone."""

RUN_HERE = [name for name, text in PAGES.items() if name != CLUSTER and "```console" in text]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a reader's working directory, with the reader's own data and the published runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("GATESEARCH_RUNS", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "published").symlink_to(ROOT / "results" / "published")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "ptb").mkdir()
    for name, animal in (("train", "cat"), ("valid", "dog"), ("test", "mat")):
        text = f"the cat sat on the mat and the dog sat on the {animal}\n" * 60
        (tmp_path / "ptb" / f"ptb.{name}.txt").write_text(text)
    rng = np.random.default_rng(0)
    splits = {}
    for name in ("traindata", "validdata", "testdata"):
        splits[name] = np.empty((1, 3), dtype=object)
        for k in range(3):
            splits[name][0, k] = (rng.random((40, 88)) < 0.05).astype(float)
    savemat(tmp_path / "rolls.mat", splits)
    return tmp_path


@pytest.fixture
def gatesearch(capsys: pytest.CaptureFixture[str]) -> Callable[[list[str]], tuple[int, str]]:
    def said(words: list[str]) -> tuple[int, str]:
        capsys.readouterr()
        status = run(words)
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return said


LONG = {"tutorial.md", "leaderboard.md", "data.md", "ask-tell.md", "api.md", "cells.md"}
LONG |= {"classes.md", "compare.md", "command-line.md", "how-it-works.md"}
"""Pages of several searches each."""


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.slow if page in LONG else ()) for page in RUN_HERE]
)
def test_what_a_page_shows_runs_and_prints_what_it_shows(
    page: str, here: Path, gatesearch: Callable[[list[str]], tuple[int, str]]
) -> None:
    assert run_page(PAGES[page], here, gatesearch)


def test_the_index_leads_to_every_page_and_every_link_to_a_file() -> None:
    linked = re.findall(r"\]\(([\w-]+\.md)\)", PAGES[INDEX])
    assert sorted(linked) == sorted(set(PAGES) - {INDEX})
    texts = {**PAGES, "../README.md": README, "../CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text("utf-8")}
    for name, text in texts.items():
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert ((DOCS / name).parent / target).exists(), f"{name} leads to {target}"


def test_every_source_file_that_is_named_exists() -> None:
    texts = {**PAGES, "CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text("utf-8"), "README.md": README}
    named = {(name, path) for name, text in texts.items() for path in re.findall(r"`([a-z_]+/[\w/.-]*)`", text)}
    assert ("how-it-works.md", "search/kernels/plan/plan.py") in named
    for name, path in named:
        assert (ROOT / path).exists() or path.startswith("results/runs"), f"{name} names {path}"


def test_the_way_from_a_formula_to_a_row_is_at_most_fifteen_files() -> None:
    way = PAGES["how-it-works.md"].split("## The way of a cell")[1].split("Two files more")[0]
    files = set(re.findall(r"`((?:search|results|tasks)/[\w/]+\.py)`", way))
    assert {"search/cells/notation/formula.py", "results/tables/leaderboard.py"} <= files
    assert 2 + len(files) <= 15  # the README and the page itself are opened too


def test_every_field_of_a_profile_is_documented_with_its_values_and_default() -> None:
    sections = re.split(r"^## ", PAGES["profile.md"], flags=re.MULTILINE)[1:]
    found: dict[str, list[Field]] = {}
    for section in sections:
        title = section.splitlines()[0].strip("`[]")
        rows = re.findall(
            r"^\| `(\w+)` \| (.*?) \| (.*?) \| (?:study|ours|not stated|) \| .+\. \|$", section, re.MULTILINE
        )
        if rows:
            found["" if title == "Top level" else title] = [Field(*row) for row in rows]
    assert found == profile_fields()


def test_every_option_of_the_tasks_is_documented_with_its_default() -> None:
    options = PAGES["profile.md"].split("## Options of the tasks")[1]
    found: dict[str, list[tuple[str, str]]] = {}
    for task, name, default in re.findall(r"^\| (\w+) \| `(\w+)` \| (.*?) \| .+\. \|$", options, re.MULTILINE):
        found.setdefault(task, []).append((name, default))
    assert found == task_options()


def test_pages_import_nothing_of_the_project_but_its_public_package() -> None:
    texts = {**PAGES, "../README.md": README, "figures.py": (DOCS / "figures.py").read_text("utf-8")}
    texts["tables.py"] = (DOCS / "tables.py").read_text("utf-8")
    imported = {
        (name, module)
        for name, text in texts.items()
        for module in re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)
    }
    assert ("data.md", "gatesearch") in imported
    assert not {(name, module) for name, module in imported if module in ("search", "tasks", "results")}


def test_the_version_to_cite_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.MULTILINE)
    bibtex = re.search(r"version = \{(.+)\}", PAGES["citing.md"])
    assert cited is not None
    assert bibtex is not None
    assert cited[1] == bibtex[1] == project["version"]


@pytest.mark.slow
def test_the_figures_are_what_the_script_draws() -> None:
    figures = runpy.run_path(str(DOCS / "figures.py"))["FIGURES"]
    assert {path.name for path in (DOCS / "images").iterdir()} == set(figures)
    for name, draw in figures.items():
        assert draw() == (DOCS / "images" / name).read_text("utf-8"), f"{name}: run python docs/figures.py"


def test_tables_between_comments_are_printed_by_the_command_in_the_first_one() -> None:
    asked = []

    def print_table(words: list[str]) -> str:
        asked.append(words)
        return f"<!-- the verdict\n of two lines -->\n\n| {words[-1]} |\n|---|\n\ncaption\n"

    def page(first: str, second: str) -> str:
        blocks = [
            f"<!-- gatesearch leaderboard run --top {k} -->\n{table}<!-- end -->"
            for k, table in enumerate((first, second), 1)
        ]
        return "\n\n".join(("# A", blocks[0], "between <!-- no command -->", blocks[1])) + "\n"

    with_tables = runpy.run_path(str(DOCS / "tables.py"))["with_tables"]
    printed = with_tables(page("old\n", ""), print_table)
    assert printed == page("| 1 |\n|---|\n\ncaption\n", "| 2 |\n|---|\n\ncaption\n")
    assert asked == [["leaderboard", "run", "--top", "1"], ["leaderboard", "run", "--top", "2"]]
    assert with_tables(printed, print_table) == printed


def test_every_column_of_the_table_is_explained_as_the_program_does() -> None:
    module = runpy.run_path(str(DOCS / "tables.py"))
    page = PAGES["leaderboard.md"]
    (found,) = module["DESCRIPTION"].finditer(page)
    assert found["table"] == columns_page()
    rows = re.findall(r"^\| (\*\*)?`(\w+)`\*{0,2} \|.*\| (.*) \|$", found["table"], re.MULTILINE)
    assert rows == [("**" if column.main else "", name, column.meaning) for name, column in COLUMNS.items()]
    assert all(f"`{name}`" in page.splitlines()[-1] for name in TIME_COLUMNS)
    assert f"The tables have a format, now {FORMAT}." in page


def test_every_command_of_the_program_is_shown_somewhere() -> None:
    for command in COMMANDS:
        assert any(f"gatesearch {command}" in text for text in (*PAGES.values(), README)), command


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

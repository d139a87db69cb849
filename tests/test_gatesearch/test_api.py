"""The public API as a whole: what it lists, what it documents, what it costs to import."""

import doctest
import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import gatesearch
from tests.paths import ROOT

MODULES = [
    f"gatesearch.{module.name}" for module in pkgutil.iter_modules(gatesearch.__path__) if module.name != "__main__"
]
API = (ROOT / "docs" / "api.md").read_text("utf-8")


def test_every_public_name_is_there_and_in_the_documentation() -> None:
    assert set(gatesearch.__all__) <= set(dir(gatesearch))
    for name in gatesearch.__all__:
        assert getattr(gatesearch, name) is not None
        assert f"`{name}" in API, f"docs/api.md does not list {name}"
    with pytest.raises(AttributeError, match="has no attribute 'lstm'"):
        gatesearch.lstm  # noqa: B018


def test_every_public_function_and_method_has_a_docstring_with_an_example_or_a_class_that_has() -> None:
    for name in gatesearch.__all__:
        found = getattr(gatesearch, name)
        if inspect.isfunction(found):
            assert found.__doc__ is not None, name
            assert ">>> " in found.__doc__, f"{name} has no example"


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_docstrings_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATESEARCH_RUNS", str(tmp_path / "runs"))
    ran = doctest.testmod(importlib.import_module(name))
    assert ran.failed == 0


def test_importing_it_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import gatesearch; print(sorted(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "['gatesearch']\n"


OWN = ("search", "tasks", "results")
"""Packages of the project."""


def put_modules(folder: Path, names: Iterable[str]) -> None:
    """Put modules of these names into a folder, each of which ends the process that imports it."""
    for name in names:
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name} was imported from the working directory')")


def test_the_module_runs_the_command_line_and_imports_nothing_of_the_working_directory(tmp_path: Path) -> None:
    put_modules(tmp_path, [*OWN, "random", "typing", "click", "json"])
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-m", "gatesearch", "cells", "--json"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert '"name": "lstm"' in ran.stdout


def run_beside(names: Iterable[str], folder: Path, program: str, *arguments: str, **environment: str) -> str:
    """Run a program in a folder that has modules of these names; return what it prints."""
    put_modules(folder, names)
    (folder / "program.py").write_text(program)
    whole = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | environment
    command = [sys.executable, *(arguments or ["program.py"])]
    ran = subprocess.run(command, cwd=folder, env=whole, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def test_files_beside_a_script_are_not_taken_for_the_projects_packages(tmp_path: Path) -> None:
    program = "import gatesearch; print(gatesearch.cell('gru').id, gatesearch.Task.__name__, gatesearch.Run.__name__)"
    expected = f"{gatesearch.cell('gru').id} Task Run\n"
    assert run_beside(OWN, tmp_path, program) == expected
    assert run_beside(OWN, tmp_path, program, "-c", program) == expected


def test_the_installed_command_imports_nothing_of_the_working_directory_on_pythonpath(tmp_path: Path) -> None:
    scripts = tmp_path / "bin"
    scripts.mkdir()
    (scripts / "gatesearch").write_text("from gatesearch.__main__ import main\nmain()\n")  # as pip writes it
    folder = tmp_path / "folder"
    folder.mkdir()
    out = run_beside(
        [*OWN, "random", "click"], folder, "", str(scripts / "gatesearch"), "cells", "--json", PYTHONPATH=os.curdir
    )
    assert '"name": "lstm"' in out


@pytest.mark.parametrize("name", ["search", "tasks", "results"])
def test_a_module_with_the_name_of_a_package_of_the_project_is_an_error_in_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").touch()
    program = f"import {name}, gatesearch\ngatesearch.cell"
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    last = ran.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: the module '{name}' was imported from ")
    assert last.endswith("and gatesearch has a package of that name; rename your module")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"seed": 1.5}, "seed is 1.5"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": True}, "seed is True"),
        ({"workers": -1}, "workers is -1"),
        ({"workers": "2"}, "workers is '2'"),
    ],
)
def test_a_search_with_an_invalid_number_leaves_no_run_behind(
    arguments: dict[str, Any], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATESEARCH_RUNS", str(tmp_path))
    with pytest.raises(ValueError, match=f"^{named}; it must be a whole number from 0 to ") as error:
        gatesearch.search("invalid", simulate=True, proposals=1, **arguments)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["tasks", "own_tasks"])
def test_one_text_is_no_list_of_tasks(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATESEARCH_RUNS", str(tmp_path))
    with pytest.raises(ValueError, match=rf"^{name} is the text 'xml'; give a list of names, as \['xml'\]$"):
        gatesearch.search("one", simulate=True, **{name: "xml"})  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())

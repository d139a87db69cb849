"""Who may import whom: the contracts of pyproject.toml hold, and notice it when somebody breaks one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGES = ("search", "tasks", "results")

VIOLATIONS = {
    "tasks/xml.py": ["search.cells.graph", "results.store.files", "torch"],
    "results/scores/ratio.py": ["search.training.settings", "search.core.errors", "search.kernels.plan.plan"],
    "search/cells/library.py": [
        "torch",
        "tasks.task",
        "results.store.files",
        "search.core.errors",
        "search.kernels.plan.plan",
    ],
    "search/kernels/plan/plan.py": [
        "search.core.errors",
        "search.training.settings",
        "search.core.keys",
        "tasks.task",
        "results.store.files",
    ],
    "search/training/model.py": ["search.training.trial", "search.engine.engine"],
    "search/strategies/random.py": ["search.engine.stages"],
    "search/workers/executor.py": ["search.cli.main", "search.engine.stages"],
}
"""Imports that some rule forbids, by the file that they are put into."""

CIRCLES = {
    "tasks": ("tasks/errors.py", "tasks.registry"),
    "results": ("results/store/errors.py", "results.store.store"),
    "search.kernels": ("search/kernels/errors.py", "search.kernels.eager"),
    "search.strategies": ("search/strategies/random.py", "search.strategies.registry"),
    "search.cli": ("search/cli/outputs.py", "search.cli.commands.leaderboard"),
}
"""Imports that close a circle within a package: the file that they are put into, and the module."""


def lint(folder: Path) -> tuple[int, str]:
    """Exit status and output of import-linter on the packages of a folder."""
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    options = ["--no-cache", "--no-logo", "--config", str(folder / "pyproject.toml")]
    done = subprocess.run(
        [sys.executable, "-c", code, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages' sources, to break rules in."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=lambda _, names: {n for n in names if n == "runs"})
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_nobody_imports_what_is_not_theirs_to_import() -> None:
    status, output = lint(ROOT)
    assert status == 0, output
    assert ", 0 broken." in output


def test_every_forbidden_import_is_noticed(copy: Path) -> None:
    for name, imports in VIOLATIONS.items():
        with (copy / name).open("a") as file:
            file.writelines(f"\nimport {module}\n" for module in imports)
    status, output = lint(copy)
    assert status == 1
    assert ", 0 broken." not in output
    assert output.count("KEPT") == 1  # every contract but that on circles has something to say
    missed = [
        f"{importer} -> {module}"
        for name, imports in VIOLATIONS.items()
        for importer in [name.removesuffix(".py").replace("/", ".")]
        for module in imports
        if f"{importer} -> {module}" not in output
    ]
    assert not missed, output


def test_every_circle_within_a_package_is_noticed(copy: Path) -> None:
    for name, module in CIRCLES.values():
        with (copy / name).open("a") as file:
            file.write(f"\nimport {module}\n")
    status, output = lint(copy)
    assert status == 1
    assert all(f"No cycles are allowed in {package}." in output for package in CIRCLES), output


def test_a_new_module_of_search_has_to_find_its_layer(copy: Path) -> None:
    (copy / "search" / "novel.py").write_text('"""Nobody has said where it belongs."""\n')
    status, output = lint(copy)
    assert status == 1
    assert "novel" in output

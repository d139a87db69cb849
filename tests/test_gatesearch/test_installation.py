"""Another package with a folder of ours, installed over ours, is recognised before anything of it is imported."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gatesearch.installation import PACKAGES, fault_of
from tests.paths import ROOT

REMEDY = "install it in an environment of its own (uv tool install gatesearch, or pipx install gatesearch)"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder as an installer leaves it: the packages, and a record of their files."""
    folder = tmp_path / "site-packages"
    lines = ["gatesearch-0.1.0.dist-info/RECORD,,", "../../../bin/gatesearch,sha256=abc,7"]
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "runs", "published", "unfinished")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
        files = sorted((folder / package).rglob("*.py"))
        lines += [f"{file.relative_to(folder)},sha256=abc,{file.stat().st_size}" for file in files]
    record(folder, "gatesearch-0.1.0", lines)
    return folder


def record(folder: Path, name: str, lines: list[str]) -> None:
    (folder / f"{name}.dist-info").mkdir(parents=True)
    (folder / f"{name}.dist-info" / "RECORD").write_text("\n".join(lines) + "\n")


def start(installed: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    program = f"import sys; sys.path.insert(0, {str(installed)!r}); sys.argv[1:] = ['--help']\n"
    program += "from gatesearch.__main__ import main; main()"
    command = [sys.executable, "-P", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def test_an_installation_as_it_was_recorded_is_right(installed: Path, tmp_path: Path) -> None:
    assert fault_of(str(installed)) is None
    assert start(installed, tmp_path).returncode == 0


def test_a_checkout_has_no_record() -> None:
    assert fault_of(str(ROOT)) is None
    assert fault_of(str(ROOT / "README.md")) is None  # as a zip archive is no folder


@pytest.mark.parametrize("package", ["tasks", "search", "results"])
def test_a_package_installed_over_ours_is_named_and_not_run(package: str, installed: Path, tmp_path: Path) -> None:
    (installed / package / "__init__.py").write_text("print('the other one'); from invoke import task\n")
    record(installed, f"{package}-2.8.0", [f"{package}/__init__.py,sha256=abc,53", f"{package}/core.py,sha256=abc,1"])
    done = start(installed, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"gatesearch: {package} 2.8.0 was installed over gatesearch, and replaced its {package}/__init__.py; {REMEDY}\n"
    )


def test_a_package_that_was_removed_again_has_taken_our_file_along(installed: Path, tmp_path: Path) -> None:
    (installed / "tasks" / "__init__.py").unlink()
    done = start(installed, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "gatesearch: tasks/__init__.py of gatesearch is missing, perhaps by another package with a folder 'tasks'; "
        f"install gatesearch again, or {REMEDY}\n"
    )


def test_the_public_interface_says_the_same(installed: Path, tmp_path: Path) -> None:
    (installed / "results" / "run.py").write_text("")
    program = f"import sys; sys.path.insert(0, {str(installed)!r}); import gatesearch; gatesearch.load"
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "ImportError: results/run.py of gatesearch was changed after it was installed" in done.stderr

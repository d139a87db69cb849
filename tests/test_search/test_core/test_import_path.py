"""Import path of a process: the working directory is off it, and the project's packages come from one folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from search.core.import_path import PACKAGES, ROOT, add_last, place_of, without_working_directory
from tests.paths import ROOT as CHECKOUT


def python(program: str, *flags: str, cwd: Path, path: str | None = None) -> list[str]:
    """Run a program in a fresh interpreter; return the lines that it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = path
    command = [sys.executable, *flags, "-c", program]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_root_is_the_checkout() -> None:
    assert Path(ROOT) == CHECKOUT


def test_the_working_directory_is_dropped_wherever_it_is_on_the_path(tmp_path: Path) -> None:
    path = os.pathsep.join(["", str(tmp_path), str(CHECKOUT)])
    program = (
        "from search.core.import_path import drop_working_directory; drop_working_directory(); "
        "import sys; print(*sys.path, sep='\\n')"
    )
    entries = python(program, cwd=tmp_path, path=path)
    assert str(CHECKOUT) in entries
    assert not {"", str(tmp_path)} & set(entries)


def test_a_package_in_another_place_does_not_replace_the_projects(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("print('imported')\n")
    program = (
        f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); import search; sys.path[0] = {str(tmp_path)!r}\n"
        "from search.core.import_path import use_own_packages; use_own_packages(); import tasks; print(tasks.__file__)"
    )
    assert python(program, "-I", cwd=CHECKOUT) == [str(CHECKOUT / "tasks" / "__init__.py")]


def test_a_checkout_as_the_working_directory_comes_last_on_the_path() -> None:
    program = (
        "from search.core.import_path import drop_working_directory; drop_working_directory(); "
        "import sys; print(*sys.path, sep='\\n')"
    )
    assert python(program, cwd=CHECKOUT)[-1] == str(CHECKOUT)


def test_the_packages_are_imported_from_a_zip_archive(tmp_path: Path) -> None:
    archive = tmp_path / "gatesearch.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for package in PACKAGES:
            for source in (CHECKOUT / package).rglob("*.py"):
                file.write(source, source.relative_to(CHECKOUT))
    program = (
        f"import sys; sys.path.insert(0, {str(archive)!r}); import search; del sys.path[0]\n"
        "from search.core.import_path import use_own_packages, ROOT; use_own_packages()\n"
        "import search.core.keys, results.store.words, tasks.errors as t; print(ROOT, t.__file__, sep='\\n')"
    )
    assert python(program, "-P", cwd=tmp_path) == [str(archive), str(archive / "tasks" / "errors.py")]


def test_a_search_path_keeps_its_other_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    entries = ["", "/a", str(tmp_path), ".", "lib", str(tmp_path / "link"), "/b"]
    assert without_working_directory(os.pathsep.join(entries)) == os.pathsep.join(["/a", "lib", "/b"])


def test_installed_packages_stay_importable_from_their_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert without_working_directory(str(folder)) == str(folder)


@pytest.mark.parametrize("name", ["single", "package", "package.inner", "package.deep.leaf"])
def test_the_place_of_a_module_is_the_path_entry_that_it_was_found_in(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("single.py", "package/__init__.py", "package/inner.py", "package/deep/leaf.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    __import__(name)
    assert place_of(name) == str(tmp_path)


def test_modules_that_every_process_finds_have_no_place() -> None:
    assert [place_of(name) for name in ("json", "tasks.xml", "numpy", "sys", "never_imported")] == [None] * 5


def test_places_are_added_last_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/a", "/b"])
    add_last(["/c", "/a", "/c", "/d"])
    assert sys.path == ["/a", "/b", "/c", "/d"]

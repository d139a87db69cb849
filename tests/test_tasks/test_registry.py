"""Tasks are found by name and by import path, and a wrong word is answered with the right ones."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest

from tasks.errors import TaskError
from tasks.registry import TASKS, load_task, parameters_of
from tasks.task import Split
from tasks.xml import Xml

HERE = Path(__file__).parent


@pytest.fixture
def in_this_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(HERE))])
    importlib.invalidate_caches()


def test_names_are_the_tasks_own() -> None:
    assert {name: kind.name for name, kind in TASKS.items()} == {name: name for name in TASKS}


def test_parameters_reach_the_task() -> None:
    task = load_task("xml", max_letters=3, validation=100)
    assert task == Xml(max_letters=3, validation=100)
    assert parameters_of(task) == {
        "validation": 100,
        "test": 100_000,
        "min_letters": 2,
        "max_letters": 3,
        "iterations": 50,
    }


@pytest.mark.usefixtures("in_this_folder")
def test_a_task_of_ones_own_loads_by_import_path_from_the_working_directory() -> None:
    path = list(sys.path)
    task = load_task("parity:Parity", validation=200)
    assert sys.path == path
    assert task.output_size == 3
    (window, *_) = task.evaluation(Split.VALIDATION, 2, 64)
    read, counted = task.render(window).split("\n")
    for answer in [position for position, mark in enumerate(counted) if mark == "^"]:
        bits = read[answer - 9 : answer - 1]
        assert read[answer - 1 : answer + 1] == f"={bits.count('1') % 2}"
    assert len((HERE / "parity.py").read_text().splitlines()) <= 30


@pytest.mark.usefixtures("in_this_folder")
def test_files_of_the_working_directory_shadow_no_other_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tasks", "this", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "beside.py").write_text("NAME = 'mine'")
    (tmp_path / "user_of_others.py").write_text(
        "import beside, numpy, this\nfrom tasks.xml import Xml\nclass Mine(Xml):\n    name = beside.NAME\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(
        sys.modules, "this", raising=False
    )  # a module of the standard library that nothing else imports
    assert load_task("user_of_others:Mine").name == "mine"
    assert Path(sys.modules["this"].__file__ or "").parent == Path(os.__file__).parent


@pytest.mark.usefixtures("in_this_folder")
def test_a_users_file_with_the_name_of_another_module_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tasks.py").write_text("class Mine:\n    name = 'mine'\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match=r"no attribute 'Mine'\); rename your tasks\.py, since the module tasks is /.*"):
        load_task("tasks:Mine")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("arithmatic", r"no task 'arithmatic' \(did you mean 'arithmetic'\?\); there are memorization, .*:Class"),
        ("", r"no task ''; there are"),
        ("nowhere:Task", r"'nowhere:Task' cannot be imported \(ModuleNotFoundError: .*\); the form is"),
        ("tasks.xml:Yml", r"'tasks.xml:Yml' cannot be imported \(AttributeError: .*\); the form is"),
        (":", r"cannot be imported"),
        ("tasks.xml:", r"cannot be imported"),
        ("tasks.errors:TaskError", r"'tasks.errors:TaskError' is not a task; it must be a subclass"),
        ("tasks.generated:GeneratedTask", r"lacks samples, name, vocabulary; every task defines them"),
    ],
)
def test_a_name_that_leads_nowhere_is_one_line(name: str, message: str) -> None:
    with pytest.raises(TaskError, match=message) as caught:
        load_task(name)
    assert "\n" not in str(caught.value)


def test_an_unknown_parameter_is_answered_with_the_known_ones() -> None:
    message = (
        r"^task 'arithmetic' has no parameter 'digit' \(did you mean 'digits'\?\); "
        r"it has validation, test, digits, distractors$"
    )
    with pytest.raises(TaskError, match=message):
        load_task("arithmetic", digit=3)


@pytest.mark.usefixtures("in_this_folder")
def test_a_module_that_fails_on_import_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "breaks_on_import.py").write_text("\n\nraise RuntimeError('first\\nsecond')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match=r"\(RuntimeError, breaks_on_import.py line 3: first second\); correct"):
        load_task("breaks_on_import:Task")


@pytest.mark.usefixtures("in_this_folder")
def test_a_task_that_fails_when_it_is_built_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "breaks_when_built.py").write_text(
        "from parity import Parity\n"
        "class Broken(Parity):\n"
        "    def __init__(self, size: int) -> None:\n"
        "        raise OSError('no\\ndisk')\n"
    )
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match=r"cannot be built \(OSError, breaks_when_built.py line 4: no disk\); c"):
        load_task("breaks_when_built:Broken", size=3)
    with pytest.raises(TaskError, match=r"cannot be built \(TypeError: .*'size'\); check its parameters"):
        load_task("breaks_when_built:Broken")


def test_an_installed_package_can_add_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution's metadata, as pip writes them, name the task."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "extra_tasks.py").write_text((HERE / "parity.py").read_text().replace('"parity"', '"extra-parity"'))
    metadata = tmp_path / "extra_tasks-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: extra-tasks\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[gatesearch.tasks]\nextra-parity = extra_tasks:Parity\n")
    assert load_task("extra-parity", test=100).name == "extra-parity"
    with pytest.raises(TaskError, match=r"there are memorization, .*, extra-parity, or write"):
        load_task("nothing")


def test_a_module_that_is_a_script_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_script.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match=r"'a_script:Task' cannot be imported \(SystemExit, a_script.py line 2: 3\)"):
        load_task("a_script:Task")


def test_a_name_that_is_no_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nameless.py").write_text("from tasks.xml import Xml\nclass Mine(Xml):\n    name = 5\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match=r"'nameless:Mine' has the name 5; it must be a text"):
        load_task("nameless:Mine")


def test_parameters_may_be_called_anything_and_names_be_long() -> None:
    with pytest.raises(TaskError, match="'xml' has no parameter 'name'"):
        load_task("xml", **{"name": 3})
    for name in ("x" * 100_000, "json:" + "x" * 100_000):
        with pytest.raises(TaskError, match=r"x\.\.\.'") as caught:
            load_task(name)
        assert len(str(caught.value)) < 1000

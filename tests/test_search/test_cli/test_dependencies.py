"""Packages that gatesearch depends on: missing or broken ones are named with the remedy, and needed ones are few."""

import subprocess
import sys
from pathlib import Path

import pytest

from search.cli.dependencies import requirement
from tests.paths import ROOT

LEADERBOARD = f"run(['leaderboard', {str(ROOT / 'results' / 'published' / 'baselines')!r}, '--top', '1'])"


def command(call: str, before: str = "") -> subprocess.CompletedProcess[str]:
    program = f"import sys; {before}\nfrom search.cli.main import run\nsys.exit({call})"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)


def broken(folder: Path, name: str, text: str) -> str:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(text)
    return f"sys.path.insert(0, {str(folder)!r})"


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("pandas", "import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("pandas", "raise OSError('libfoo.so: cannot open')", "OSError: libfoo.so: cannot open"),
    ],
)
def test_a_broken_dependency_is_named_with_the_remedy(name: str, text: str, error: str, tmp_path: Path) -> None:
    done = command(LEADERBOARD, broken(tmp_path, name, text))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"gatesearch: the package 'pandas' cannot be imported ({error}); install it again: "
        f"pip install --force-reinstall '{requirement('pandas')}'\n"
    )


def test_a_missing_dependency_is_named_with_the_remedy() -> None:
    done = command("run(['train', 'gru', 'xml'])", "sys.modules['torch'] = None")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gatesearch: the package 'torch' cannot be imported (ModuleNotFoundError: ")
    assert done.stderr.endswith(f"install it again: pip install --force-reinstall '{requirement('torch')}'\n")


def hidden(*packages: str) -> str:
    """Return a program that adds an import hook in which these packages are missing; its own frame is in tracebacks."""
    return f"""
class Hidden:
    def find_spec(name, path=None, target=None):
        if name.partition('.')[0] in {packages!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Hidden)"""


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("torch", "run(['train', 'gru', 'xml'])"),
        ("rich", "run(['cells'])"),
        ("music21", "run(['tasks', 'music'])"),
        ("click", "__import__('gatesearch.__main__').__main__.main()"),
    ],
)
def test_a_package_that_an_import_hook_or_a_function_does_not_find_is_named(package: str, call: str) -> None:
    program = f"import sys; sys.path.insert(0, ''); {hidden(package)}\n"
    program += "from gatesearch import _use_own_packages\n_use_own_packages()\n"
    program += "from search.cli.main import run\n" if package != "click" else ""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}sys.exit({call})"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"gatesearch: the package '{package}' cannot be imported (ModuleNotFoundError: No module named '{package}'); "
        f"install it again: pip install --force-reinstall '{requirement(package)}'\n"
    )


def test_an_error_of_our_own_is_no_dependencys() -> None:
    done = command("run(['train', 'gru', 'xml'])", "import search.cli.commands as c; c.train = None; c.__path__ = []")
    assert done.returncode == 1
    assert "internal error, ModuleNotFoundError" in done.stderr


def test_the_requirement_of_a_module_is_that_of_its_distribution() -> None:
    assert requirement("torch").startswith("torch")
    assert ">=2.13" in requirement("torch")
    assert requirement("sklearn").startswith("scikit-learn")
    assert requirement("vl_convert").startswith("vl-convert-python")
    assert requirement("nothing_like_it") == "nothing-like-it"


def test_the_leaderboard_of_a_stored_run_needs_neither_torch_nor_ray_nor_llvmlite() -> None:
    done = command(LEADERBOARD, hidden("torch", "ray", "llvmlite"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "gru" in done.stdout

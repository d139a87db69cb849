"""Import path of the command, of Ray's workers and of worker processes: nothing in the working directory is imported.

A folder from which a search starts may hold files named like modules: `random.py`, `xml.py`, `search.py`. Python puts
that folder first on its import path (`python -m`), and so does Ray in its workers. The project's processes therefore
import from the interpreter's own path, and the project's packages from `ROOT` alone. Only the module of a task that the
user names may lie elsewhere: its folder comes last on the path, so that it shadows nothing.

This module is imported while the path is not clean yet, so its own imports are those that Python loads at its start.
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""Folder, or zip archive, that the project's packages are imported from."""

PACKAGES = ("gatesearch", "search", "tasks", "results")

_INSTALLED = ("site-packages", "dist-packages")
"""Names of folders that hold the interpreter's own packages. They stay on the path even as the working directory."""


def use_own_packages() -> None:
    """Import the project's packages from `ROOT`, whatever precedes it on the import path, and put `ROOT` on the path.

    `ROOT` comes last unless it is on the path already: a checkout may hold other files of the user's.
    """
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    add_last([ROOT])
    for package in PACKAGES:
        if package not in sys.modules:
            spec = PathFinder.find_spec(package, [ROOT])
            assert spec is not None
            assert spec.loader is not None
            module = sys.modules[package] = module_from_spec(spec)
            spec.loader.exec_module(module)


def drop_working_directory() -> None:
    """Take the working directory off this process's import path, and import the project's packages from `ROOT`."""
    sys.path[:] = [entry for entry in sys.path if not _is_working_directory(entry)]
    use_own_packages()


def without_working_directory(path: str) -> str:
    """Return a search path such as PYTHONPATH without the entries that mean the working directory."""
    return os.pathsep.join(entry for entry in path.split(os.pathsep) if not _is_working_directory(entry))


def add_last(places: list[str]) -> None:
    """Append the places that are not on this process's import path yet."""
    sys.path.extend(place for place in dict.fromkeys(places) if place not in sys.path)


def place_of(module: str) -> str | None:
    """Return the path entry that an imported module was found in.

    None for modules of the standard library, of the project and of installed packages, which every process finds by
    itself, and for modules without a file.
    """
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or top in PACKAGES or top in sys.stdlib_module_names:
        return None
    place = os.path.abspath(file)
    is_package = os.path.basename(place).startswith("__init__.")
    for _ in range(module.count(".") + 1 + is_package):
        place = os.path.dirname(place)
    return None if os.path.basename(place) in _INSTALLED else place


def _is_working_directory(entry: str) -> bool:
    if os.path.basename(entry) in _INSTALLED:
        return False
    try:
        return not entry or os.path.realpath(entry) == os.path.realpath(os.getcwd())
    except OSError:  # the working directory was deleted
        return False

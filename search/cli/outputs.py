"""Files that a command is asked to write: what would be lost or cannot be written is said before any work is done."""

import os
from collections.abc import Sequence
from pathlib import Path

from search.core.errors import SearchError


def check_free(output: Path | None, force: bool) -> None:
    """That a file may be written: it is new or `force` is given, and its folder is there and may be written.

    Raises `SearchError`.
    """
    if output is None:
        return
    if os.path.lexists(output) and not force:  # a link that leads nowhere is somebody's too
        raise SearchError(f"{str(output)!r} exists and is not overwritten; give another name, or --force")
    if os.path.exists(output) and not os.path.isfile(output):
        return  # a device or a pipe is written into
    folder = Path(os.path.realpath(output)).parent
    if not folder.is_dir():
        raise SearchError(f"{str(output)!r}: there is no folder {str(folder)!r}; make it first, or give another name")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SearchError(f"{str(output)!r}: the folder {str(folder)!r} may not be written; give another name")


def check_replaceable(output: Path | None, suffixes: Sequence[str]) -> None:
    """That a file which is written anew on every call may be: it is new, or called as such files are.

    So a slip of the hand costs no store, profile or formula. Raises `SearchError`.
    """
    if output is None:
        return
    if os.path.isfile(output) and output.suffix.lower() not in suffixes:
        raise SearchError(
            f"--output {str(output)!r} exists and is not called {', '.join(suffixes)}; it is not overwritten, "
            "give another name"
        )
    check_free(output, force=True)

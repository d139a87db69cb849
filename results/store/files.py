"""Folder of runs, and atomic writing of files."""

import os
from pathlib import Path

from results.store.errors import ResultsError, one_line
from search.cells.paths import expanded, unknown_name


def runs_folder() -> Path:
    """Return the folder of runs: GATESEARCH_RUNS, or `results/runs` in the working directory.

    Raises:
        ResultsError: GATESEARCH_RUNS has a variable that is not set, or a user who is unknown. A folder of that very
            name would be made in the working directory.
    """
    given = os.environ.get("GATESEARCH_RUNS")
    if not given:
        return Path("results") / "runs"
    folder = expanded(given)
    name = unknown_name(folder)
    if name is not None:
        what = "home folder" if name.startswith("~") else "value"
        raise ResultsError(f"GATESEARCH_RUNS is {given!r}, and {name} has no {what}; set it, or give the path itself")
    return Path(folder)


def write_atomically(path: Path, text: str | bytes) -> None:
    """Replace `path` by `text` in one step: a reader sees the old file or the new one.

    Text is written as UTF-8 with its newlines unchanged, bytes as they are. If `path` is a link, its target is replaced
    and the link stays. A device or a pipe cannot be replaced, so it is written to directly.

    The temporary file is in the same folder, because only there a rename is atomic, and is removed after an error.
    There is no fsync: the files are copies or projections of the store and can be written again.

    Raises:
        StoreError: the file cannot be written; the old one is untouched.
    """
    with one_line(path):
        data = text.encode() if isinstance(text, str) else text
        target = Path(os.path.realpath(path))
        if os.path.exists(target) and not os.path.isfile(target):
            target.write_bytes(data)
            return
        temporary = target.parent / f".{target.name[:30]}.{os.getpid()}.tmp"  # a name may not grow past the longest
        try:
            temporary.write_bytes(data)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

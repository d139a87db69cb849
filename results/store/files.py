"""Where runs are kept, and files that a reader never sees half written."""

import os
from pathlib import Path

from results.store.errors import one_line


def runs_folder() -> Path:
    """Where runs are kept: `results/runs` in the working directory, or what GATESEARCH_RUNS says."""
    return Path(os.environ.get("GATESEARCH_RUNS") or Path("results") / "runs")


def write_atomically(path: Path, text: str | bytes) -> None:
    """Replace `path` by `text` in one step: a reader sees the old file or the new one.

    Text is written as UTF-8, newlines as they are, and bytes as such. Where `path` is a link, what it leads to is
    replaced and the link stays; a device or a pipe cannot be replaced, and is written into.

    The temporary file lies in the same folder, since only there a rename is atomic, and is gone after an error. There
    is no fsync: whatever is written this way is a copy or a projection of the store and can be written again.

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

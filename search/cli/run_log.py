"""Log of a run: a text file in its folder with a line, and its time, for everything that a search says and ends."""

import os
import time
from pathlib import Path

from results.store.sanitize import printable

LOG_FILE = "run.log"


class RunLog:
    """Log in the folder of a run, which later sessions add to. A line that cannot be written is dropped.

    The store is the truth and matters more: a disk that is full ends a search by the store's own error.

    Args:
        folder: folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG_FILE

    def write(self, line: str) -> None:
        """Add a line with the time in UTC. The file is opened each time, so that it may be moved away meanwhile."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(file, f"{stamp} {printable(' '.join(line.split()))}\n".encode(errors="backslashreplace"))
            finally:
                os.close(file)
        except OSError:
            return

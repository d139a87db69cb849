"""Line on a terminal while a command imports packages that are slow to import: PyTorch, pandas, SciPy, the charts.

A command imports them when it runs, in its function, not at the top of its module. Its help, the completion of its
arguments and an option that is refused do not wait for them.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def slow_imports() -> Iterator[None]:
    """Say on a terminal that a command is being loaded, which takes seconds with PyTorch, and then erase it."""
    shown = sys.stderr.isatty()
    if shown:
        sys.stderr.write("loading ...")
        sys.stderr.flush()
    try:
        yield
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

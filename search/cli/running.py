"""Shared parts of the commands that train: options for workers, signals, and the view of a run on the screen."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console

from results.scores.verdict import RunVerdict
from results.tables.leaderboard import leaderboard
from results.tables.readable import render_table
from results.tables.run_verdict import verdict_of
from search.cli.display import Display, say_verdict, warn
from search.core.errors import SearchError
from search.core.processors import usable_processors
from search.engine.observer import OpenRun, RunObserver
from search.engine.progress import Progress
from search.kernels.codegen.host import missing_for_machine_code
from search.workers.pausing import pausing
from search.workers.ray_cluster import check_address

TABLE_ROWS = 20
"""Rows of the leaderboard that are shown at the end."""


def worker_count(workers: int | None, address: str | None) -> int:
    """Return the number of worker processes of the options --workers and --address.

    Raises:
        SearchError: both are given, or the address is malformed.
    """
    if workers is not None and address is not None:
        raise SearchError(
            f"--workers {workers} and --address {address} are mutually exclusive: a cluster has its own workers; "
            "leave one out"
        )
    if address is not None:
        check_address(address)
    return workers if workers is not None else usable_processors()


def describe_workers(workers: int, address: str | None) -> str:
    """Return where trials are trained, and how many processors may be used if that is not all of the machine."""
    if address is not None:
        return f"on the Ray cluster at {address}"
    usable, machine = usable_processors(), os.cpu_count() or 1
    limited = f" ({usable} of the machine's {machine} processors may be used)" if usable < machine else ""
    if not workers:
        return f"in this process{limited}"
    return f"with {workers} worker{'s' * (workers > 1)}{limited}"


def warn_without_machine_code(console: Console, address: str | None = None) -> None:
    """Warn if cells run in plain PyTorch on this machine, and say why; a cluster's nodes may be other machines."""
    missing = missing_for_machine_code()
    if missing is not None and address is None:
        warn(console, f"no machine code of cells: {missing}; they run in plain PyTorch, many times slower")


class RunView(RunObserver):
    """View of a run on a console: warnings and progress bars. Use it with `with`, which removes the bars at its end."""

    def __init__(self, console: Console, workers: int, address: str | None) -> None:
        self.console, self.workers, self.address = console, workers, address
        self._display: Display | None = None
        self._verdict: RunVerdict | None = None
        self._started = ExitStack()

    @property
    def cores(self) -> int:
        """Number of cores that time estimates are for: one on a cluster, whose size may change."""
        return max(self.workers, 1) if self.address is None else 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, stages: tuple[str, ...]) -> None:
        """Show the progress from now on; `stages` are the tasks whose passed cells are counted."""
        self._display = Display(self.console, stages)
        self._started.enter_context(self._display)

    def stop(self) -> None:
        """Remove the progress bars."""
        self._started.close()

    def warn(self, text: str) -> None:
        """Print a warning."""
        warn(self.console, text)

    def show_table(self, run: OpenRun) -> None:
        """Print the top of the leaderboard, and keep the verdict for the end."""
        table = leaderboard(run.store, run.profile.ranked, display=False)
        self.console.print(render_table(table, TABLE_ROWS, self.console.width))
        self._verdict = verdict_of(run.store, run.profile.ranked, table)

    def show_verdict(self) -> None:
        """Print the verdict of the table that was shown."""
        if self._verdict is not None:
            self.console.print()
            say_verdict(self.console, self._verdict)

    def on_difference(self, line: str) -> None:
        self.warn(f"{line}; leaderboard_full.csv marks cells with trials from before and after (`environments`)")

    def on_warning(self, line: str) -> None:
        self.warn(line)

    def on_change(self, progress: Progress) -> None:
        if self._display is not None:
            self._display.update(progress)


@contextmanager
def terminable() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt inside this context, so that they end a run as Ctrl-C does.

    Ctrl-Z pauses the worker processes as well.
    """

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    # `nohup` makes the process ignore SIGHUP, which is kept.
    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        with pausing():
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

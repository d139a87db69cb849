"""Shared parts of the commands that train: options for workers, signals, and the view of a run on the screen."""

import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console

from results.scores.verdict import RunVerdict
from results.store.runs import name_for_commands
from results.store.sanitize import printable
from results.store.store import FILE, PROFILE_FILE
from results.tables.files import TEXT_FILES, TRIALS_FILE
from results.tables.leaderboard import leaderboard
from results.tables.readable import render_table
from results.tables.run_verdict import verdict_of
from search.cli.display import Display, say, say_verdict, warn
from search.cli.loading import load_tasks
from search.core.errors import SearchError
from search.engine.observer import OpenRun, RunObserver
from search.engine.progress import Progress
from search.profiles.sections import Profile
from search.workers.ray_cluster import check_address
from tasks.task import Task

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
    return workers if workers is not None else (os.cpu_count() or 1)


class RunView(RunObserver):
    """View of a run on a console: warnings and progress bars. Use it with `with`, which removes the bars at its end."""

    def __init__(self, console: Console, workers: int, address: str | None) -> None:
        self.console, self.workers, self.address = console, workers, address
        self._display: Display | None = None
        self._verdict: RunVerdict | None = None
        self._started = ExitStack()
        self._status = console.status("starting")

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
        self._status.stop()
        self._display = Display(self.console, stages)
        self._started.enter_context(self._display)

    def stop(self) -> None:
        """Remove the progress bars."""
        self._status.stop()
        self._started.close()

    def load(self, profile: Profile) -> dict[str, Task]:
        """Load the tasks of a profile; what follows is the start of the workers, which a terminal shows."""
        tasks = load_tasks(profile, self.console)
        if self.address is not None:
            self.wait_for(f"joining the Ray cluster at {self.address}")
        elif self.workers:
            self.wait_for(f"starting Ray with {self.workers} worker{'s' * (self.workers > 1)}")
        return tasks

    def wait_for(self, what: str) -> None:
        """Show on a terminal what is waited for, until the progress is shown."""
        if self.console.is_terminal:
            self._status.update(printable(what))
            self._status.start()

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

    def show_files(self, run: OpenRun) -> None:
        """Print the files of the run, and the commands that look further into it."""
        name = shlex.quote(name_for_commands(run.store))
        say(self.console, f"files in {run.store.folder}: {', '.join((*TEXT_FILES, TRIALS_FILE, FILE, PROFILE_FILE))}")
        say(self.console, f"next: gatesearch report {name}, gatesearch findings {name}, gatesearch verify {name}")

    def on_difference(self, line: str) -> None:
        self.warn(f"{line}; the leaderboard marks cells with trials from before and after (`environments`)")

    def on_warning(self, line: str) -> None:
        self.warn(line)

    def on_change(self, progress: Progress) -> None:
        if self._display is not None:
            self._display.update(progress)


@contextmanager
def terminable() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt inside this context, so that they end a run as Ctrl-C does."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    # `nohup` makes the process ignore SIGHUP, which is kept.
    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

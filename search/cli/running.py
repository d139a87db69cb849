"""Shared parts of the commands that train: options for workers, signals, and the view of a run on the screen."""

import os
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TypeVar

import click
from rich.console import Console

from results.scores.verdict import RunVerdict
from results.store.runs import name_for_commands
from results.store.sanitize import printable
from results.store.store import FILE, PROFILE_FILE
from results.store.words import TrialState
from results.tables.file_names import TEXT_FILES, TRIALS_FILE
from search.cells.library import label_of
from search.cli.display import Display, say, say_verdict, warn
from search.cli.json_output import print_json
from search.cli.loading import load_tasks
from search.cli.run_log import LOG_FILE, RunLog
from search.cli.streams import reserved_output
from search.core.errors import SearchError
from search.core.processors import usable_processors
from search.engine.observer import OpenRun, RunObserver
from search.engine.progress import Progress
from search.profiles.sections import Profile
from search.strategies.proposal import Outcome
from search.workers.pausing import pausing
from tasks.task import Task

Command = TypeVar("Command", bound=Callable[..., Any])


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
        from search.workers.ray_cluster import check_address  # imports PyTorch, which is slow

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
    line = _without_machine_code(address)
    if line:
        warn(console, line)


def _without_machine_code(address: str | None) -> str:
    from search.kernels.codegen.host import missing_for_machine_code  # imports LLVM

    missing = missing_for_machine_code()
    if missing is None or address is not None:
        return ""
    return f"no machine code of cells: {missing}; they run in plain PyTorch, many times slower"


class Verbosity(StrEnum):
    """Amount that a command that trains says."""

    QUIET = "quiet"  # warnings, the verdict and errors
    NORMAL = "normal"
    VERBOSE = "verbose"  # and a line for each proposal that ends


def verbosity_options(command: Command) -> Command:
    """Add the options -q and -v to a command, which gets `quiet` and `verbose`."""
    verbose = click.option("-v", "--verbose", is_flag=True, help="Print a line for each proposal that ends, too.")
    return quiet_option("the verdict")(verbose(command))


def verbosity_of(quiet: bool, verbose: bool) -> Verbosity:
    """Return the verbosity of the options. Raise `SearchError` if both are given."""
    if quiet and verbose:
        raise SearchError("-q and -v are mutually exclusive; leave one out")
    return Verbosity.QUIET if quiet else Verbosity.VERBOSE if verbose else Verbosity.NORMAL


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print a JSON object at the end: run, verdict and table; all else goes to standard error.",
)
"""Option of a command whose run ends in a table; it prints `RunView.record`."""


def quiet_option(kept: str) -> Callable[[Command], Command]:
    """Return a decorator that adds the option -q to a command; `kept` is printed all the same."""
    return click.option("-q", "--quiet", is_flag=True, help=f"Print only warnings, {kept} and errors.")


class RunView(RunObserver):
    """View of a run on a console, and in its log. Use it with `with`, which removes the progress bars at its end.

    Args:
        console: where it is shown.
        workers: worker processes.
        address: address of a Ray cluster, or None.
        verbosity: amount that is shown; the log has all of it.
        as_json: whether `record` is made at the end.

    Attributes:
        record: the run, its verdict and its table, as `leaderboard --json` has them; None before the end.
    """

    def __init__(
        self,
        console: Console,
        workers: int,
        address: str | None,
        verbosity: Verbosity = Verbosity.NORMAL,
        as_json: bool = False,
    ) -> None:
        # Now, not at the end of a run of days: an upgrade may have replaced the files by then.
        from search.cli.run_table import RunTable, record_of  # imports pandas, which is slow

        self._table_of, self._record_of = RunTable, record_of
        self.as_json = as_json
        self.record: dict[str, Any] | None = None
        self.console, self.workers, self.address, self.verbosity = console, workers, address, verbosity
        self._log: RunLog | None = None
        self._run: OpenRun | None = None
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
        if error is not None:
            self._write("interrupted" if isinstance(error, KeyboardInterrupt) else f"stopped: {error}")

    def open(self, run: OpenRun) -> None:
        """Open the log of a run, before anything is said about it."""
        self._run, self._log = run, RunLog(run.store.folder)

    def say(self, line: str, style: str = "") -> None:
        """Print a line, unless the view is quiet, and write it to the log."""
        self._write(line)
        if self.verbosity is not Verbosity.QUIET:
            say(self.console, line, style)

    def _write(self, line: str) -> None:
        if self._log is not None:
            self._log.write(line)

    def start(self, stages: tuple[str, ...]) -> None:
        """Show the progress from now on; `stages` are the tasks whose passed cells are counted."""
        self._status.stop()
        if self.verbosity is not Verbosity.QUIET:
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
        if self.console.is_terminal and self.verbosity is not Verbosity.QUIET:
            self._status.update(printable(what))
            self._status.start()

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._write(f"warning: {text}")
        warn(self.console, text)

    def warn_without_machine_code(self) -> None:
        """Warn as the function of this name does, and write it to the log."""
        line = _without_machine_code(self.address)
        if line:
            self.warn(line)

    def show_table(self, run: OpenRun) -> None:
        """Print the top of the leaderboard, and keep the verdict for the end."""
        table = self._table_of(run)
        if self.verbosity is not Verbosity.QUIET:
            table.print(self.console)
        self._verdict = table.verdict()

    def show_verdict(self) -> None:
        """Print the verdict of the table that was shown."""
        if self._verdict is not None:
            self._write(self._verdict.text)
            self.console.print()
            say_verdict(self.console, self._verdict)

    def show_files(self, run: OpenRun) -> None:
        """Print the files of the run, and the commands that look further into it."""
        name = shlex.quote(name_for_commands(run.store))
        self.say(f"files in {run.store.folder}: {', '.join((*TEXT_FILES, TRIALS_FILE, FILE, PROFILE_FILE, LOG_FILE))}")
        self.say(f"next: gatesearch report {name}, gatesearch findings {name}, gatesearch verify {name}")

    def keep_record(self, run: OpenRun) -> None:
        """Make the record of a run that has ended, if one is asked for."""
        if self.as_json:
            self.record = self._record_of(run)

    def on_difference(self, line: str) -> None:
        self.warn(f"{line}; leaderboard_full.csv marks cells with trials from before and after (`environments`)")

    def on_warning(self, line: str) -> None:
        self.warn(line)

    def on_outcome(self, outcome: Outcome) -> None:
        line = self._line(outcome)
        self._write(line)
        if self.verbosity is Verbosity.VERBOSE:
            say(self.console, line)

    def _line(self, outcome: Outcome) -> str:
        """Return what a proposal came to: kind, cell, ending, share of the GRU's result on each task, failures."""
        proposal = outcome.proposal
        if proposal.cell is None:
            return f"proposal {proposal.index}: {proposal.kind}, {outcome.ending}"
        shares = [f"{visit.task} {visit.share:.4f}" for visit in outcome.visits if visit.share is not None]
        reasons = {
            f"{visit.task} {row.state}: {row.reason}"
            for visit in outcome.visits
            if self._run is not None and None in visit.results.values()
            for row in self._run.store.trials(proposal.cell, visit.task)
            if TrialState(row.state).is_lost
        }
        parts = [f"{proposal.kind} {label_of(proposal.cell)}, {outcome.ending}", *shares, *sorted(reasons)]
        return f"proposal {proposal.index}: {'; '.join(parts)}"

    def on_change(self, progress: Progress) -> None:
        if self._display is not None:
            self._display.update(progress)


@contextmanager
def json_output(view: RunView) -> Iterator[None]:
    """Print the record of a view at the end, if one is asked for; all else inside goes to standard error."""
    if not view.as_json:
        yield
        return
    with reserved_output() as reserved:
        yield
        if view.record is not None:
            print_json(view.record, reserved)


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

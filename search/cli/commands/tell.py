"""`gatesearch tell`: train cells that another program proposes, and print what was found out about each."""

from __future__ import annotations

import json
import shlex
import sys
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

import click
from rich.console import Console

from results.store.errors import ResultsError
from results.store.runs import name_for_commands, new_run_folder
from results.store.sanitize import printable
from search.cells.errors import CellError
from search.cli.completion import complete_profiles, complete_runs
from search.cli.display import warn
from search.cli.exchange import Request, Requests
from search.cli.loading import load_tasks, trust_options
from search.cli.run_argument import named_or_latest
from search.cli.run_log import RunLog
from search.cli.running import terminable, warn_without_machine_code, worker_count
from search.cli.slow_imports import slow_imports
from search.cli.streams import reserved_output
from search.core.errors import SearchError
from search.core.ranges import MAX_WINDOW
from search.engine.observer import OpenRun, RunObserver
from search.engine.progress import Progress
from search.profiles.changes import changed_profile

if TYPE_CHECKING:  # imports PyTorch, which is slow
    from search.engine.outside_run import OutsideRun, Ticket

_EPILOG = """\b
Examples:
  gatesearch tell mine --profile quick < cells.txt       formulas
  gatesearch ask mine --count 4 | gatesearch tell mine   what the run suggests
  my-optimiser | gatesearch tell mine --workers 8        lines of JSON

Exit status: 0 also if a formula is invalid, which its line says; 2 if the input or an option cannot be used.
"""


@click.command(epilog=_EPILOG)
@click.argument("run", required=False, shell_complete=complete_runs)
@click.option(
    "--profile",
    shell_complete=complete_profiles,
    help="Profile of a new run: quick, evening, overnight, ..., or a TOML file.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Random seed of a new run.  [default: 0]")
@click.option(
    "--window",
    type=click.IntRange(1, MAX_WINDOW),
    help="Cells in flight of a new run; 1 trains one after the other.  [default: that of the profile]",
)
@click.option("--simulate", is_flag=True, help="Draw plausible results of a new run from the seed; train nothing.")
@click.option(
    "--workers", type=click.IntRange(0, 4096), help="Worker processes; 0 trains in this process.  [default: 0]"
)
@click.option("--address", help="Train on this Ray cluster: auto (that of this machine), or HOST:PORT.")
@click.option(
    "--task", "trusted", multiple=True, metavar="MODULE:CLASS", help="Allow the import of this task of the run."
)
def tell(
    run: str | None,
    profile: str | None,
    seed: int | None,
    window: int | None,
    simulate: bool,
    workers: int | None,
    address: str | None,
    trusted: tuple[str, ...],
) -> None:
    """Read cells from the standard input, train each by RUN's rule, and print one JSON object for each, in order.

    A line of the input is a JSON object, {"formula": "..."}, with "parent" (the id of a cell of the run) if the cell
    was made from one; {"promote": true} waits for all results, and trains candidates further as the run's allocation
    allows. Or the input is formulas as people write them, with blank lines between them; a name of a published cell is
    one, too.

    An answer is printed as soon as it is known: id, rung, score (the smallest share of the GRU's gain over the tasks),
    ending, and for each task metric, share and setting; or {"error": "..."} with the parser's message. A cell that the
    run knows, in this form or an isomorphic one, is answered from its store.

    RUN is made if it does not exist, with --profile; it is the latest run if it is left out. Ctrl-C loses no finished
    trial: tell RUN again. When nothing more is to be told, `gatesearch search RUN --resume` retrains the best cells and
    finishes the run.
    """
    if run is None and profile is not None:
        raise SearchError(
            f"--profile {profile} is for a new run, which needs a name: gatesearch tell NAME --profile ..."
        )
    run = named_or_latest(run)
    console = Console(stderr=True, emoji=False)
    count = worker_count(0 if workers is None and address is None else workers, address)
    if sys.stdin is None:
        raise SearchError("there is no standard input to read cells from; give it a file or a pipe")

    with slow_imports():
        from search.engine.outside_run import open_outside
        from search.training.simulation import Simulation

    warn_without_machine_code(console, address)
    with reserved_output() as reserved, terminable():
        conversation = _Conversation(console, reserved)
        with open_outside(
            new_run_folder(run),
            None if profile is None else changed_profile(profile),
            seed=seed,
            window=window,
            simulation=Simulation() if simulate else None,
            trusted=trusted,
            load=partial(load_tasks, console=console),
            workers=count,
            address=address,
            command=["tell", run],
            observer=conversation,
        ) as opened:
            conversation.hold(opened, Requests(sys.stdin.buffer))


@dataclass(frozen=True)
class _Reply:
    """Reply to a request: the ticket of a cell, or a line that is known already."""

    ticket: Ticket | None = None
    line: dict[str, Any] | None = None


class _Conversation(RunObserver):
    """Conversation with the other program: replies are printed in the order of its requests, as soon as they are known.

    Args:
        console: console for messages to the user.
        output: where the replies go.
    """

    def __init__(self, console: Console, output: TextIO) -> None:
        self._console, self._output = console, output
        self._replies: deque[_Reply] = deque()
        self._run: OutsideRun | None = None
        self._log: RunLog | None = None

    def on_start(self, run: OpenRun) -> None:
        self._log = RunLog(run.store.folder)
        self._log.write("told cells from outside")

    def hold(self, run: OutsideRun, requests: Requests) -> None:
        """Answer all requests.

        Raises:
            SearchError: the input cannot be used. Requests before that are answered first.
        """
        self._run = run
        unusable: SearchError | None = None
        while self._replies or not (requests.ended or unusable):
            request = None
            try:
                request = requests.take(wait=not self._replies)
            except SearchError as error:
                unusable = error
            if request is not None:
                self._replies.append(self._reply(run, request))
            elif self._replies:
                run.advance()
            self._print_known()
        if unusable is not None:
            raise unusable

    def on_change(self, progress: Progress) -> None:
        self._print_known()

    def on_difference(self, line: str) -> None:
        warn(self._console, line)

    def on_interrupt(self, run: OpenRun, progress: Progress) -> None:
        name = shlex.quote(name_for_commands(run.store))
        click.echo(
            f"stopped; all {progress.trials_run + progress.trials_known} finished trials are kept. "
            f"Continue with: gatesearch tell {name}{trust_options(run.profile)}",
            err=True,
        )

    def _reply(self, run: OutsideRun, request: Request) -> _Reply:
        if request.error is not None:
            return _Reply(line={"error": request.error})
        if request.promote:
            return _Reply(line={"promoted": run.promote()})
        try:
            checked = run.check(request.formula, request.parent)
        except (CellError, ResultsError) as error:
            return _Reply(line={"error": printable(" ".join(str(error).split()))})
        return _Reply(run.submit(checked))

    def _print_known(self) -> None:
        run = self._run
        while run is not None and self._replies:
            first = self._replies[0]
            if first.ticket is not None and not run.is_ready(first.ticket):
                return
            self._replies.popleft()
            line = json.dumps(
                first.line if first.ticket is None else run.answer(first.ticket).as_json(), allow_nan=False
            )
            if self._log is not None:
                self._log.write(line)
            click.echo(line, file=self._output)  # flushed, so that the other program need not wait

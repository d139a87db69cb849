"""`gatesearch finalists`: retrain the best cells of a run on fresh seeds, and confirm its contenders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console

from results.store.information import Confirming
from results.store.runs import open_run
from search.cli import run_argument
from search.cli.completion import complete_cells, complete_tasks
from search.cli.display import duration, output_console
from search.cli.running import (
    RunView,
    Verbosity,
    json_option,
    json_output,
    terminable,
    verbosity_of,
    verbosity_options,
    worker_count,
)
from search.cli.slow_imports import slow_imports
from search.cli.streams import optional_output
from search.cli.task_options import data_paths, moved_data_option
from search.core.errors import SearchError
from search.engine.observer import OpenRun
from search.engine.progress import Progress

if TYPE_CHECKING:  # imports PyTorch, which is slow, as what the functions below import
    from search.engine.confirmation import Demand

_EPILOG = """\b
Examples:
  gatesearch finalists night                   the numbers of its profile
  gatesearch finalists night --repeats 12      more seeds for the first round
  gatesearch finalists night --cells 30
  gatesearch finalists night --cell 3f2a       confirm one more cell
  gatesearch finalists night --cell 3f2a --task xml --repeats 40
"""


@click.command(epilog=_EPILOG)
@run_argument.argument
@click.option("--cells", type=click.IntRange(1, 1000), help="Number of found cells.  [default: the profile's]")
@click.option(
    "--repeats",
    type=click.IntRange(2, 1000),
    help="Seeds per task, of the first round; with --cell or --task, of the confirmation.  [default: the profile's, "
    "or as many as there are]",
)
@click.option(
    "--cell",
    "contenders",
    multiple=True,
    metavar="CELL",
    shell_complete=complete_cells,
    help="Confirm this cell (a name, or digits of its id) on fresh seeds; may be given several times.",
)
@click.option(
    "--workers",
    type=click.IntRange(0, 4096),
    help="Worker processes; 0 trains in this process.  [default: usable processors]",
)
@click.option("--address", help="Train on this Ray cluster: auto (that of this machine), or HOST:PORT.")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    shell_complete=complete_tasks,
    help="Confirm on this task only; or, as MODULE:CLASS, a task of the run that may be imported.",
)
@moved_data_option
@json_option
@verbosity_options
def finalists(
    run: str,
    cells: int | None,
    repeats: int | None,
    workers: int | None,
    address: str | None,
    contenders: tuple[str, ...],
    tasks: tuple[str, ...],
    data: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Retrain the best cells of RUN and all given cells at their best settings, on fresh seeds.

    RUN is the latest run if it is left out.

    A search does this at its end, with the numbers of its profile. The leaderboard then ranks by the test metrics of
    these trials. Ctrl-C stops, the same command continues. Cells that were retrained before are included.

    The best found cells of this first round are contenders: they are confirmed on further seeds, against the GRU and
    the LSTM, look by look as the profile's section `confirmation` says, until every test is decided. --cell declares
    one more contender; with --task and --repeats N, it is confirmed there on N seeds. --task TASK --repeats N gives
    the contenders more seeds on that task. Both leave the first round as it is.
    """
    with slow_imports():
        from search.engine.confirmation import Demand
        from search.engine.run import retrain_finalists

    named = tuple(task for task in tasks if ":" not in task)
    demand = Demand(contenders, named, repeats) if contenders or named else None
    if demand is not None and cells is not None:
        raise SearchError(
            f"--cells {cells} is a number for the first round, which --cell and --task leave as it is; leave one out"
        )
    if demand is not None and not contenders and repeats is None:
        raise SearchError(f"--task {named[0]} needs --repeats N, the seeds to confirm the contenders on; add it")
    console = output_console(stderr=as_json)
    count = worker_count(workers, address)
    view = FinalistsView(console, count, address, demand, verbosity_of(quiet, verbose), as_json)
    with open_run(run) as reader:
        folder = reader.folder
    with json_output(view), terminable(), optional_output("the retraining"), view:
        retrain_finalists(
            folder,
            cells=cells,
            repeats=None if demand is not None else repeats,
            demand=demand,
            data=data_paths(data),
            trusted=tuple(task for task in tasks if ":" in task),
            load=view.load,
            workers=count,
            address=address,
            observer=view,
        )


class FinalistsView(RunView):
    """View of the retraining: an announcement with the estimated time, progress, and the table."""

    def __init__(
        self,
        console: Console,
        workers: int,
        address: str | None,
        demand: Demand | None,
        verbosity: Verbosity,
        as_json: bool,
    ) -> None:
        from results.publication.confirmation_text import confirmation_lines  # now, as the table of `RunView`

        super().__init__(console, workers, address, verbosity, as_json)
        self._confirmation_lines = confirmation_lines
        self._demand = demand

    def on_start(self, run: OpenRun) -> None:
        from search.engine.confirmation import planned_declaration
        from search.engine.finalists import choose_finalists, finalists_seconds

        profile, store = run.profile, run.store
        self.open(run)
        if self._demand is None:
            chosen = choose_finalists(profile, store)
            left = finalists_seconds(profile, store, chosen)
            self.say(
                f"{len(chosen)} cells, {profile.finalists.repeats} seeds on each of {', '.join(profile.visited)}; "
                f"{self._duration(left)}, estimated from the run's trials",
            )
        declared = planned_declaration(profile, run.tasks, store, self._demand)
        if declared is not None:
            self._announce(run, declared)
        if not store.simulated:
            self.warn_without_machine_code()
        self.start(())

    def _announce(self, run: OpenRun, declared: Confirming) -> None:
        """Print the contenders, the number of tests and the estimated time of the confirmation."""
        from results.scores.confirmation import declared_tests
        from search.engine.confirmation import confirmation_seconds

        before = run.store.confirmation
        least, most = confirmation_seconds(run.store, declared)
        names = ", ".join(dict.fromkeys(run.store.cell(plan.cell).label for plan in declared.plans))
        tests = len(declared_tests(declared))
        self.say(
            f"confirmation of {names} on up to {max(plan.looks[-1] for plan in declared.plans)} fresh seeds, "
            f"{tests} tests; {self._duration(least)} to {self._duration(most)}, estimated from the run's trials",
        )
        grown = tests - len(declared_tests(before)) if before is not None else 0
        if before is not None and grown > 0:
            self.warn(
                f"the family of tests grows from {tests - grown} to {tests}: what was decided may not be any more, and "
                "the level of 5 % holds only if the cells were not added because of the confirmation's results"
            )

    def _duration(self, seconds: float) -> str:
        return f"{duration(seconds / self.cores)}{' of one core' if self.address else ''}"

    def on_finish(self, run: OpenRun, progress: Progress) -> None:
        self.stop()
        self.show_table(run)
        for line in self._confirmation_lines(run.store):
            self.say(line)
        nothing = "" if progress.trials_run else ": all that this asks for had been trained before"
        self.say(f"{progress.trials_run} trials{nothing}; the table is {run.table}")
        self.show_verdict()
        self.show_files(run)
        self.keep_record(run)

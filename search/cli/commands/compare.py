"""`gatesearch compare`: which search method is better at equal compute."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from results.store.queries import begin_snapshot
from results.store.runs import open_run, run_folder
from search.cli.display import duration, output_console, say
from search.cli.json_output import print_json
from search.cli.loading import load_tasks
from search.cli.outputs import UserPath
from search.cli.running import quiet_option, terminable, warn_without_machine_code, worker_count
from search.cli.slow_imports import slow_imports
from search.cli.streams import optional_output, reserved_output
from search.compare.observer import CompareObserver
from search.core.errors import SearchError
from search.engine.progress import Progress
from search.profiles.changes import title_of
from tasks.task import Task

if TYPE_CHECKING:  # slow to import, as what the functions below import: PyTorch, pandas and charts
    from results.tables.methods import Compared
    from search.compare.plan import Plan
    from search.compare.runs import SearchRun

LINE_SECONDS = 15.0
"""Least number of seconds between two lines on the progress of the confirmation."""

_EPILOG = """\b
Examples:
  gatesearch compare methods.toml               run the plan, all cores
  gatesearch compare methods.toml --resume      continue, or add seeds
  gatesearch compare methods.toml --simulate    all but the training
  gatesearch compare rungs.toml --replay night  allocations on recorded trials
  gatesearch compare methods.toml --resume --json | jq .verdict

\b
A plan:
  profile = "quick"
  seeds = [0, 1, 2, 3, 4]
  trainings = 60
  [methods.paper]
  search.strategy = "paper"
  [methods.random]
  search.strategy = "random"
"""


@click.command(epilog=_EPILOG)
@click.argument("plan", type=UserPath(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=UserPath(path_type=Path),
    help="Folder of the comparison.  [default: a folder of the plan's name beside the runs]",
)
@click.option("--resume", is_flag=True, help="Continue the comparison; the plan may have gained methods and seeds.")
@click.option(
    "--replay",
    "recorded",
    metavar="RUN",
    help="Train nothing: compare allocations on the recorded trials of this run, in seconds.",
)
@click.option("--simulate", is_flag=True, help="Draw plausible results from the seeds; train nothing.")
@click.option(
    "--workers",
    type=click.IntRange(0, 4096),
    help="Worker processes; 0 trains in this process.  [default: usable processors]",
)
@click.option("--address", help="Train on this Ray cluster: auto (that of this machine), or HOST:PORT.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object; progress goes to standard error.")
@quiet_option("the verdict")
@optional_output("the comparison")
def compare(
    plan: Path,
    output: Path | None,
    resume: bool,
    recorded: str | None,
    simulate: bool,
    workers: int | None,
    address: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare search methods at equal compute, as PLAN, a TOML file, says.

    Each method is a table of changes to one profile. Each method and seed is an ordinary run, which ends when its
    proposals have spent the plan's compute, counted in multiply-adds. The cells that led any search are trained on
    fresh seeds. The folder then has tables (comparison.csv, methods.csv, pairs.csv, incumbents.csv), a figure and a
    page: the confirmed score against compute, and which method is better beyond noise. Ctrl-C stops, --resume
    continues.

    With --replay RUN, the methods try the cells of a stored run in random orders (strategy "sample") and read its
    trials, or prefixes of them, instead of training. The profile is then that of the run.
    """
    count = worker_count(workers, address)
    folder = run_folder(title_of(str(plan))) if output is None else output
    for option, value in (("--resume", resume), ("--simulate", simulate)):
        if recorded is not None and value:
            raise SearchError(f"{option} cannot be given with --replay, which reads recorded trials; leave it out")

    with slow_imports():
        from search.compare.comparison import compare as run_comparison
        from search.compare.plan import SimulationSection, read_plan

    with reserved_output() if as_json else nullcontext() as reserved:
        console = output_console(stderr=as_json)
        view = CompareView(console, folder, quiet)
        if recorded is not None:
            compared = _replay(plan, recorded, folder, view)
        else:
            read = read_plan(plan)
            if simulate and read.simulation is None:
                read = replace(read, simulation=SimulationSection())
            try:
                with terminable():
                    compared = run_comparison(
                        folder,
                        read,
                        resume=resume,
                        load=partial(load_tasks, console=console),
                        workers=count,
                        address=address,
                        command=sys.argv[1:],
                        observer=view,
                    )
            except KeyboardInterrupt:
                _say_stopped(plan, output, simulate)
                raise
        view.finish(compared)
        if reserved is not None:
            print_json(_record(compared, folder), reserved)


class CompareView(CompareObserver):
    """View of a comparison: a line for each search that ends unless it is `quiet`, and the verdict."""

    def __init__(self, console: Console, folder: Path, quiet: bool = False) -> None:
        self.console, self.folder = console, folder
        self._progress = output_console(stderr=console.stderr, quiet=quiet)
        self._began = self._printed = time.monotonic()

    def on_start(self, plan: Plan, compute: float, training: float, tasks: Mapping[str, Task]) -> None:
        say(self._progress, f"comparison in {self.folder}")
        say(
            self._progress,
            f"{len(plan.methods)} methods ({', '.join(plan.methods)}), {len(plan.seeds)} search seeds each; "
            f"{compute:.4g} multiply-adds a search, {compute / training:.4g} trainings of the GRU on all tasks",
        )
        if plan.simulation is not None:
            self.console.print("simulated trials: no evidence on cells or methods", style="bold yellow")
        else:
            warn_without_machine_code(self.console)

    def on_search(self, run: SearchRun, progress: Progress | None, done: int, total: int) -> None:
        what = "had ended" if progress is None else f"{progress.proposals_done} proposals"
        best = "" if progress is None or progress.best_cell is None else f", best {progress.best_cell}"
        score = "" if progress is None or progress.best_score is None else f" {progress.best_score:.4f}"
        say(self._progress, f"{done} of {total}: {run.name}, {what}{best}{score}")

    def on_confirmation(self, done: int, total: int) -> None:
        if done in (0, total) or time.monotonic() - self._printed >= LINE_SECONDS:
            self._printed = time.monotonic()
            say(self._progress, f"incumbents on fresh seeds: {done} of {total} trials")

    def finish(self, compared: Compared) -> None:
        """Print the verdict and where the files are."""
        from results.report.methods_page import FIGURE_FILE
        from results.tables.methods import verdict_lines
        from search.compare.comparison import PAGE_FILE

        say(self._progress, f"done in {duration(time.monotonic() - self._began)}")
        self._progress.print()
        for line in verdict_lines(compared):
            say(self.console, line)
        self._progress.print()
        say(self._progress, f"tables, {FIGURE_FILE} and {PAGE_FILE} are in {self.folder}")


def _say_stopped(plan: Path, output: Path | None, simulate: bool) -> None:
    again = [str(plan), *(["--output", str(output)] if output is not None else [])]
    options = " --simulate" if simulate else ""
    click.echo(
        f"stopped; all finished trials are kept. Resume with: gatesearch compare {shlex.join(again)} --resume{options}",
        err=True,
    )


def _replay(plan: Path, recorded: str, folder: Path, view: CompareView) -> Compared:
    """Compare the methods of a plan on the recorded trials of a run."""
    from search.compare.comparison import write_replay
    from search.compare.plan import read_plan
    from search.compare.replay import replay_plan

    with open_run(recorded) as store:
        begin_snapshot(store)
        compared = replay_plan(read_plan(plan, store.profile), store, load=partial(load_tasks, console=view.console))
    write_replay(folder, compared)
    return compared


def _record(compared: Compared, folder: Path) -> dict[str, Any]:
    """Return a comparison for JSON: the verdict, and the rows of its tables."""
    from results.tables.files import plain_records
    from results.tables.methods import method_table, pair_table, verdict_lines

    return {
        "folder": str(folder),
        "baseline": compared.baseline,
        "seeds": compared.seeds,
        "compute": compared.budget,
        "trainings": compared.budget / compared.training,
        "level": compared.level,
        "verdict": verdict_lines(compared),
        "methods": plain_records(method_table(compared)),
        "pairs": plain_records(pair_table(compared)),
    }

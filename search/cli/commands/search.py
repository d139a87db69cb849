"""`gatesearch search`: from the named cells to a ranked table."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from results.store.files import runs_folder
from results.store.rungs import rungs_of
from results.store.runs import claim_folder, existing_run, name_for_commands, new_run_folder
from results.store.summary import funnel
from results.store.words import MEMORIZATION, SIMULATED
from search.cells.text import counted, shorten
from search.cli.completion import (
    complete_cells,
    complete_profiles,
    complete_runs,
    complete_strategies,
    complete_task_list,
)
from search.cli.descriptions import summary_line, warnings_of
from search.cli.display import duration, output_console, say
from search.cli.loading import trust_options
from search.cli.run_argument import named_or_latest
from search.cli.running import (
    RunView,
    Verbosity,
    describe_workers,
    json_option,
    json_output,
    terminable,
    verbosity_of,
    verbosity_options,
    worker_count,
)
from search.cli.slow_imports import slow_imports
from search.cli.streams import optional_output
from search.cli.task_options import data_paths
from search.core.errors import SearchError
from search.engine.observer import OpenRun
from search.engine.progress import Progress
from search.engine.seed_cells import read_seed_cells
from search.profiles.changes import changed_profile, title_of
from search.profiles.sections import Profile
from search.strategies.registry import STRATEGIES

if TYPE_CHECKING:  # imports PyTorch, which is slow, as what the functions below import
    from search.training.simulation import Simulation

MAX_DELAYS = 1000.0
"""Largest factor for the durations of simulated trials."""

_EPILOG = """\b
Examples:
  gatesearch search                                  profile quick, all cores
  gatesearch search night --profile overnight        a run named night
  gatesearch search night --resume                   after an interruption
  gatesearch search night --resume --proposals 20000 extend it
  gatesearch search --tasks xml,music --proposals 10
  gatesearch search mine --seed-cell my.cell --task package.module:MyTask
  gatesearch search ptb --tasks language --data language=FOLDER
  gatesearch search big --profile paper --address auto
  gatesearch search --profile paper --simulate       all but the training
"""


@click.command(epilog=_EPILOG)
@click.argument("name", required=False, shell_complete=complete_runs)
@click.option(
    "--profile",
    shell_complete=complete_profiles,
    help="quick (default), evening, overnight, discover, paper, baselines, or a TOML file.",
)
@click.option(
    "--strategy",
    shell_complete=complete_strategies,
    help=f"Search strategy: {', '.join(STRATEGIES)}. Overrides the profile.",
)
@click.option(
    "--proposals",
    type=click.IntRange(min=0),
    help="Number of proposals. Overrides the profile. With --resume: extend the run to this number.",
)
@click.option(
    "--tasks",
    "only",
    metavar="A,B",
    shell_complete=complete_task_list,
    help="Use only these tasks of the profile, in this order.",
)
@click.option(
    "--task",
    "own",
    multiple=True,
    metavar="MODULE:CLASS",
    help="Add your own ranked task. With --resume: a task of the run that may be imported.",
)
@click.option(
    "--data",
    multiple=True,
    metavar="TASK=PATH",
    help="Read the data of a task from your files. With --resume: where they are now, if they were moved.",
)
@click.option(
    "--seed-cell",
    multiple=True,
    metavar="CELL",
    shell_complete=complete_cells,
    help="Start from this cell, too: a name, a formula, an id in a run, a file, FILE#7 of a list, or a folder.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Random seed of the search.  [default: 0]")
@click.option(
    "--workers",
    type=click.IntRange(0, 4096),
    help="Worker processes; 0 trains in this process.  [default: usable processors]",
)
@click.option("--address", help="Train on this Ray cluster: auto (that of this machine), or HOST:PORT.")
@click.option("--simulate", is_flag=True, default=None, help="Draw plausible results from the seed; train nothing.")
@click.option("--delays", type=float, help="With --simulate: scale simulated durations by this factor.  [default: 0]")
@click.option(
    "--optimum",
    metavar="CELL",
    shell_complete=complete_cells,
    help="With --simulate: make this cell the best one, a name or a formula; others are better the closer they are.",
)
@click.option("--resume", is_flag=True, help="Resume the run NAME, or the latest run.")
@json_option
@verbosity_options
def search(
    name: str | None,
    resume: bool,
    workers: int | None,
    address: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **given: Any,
) -> None:
    """Search for cells: train the named cells, then children of the initial population, and rank them all.

    The run is stored in results/runs/NAME (or in GATESEARCH_RUNS): run.sqlite, the resolved profile.toml, and
    leaderboard.csv, which is updated while the search runs. Without NAME the run is named after its profile. Ctrl-C
    stops a run, --resume continues it. A cell that crashes, hangs or uses up the memory is given up after three tries;
    with --workers 0 it ends the search.

    --simulate tests the procedure, a profile or a cluster: strategy, workers, store and table are real, but every
    result is made up, and the run is marked as simulated permanently.
    """
    with slow_imports():
        from search.engine.run import resume_search, run_search

    console = output_console(stderr=as_json)
    count = worker_count(workers, address)
    view = SearchView(console, count, address, verbosity_of(quiet, verbose), as_json)
    command = sys.argv[1:]
    if resume:
        trusted, proposals, moved = given.pop("own"), given.pop("proposals"), data_paths(given.pop("data"))
        _refuse_with_resume(given)
        folder = _folder_to_resume(name)
        with json_output(view), terminable(), optional_output("the search"), view:
            resume_search(
                folder,
                proposals=proposals,
                trusted=trusted,
                data=moved,
                load=view.load,
                workers=count,
                address=address,
                command=command,
                observer=view,
            )
        return
    simulation = _simulation(given.pop("simulate"), given.pop("delays"), given.pop("optimum"))
    seed = given.pop("seed") or 0
    title = title_of(given["profile"] or "quick")
    profile = _profile(**given)
    with (
        json_output(view),
        terminable(),
        optional_output("the search"),
        _folder_of(name, title if simulation is None else f"simulated-{title}") as folder,
        view,
    ):
        run_search(
            folder,
            profile,
            seed=seed,
            simulation=simulation,
            load=view.load,
            workers=count,
            address=address,
            command=command,
            observer=view,
        )


class SearchView(RunView):
    """View of a search: an announcement with the estimated time, progress, and a summary."""

    def on_start(self, run: OpenRun) -> None:
        from search.engine.cost import busy_processors

        store, profile = run.store, run.profile
        self.open(run)
        place = f"run {store.name} in {os.path.abspath(store.folder)}"
        self.say(f"{place}, {describe_workers(self.workers, self.address)}")
        if self.verbosity is Verbosity.QUIET and store.folder.parent != runs_folder():
            say(self.console, place)  # a name with a slash makes no folder elsewhere without a word
        self.say(
            f"{len(profile.given)} given cells, {profile.search.proposals:,} proposals "
            f"({profile.search.strategy}), tasks {', '.join(profile.visited)}; seed {store.seed}",
        )
        for name, task in run.tasks.items():
            self.say(summary_line(name, task))
            for warning in warnings_of(name, task):
                self.warn(warning)
        if store.simulated:
            self.say(SIMULATED, style="bold yellow")
        else:
            self._announce_cost(run)
        processors, busy = run.executor.processors(), busy_processors(profile)
        if processors > busy:
            self.warn(
                f"{processors} processors, but a window of {profile.search.window} proposals keeps about {busy} busy; "
                "set a larger `window` in the profile of a new run"
            )
        self._began = time.monotonic()
        self.start((MEMORIZATION, *profile.visited))

    def _announce_cost(self, run: OpenRun) -> None:
        from search.engine.cost import estimate

        self.warn_without_machine_code()
        self.wait_for("estimating the time, from some training steps of the GRU")
        cost = estimate(run.profile, run.tasks)
        if self.address is not None:
            where, per = f"the Ray cluster at {self.address}", " of one core"
        else:
            where, per = counted(self.workers, "worker") if self.workers else "this process", ""
        baselines, least, most = (duration(s / self.cores) for s in (cost.baselines, cost.least, cost.most))
        self.say(
            f"estimated on {where}: {baselines}{per} for the {cost.baseline_trials:,} trials of the given cells, "
            f"{least} to {most} in total",
        )

    def on_interrupt(self, run: OpenRun, progress: Progress) -> None:
        self.stop()  # first, since the bars would erase the message
        name = shlex.quote(name_for_commands(run.store))
        finished = progress.trials_run + progress.trials_known
        click.echo(
            f"stopped; all {f'{finished} ' if finished else ''}finished trials are kept. "
            f"Resume with: gatesearch search {name} --resume{trust_options(run.profile)}",
            err=True,
        )

    def on_finish(self, run: OpenRun, progress: Progress) -> None:
        self.stop()
        seconds = time.monotonic() - self._began
        counts = funnel(run.store)
        self.show_table(run)
        rungs = rungs_of(run.store)
        if rungs is None:
            stages = ", ".join(f"{stage.task} {stage.passed} of {stage.tried}" for stage in counts.stages)
            self.say(
                f"{counts.proposals} new cells proposed, {counts.reexaminations} cells examined again; "
                f"passed: {stages or 'none'}",
            )
        else:
            reached = ", ".join(f"{rung.rung}: {rung.tried}" for rung in rungs.rungs)
            self.say(
                f"{counts.proposals} new cells proposed, {rungs.promotions} promotions; candidates at rung {reached}",
            )
        if counts.rejections:
            reasons = ", ".join(f"{reason} {count}" for reason, count in counts.rejections.items())
            self.say(f"draws rejected before training: {reasons}")
        if rungs is not None and rungs.line is not None:
            self.say(rungs.line)
        self.say(f"done in {duration(seconds)}; the table is {run.table}")
        self.show_verdict()
        self.show_files(run)
        self.keep_record(run)


def _refuse_with_resume(given: dict[str, Any]) -> None:
    """Raise `SearchError` if an option was given that a resumed run does not take."""
    for option, value in given.items():
        if value not in (None, ()):
            flag = f"--{option.replace('only', 'tasks').replace('_', '-')}"
            raise SearchError(f"{flag} cannot be given with --resume, a run keeps its profile and seed; leave it out")


def _profile(
    profile: str | None,
    only: str | None,
    own: tuple[str, ...],
    data: tuple[str, ...],
    seed_cell: tuple[str, ...],
    strategy: str | None,
    proposals: int | None,
) -> Profile:
    """Return the profile with the changes that the options ask for."""
    names = None if only is None else [part.strip() for part in only.split(",") if part.strip()]
    if names == []:
        raise SearchError(f"--tasks has {only!r}, which names no task; use NAME,NAME as in --tasks xml,music")
    return changed_profile(
        "quick" if profile is None else profile,
        strategy=strategy,
        proposals=proposals,
        tasks=names,
        own_tasks=own,
        data=data_paths(data),
        seed_cells=read_seed_cells(seed_cell),
    )


def _simulation(simulate: bool | None, delays: float | None, optimum: str | None) -> Simulation | None:
    """Return the simulation of the options; None if trials are trained."""
    if optimum is not None and not simulate:
        raise SearchError(f"--optimum {shorten(optimum, 60)} is for simulated trials; add --simulate, or leave it out")
    if delays is not None and not simulate:
        raise SearchError(f"--delays {delays:g} is for simulated trials; add --simulate, or leave it out")
    if delays is not None and not 0 <= delays <= MAX_DELAYS:
        raise SearchError(f"--delays {delays:g} is outside 0 ... {MAX_DELAYS:g}; choose a factor within")
    if not simulate:
        return None
    from search.training.simulation import Simulation

    return Simulation(delays or 0.0, optimum=optimum)


@contextmanager
def _folder_of(name: str | None, title: str) -> Iterator[Path]:
    """Yield the folder of a new run, which is called after its title if it has no name."""
    folder = claim_folder(title) if name is None else new_run_folder(name)
    try:
        yield folder
    finally:
        if name is None:
            with suppress(OSError):  # it holds a run
                folder.rmdir()


def _folder_to_resume(name: str | None) -> Path:
    return existing_run(named_or_latest(name), "start it without --resume")

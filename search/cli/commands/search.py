"""`gatesearch search`: from the named cells to a ranked table."""

import os
import re
import shlex
import signal
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import tomli_w
from rich.console import Console

from results.store.errors import ResultsError
from results.store.files import runs_folder
from results.store.sanitize import printable
from results.store.store import FILE, Store
from results.store.summary import funnel
from results.store.words import COMPLETE
from results.tables.leaderboard import SIMULATED, write_leaderboard
from results.tables.leaderboard import leaderboard as table_of
from results.tables.readable import render_table
from search.cells.files import read_cell
from search.cells.notation.formula import format_graph
from search.cli.display import Display, duration, say
from search.cli.loading import check_trusted, load_tasks, trust_options
from search.cli.names import known_runs, run_folder
from search.core.errors import SearchError
from search.engine.cost import estimate
from search.engine.engine import Engine, Progress
from search.engine.finalists import retrain
from search.engine.provenance import differences, provenance
from search.profiles.loading import load_profile, parse_profile, profile_of
from search.profiles.sections import MEMORIZATION, Profile
from search.strategies.base import Outcome
from search.strategies.registry import STRATEGIES, strategy_class
from search.training.simulation import Simulation
from search.workers.executor import Executor, make_executor
from search.workers.ray_cluster import check_address
from tasks.registry import task_class
from tasks.task import Task

MAX_DELAYS = 1000.0
"""A simulated trial may take so many times its seconds."""

TABLE_SECONDS = 5.0
"""The leaderboard is written after every change, but not more often than this."""

_EPILOG = """\b
Examples:
  gatesearch search                                  the quick profile, on all cores
  gatesearch search night --profile overnight        a run named night
  gatesearch search night --resume                   go on where it stopped
  gatesearch search night --resume --proposals 20000 and further than was planned
  gatesearch search --tasks xml,music --proposals 10
  gatesearch search mine --seed-cell my.cell --task package.module:MyTask
  gatesearch search ptb --tasks language --data language=FOLDER
  gatesearch search big --profile paper --address auto
  gatesearch search --profile paper --simulate       all but the training
"""


@click.command(epilog=_EPILOG)
@click.argument("name", required=False)
@click.option("--profile", help="quick (default), evening, overnight, paper, baselines, or a TOML file.")
@click.option("--strategy", help=f"What is tried next: {', '.join(STRATEGIES)}. Overrides the profile.")
@click.option(
    "--proposals", type=click.IntRange(min=0), help="How many. Overrides the profile. With --resume: more of them."
)
@click.option("--tasks", "only", metavar="A,B", help="Only these of the profile's tasks, in this order.")
@click.option(
    "--task",
    "own",
    multiple=True,
    metavar="MODULE:CLASS",
    help="Add a ranked task of your own. With --resume: one of the run that may be imported.",
)
@click.option("--data", multiple=True, metavar="TASK=PATH", help="Let a task read your files.")
@click.option(
    "--seed-cell", multiple=True, type=click.Path(path_type=Path), help="Start from the cell in this file too."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="The search is a function of it.  [default: 0]")
@click.option("--workers", type=click.IntRange(0, 4096), help="Processes here; 0: in this one.  [default: all cores]")
@click.option("--address", help="Train on this Ray cluster: auto (that of this machine), or HOST:PORT.")
@click.option("--simulate", is_flag=True, default=None, help="Train nothing: draw plausible outcomes, from the seed.")
@click.option("--delays", type=float, help="With --simulate: a trial takes so many times its seconds.  [default: 0]")
@click.option("--resume", is_flag=True, help="Go on with a run (without NAME, the latest).")
def search(name: str | None, resume: bool, workers: int | None, address: str | None, **given: Any) -> None:
    """Search for cells: train the named cells, then mutants of LSTM and GRU, and rank them all.

    The run is kept in results/runs/NAME (or in GATESEARCH_RUNS): run.sqlite, the resolved profile.toml, and
    leaderboard.csv, which is up to date at any time. Without NAME it is called after its profile. Ctrl-C stops a run,
    --resume goes on. A cell that crashes, hangs, or takes all memory is given up by its worker after three tries; with
    --workers 0 it takes the search with it.

    --simulate tries the procedure, a profile or a cluster out: strategy, workers, store and table are the real ones,
    but every outcome is made up, and the run is marked as simulated for good.
    """
    console = Console(stderr=False)
    if workers is not None and address is not None:
        raise SearchError(
            f"--workers {workers} and --address {address} exclude each other: a cluster brings its own workers; "
            "leave one out"
        )
    if address is not None:
        check_address(address)
    if resume:
        trusted, proposals = given.pop("own"), given.pop("proposals")
        changed = [
            f"--{option.replace('only', 'tasks').replace('_', '-')}"
            for option, value in given.items()
            if value not in (None, ())
        ]
        if changed:
            raise SearchError(
                f"{changed[0]} cannot be given with --resume, a run keeps its profile and seed; leave it out"
            )
        store = _open(name)
        simulation = simulation_of(store)
        profile = profile_of(store)
        check_trusted(store, profile, trusted)
        extended = _extended(store, profile, proposals)
    else:
        simulation = _simulation(given.pop("simulate"), given.pop("delays"))
        profile, title = _profile(**given)
        title = title if simulation is None else f"simulated-{title}"
        strategy_class(profile.search.strategy)
        folder = run_folder(name) if name is not None else _free_folder(title)
        if os.path.exists(folder / FILE) and os.path.getsize(folder / FILE):
            raise SearchError(
                f"run {folder.name!r} exists in {folder.parent}; go on with it by --resume, or choose a new name"
            )
        store = None
    loaded = load_tasks(profile, console)
    count = workers if workers is not None else (os.cpu_count() or 1)
    # The workers before the run: a cluster that cannot be joined leaves no empty run behind.
    limits = profile.limits.of_trials()
    with terminable(), closing(make_executor(loaded, count, address, limits)) as executor:
        if store is None:
            store = Store.create(
                folder,
                name=folder.name,
                seed=given["seed"] or 0,
                profile=profile.to_toml(),
                strategy=profile.search.strategy,
                window=profile.search.window,
                information=provenance(loaded)
                | {"command": sys.argv[1:]}
                | ({} if simulation is None else {"simulated": asdict(simulation)}),
            )
        with store, store.lock():
            if resume:
                if extended is not None:
                    profile = extended
                    store.extend(profile.to_toml(), sys.argv[1:])
                mark_resumed(store, loaded, console)
            _announce(console, store, profile, loaded, count, address)
            _warn_of_window(console, profile, executor.processors())
            _drive(console, store, profile, loaded, executor, simulation)


def _extended(store: Store, profile: Profile, proposals: int | None) -> Profile | None:
    """The profile with more proposals, where they are asked for: what was proposed does not depend on how many follow.

    The run is then that of the larger number from the start, but for finalists of the smaller one that stay in the
    table. Raises `SearchError` where there would be fewer.
    """
    planned = profile.search.proposals
    if proposals is None or proposals == planned:
        return None
    if proposals < planned:
        raise SearchError(
            f"--proposals {proposals}: run {store.name!r} is one of {planned:,}, and what is done is kept; "
            "with --resume there can only be more"
        )
    return replace(profile, search=replace(profile.search, proposals=proposals))


def _simulation(simulate: bool | None, delays: float | None) -> Simulation | None:
    """What the options ask for; None where trials are trained."""
    if delays is not None and not simulate:
        raise SearchError(f"--delays {delays:g} is for simulated trials; add --simulate, or leave it out")
    if delays is not None and not 0 <= delays <= MAX_DELAYS:
        raise SearchError(f"--delays {delays:g} is not from 0 to {MAX_DELAYS:g}; choose how many times its seconds")
    return Simulation(delays or 0.0) if simulate else None


def simulation_of(store: Store) -> Simulation | None:
    """What the stored run was begun with: a simulated run stays one, and no other becomes one."""
    return None if store.simulation is None else Simulation(store.simulation.delays)


def _profile(
    profile: str | None,
    strategy: str | None,
    proposals: int | None,
    only: str | None,
    own: tuple[str, ...],
    data: tuple[str, ...],
    seed_cell: tuple[Path, ...],
    seed: int | None,
) -> tuple[Profile, str]:
    """The profile with what the command line changes in it, and what a run of it is called."""
    chosen = profile or "quick"
    title = re.sub(r"[^A-Za-z0-9._-]+|^[._-]+", "-", Path(chosen).name.removesuffix(".toml")).strip("-")[:80]
    # As text, not as a `Profile`: what the command line changes is checked in the way that a file is.
    values = tomllib.loads(load_profile(chosen).to_toml())
    tasks = values["tasks"]
    if only is not None:
        names = [part.strip() for part in only.split(",") if part.strip()]
        for part in names:
            if part not in tasks:
                raise SearchError(f"--tasks has {part!r}; the profile's tasks are {', '.join(tasks)}")
        if not names:
            raise SearchError(f"--tasks has {only!r}, no task; the profile's tasks are {', '.join(tasks)}")
        tasks = {part: tasks[part] for part in names}
    pattern = next(iter(values["tasks"].values()))  # a task of one's own is trained as the first one is
    for path in own:
        own_name = task_class(path).name
        if own_name in tasks:
            raise SearchError(f"--task has {path!r}, but there is a task {own_name!r} already; give it another name")
        tasks = tasks | {own_name: pattern | {"role": "ranked", "task": path, "options": {}}}
    for item in data:
        task, separator, path = item.partition("=")
        if not separator or not path or task not in tasks:
            raise SearchError(f"--data has {item!r}; it takes TASK=PATH with one of {', '.join(tasks)}")
        options = tasks[task].get("options", {}) | {"data": str(Path(path).absolute())}
        tasks = tasks | {task: tasks[task] | {"options": options}}
    for file in seed_cell:
        if file.stem in values["cells"]:
            raise SearchError(
                f"--seed-cell has {str(file)!r}, but there is a cell {file.stem!r} already; rename the file"
            )
        values["cells"][file.stem] = format_graph(read_cell(file))
    changed = {"proposals": proposals, "strategy": strategy}
    values["search"] |= {key: value for key, value in changed.items() if value is not None}
    text = tomli_w.dumps(values | {"tasks": tasks})
    return parse_profile(text, "the profile with the command line's changes"), title or "search"


def _free_folder(title: str) -> Path:
    number = 1
    while (runs_folder() / f"{title}-{number}").exists():
        number += 1
    return run_folder(f"{title}-{number}")


def _open(name: str | None) -> Store:
    if name is None:
        runs = known_runs()
        if not runs:
            raise SearchError(f"there is no run in {runs_folder()} to resume; start one without --resume")
        name = runs[0]
    folder = run_folder(name)
    if not os.path.exists(folder / FILE):
        raise SearchError(f"there is no run {name!r} to resume in {folder.parent}; start it without --resume")
    return Store.open(folder)


def mark_resumed(store: Store, tasks: dict[str, Task], console: Console) -> None:
    """Keep with the run that it goes on, and warn of what differs from when it began."""
    now = provenance(tasks)
    changed = differences(store.information, now)
    for line in changed:
        warning = f"warning: {line}; the table marks cells with rows from before and after (`environments`)"
        console.print(printable(warning), style="yellow", soft_wrap=True, markup=False, highlight=False)
    resumed = [
        *store.information.get("resumed", []),
        now | {"trials_before": store.select("SELECT count(*) FROM trials")[0][0]},
    ]
    store.mark(resumed=resumed)


def _announce(
    console: Console, store: Store, profile: Profile, tasks: dict[str, Task], workers: int, address: str | None
) -> None:
    where = f"the Ray cluster at {address}" if address else f"{workers} workers" if workers else "this process"
    say(console, f"run {store.name} in {store.folder}")
    say(
        console,
        f"{len(profile.given)} cells to compare with, {profile.search.proposals:,} proposals "
        f"({profile.search.strategy}), tasks {', '.join(profile.visited)}; seed {store.seed}",
    )
    if store.simulated:
        console.print(f"{SIMULATED}", style="bold red", soft_wrap=True)
        return
    cost = estimate(profile, tasks)
    share = max(workers, 1) if address is None else 1
    per = "" if address is None else " of one core"
    say(
        console,
        f"estimated on {where}: {duration(cost.baselines / share)}{per} for the {cost.baseline_trials:,} trials of the "
        f"given cells, {duration(cost.least / share)} to {duration(cost.most / share)} in all",
    )


def _warn_of_window(console: Console, profile: Profile, processors: int) -> None:
    """That the run's window is too small for so many processors; it is part of the run, so it is not changed here."""
    if processors > profile.processors:
        warning = (
            f"warning: {processors} processors, but a window of {profile.search.window} proposals keeps about "
            f"{profile.processors} busy; a new run may have a larger `window` in its profile"
        )
        console.print(warning, style="yellow", soft_wrap=True, markup=False, highlight=False)


def _drive(
    console: Console,
    store: Store,
    profile: Profile,
    tasks: dict[str, Task],
    executor: Executor,
    simulation: Simulation | None,
) -> None:
    table = store.folder / "leaderboard.csv"
    written = time.monotonic()

    def on_outcome(outcome: Outcome) -> None:
        nonlocal written
        if outcome.ending == COMPLETE and time.monotonic() - written >= TABLE_SECONDS:
            with suppress(ResultsError):  # trials are what costs; if it is still so at the end, it is said there
                write_leaderboard(store, profile.ranked, table)
            written = time.monotonic()

    started = time.monotonic()
    display = Display(console, (MEMORIZATION, *profile.visited))
    engine = Engine(
        profile,
        store.seed,
        tasks,
        store,
        executor,
        simulation=simulation,
        on_change=display.update,
        on_outcome=on_outcome,
    )
    try:
        with display:
            engine.run()
            retrain(
                profile,
                store.seed,
                tasks,
                store,
                executor,
                engine.progress,
                simulation=simulation,
                on_change=display.update,
            )
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            say_stopped(store, profile, engine.progress)  # once the bars are gone: they would take it with them
        with suppress(ResultsError):  # what ended the search is what there is to say
            write_leaderboard(store, profile.ranked, table)
        raise
    try:
        write_leaderboard(store, profile.ranked, table)
    except ResultsError as error:
        raise SearchError(f"{error}; all trials are kept, and --resume writes the table again") from error
    store.mark(finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    _summarise(console, store, profile, table, time.monotonic() - started)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM, and a terminal that is closed, end a run in the way that Ctrl-C does."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    # Under `nohup` the closing of a terminal is ignored, and stays so.
    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say_stopped(store: Store, profile: Profile, progress: Progress) -> None:
    """Tell on the error stream what is kept, and the command that goes on."""
    where = store.name if store.folder.parent == runs_folder() else str(store.folder)
    click.echo(
        f"stopped; all {progress.trials_run + progress.trials_known} finished trials are kept. "
        f"Go on with: gatesearch search {shlex.quote(where)} --resume{trust_options(profile)}",
        err=True,
    )


def _summarise(console: Console, store: Store, profile: Profile, table: Path, seconds: float) -> None:
    counts = funnel(store)
    console.print(render_table(table_of(store, profile.ranked), 20, console.width))
    stages = ", ".join(f"{stage.task} {stage.passed} of {stage.tried}" for stage in counts.stages)
    say(
        console,
        f"{counts.proposals} new cells proposed, {counts.reexaminations} examined again; passed: {stages or 'none'}",
    )
    if counts.rejections:
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts.rejections.items())
        say(console, f"draws rejected before training: {reasons}")
    say(console, f"done in {duration(seconds)}; the table is {table}")

"""`gatesearch finalists`: train the best cells of a run again, with fresh seeds."""

import os
from contextlib import closing
from dataclasses import replace

import click
from rich.console import Console

from results.store.store import Store
from results.tables.leaderboard import leaderboard as table_of
from results.tables.leaderboard import write_leaderboard
from results.tables.readable import render_table
from search.cli.commands.search import mark_resumed, simulation_of, terminable
from search.cli.display import Display, duration, say
from search.cli.loading import check_trusted, load_tasks
from search.cli.names import open_run
from search.core.errors import SearchError
from search.engine.engine import Progress
from search.engine.finalists import choose_finalists, finalists_seconds, retrain
from search.profiles.loading import profile_of
from search.profiles.sections import FinalistsSection
from search.workers.executor import make_executor
from search.workers.ray_cluster import check_address

_EPILOG = """\b
Examples:
  gatesearch finalists night                   what its profile asks for
  gatesearch finalists night --repeats 12      more seeds, to decide more
  gatesearch finalists night --cells 30
"""


@click.command(epilog=_EPILOG)
@click.argument("run")
@click.option("--cells", type=click.IntRange(1, 1000), help="How many of the found cells.  [default: the profile's]")
@click.option(
    "--repeats", type=click.IntRange(2, 1000), help="Seeds a task.  [default: the profile's, or as many as there are]"
)
@click.option("--workers", type=click.IntRange(0, 4096), help="Processes here; 0: in this one.  [default: all cores]")
@click.option("--address", help="Train on this Ray cluster: auto (that of this machine), or HOST:PORT.")
@click.option(
    "--task", "trusted", multiple=True, metavar="MODULE:CLASS", help="A task of the run that may be imported."
)
def finalists(
    run: str,
    cells: int | None,
    repeats: int | None,
    workers: int | None,
    address: str | None,
    trusted: tuple[str, ...],
) -> None:
    """Train the best cells of RUN and all that it was given again, at their best settings, with fresh seeds.

    A search does this when it ends, in the numbers of its profile. The leaderboard then ranks by these trials' test
    metrics. Ctrl-C stops, the same command goes on. Cells that were trained again before are so this time too.
    """
    console = Console()
    if workers is not None and address is not None:
        raise SearchError(
            f"--workers {workers} and --address {address} exclude each other: a cluster brings its own workers; "
            "leave one out"
        )
    if address is not None:
        check_address(address)
    with open_run(run) as reader:
        folder = reader.folder
        profile = profile_of(reader)
        check_trusted(reader, profile, trusted)
        asked, trained = profile.finalists, reader.finalist_repeats
        section = FinalistsSection(
            cells=cells if cells is not None else asked.cells or FinalistsSection().cells,
            repeats=repeats if repeats is not None else max(asked.repeats, trained),
        )
        profile = replace(profile, finalists=section)
        choose_finalists(profile, reader)  # whatever is wrong with it is said before data and workers are waited for
    loaded = load_tasks(profile, console)
    count = workers if workers is not None else (os.cpu_count() or 1)
    with (
        terminable(),
        closing(make_executor(loaded, count, address, profile.limits.of_trials())) as executor,
        Store.open(folder) as store,
        store.lock(),
    ):
        chosen = choose_finalists(profile, store)
        mark_resumed(store, loaded, console)
        left = finalists_seconds(profile, store, chosen)
        share = max(count, 1) if address is None else 1
        say(
            console,
            f"{len(chosen)} cells, {section.repeats} seeds on each of {', '.join(profile.visited)}; "
            f"{duration(left / share)}{' of one core' if address else ''} by the search's own times",
        )
        progress = Progress()
        display = Display(console, ())
        try:
            with display:
                retrain(
                    profile,
                    store.seed,
                    loaded,
                    store,
                    executor,
                    progress,
                    simulation=simulation_of(store),
                    on_change=display.update,
                )
        finally:
            write_leaderboard(store, profile.ranked, store.folder / "leaderboard.csv")
        console.print(render_table(table_of(store, profile.ranked), 20, console.width))
        say(console, f"{progress.trials_run} trials; the table is {store.folder / 'leaderboard.csv'}")

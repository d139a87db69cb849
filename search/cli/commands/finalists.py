"""`gatesearch finalists`: retrain the best cells of a run on fresh seeds."""

from functools import partial

import click
from rich.console import Console

from results.store.runs import open_run
from search.cli.display import duration, say
from search.cli.loading import load_tasks
from search.cli.running import RunView, terminable, worker_count
from search.engine.finalists import choose_finalists, finalists_seconds
from search.engine.observer import OpenRun
from search.engine.progress import Progress
from search.engine.run import retrain_finalists

_EPILOG = """\b
Examples:
  gatesearch finalists night                   the numbers of its profile
  gatesearch finalists night --repeats 12      more seeds, to decide more
  gatesearch finalists night --cells 30
"""


@click.command(epilog=_EPILOG)
@click.argument("run")
@click.option("--cells", type=click.IntRange(1, 1000), help="Number of found cells.  [default: the profile's]")
@click.option(
    "--repeats",
    type=click.IntRange(2, 1000),
    help="Seeds per task.  [default: the profile's, or as many as there are]",
)
@click.option(
    "--workers",
    type=click.IntRange(0, 4096),
    help="Worker processes; 0 trains in this process.  [default: number of cores]",
)
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
    """Retrain the best cells of RUN and all given cells at their best settings, on fresh seeds.

    A search does this at its end, with the numbers of its profile. The leaderboard then ranks by the test metrics of
    these trials. Ctrl-C stops, the same command continues. Cells that were retrained before are included.
    """
    console = Console()
    count = worker_count(workers, address)
    view = FinalistsView(console, count, address)
    with open_run(run) as reader:
        folder = reader.folder
    with terminable(), view:
        retrain_finalists(
            folder,
            cells=cells,
            repeats=repeats,
            trusted=trusted,
            load=partial(load_tasks, console=console),
            workers=count,
            address=address,
            observer=view,
        )


class FinalistsView(RunView):
    """View of the retraining of finalists: an announcement with the estimated time, progress, and the table."""

    def on_start(self, run: OpenRun) -> None:
        profile = run.profile
        chosen = choose_finalists(profile, run.store)
        left = finalists_seconds(profile, run.store, chosen)
        say(
            self.console,
            f"{len(chosen)} cells, {profile.finalists.repeats} seeds on each of {', '.join(profile.visited)}; "
            f"{duration(left / self.cores)}{' of one core' if self.address else ''}, estimated from the run's trials",
        )
        self.start(())

    def on_finish(self, run: OpenRun, progress: Progress) -> None:
        self.stop()
        self.show_table(run)
        say(self.console, f"{progress.trials_run} trials; the table is {run.table}")

"""`gatesearch report`: a page of a run, to look at and to pass on."""

import time
from pathlib import Path

import click

from results.report.report import FILE, write_report
from results.store.errors import ResultsError
from results.store.store import Store
from results.trackers.mlflow import log_run, require_mlflow
from results.trackers.tensorboard import require_tensorboard, write_curves
from search.cli.loading import task_of_run
from search.cli.names import open_run
from search.cli.reach import after_training, at_initialisation
from search.profiles.loading import profile_of
from tasks.task import Task

_EPILOG = """\b
Examples:
  gatesearch report quick-1                   writes report.html into the run's folder
  gatesearch report quick-1 -o page.html
  gatesearch report night --watch             while the search goes on
  gatesearch report quick-1 --gradients-on arithmetic
  gatesearch report night --tensorboard logs  and curves for tensorboard --logdir logs
  gatesearch report night --mlflow http://localhost:5000
"""


@click.command(epilog=_EPILOG)
@click.argument("run")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The page, instead of RUN's own.")
@click.option("--watch", is_flag=True, help="Write it again whenever the run has gone on, until it is finished.")
@click.option(
    "--every", type=click.IntRange(1, 86400), default=60, show_default=True, help="Seconds between two looks, watching."
)
@click.option("--no-gradients", is_flag=True, help="Leave out where gradients go: seconds less.")
@click.option(
    "--gradients-on",
    "trained_on",
    metavar="TASK",
    help="Show where they go after training too: trains the shown cells again on this task.",
)
@click.option(
    "--tensorboard",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write learning curves of the table's first 50 cells into FOLDER/RUN, for TensorBoard.",
)
@click.option("--mlflow", metavar="URI", help="Log the run, these trials and its files to this MLflow server.")
def report(
    run: str,
    output: Path | None,
    watch: bool,
    every: int,
    no_gradients: bool,
    trained_on: str | None,
    tensorboard: Path | None,
    mlflow: str | None,
) -> None:
    """Write a page on RUN, finished or not: one HTML file that opens from disk, without net.

    It has the ranked table, the best cell drawn beside GRU and LSTM, scores against trials and compute, the funnel,
    the family tree of the best cells, learning curves, which settings matter, and where gradients go.
    """
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise ResultsError(f"--output {str(output)!r}: the page is HTML; give a name that ends in .html")
    _require(tensorboard is not None, mlflow is not None)
    seen: object = None
    tasks: dict[str, Task] = {}
    while True:
        with open_run(run) as store:
            profile = profile_of(store)
            trained = None if trained_on is None else task_of_run(store, profile, trained_on, "--gradients-on")
            finished, state = store.finished is not None, _state(store)
            if state != seen:
                path = output or store.folder / FILE
                _write(store, path, not no_gradients, trained, tasks, every if watch and not finished else None)
                click.echo(f"written to {path}" if not watch else f"{time.strftime('%H:%M:%S')}  written to {path}")
                _hand_on(store, tensorboard, mlflow)
        seen = state
        if not watch or finished:
            return
        time.sleep(every)


def _require(tensorboard: bool, mlflow: bool) -> None:
    """That the other tools that were asked for are installed: before the page is made, which may take minutes."""
    if tensorboard:
        require_tensorboard()
    if mlflow:
        require_mlflow()


def _hand_on(store: Store, tensorboard: Path | None, mlflow: str | None) -> None:
    """To the other tools that were asked for."""
    ranked = profile_of(store).ranked
    if tensorboard is not None:
        click.echo(f"{write_curves(store, ranked, tensorboard)} curves written to {tensorboard}")
    if mlflow is not None:
        click.echo(f"{log_run(store, ranked, mlflow)} new trials logged to {mlflow}")


def _state(store: Store) -> object:
    """What changes when the run goes on."""
    return store.select(
        "SELECT (SELECT count(*) FROM trials), (SELECT count(*) FROM proposals), (SELECT information FROM run)"
    )


def _write(
    store: Store, path: Path, with_gradients: bool, trained_on: str | None, tasks: dict[str, Task], refresh: int | None
) -> None:
    profile = profile_of(store)
    gradients = []
    if with_gradients:
        gradients.append(at_initialisation(store, profile.ranked))
    if trained_on is not None:
        gradients.append(after_training(store, profile, trained_on, tasks))
    made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    write_report(store, profile.ranked, path, gradients=gradients, made=made, refresh=refresh)

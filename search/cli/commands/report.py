"""`gatesearch report`: write an HTML page on a run."""

import time
from pathlib import Path

import click

from results.store.queries import progress_mark
from results.store.records import TrialRow
from results.store.runs import open_run
from results.store.store import Store
from results.trackers.addresses import checked_address, without_password
from search.cells.ids import short_id
from search.cli import run_argument
from search.cli.outputs import UserPath, check_free, force_option
from search.cli.slow_imports import slow_imports
from search.core.errors import SearchError
from search.engine.trust import task_of_run
from search.profiles.loading import profile_of
from tasks.task import Task

_EPILOG = """\b
Examples:
  gatesearch report quick-1                   report.html in the run's folder
  gatesearch report quick-1 -o page.html
  gatesearch report night --watch             while the search runs
  gatesearch report quick-1 --gradients-on arithmetic
  gatesearch report night --tensorboard logs  then: tensorboard --logdir logs
  gatesearch report night --mlflow http://localhost:5000
"""


@click.command(epilog=_EPILOG)
@run_argument.argument
@click.option(
    "-o",
    "--output",
    type=UserPath(dir_okay=False, path_type=Path),
    help="HTML file to write.  [default: report.html in the run's folder, which is replaced]",
)
@force_option
@click.option("--watch", is_flag=True, help="Regenerate the page as the run progresses, until it is finished.")
@click.option(
    "--every",
    type=click.IntRange(1, 86400),
    default=60,
    show_default=True,
    help="With --watch: seconds between checks for progress.",
)
@click.option("--no-gradients", is_flag=True, help="Leave out the chart of gradient norms, which takes seconds.")
@click.option(
    "--gradients-on",
    "trained_on",
    metavar="TASK",
    help="Also chart gradient norms after training: retrains the charted cells on this task.",
)
@click.option(
    "--tensorboard",
    type=UserPath(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write the learning curves of the top 50 cells to FOLDER/RUN for TensorBoard.",
)
@click.option(
    "--mlflow", metavar="URI", help="Log the run, the trials of the top 50 cells, and files to this MLflow server."
)
def report(
    run: str,
    output: Path | None,
    force: bool,
    watch: bool,
    every: int,
    no_gradients: bool,
    trained_on: str | None,
    tensorboard: Path | None,
    mlflow: str | None,
) -> None:
    """Write a page on RUN, or else on the latest run, finished or not: one HTML file that needs no network.

    It contains the leaderboard, drawings of the best cell, GRU and LSTM, scores against trials and compute, the number
    of cells that passed each stage, the family tree of the best cells, learning curves, the importance of each
    hyperparameter, and gradient norms.
    """
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise SearchError(f"--output {str(output)!r}: the page is HTML; give a name that ends in .html")
    check_free(output, force)
    with slow_imports():
        from results.report.report import FILE
        from results.trackers.mlflow import require_mlflow
        from results.trackers.tensorboard import require_tensorboard

    # The page may take minutes, so a missing package is reported first.
    if tensorboard is not None:
        require_tensorboard()
    if mlflow is not None:
        require_mlflow()
        mlflow = checked_address(mlflow)
    seen: object = None
    tasks: dict[str, Task] = {}
    while True:
        with open_run(run) as store:
            profile = profile_of(store)
            trained = None if trained_on is None else task_of_run(store, profile, trained_on, "--gradients-on")
            finished, state = store.finished is not None, progress_mark(store)
            if state != seen:
                path = output or store.folder / FILE
                _write(store, path, not no_gradients, trained, tasks, every if watch and not finished else None)
                click.echo(f"written to {path}" if not watch else f"{time.strftime('%H:%M:%S')}  written to {path}")
                _log(store, tensorboard, mlflow)
        seen = state
        if not watch or finished:
            return
        time.sleep(every)


def _log(store: Store, tensorboard: Path | None, mlflow: str | None) -> None:
    """Log the run to the trackers that the options name."""
    from results.trackers.mlflow import log_run
    from results.trackers.tensorboard import write_curves

    ranked = profile_of(store).ranked
    if tensorboard is not None:
        click.echo(f"{write_curves(store, ranked, tensorboard)} curves written to {tensorboard}")
    if mlflow is not None:
        click.echo(f"{log_run(store, ranked, mlflow)} new trials logged to {without_password(mlflow)}")


def _write(
    store: Store, path: Path, with_gradients: bool, trained_on: str | None, tasks: dict[str, Task], refresh: int | None
) -> None:
    from results.report.report import write_report
    from search.engine.gradient_norms import norms_after_training, norms_at_initialisation

    profile = profile_of(store)
    gradients = []
    if with_gradients:
        gradients.append(norms_at_initialisation(store, profile.ranked))
    if trained_on is not None:
        gradients.append(norms_after_training(store, profile, trained_on, tasks, _say_training))
    made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    write_report(store, profile.ranked, path, gradients=gradients, made=made, refresh=refresh)


def _say_training(row: TrialRow) -> None:
    """Print to standard error which trial is being retrained."""
    click.echo(
        f"retraining: {short_id(row.cell)} on {row.task}, {row.steps:,} steps, {row.seconds:.0f} s in the run", err=True
    )

"""The argument RUN of commands that read a run: a name or a path, and the latest run if it is left out."""

import click

from results.store.errors import ResultsError
from results.store.files import runs_folder
from results.store.runs import known_runs, latest_run, run_folder
from search.cells.text import counted
from search.cli.completion import complete_runs


def named_or_latest(run: str | None) -> str:
    """Return the run that was named; if none was, the latest one, and say on standard error which it is.

    Raises:
        ResultsError: none was named, and there is none.
    """
    if run is not None:
        return run
    run = latest_run()
    click.echo(f"run {run}, the latest", err=True)
    return run


def is_run(word: str) -> bool:
    """Return whether a word of the command line is the name of a run's folder that exists, or its path."""
    try:
        return run_folder(word).is_dir()
    except ResultsError:
        return False


def two_runs(first: str | None, second: str | None) -> tuple[str, str]:
    """Return two runs. Those that were not named are the latest of the others, which standard error says.

    Raises:
        ResultsError: a run is missing, and there is no other one.
    """
    if first is not None and second is not None:
        return first, second
    known = known_runs()
    others = known if first is None else [run for run in known if not _is_same(run, first)]
    needed = 2 if first is None else 1
    if len(others) < needed:
        raise ResultsError(
            f"two runs are compared, and {runs_folder()} has {counted(len(others), 'other run')}; give the path of one"
            if first is not None
            else f"two runs are compared, and {runs_folder()} has {counted(len(others), 'run')}; give the paths of two"
        )
    if first is None:
        click.echo(f"runs {others[1]} and {others[0]}, the latest two", err=True)
        return others[1], others[0]
    besides = "" if others[0] == known[0] else f" besides {first}"
    click.echo(f"run {others[0]}, the latest{besides}", err=True)
    return first, others[0]


def _is_same(run: str, other: str) -> bool:
    return run_folder(run).resolve() == run_folder(other).resolve()


def _callback(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    return value if context.resilient_parsing else named_or_latest(value)


argument = click.argument("run", required=False, callback=_callback, shell_complete=complete_runs)
"""Decorator that gives a command the argument RUN, which is never None."""

"""The argument RUN of commands that read a run: a name or a path, and the latest run if it is left out."""

import click

from results.store.runs import latest_run
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


def _callback(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    return value if context.resilient_parsing else named_or_latest(value)


argument = click.argument("run", required=False, callback=_callback, shell_complete=complete_runs)
"""Decorator that gives a command the argument RUN, which is never None."""

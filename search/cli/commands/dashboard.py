"""`gatesearch dashboard`: a page of all runs, in the browser."""

import os
import threading
import webbrowser
from collections.abc import Sequence

import click

from results.dashboard.listening import PORT
from results.store.files import runs_folder
from results.store.store import Store
from search.cli.slow_imports import slow_imports
from search.profiles.loading import profile_of

_EPILOG = """\b
Examples:
  gatesearch dashboard
  gatesearch dashboard --open --port 9000
"""

_NICENESS = 5
"""Niceness that the dashboard adds to its own, so that a search on the same machine goes first."""


@click.command(epilog=_EPILOG)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Port to listen on.  [default: {PORT}, or the next free one]",
)
@click.option("--open", "in_browser", is_flag=True, help="Open the page in the browser.")
def dashboard(port: int | None, in_browser: bool) -> None:
    """Show all runs in the browser while they run: a page on this machine alone.

    It shows the runs in results/runs (or in GATESEARCH_RUNS): state, progress, speed, failures, best cell. The page of
    a run has the verdict, the ranked table with standard errors, scores so far, and learning curves. Both renew
    themselves. Nothing is written into the runs, and nothing in them can be changed from the page. Ctrl-C ends it.
    """
    with slow_imports():
        from results.dashboard.server import Dashboard

    os.nice(_NICENESS)
    with Dashboard(_ranked, port) as running:
        taken = f" (port {PORT} is taken)" if port is None and running.port != PORT else ""
        click.echo(f"runs in {runs_folder()}: {running.address}{taken}; Ctrl-C ends it")
        if in_browser and not webbrowser.open(running.address):
            click.echo(f"no browser could be opened; open {running.address}", err=True)
        threading.Event().wait()


def _ranked(store: Store) -> Sequence[str]:
    return profile_of(store).ranked

"""Names that the shell completes: runs, cells, tasks and profiles. Other arguments complete as files."""

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from results.store.errors import ResultsError
from results.store.runs import known_runs
from search.cells.library import LIBRARY
from search.profiles.loading import shipped_profiles
from tasks.registry import TASKS


def complete_runs(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Return the names of runs that begin with `start`, latest first; the path of a folder if none does."""
    try:
        known = known_runs()
    except ResultsError:  # GATESEARCH_RUNS cannot be used: a command says why, a shell does not show it
        known = []
    return _names_or_paths(known, start, "dir")


def complete_cells(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Return the named cells that begin with `start`, with their titles; files if none does."""
    found = [CompletionItem(name, help=cell.title) for name, cell in LIBRARY.items() if name.startswith(start)]
    return found or [CompletionItem(start, type="file")]


def complete_tasks(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Return the names of tasks that begin with `start`."""
    return [CompletionItem(name) for name in TASKS if name.startswith(start)]


def complete_profiles(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Return the profiles of this package that begin with `start`; files if none does."""
    return _names_or_paths(shipped_profiles(), start, "file")


def _names_or_paths(names: Iterable[str], start: str, kind: str) -> list[CompletionItem]:
    found = [CompletionItem(name) for name in names if name.startswith(start)]
    return found or [CompletionItem(start, type=kind)]

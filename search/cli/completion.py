"""Names that the shell completes: runs, cells, tasks and profiles. Other arguments complete as files."""

import re
from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from results.store.errors import ResultsError
from results.store.runs import known_runs, latest_run, open_run
from search.cells.ids import SHORT_DIGITS, printed_id, short_id
from search.cells.library import LIBRARY
from search.profiles.loading import shipped_profiles
from search.strategies.registry import STRATEGIES
from tasks.registry import TASKS


def complete_runs(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Return the names of runs that begin with `start`, latest first; the path of a folder if none does."""
    return _names_or_paths(_runs(), start, "dir")


def complete_cells(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Return the named cells that begin with `start`, with their titles, and ids in a run; files if none does.

    The run is that of the command line, or else the latest one. Ids are offered from two digits on, with or without
    their letter.
    """
    found = [CompletionItem(name, help=cell.title) for name, cell in LIBRARY.items() if name.startswith(start)]
    if _DIGITS.fullmatch(start):
        found += [CompletionItem(cell) for cell in _ids(context.params.get("run"), start)]
    return found or [CompletionItem(start, type="file")]


def complete_run_or_cells(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Complete the first word as a run or a cell, and the words after it as cells."""
    if context.params.get(parameter.name or ""):
        return complete_cells(context, parameter, start)
    runs = [CompletionItem(name) for name in _runs() if name.startswith(start)]
    cells = complete_cells(context, parameter, start)
    return [*runs, *(cell for cell in cells if cell.type == "plain")] or cells


def complete_run_or_folder(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Complete the first word as a run, and another one as a folder."""
    if context.params.get(parameter.name or ""):
        return [CompletionItem(start, type="dir")]
    return complete_runs(context, parameter, start)


def complete_task_list(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Return the lists of tasks, separated by commas, whose last one begins as that of `start`."""
    before, comma, last = start.rpartition(",")
    given = before.split(",")
    return [CompletionItem(f"{before}{comma}{name}") for name in TASKS if name.startswith(last) and name not in given]


def complete_strategies(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Return the strategies that begin with `start`."""
    return [CompletionItem(name) for name in STRATEGIES if name.startswith(start)]


def complete_tasks(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Return the names of tasks that begin with `start`."""
    return [CompletionItem(name) for name in TASKS if name.startswith(start)]


def complete_profiles(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Return the profiles of this package that begin with `start`; files if none does."""
    return _names_or_paths(shipped_profiles(), start, "file")


_DIGITS = re.compile(r"g?[0-9a-f]{2,16}")


def _runs() -> list[str]:
    try:
        return known_runs()
    except ResultsError:  # GATESEARCH_RUNS cannot be used: a command says why, a shell does not show it
        return []


def _ids(run: str | None, start: str) -> list[str]:
    """Return the ids in a run that begin with `start`, in the form of `start`; none if the run cannot be read."""
    letter = printed_id("")
    digits = start.removeprefix(letter)
    try:
        with open_run(latest_run() if run is None else run) as store:
            found = [cell.id for cell in store.cells() if cell.id.startswith(digits)]
    except ResultsError:
        return []
    form = short_id if len(digits) <= SHORT_DIGITS else printed_id
    return [form(cell) if start.startswith(letter) else form(cell).removeprefix(letter) for cell in found]


def _names_or_paths(names: Iterable[str], start: str, kind: str) -> list[CompletionItem]:
    found = [CompletionItem(name) for name in names if name.startswith(start)]
    return found or [CompletionItem(start, type=kind)]

"""`gatesearch ask`: print cells that a run suggests to tell it."""

import json
from functools import partial

import click
from rich.console import Console

from results.store.runs import existing_run
from search.cells.ids import printed_id
from search.cells.notation.display import format_display
from search.cli import run_argument
from search.cli.loading import load_tasks
from search.cli.slow_imports import slow_imports

_EPILOG = """\b
Examples:
  gatesearch ask mine              one cell, as a line of JSON
  gatesearch ask mine --count 8    eight
"""


@click.command(epilog=_EPILOG)
@run_argument.argument
@click.option(
    "--count", default=1, show_default=True, type=click.IntRange(1, 10_000), help="Number of cells; different ones."
)
@click.option(
    "--task", "trusted", multiple=True, metavar="MODULE:CLASS", help="Allow the import of this task of the run."
)
def ask(run: str, count: int, trusted: tuple[str, ...]) -> None:
    """Print cells that RUN suggests to tell it: mutants of its best cells, one JSON object a line.

    RUN is a run that `gatesearch tell` made. An object has `formula`, `id` and `parent`, and `gatesearch tell` reads it
    as it is. Nothing is registered: until a cell is told, the same cells are printed. A process may be driving the run
    meanwhile.
    """
    with slow_imports():
        from search.engine.outside_run import suggestions

    console = Console(stderr=True, emoji=False)
    for one in suggestions(existing_run(run), count, trusted=trusted, load=partial(load_tasks, console=console)):
        line = {"formula": format_display(one.graph), "id": printed_id(one.graph.id), "parent": printed_id(one.parent)}
        click.echo(json.dumps(line))

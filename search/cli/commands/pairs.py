"""`gatesearch pairs`: test pairs of cells on the seeds that a run retrained them on."""

from collections.abc import Sequence
from pathlib import Path

import click
import pandas as pd
from rich.console import Console
from rich.table import Table

from results.scores.run_evidence import Pair, RunEvidence
from results.store.files import write_atomically
from results.store.runs import open_run
from results.store.sanitize import csv_text, printable
from results.tables.cell_pairs import caption, pair_table, readable_pairs, to_markdown
from results.tables.files import plain_records
from search.cli.completion import complete_cells, complete_runs
from search.cli.display import say
from search.cli.json_output import json_text
from search.cli.outputs import UserPath, check_replaceable
from search.core.errors import SearchError
from search.engine.cell_lookup import find_cell, in_run
from search.profiles.loading import profile_of

FORMATS = ("table", "csv", "json", "markdown")
SUFFIXES = (".csv", ".md", ".txt", ".json")
REFERENCES = ("gru", "lstm")
"""Cells that are compared with if none is named."""

_WIDE = 200
"""Columns of a table that is not printed on a terminal."""

_EPILOG = """\b
Examples:
  gatesearch pairs atlas ugrnn janet              against GRU and LSTM
  gatesearch pairs atlas ugrnn --against mut1 --task xml
  gatesearch pairs atlas 3fa2 --against gru --against xml=g-lstm-4
  gatesearch pairs atlas --pair janet,lstm --pair gru-after,gru --csv

"""


@click.command(epilog=_EPILOG)
@click.argument("run", shell_complete=complete_runs)
@click.argument("cells", nargs=-1, metavar="[CELL]...", shell_complete=complete_cells)
@click.option(
    "--against",
    multiple=True,
    metavar="[TASK=]CELL",
    help="Compare each CELL with this one, on all tasks or on one.  [default: gru, lstm]",
)
@click.option("--pair", "named", multiple=True, metavar="CELL,OTHER", help="Compare these two, too.")
@click.option("--task", "tasks", multiple=True, metavar="TASK", help="Compare on this task.  [default: ranked tasks]")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Output format.  [default: table; csv with -o]")
@click.option("--csv", "as_csv", is_flag=True, help="Same as --format csv: all columns, at full precision.")
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.option("-o", "--output", type=UserPath(dir_okay=False, path_type=Path), help="File to write.")
def pairs(
    run: str,
    cells: tuple[str, ...],
    against: tuple[str, ...],
    named: tuple[str, ...],
    tasks: tuple[str, ...],
    form: str | None,
    as_csv: bool,
    as_json: bool,
    output: Path | None,
) -> None:
    """Test CELLs of RUN against others, by paired t-tests over the seeds that the run retrained its cells on.

    Holm's correction is over all tests of the command, so ask for what you planned to ask, at once: more tests decide
    less. A found cell that these very seeds chose is shown without a verdict; the confirmation of a search judges it.

    CELL is a named cell, or the first digits of the id of a cell in RUN.
    """
    chosen = {name for name, given in (("csv", as_csv), ("json", as_json), (form, form is not None)) if given}
    if len(chosen) > 1:
        raise SearchError(f"--format, --csv and --json say {' and '.join(sorted(map(str, chosen)))}; leave one out")
    kind = chosen.pop() if chosen else "table" if output is None else "csv"
    check_replaceable(output, SUFFIXES)
    if against and not cells:
        raise SearchError(f"--against {against[0]} needs cells to compare with it; name them after the run")
    if not cells and not named:
        raise SearchError("no cell is given; name cells after the run, or two of them by --pair CELL,OTHER")
    with open_run(run) as store:
        evidence = RunEvidence(store, profile_of(store).ranked)
        for task in tasks:
            _check_task(task, evidence.tasks, "--task")
        asked = _asked(run, cells, against, named, tasks or evidence.ranked, evidence)
        table = pair_table(evidence, asked)
    if table.empty:
        raise SearchError(f"run {run!r} has no result of these cells on {', '.join(tasks or evidence.ranked)}")
    if kind == "table" and output is None:
        _print(Console(emoji=False), table)
        return
    if kind == "csv":
        text = csv_text(table)
    elif kind == "json":
        text = json_text(plain_records(table)) + "\n"
    elif kind == "markdown":
        text = to_markdown(table)
    else:
        console = Console(width=_WIDE, emoji=False, no_color=True, force_terminal=False)
        with console.capture() as capture:
            _print(console, table)
        text = capture.get()
    if output is None:
        click.echo(text, nl=False)
        return
    write_atomically(output, text)
    click.echo(f"written to {printable(str(output))}")


def _asked(
    run: str,
    cells: Sequence[str],
    against: Sequence[str],
    named: Sequence[str],
    tasks: Sequence[str],
    evidence: RunEvidence,
) -> list[Pair]:
    """Return the pairs (task, cell, other; whole ids) that the command line asks for, each once.

    Raises:
        SearchError: a task or a pair is malformed, or two cells are the same.
        CellError: there is no such cell.
    """
    found: dict[Pair, None] = {}

    def ask(cell: str, other: str, on: Sequence[str]) -> None:
        own, its = (_id_in(run, each) for each in (cell, other))
        if own == its:
            raise SearchError(f"{cell!r} and {other!r} are the same cell; give two different ones")
        found.update({(task, own, its): None for task in on})

    for cell in cells:
        for text in against or REFERENCES:
            task, separator, other = text.rpartition("=")
            if separator:
                _check_task(task, evidence.tasks, "--against")
            elif not against and _id_in(run, cell) == _id_in(run, other):
                continue  # the GRU among cells that are compared with the references
            ask(cell, other, (task,) if separator else tasks)
    for text in named:
        cell, separator, other = text.partition(",")
        if not separator or not cell or not other:
            raise SearchError(f"--pair has {text!r}; use CELL,OTHER, as in --pair janet,lstm")
        ask(cell, other, tasks)
    return list(found)


def _id_in(run: str, cell: str) -> str:
    """Return the whole id of a cell in a run, which may be that of an earlier canonical form."""
    found = in_run(find_cell(cell, run), run)
    return found.graph.id if found.row is None else found.row.id


def _check_task(task: str, known: Sequence[str], option: str) -> None:
    if task not in known:
        raise SearchError(f"{option} has {task!r}; the tasks of this run are {', '.join(known)}")


def _print(console: Console, table: pd.DataFrame) -> None:
    """Print the readable table; where it does not fit, each task has a row of its own."""
    if not console.is_terminal:
        console.width = _WIDE
    texts = readable_pairs(table)
    widths = [max(map(len, (heading, *texts[heading]))) + 2 for heading in texts.columns]
    if sum(widths) - 2 > console.width:
        texts = readable_pairs(table, long=True)
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in texts.columns:
        left = heading in ("cell", "against", "task")
        shown.add_column(heading, justify="left" if left else "right", no_wrap=True)
    for row in texts.itertuples(index=False):
        shown.add_row(*(printable(str(value)) for value in row))
    console.print(shown)
    say(console, caption(table))

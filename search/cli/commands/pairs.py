"""`gatesearch pairs`: test pairs of cells on the seeds that a run retrained them on."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from results.store.files import write_atomically
from results.store.runs import open_run
from results.store.sanitize import csv_text, printable
from results.tables.pair_columns import COLUMNS
from search.cli.completion import complete_cells, complete_run_or_cells, complete_tasks
from search.cli.display import WIDE, output_console, say, warn
from search.cli.json_output import json_text
from search.cli.outputs import UserPath, check_free, force_option, form_of
from search.cli.slow_imports import slow_imports
from search.core.errors import SearchError
from search.profiles.loading import profile_of

if TYPE_CHECKING:  # slow to import
    import pandas as pd

    from results.scores.run_evidence import RunEvidence

FORMATS = ("table", "csv", "json", "markdown")
FORM_OF = {".csv": "csv", ".json": "json", ".md": "markdown", ".txt": "table"}
"""Format that the suffix of an output file says."""

_COLUMN_HELP = "\b\nColumns of the CSV and the JSON, shares as fractions:\n" + "\n".join(
    textwrap.fill(f"  {name:12} {meaning}", 76, subsequent_indent=" " * 15) for name, meaning in COLUMNS.items()
)
_EPILOG = """\b
Examples:
  gatesearch pairs atlas ugrnn janet              against GRU and LSTM
  gatesearch pairs atlas ugrnn --against mut1 --task xml
  gatesearch pairs atlas 3fa2 --against gru --against xml=g-lstm-4
  gatesearch pairs atlas --pair janet,lstm --pair gru-after,gru --csv

"""


@click.command(epilog=_EPILOG + _COLUMN_HELP)
@click.argument("words", nargs=-1, metavar="[RUN] [CELL]...", shell_complete=complete_run_or_cells)
@click.option(
    "--against",
    multiple=True,
    metavar="[TASK=]CELL",
    shell_complete=complete_cells,
    help="Compare each CELL with this one, on all tasks or on one.  [default: gru, lstm]",
)
@click.option("--pair", "named", multiple=True, metavar="CELL,OTHER", help="Compare these two, too.")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    shell_complete=complete_tasks,
    help="Compare on this task.  [default: ranked tasks]",
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Output format.  [default: table; with -o, that of the suffix]"
)
@click.option("--csv", "as_csv", is_flag=True, help="Same as --format csv: all columns, at full precision.")
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.option(
    "-o",
    "--output",
    type=UserPath(dir_okay=False, path_type=Path),
    help="File to write: .csv, .json, .md (Markdown) or .txt (table).",
)
@force_option
def pairs(
    words: tuple[str, ...],
    against: tuple[str, ...],
    named: tuple[str, ...],
    tasks: tuple[str, ...],
    form: str | None,
    as_csv: bool,
    as_json: bool,
    output: Path | None,
    force: bool,
) -> None:
    """Test CELLs of RUN against others, by paired t-tests over the seeds that the run retrained its cells on.

    Holm's correction is over all tests of the command, so ask for what you planned to ask, at once: more tests decide
    less. Two cells on a task are one test, whichever is named first. A found cell that these very seeds chose is shown
    without a verdict. The confirmation of a search judges it, or another run that is given the cell by --seed-cell.

    CELL is a named cell, or the first digits of the id of a cell in RUN. RUN is the latest run if the first word names
    a cell.
    """
    chosen = {name for name, given in (("csv", as_csv), ("json", as_json), (form, form is not None)) if given}
    if len(chosen) > 1:
        raise SearchError(f"--format, --csv and --json say {' and '.join(sorted(map(str, chosen)))}; leave one out")
    kind = form_of(chosen.pop() if chosen else None, output, FORM_OF)
    check_free(output, force)

    with slow_imports():
        from results.scores.run_evidence import RunEvidence
        from results.tables.cell_pairs import pair_table, to_markdown
        from results.tables.files import plain_records
        from search.cli.asked_pairs import AskedPairs, check_task, run_and_cells

    run, cells = run_and_cells(words)
    if against and not cells:
        raise SearchError(f"--against {against[0]} needs cells to compare with it; name them after the run")
    if not cells and not named:
        raise SearchError("no cell is given; name cells after the run, or two of them by --pair CELL,OTHER")
    with open_run(run) as store:
        evidence = RunEvidence(store, profile_of(store).ranked)
        for task in tasks:
            check_task(task, evidence.tasks, "--task")
        asked = AskedPairs(run, evidence, tuple(dict.fromkeys(tasks)))
        asked.read(cells, against, named)
        table = pair_table(evidence, list(asked.pairs.values()))
    asked.check(table, Console(stderr=True, emoji=False))
    if kind in ("csv", "json") and not evidence.ended:  # the others say so in their caption
        warn(Console(stderr=True, emoji=False), "the run has not ended, so this may change")
    if kind == "table" and output is None:
        _print(output_console(), table, evidence)
        return
    if kind == "csv":
        text = csv_text(table)
    elif kind == "json":
        text = json_text(plain_records(table)) + "\n"
    elif kind == "markdown":
        text = to_markdown(table, evidence)
    else:
        console = Console(width=WIDE, emoji=False, no_color=True, force_terminal=False)
        with console.capture() as capture:
            _print(console, table, evidence)
        text = capture.get()
    if output is None:
        click.echo(text, nl=False)
        return
    write_atomically(output, text)
    click.echo(f"written to {printable(str(output))}")


def _print(console: Console, table: pd.DataFrame, evidence: RunEvidence) -> None:
    """Print the readable table; where it does not fit, each task has a row of its own."""
    from results.tables.cell_pairs import caption, readable_pairs

    texts = readable_pairs(table).map(printable)
    widths = [max(map(len, (heading, *texts[heading]))) + 2 for heading in texts.columns]
    if sum(widths) - 2 > console.width:
        texts = readable_pairs(table, long=True).map(printable)
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in texts.columns:
        left = heading in ("cell", "against", "task")
        shown.add_column(Text(printable(heading)), justify="left" if left else "right", overflow="fold")
    for row in texts.itertuples(index=False):
        shown.add_row(*(Text(value) for value in row))  # a plain string would be parsed as markup
    console.print(shown)
    for sentence in caption(table, evidence):
        say(console, sentence)

"""`gatesearch leaderboard`: print the ranked table of a run."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from results.scores.verdict import RunVerdict
from results.store.files import write_atomically
from results.store.runs import open_run
from results.store.sanitize import csv_text, printable
from results.store.words import Origin
from results.tables.columns import COLUMNS
from results.tables.file_names import TEXT_FILES, TRIALS_FILE
from results.tables.selection import FAMILY_NAMES, Front, selected
from search.cli import run_argument
from search.cli.completion import complete_tasks
from search.cli.display import WIDE, output_console, say_verdict
from search.cli.json_output import json_text
from search.cli.outputs import UserPath, check_free, force_option, form_of
from search.cli.slow_imports import slow_imports
from search.cli.tables import fitting_table
from search.core.errors import SearchError
from search.profiles.loading import profile_of

if TYPE_CHECKING:  # slow to import, as what the functions below import
    import pandas as pd

FORMATS = ("table", "csv", "json", "markdown", "latex")
FORM_OF = {".csv": "csv", ".json": "json", ".md": "markdown", ".tex": "latex", ".txt": "table"}
"""Format of each suffix of a file."""
_EPILOG = """\b
Examples:
  gatesearch leaderboard quick-1
  gatesearch leaderboard quick-1 --task xml --top 5     the best five on XML
  gatesearch leaderboard quick-1 --csv > t.csv          all columns
  gatesearch leaderboard quick-1 --files tables         every file, trials too
  gatesearch leaderboard quick-1 --baselines --format markdown
  gatesearch leaderboard quick-1 --baselines --study
  gatesearch leaderboard quick-1 -o table.tex            LaTeX, by the suffix
  gatesearch leaderboard atlas --family gru --references
  gatesearch leaderboard atlas --front time             the fastest and best
  gatesearch leaderboard atlas --families               a line for each family

"""
_COLUMN_HELP = "\b\nColumns of the CSV (TASK is the name of a ranked task):\n" + "\n".join(
    textwrap.fill(f"  {name:21} {column.meaning}", 76, subsequent_indent=" " * 24) for name, column in COLUMNS.items()
)


@click.command(epilog=_EPILOG + _COLUMN_HELP)
@run_argument.argument
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    shell_complete=complete_tasks,
    help="Sort by this task, and show no other; the CSV has all.",
)
@click.option("--baselines", is_flag=True, help="Leave out the cells that the search found.")
@click.option("--study", is_flag=True, help="Show ratios to the GRU, with those of the study after a slash.")
@click.option("--top", type=click.IntRange(min=1), help="Number of rows to show.")
@click.option(
    "--family",
    "families",
    multiple=True,
    type=click.Choice(FAMILY_NAMES),
    metavar="FAMILY",
    help=f"Cells of this family of published cells: {', '.join(FAMILY_NAMES)}.",
)
@click.option("--linear", is_flag=True, help="Cells that are linear in the state.")
@click.option("--no-loop-products", is_flag=True, help="Cells without a matrix product in a loop through time.")
@click.option(
    "--front", type=click.Choice([str(each) for each in Front]), help="Cells on the front of score against this cost."
)
@click.option("--references", is_flag=True, help="Show the publications of published cells.")
@click.option("--families", "by_family", is_flag=True, help="Show a line for each family in place of the cells.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Output format.  [default: table; with -o, that of the suffix]"
)
@click.option("--csv", "as_csv", is_flag=True, help="Same as --format csv: all columns, at full precision.")
@click.option(
    "--json", "as_json", is_flag=True, help="Same as --format json: the verdict, and all columns of the rows."
)
@click.option(
    "-o",
    "--output",
    type=UserPath(dir_okay=False, path_type=Path),
    help="File to write: .csv, .json, .md (Markdown), .tex (LaTeX) or .txt (table).",
)
@force_option
@click.option(
    "--files",
    "folder",
    type=UserPath(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write leaderboard.csv, leaderboard_full.csv, columns.json and trials.parquet into a new FOLDER.",
)
def leaderboard(
    run: str,
    tasks: tuple[str, ...],
    baselines: bool,
    study: bool,
    top: int | None,
    families: tuple[str, ...],
    linear: bool,
    no_loop_products: bool,
    front: str | None,
    references: bool,
    by_family: bool,
    form: str | None,
    as_csv: bool,
    as_json: bool,
    output: Path | None,
    force: bool,
    folder: Path | None,
) -> None:
    """Print the verdict and the ranked table of RUN, finished or not.

    The verdict is made from tests on fresh seeds alone; in Markdown and LaTeX it is a comment, and the CSV has none.

    RUN is a name in results/runs (or in GATESEARCH_RUNS), or the path of a run's folder; the latest run if it is left
    out. If --task is given several times, the first task sorts. Of several options that choose cells, a cell has to
    pass all.
    """
    if as_csv and form not in (None, "csv"):
        raise SearchError(f"--csv and --format {form} are mutually exclusive; leave one out")
    if as_json and (as_csv or form not in (None, "json")):
        raise SearchError(
            f"--json and {'--csv' if as_csv else f'--format {form}'} are mutually exclusive; leave one out"
        )
    form = "json" if as_json else form
    if folder is not None:
        chosen = any((tasks, baselines, study, top, families, linear, no_loop_products, front, references, by_family))
        if chosen or form is not None or as_csv or output is not None:
            raise SearchError("--files writes the whole tables of the run; leave the other options out")
        _write_files(run, folder)
        return
    form = form_of("csv" if as_csv else form, output, FORM_OF)
    check_free(output, force)
    if references and form in ("csv", "json"):
        raise SearchError(
            f"the {form.upper()} has no references; leave --references out, `gatesearch cells --json` has them"
        )
    if by_family and (study or references or top is not None):
        raise SearchError("--families has no rows of cells; leave out --study, --references and --top")

    with slow_imports():
        from results.tables.frame import sorted_by
        from results.tables.leaderboard import leaderboard as table_of
        from results.tables.readable import with_study
        from results.tables.run_verdict import verdict_of

    with open_run(run) as store:
        ranked = profile_of(store).ranked
        for task in tasks:
            if task not in ranked:
                raise SearchError(f"--task has {task!r}; the ranked tasks of this run are {', '.join(ranked)}")
        frame = table_of(store, ranked, display=form in ("csv", "json"))
        answer = None if form == "csv" else verdict_of(store, ranked, frame)
    if study:
        frame = with_study(frame)  # before rows are left out: the ratios are to the GRU's
    if baselines:
        frame = frame[frame["origin"] != Origin.FOUND]
    frame = selected(
        frame,
        families=families,
        linear=linear,
        product_free=no_loop_products,
        front=None if front is None else Front(front),
    )
    if tasks:
        frame = sorted_by(frame, tasks[0])
    frame = frame if top is None else frame.head(top)
    shown = tasks or ranked
    view = _families(frame, shown) if by_family else _cells(frame, shown, study, references)
    if form == "table" and output is None:
        console = output_console()
        if answer is not None:
            say_verdict(console, answer)
        console.print(fitting_table(console, view.table))
        return
    text = _text(view, form, answer)
    if output is None:
        click.echo(text, nl=False)
        return
    write_atomically(output, text)
    click.echo(f"written to {printable(str(output))}")


def _write_files(run: str, folder: Path) -> None:
    with slow_imports():
        from results.publication.publication import new_folder
        from results.tables.files import write_tables

    with open_run(run) as store:
        ranked = profile_of(store).ranked
        with new_folder(folder) as made:
            write_tables(store, ranked, made, trials=True)
    click.echo(f"written to {printable(str(folder))}: {', '.join((*TEXT_FILES, TRIALS_FILE))}")


@dataclass(frozen=True)
class _View:
    """Forms of a table: for a terminal of some width or of any, as Markdown, LaTeX and CSV."""

    table: Callable[[int | None], Table]
    markdown: Callable[[], str]
    latex: Callable[[], str]
    csv: Callable[[], str]
    records: Callable[[], list[dict[str, Any]]]


def _cells(frame: pd.DataFrame, tasks: Sequence[str], study: bool, references: bool) -> _View:
    from results.tables.files import full_records, full_text
    from results.tables.readable import render_table, to_latex, to_markdown

    return _View(
        lambda width: render_table(frame, None, width, tasks, study, references),
        lambda: to_markdown(frame, tasks, study, references),
        lambda: to_latex(frame, tasks, study, references),
        lambda: full_text(frame),
        lambda: full_records(frame),
    )


def _families(frame: pd.DataFrame, tasks: Sequence[str]) -> _View:
    from results.tables.families import families_latex, families_markdown, family_table, render_families
    from results.tables.files import plain_records
    from results.tables.frame import kind_of

    table, kind = family_table(frame, tasks), kind_of(frame)
    return _View(
        lambda width: render_families(table, tasks, kind, width),
        lambda: families_markdown(table, tasks, kind),
        lambda: families_latex(table, tasks, kind),
        lambda: csv_text(table.rename_axis("family").reset_index()),
        lambda: plain_records(table.rename_axis("family").reset_index()),
    )


def _text(view: _View, form: str, answer: RunVerdict | None) -> str:
    if answer is None:
        return view.csv()
    if form == "json":
        return json_text({"verdict": answer.as_json(), "rows": view.records()}) + "\n"
    if form == "markdown":
        return f"<!-- {printable(answer.text).replace('-->', '--&gt;')} -->\n\n{view.markdown()}"
    if form == "latex":
        return f"% {printable(answer.text)}\n{view.latex()}"
    console = Console(width=WIDE, emoji=False, no_color=True, force_terminal=False)
    with console.capture() as capture:
        say_verdict(console, answer)
        console.print(view.table(None))
    return capture.get()

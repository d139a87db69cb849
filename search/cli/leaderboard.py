"""`gatesearch leaderboard`: the ranked table of a run."""

import textwrap
from pathlib import Path

import click
from rich.console import Console

from results.leaderboard import COLUMNS, render_table, write_leaderboard
from results.leaderboard import leaderboard as table_of
from results.store import PROFILE_FILE
from search.cli.names import open_run
from search.errors import SearchError
from search.profiles.profile import parse_profile

_EPILOG = """\b
Examples:
  gatesearch leaderboard quick-1
  gatesearch leaderboard quick-1 --csv > t.csv

"""
_COLUMN_HELP = "\b\nColumns of the CSV (TASK stands for each ranked task):\n" + "\n".join(
    textwrap.fill(f"  {name:18} {meaning}", 76, subsequent_indent=" " * 21) for name, meaning in COLUMNS.items()
)


@click.command(epilog=_EPILOG + _COLUMN_HELP)
@click.argument("run")
@click.option("--top", type=click.IntRange(min=1), help="Show this many rows only.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, with all columns.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the whole CSV to this file."
)
def leaderboard(run: str, top: int | None, as_csv: bool, output: Path | None) -> None:
    """Show the ranked table of RUN, finished or not, from its store.

    RUN is a name in results/runs (or in GATESEARCH_RUNS), or the path of a run's folder.
    """
    if top is not None and output is not None:
        raise SearchError(f"--top {top} cannot be given with --output, which writes the whole table; leave one out")
    with open_run(run) as store:
        ranked = parse_profile(store.profile, f"the profile of run {store.name}").ranked
        if output is not None:
            if output.resolve() in (store.path.resolve(), (store.folder / PROFILE_FILE).resolve()):
                raise SearchError(f"--output {str(output)!r} is a file of the run itself; choose another name")
            write_leaderboard(store, ranked, output)
            click.echo(f"written to {output}")
            return
        frame = table_of(store, ranked)
    if as_csv:
        click.echo((frame if top is None else frame.head(top)).to_csv(index=False, lineterminator="\n"), nl=False)
        return
    console = Console()
    console.print(render_table(frame, top, console.width))

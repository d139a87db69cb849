"""`gatesearch publish`: a finished run or comparison as a folder that others can check."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from results.store.runs import open_run, run_folder
from results.store.sanitize import printable
from search.cells.paths import expanded
from search.cells.text import counted
from search.cli.completion import complete_run_or_folder
from search.cli.json_output import print_json
from search.cli.loading import load_tasks
from search.cli.prices import price
from search.cli.run_argument import is_run, named_or_latest
from search.cli.slow_imports import slow_imports
from search.core.errors import SearchError
from search.engine.trust import check_trusted
from search.profiles.loading import profile_of

_EPILOG = """\b
Examples:
  gatesearch publish night results/published/night
  gatesearch publish methods results/published/methods --archive
  gatesearch verify results/published/night          check a published run
  gatesearch leaderboard results/published/night
"""


@click.command(epilog=_EPILOG)
@click.argument("words", nargs=-1, metavar="[RUN] FOLDER", shell_complete=complete_run_or_folder)
@click.option(
    "--task", "trusted", multiple=True, metavar="MODULE:CLASS", help="Allow the import of this task of the comparison."
)
@click.option("--json", "as_json", is_flag=True, help="Print the content of published.json, with the folder.")
@click.option("--archive", is_flag=True, help="Pack stores and long tables into one compressed file.")
def publish(words: tuple[str, ...], trusted: tuple[str, ...], as_json: bool, archive: bool) -> None:
    """Write RUN, which must have ended, into a new FOLDER: table, findings, profile, and the store behind them.

    RUN is the latest run if it is left out.

    published.json holds the command that made the run, its environments and its cost, and the SHA-256 of the other
    files. The folder is itself a run that every command reads; with --archive, it has to be unpacked for all commands
    but verify. RUN may also be a comparison: FOLDER then has its page, its tables and the stores of all its searches.
    """
    run, folder = _run_and_folder(words)
    with slow_imports():
        from results.findings import findings_document
        from results.publication.publication import publish as write_folder
        from search.compare.plan import base_profile
        from search.compare.publication import publish_comparison
        from search.compare.verification import is_comparison, plan_of

    if is_comparison(path := run_folder(run)):
        plan = plan_of(path)
        profile = base_profile(plan)
        check_trusted(path.name, profile, trusted)
        tasks = load_tasks(profile, Console(emoji=False))
        _say(publish_comparison(path, folder, plan, tasks, archive=archive), folder, as_json)
        return
    if trusted:
        raise SearchError(f"--task has {trusted[0]!r}, but publishing a run imports no task; leave it out")
    with open_run(run) as store:
        ranked = profile_of(store).ranked
        text = findings_document(store, ranked, store.folder.name, price, markdown=True) + "\n"
        manifest = write_folder(store, folder, ranked, text, archive=archive)
    _say(manifest, folder, as_json)


def _run_and_folder(words: tuple[str, ...]) -> tuple[str, Path]:
    """Return the run and the new folder of the command line. Raise `SearchError` if it has no folder or more words."""
    if not words or len(words) > 2:
        raise SearchError(f"{counted(len(words), 'argument')} given; use RUN FOLDER, or FOLDER for the latest run")
    if len(words) == 1 and is_run(words[0]):  # surely not meant as the folder, which has to be new
        raise SearchError(f"{words[0]!r} is a run, and no folder is given; use gatesearch publish RUN FOLDER")
    folder = Path(expanded(words[-1]))
    if folder.is_file():
        raise SearchError(f"{words[-1]!r} is a file; give a new folder")
    return named_or_latest(words[0] if len(words) == 2 else None), folder


def _say(manifest: dict[str, Any], folder: Path, as_json: bool) -> None:
    if as_json:
        print_json({"folder": str(folder)} | manifest)
        return
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    click.echo(
        f"{manifest['trials']:,} trials, {manifest['core_hours']:.1f} core-hours, {size / 1e6:.1f} MB written to "
        f"{printable(str(folder))}"
    )

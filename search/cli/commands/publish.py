"""`gatesearch publish`: a finished run as a folder to pass on."""

from pathlib import Path

import click

from results.findings import findings as judge
from results.publication.publication import publish as write_folder
from results.store.runs import open_run
from results.store.sanitize import printable
from search.cli.commands.findings import markdown
from search.profiles.loading import profile_of

_EPILOG = """\b
Examples:
  gatesearch publish night results/published/night
  gatesearch verify results/published/night          whoever gets it checks it
  gatesearch leaderboard results/published/night
"""


@click.command(epilog=_EPILOG)
@click.argument("run")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def publish(run: str, folder: Path) -> None:
    """Write RUN, which must have ended, into a new FOLDER: table, findings, profile, and the store that they rest on.

    published.json says which command made it, in which environments and at what cost, and has the SHA-256 of the other
    files. The folder is itself a run that every command reads.
    """
    with open_run(run) as store:
        ranked = profile_of(store).ranked
        manifest = write_folder(store, folder, ranked, markdown(judge(store, ranked), store.name) + "\n")
    size = sum(path.stat().st_size for path in folder.iterdir())
    click.echo(
        f"{manifest['trials']:,} trials, {manifest['core_hours']:.1f} core-hours, {size / 1e6:.1f} MB written to "
        f"{printable(str(folder))}"
    )

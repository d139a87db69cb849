"""`gatesearch verify`: whether a stored run is what it claims to be."""

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from results.publication.consistency import Check, consistency
from results.store.sanitize import printable
from results.store.store import Store
from search.cli.loading import check_trusted, load_tasks
from search.cli.names import open_run
from search.engine.verification import Replay, replay, retrain
from search.profiles.loading import profile_of
from search.profiles.sections import Profile
from tasks.task import Task

_EPILOG = """\b
Examples:
  gatesearch verify quick-1                store, ids, lineage, table, every decision
  gatesearch verify quick-1 --retrain 5    and five trials trained again, bit for bit

Exit status: 0 if everything holds, 1 if something does not.
"""
NAME_WIDTH = 22


@click.command(epilog=_EPILOG)
@click.argument("run")
@click.option("--retrain", "count", default=0, show_default=True, type=click.IntRange(0), help="Trials to train again.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**63 - 1), help="Draws those trials.")
@click.option(
    "--task", "trusted", multiple=True, metavar="MODULE:CLASS", help="A task of the run that may be imported."
)
def verify(run: str, count: int, seed: int, trusted: tuple[str, ...]) -> int:
    """Check that RUN is what its seed, its profile and its trials say.

    The store is sound; every cell's id is the hash of its graph; every found cell goes back to one that was given; the
    table is what the store says; and the search, run again over the stored trials, makes every decision as it was made.
    Nothing is written, and nothing that the run names is executed, but for tasks of its author's that --task allows.
    """
    console = Console()
    with open_run(run) as store:
        store.select("BEGIN")  # one view of it all, also while a search goes on
        profile = profile_of(store)
        check_trusted(store, profile, trusted)
        found: list[bool | None] = []

        def show(check: Check) -> None:
            found.append(check.ok)
            word, style = {True: ("ok", "green"), False: ("FAILED", "bold red"), None: ("open", "yellow")}[check.ok]
            line = (
                Text(f"{printable(check.name):{NAME_WIDTH}} ")
                .append(f"{word:7}", style)
                .append(printable(check.detail))
            )
            console.print(line, soft_wrap=True)

        for check in consistency(store, profile.ranked, finished=store.finished is not None):
            show(check)
        if False in found[:2]:
            return 1  # what cannot be read cannot be searched again
        tasks = load_tasks(profile, console)
        show(_data(store, tasks))
        again = _replayed(store, profile, tasks, console)
        show(again.check)
        for check in retrain(store, tasks, again.jobs, count, seed):
            show(check)
    return 1 if False in found else 0


def _data(store: Store, tasks: dict[str, Task]) -> Check:
    recorded = store.data_checksums
    changed = [name for name, task in tasks.items() if recorded.get(name) != task.checksum]
    if changed:
        return Check("data", False, f"the data of {', '.join(changed)} is not what the run was trained on")
    return Check("data", True, f"that of {', '.join(tasks)} is what the run was trained on")


def _replayed(store: Store, profile: Profile, tasks: dict[str, Task], console: Console) -> Replay:
    if not console.is_terminal:
        return replay(store, profile, tasks)
    columns = (TextColumn("replay"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task("", total=len(store.proposals()))
        return replay(store, profile, tasks, on_outcome=lambda: bars.advance(bar))

"""`gatesearch verify`: check that a stored run or comparison follows from its seeds, profile and trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from results.store.database import RUN_ARCHIVE
from results.store.queries import begin_snapshot
from results.store.runs import open_run, run_folder
from results.store.sanitize import printable
from results.store.store import Store
from search.cells.wrapping import wrapped
from search.cli import run_argument
from search.cli.display import output_console
from search.cli.json_output import print_json
from search.cli.loading import load_tasks
from search.cli.slow_imports import slow_imports
from search.cli.streams import reserved_output
from search.cli.task_options import data_paths, moved_data_option
from search.engine.trust import check_trusted
from search.profiles.changes import moved_data
from search.profiles.loading import profile_of
from search.profiles.sections import Profile
from tasks.task import Task

if TYPE_CHECKING:  # slow to import, as what the functions below import: PyTorch and pandas
    from results.publication.consistency import Check
    from search.engine.verification import Replay

_EPILOG = """\b
Examples:
  gatesearch verify quick-1              check store, ids, table, decisions
  gatesearch verify quick-1 --retrain 5  and retrain five trials, bit for bit

Exit status: 0 if all checks pass, 1 if one fails.
"""
NAME_WIDTH = 22


@click.command(epilog=_EPILOG)
@run_argument.argument
@click.option(
    "--retrain", "count", default=0, show_default=True, type=click.IntRange(0), help="Number of trials to retrain."
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0, 2**63 - 1), help="Random seed that draws them."
)
@click.option(
    "--task", "trusted", multiple=True, metavar="MODULE:CLASS", help="Allow the import of this task of the run."
)
@moved_data_option
@click.option("--json", "as_json", is_flag=True, help="Print the checks as a JSON list of objects.")
def verify(run: str, count: int, seed: int, trusted: tuple[str, ...], data: tuple[str, ...], as_json: bool) -> int:
    """Check that RUN, or else the latest run, follows from its seed, its profile and its trials.

    The checks: the store is sound; the id of each cell is the hash of its graph; each found cell descends from a given
    one; the leaderboard follows from the store; the data are the same; and the search, replayed over the stored trials,
    makes every decision again. Nothing is written. No code that the run names is executed, except tasks allowed by
    --task.

    RUN may also be a comparison: all this is checked of each of its searches, and its tables are made again. --retrain
    then draws from the trials on fresh seeds.
    """
    with slow_imports():
        from search.compare.verification import is_comparison

    console = output_console(stderr=as_json)
    found: list[Check] = []
    moved = data_paths(data)

    def show(check: Check) -> None:
        found.append(check)
        if as_json:
            return
        word, style = {True: ("ok", "green"), False: ("FAILED", "bold red"), None: ("open", "yellow")}[check.ok]
        name = f"{printable(check.name):{NAME_WIDTH}} "
        text = f"{name}{word:7}{printable(check.detail)}"
        lines = wrapped(text, console.width, " " * (len(name) + 7)) if console.is_terminal else [text]
        shown = Text("\n".join(lines))
        shown.stylize(style, len(name), len(name) + len(word))
        console.print(shown, soft_wrap=True)

    with reserved_output() if as_json else nullcontext() as reserved:  # a user's task may print
        folder = run_folder(run)
        checks = _of_comparison(folder, count, seed, trusted, moved, console) if is_comparison(folder) else None
        for check in checks or _of_run(run, count, seed, trusted, moved, console):
            show(check)
        if as_json:
            print_json([asdict(check) for check in found], reserved)
    return 1 if any(check.ok is False for check in found) else 0


def _of_run(
    run: str, count: int, seed: int, trusted: tuple[str, ...], moved: Mapping[str, str], console: Console
) -> Iterator[Check]:
    """Check a run; `count` of its trials are retrained."""
    from results.publication.archive import unpacked
    from results.publication.consistency import Check, consistency
    from search.engine.provenance import data_check
    from search.engine.verification import retrain_sample

    own = run_folder(run)
    with unpacked(own, RUN_ARCHIVE) as folder, open_run(run if folder == own else str(folder)) as store:
        begin_snapshot(store)
        profile = profile_of(store)
        check_trusted(store.name, profile, trusted)
        placed = moved_data(profile, moved)  # a wrong option is told before any check
        sound = []
        for check in consistency(store, profile.ranked, finished=store.finished is not None):
            sound.append(check.ok)
            yield check
        if False in sound[:2]:
            return  # a store with damaged rows or ids cannot be replayed
        tasks = _load(placed, console)
        yield data_check(store, tasks)
        again = _replayed(store, profile, tasks, console)
        yield again.check
        retrained = False
        for check in retrain_sample(store, tasks, again.jobs, count, seed):
            retrained = True
            yield check
        if count and not retrained:
            yield Check("retrain", None, "no trial is retrained, since the replay named none")


def _of_comparison(
    folder: Path, count: int, seed: int, trusted: tuple[str, ...], moved: Mapping[str, str], console: Console
) -> Iterator[Check]:
    """Check a comparison; if all is well, retrain `count` of its trials on fresh seeds."""
    from results.publication.archive import STORES_ARCHIVE, unpacked
    from search.compare.confirmation import FOLDER as CONFIRMATION
    from search.compare.plan import base_profile
    from search.compare.verification import confirmation_jobs, plan_of, verified
    from search.engine.verification import retrain_sample

    plan = plan_of(folder)
    profile = base_profile(plan)
    check_trusted(folder.name, profile, trusted)
    tasks = _load(moved_data(profile, moved), console)
    sound = True
    with unpacked(folder, STORES_ARCHIVE) as whole:
        for check in verified(whole, plan, tasks, folder):
            sound = sound and check.ok is not False
            yield check
        if not (count and sound):
            return
        with Store.open(whole / CONFIRMATION, readonly=True) as store:
            yield from retrain_sample(store, tasks, confirmation_jobs(store, plan), count, seed)


def _load(profile: Profile, console: Console) -> Mapping[str, Task]:
    from search.engine.provenance import load_stored

    return load_stored(profile, partial(load_tasks, console=console))


def _replayed(store: Store, profile: Profile, tasks: Mapping[str, Task], console: Console) -> Replay:
    """Replay the search, with a progress bar on a terminal."""
    from search.engine.verification import replay

    if not console.is_terminal:
        return replay(store, profile, tasks)
    columns = (TextColumn("replay"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task("", total=len(store.proposals()))
        return replay(store, profile, tasks, on_outcome=lambda: bars.advance(bar))

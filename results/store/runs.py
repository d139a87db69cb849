"""Names of runs: the folders that they refer to, and the stores in them."""

import os
import re
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from results.store.database import check_packed, no_run_text
from results.store.errors import ResultsError, one_line
from results.store.files import runs_folder
from results.store.store import FILE, Store
from search.cells.paths import expanded
from search.cells.text import quoted

MAX_PATH = 4096
"""Longest path that is looked up; no common system has longer ones."""

RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def run_folder(run: str) -> Path:
    """Return the folder of a run, given its name or a path (any text with a slash). The folder need not exist.

    Raises:
        ResultsError: the name is malformed.
    """
    if "\0" in run:
        raise ResultsError("a run's name has a NUL character; leave it out")
    if len(run) > MAX_PATH:
        raise ResultsError(f"run {quoted(run, 60)} has {len(run):,} characters; a path has at most {MAX_PATH:,}")
    run = expanded(run)
    if "/" in run or os.sep in run:
        if Path(run).name in ("", ".."):
            raise ResultsError(f"invalid run {run!r}; a path must end with the name of the run's own folder")
        return Path(run)
    if not RUN_NAME.fullmatch(run):
        raise ResultsError(
            f"invalid run name {quoted(run, 60)}; "
            "use up to 100 letters, digits, '.', '-' and '_', a letter or digit first"
        )
    return runs_folder() / run


def new_run_folder(run: str) -> Path:
    """Return the folder of a run that is to be made, as `run_folder` does.

    Raises:
        ResultsError: the name is malformed, or it is a path whose folder does not exist, as of a name with a slash.
    """
    folder = run_folder(run)
    if folder.parent not in (runs_folder(), Path()) and not os.path.isdir(folder.parent):
        raise ResultsError(
            f"run {quoted(run, 60)} is a path, and there is no folder {quoted(str(folder.parent), 60)}; make it first, "
            f"or give a name without '/', which is a run in {runs_folder()}"
        )
    return folder


def claim_folder(title: str) -> Path:
    """Make the folder of a new run that is called after `title` and the first free number, and return it.

    It is made at once, so that two programs get two names. Remove it if it stays empty.

    Raises:
        StoreError: it cannot be made.
    """
    number = 1
    while True:
        folder = run_folder(f"{title}-{number}")
        with one_line(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
            else:
                return folder


def open_run(run: str) -> Store:
    """Open the store of a run for reading.

    Raises:
        ResultsError: as `existing_run`.
        StoreError: the store is packed or damaged.
    """
    return Store.open(existing_run(run), readonly=True)


def existing_run(run: str, remedy: str = "") -> Path:
    """Return the folder of a run that exists, given its name or a path.

    Args:
        run: name or path.
        remedy: what else helps if there is none, for the message.

    Raises:
        ResultsError: the name is malformed, or there is no such run.
        StoreError: the run is packed.
    """
    folder = run_folder(run)
    check_packed(folder)
    if not os.path.exists(folder / FILE):
        raise no_run(folder, remedy)
    return folder


def no_run(folder: Path, remedy: str = "") -> ResultsError:
    """Return the error that there is no run in a folder; for one in the folder of runs, it names others there."""
    if folder.parent != runs_folder():
        return ResultsError(no_run_text(folder) + (f", or {remedy}" if remedy else ""))
    known = known_runs()
    near = "".join(f"did you mean {name}? " for name in get_close_matches(folder.name, known, n=1))
    hints = [f"{near}available: {', '.join(known[:8])}"] if known else []
    if os.path.exists(Path(folder.name) / FILE):  # a word without a slash is a name; a published run has a path
        hints.insert(0, f"give ./{folder.name} for the run in this folder")
    hints += [remedy] if remedy else [] if hints else ["start one with gatesearch search"]
    return ResultsError(f"there is no run {folder.name!r} in {folder.parent}; {'; or '.join(hints)}")


def known_runs() -> list[str]:
    """Return the names of the runs in the runs folder, latest first."""
    try:
        folders = [path.parent for path in runs_folder().glob(f"*/{FILE}")]
    except OSError:
        return []
    times = {folder.name: changed_at(folder) for folder in folders if RUN_NAME.fullmatch(folder.name)}
    return sorted(times, key=lambda name: (-times[name], name))


def latest_run() -> str:
    """Return the name of the run in the runs folder that was written last.

    Raises:
        ResultsError: there is none.
    """
    known = known_runs()
    if not known:
        raise ResultsError(f"there is no run in {runs_folder()}; start one with gatesearch search, or give its path")
    return known[0]


def changed_at(folder: Path) -> float:
    """Return when the store in a folder was written last, in seconds since 1970; 0 if there is none.

    A log without content may be a reader's.
    """
    times = [0.0]
    for name in (FILE, FILE + "-wal"):
        with suppress(OSError):
            found = (folder / name).stat()
            if found.st_size:
                times.append(found.st_mtime)
    return max(times)


def name_for_commands(store: Store) -> str:
    """Return how a command names a run: by its folder's name in the folder of runs, or else by its path.

    A copied run's stored name is that of the original.
    """
    if store.folder.parent == runs_folder():
        return store.folder.name
    path = str(store.folder)
    return path if "/" in path else f"./{path}"  # a name without a slash is a run in the folder of runs

"""Publication of a finished run: a folder with its table, findings, profile and store, and their checksums.

    publish(store, Path("results/published/baselines"), ["arithmetic", "xml"], findings="...")

The folder is itself a run: every command reads it, and `gatesearch verify` checks it. With an archive, commands but
`verify` ask for it to be unpacked first.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from results.publication.archive import PACKED_FILES, pack
from results.publication.consistency import FINDINGS_FILE, MANIFEST_FILE, PUBLISHED_FILES
from results.store.database import FILE, PROFILE_FILE, RUN_ARCHIVE
from results.store.errors import StoreError, one_line
from results.store.files import write_atomically
from results.store.queries import totals
from results.store.store import Store
from results.tables.columns import FORMAT
from results.tables.files import write_tables


def publish(
    store: Store, folder: Path, tasks: Sequence[str], findings: str, *, archive: bool = False
) -> dict[str, Any]:
    """Write a run into a new folder, and return its manifest.

    The store is copied whole and compact. Equal stores give equal files.

    Args:
        store: the run.
        folder: the new folder.
        tasks: the run's ranked tasks.
        findings: text of the findings.
        archive: pack the store and the tables into one compressed file, which `gatesearch verify` unpacks.

    Raises:
        StoreError: the run has not ended or is simulated, the folder exists, or a file cannot be read or written.
    """
    if store.finished is None:
        raise StoreError(f"run {store.name!r} has not ended, so its results may change; finish it with --resume")
    if store.simulated:
        raise StoreError(f"run {store.name!r} is simulated: its numbers are made up; publish one that was trained")
    with new_folder(folder) as made:
        store.copy_to(made / FILE)
        write_atomically(made / PROFILE_FILE, store.profile)
        write_tables(store, tasks, made, trials=True)
        write_atomically(made / FINDINGS_FILE, findings)
        sums = checksums(made, PUBLISHED_FILES)  # of what is in the archive, too
        if archive:
            pack(made, RUN_ARCHIVE, PACKED_FILES)
            sums |= checksums(made, (RUN_ARCHIVE,))
        manifest = _origin(store) | {"leaderboard_format": FORMAT, "sha256": sums}
        write_manifest(made, manifest)
    return manifest


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `folder` when the block ends, and disappears if the block fails.

    Raises:
        StoreError: the folder exists, or a file cannot be read or written.
    """
    with one_line(folder):
        if os.path.lexists(folder):
            raise StoreError(f"{folder} exists and is not overwritten; choose a new folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Made beside its final place and renamed when complete.
        with TemporaryDirectory(prefix=".publishing-", dir=folder.parent) as temporary:
            made = Path(temporary) / "run"
            made.mkdir()
            yield made
            made.rename(folder)


def checksums(folder: Path, files: Sequence[str]) -> dict[str, str]:
    """Return the SHA-256 of files by their path in a folder."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files}


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of a published folder."""
    write_atomically(folder / MANIFEST_FILE, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def _origin(store: Store) -> dict[str, Any]:
    """Return the command that made the run, its environments and its cost."""
    information = store.information
    trials, seconds = totals(store)
    started, finished = (str(information.get(key, "")) for key in ("started", "finished"))
    return {
        "run": store.name,
        "command": ["gatesearch", *information.get("command", ())],
        "extended": [["gatesearch", *line] for line in information.get("extended", ())],
        "seed": store.seed,
        "started": started,
        "finished": finished,
        "hours": _hours(started, finished),  # from the start to the end, pauses included
        "core_hours": round(seconds / 3600, 2),  # of all trials together
        "trials": trials,
        "resumed": len(information.get("resumed", ())),
        "data": store.data_checksums,
        "environments": environments_of([store]),
    }


def environments_of(stores: Sequence[Store]) -> list[dict[str, Any]]:
    """Return the environments of runs, each once, with the number of their trials in each."""
    found: dict[str, dict[str, Any]] = {}
    for store in stores:
        for key, description in store.environments().items():
            known = found.setdefault(key, description | {"trials": 0})
            known["trials"] += _trained_in(store, key)
    return [found[key] for key in sorted(found)]


def _trained_in(store: Store, environment: str) -> int:
    return int(store.select("SELECT count(*) FROM trials WHERE environment = ?", (environment,))[0][0])


def _hours(started: str, finished: str) -> float | None:
    try:
        span = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    except ValueError:
        return None
    return round(span.total_seconds() / 3600, 2)

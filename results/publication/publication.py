"""A finished run as a folder to pass on: what it found, all that it rests on, and checksums of both.

    publish(store, Path("results/published/baselines"), ["arithmetic", "xml"], findings="...")

The folder is a run like any other: every command that reads one takes it, and `gatesearch verify` checks it.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from results.publication.consistency import FINDINGS_FILE, MANIFEST_FILE, PUBLISHED_FILES, TABLE_FILE
from results.store.errors import StoreError, one_line
from results.store.files import write_atomically
from results.store.sanitize import csv_text
from results.store.store import FILE, PROFILE_FILE, Store
from results.tables.leaderboard import leaderboard


def publish(store: Store, folder: Path, tasks: Sequence[str], findings: str) -> dict[str, Any]:
    """Write a run into a new folder; returns what its manifest says.

    `tasks`: the ranked ones. `findings`: the text on the study's conclusions. The store is copied whole, and compact.
    Equal stores give equal files.

    Raises:
        StoreError: the run has not ended or is a simulated one, the folder is there already, or something cannot be
            read or written.
    """
    information = store.information
    if "finished" not in information:
        raise StoreError(f"run {store.name!r} has not ended, and what it would show may change; --resume ends it")
    if store.simulated:
        raise StoreError(f"run {store.name!r} is simulated: its numbers are made up; publish one that was trained")
    with one_line(folder):
        if os.path.lexists(folder):
            raise StoreError(f"{folder} is there already, and nothing is overwritten; name a new folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Made beside its place and moved there whole: what fails leaves nothing behind.
        with TemporaryDirectory(prefix=".publishing-", dir=folder.parent) as temporary:
            made = Path(temporary) / "run"
            made.mkdir()
            store.copy_to(made / FILE)
            write_atomically(made / PROFILE_FILE, store.profile)
            write_atomically(made / TABLE_FILE, csv_text(leaderboard(store, tasks)))
            write_atomically(made / FINDINGS_FILE, findings)
            sums = {name: hashlib.sha256((made / name).read_bytes()).hexdigest() for name in PUBLISHED_FILES}
            manifest = _origin(store, information) | {"sha256": sums}
            write_atomically(made / MANIFEST_FILE, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
            made.rename(folder)
    return manifest


def _origin(store: Store, information: Mapping[str, Any]) -> dict[str, Any]:
    """The command that made the run, its environments, and what it cost."""
    trials, seconds = store.select("SELECT count(*), coalesce(sum(seconds), 0) FROM trials")[0]
    started, finished = (str(information.get(key, "")) for key in ("started", "finished"))
    return {
        "run": store.name,
        "command": ["gatesearch", *information.get("command", ())],
        "extended": [["gatesearch", *line] for line in information.get("extended", ())],
        "seed": store.seed,
        "started": started,
        "finished": finished,
        "hours": _hours(started, finished),  # from the start to the end, pauses included
        "core_hours": round(float(seconds) / 3600, 2),  # of all trials together
        "trials": trials,
        "resumed": len(information.get("resumed", ())),
        "data": information.get("data", {}),
        "environments": [
            description | {"trials": _trained_in(store, key)}
            for key, description in sorted(store.environments().items())
        ],
    }


def _trained_in(store: Store, environment: str) -> int:
    return int(store.select("SELECT count(*) FROM trials WHERE environment = ?", (environment,))[0][0])


def _hours(started: str, finished: str) -> float | None:
    try:
        span = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    except ValueError:
        return None
    return round(span.total_seconds() / 3600, 2)

"""Overview of a run: what it is, how far it came, and how large it is, read from its store in milliseconds."""

import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from results.store.errors import ResultsError
from results.store.locks import is_locked
from results.store.runs import changed_at
from results.store.store import LOCK_FILE, Store
from results.store.toml import parse_toml
from results.store.untouched import read_untouched
from results.store.words import COMPLETE, LOST_STATES, OUTSIDE, Origin, ProposalKind
from search.cells.ids import printed_id


class RunState(StrEnum):
    """State of a run."""

    RUNNING = "running"  # a process drives it
    FINISHED = "finished"  # its finalists are retrained
    STOPPED = "stopped"  # neither: it can be resumed
    UNREADABLE = "unreadable"  # its store cannot be read


@dataclass(frozen=True)
class Overview:
    """Overview of a run; the fields from `simulated` on are None if its store cannot be read."""

    name: str  # of its folder
    state: RunState
    changed: float  # last time that its store was written, in seconds since 1970 (UTC)
    size_bytes: int  # of all files in its folder
    error: str | None = None  # why the store cannot be read
    simulated: bool | None = None
    strategy: str | None = None
    proposals: int | None = None  # that have ended, without given cells and promotions
    planned: int | None = None  # of the profile; None also for a run whose cells are told from outside
    trials: int | None = None  # stored, those of finalists included
    failed_trials: int | None = None  # those that diverged or failed
    best_cell: str | None = None  # id of the found cell with the best score so far; None before there is one
    best_name: str | None = None  # its name, if it has one
    best_score: float | None = None  # its score by the search's own trials, which is biased in favour of the cell

    def as_json(self) -> dict[str, Any]:
        """Return the fields by name: the id of the cell as it is printed, the time as text (UTC, ISO 8601)."""
        changed = datetime.fromtimestamp(self.changed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        best = None if self.best_cell is None else printed_id(self.best_cell)
        return asdict(self) | {"changed": changed, "best_cell": best}


_ENDED = (ProposalKind.BASELINE.value, ProposalKind.PROMOTE.value)
_PROPOSALS = f"SELECT count(*) FROM proposals WHERE kind NOT IN {_ENDED}"
_TRIALS = f"SELECT count(*), coalesce(sum(state IN {LOST_STATES}), 0) FROM trials"
# The last proposal of a cell counts: its score has all of its trials, and an earlier one may be better by luck. SQLite
# takes the other columns from the row of the maximum.
_BEST = """
    SELECT cell, name, score FROM (
        SELECT proposals.cell, name, score, max("index") AS last FROM proposals JOIN cells ON cells.id = proposals.cell
        WHERE origin = ? AND outcome = ? AND score IS NOT NULL GROUP BY proposals.cell
    ) ORDER BY score DESC, last LIMIT 1"""


def overview(folder: Path) -> Overview:
    """Return the overview of the run in a folder. It may be driven meanwhile, and nothing in it is changed.

    A store that cannot be read is no error, since other runs may stand beside it: see `Overview.error`.
    """
    name, size = folder.name, _size(folder)
    changed = changed_at(folder) or os.stat(folder).st_mtime  # an empty store was never written
    try:
        return read_untouched(folder, lambda store: _overview(store, changed, size))
    except ResultsError as error:
        return Overview(name, RunState.UNREADABLE, changed, size, error=str(error))


def _overview(store: Store, changed: float, size: int) -> Overview:
    ((proposals,),) = store.typed(_PROPOSALS, {"proposals": int})
    ((trials, failed),) = store.typed(_TRIALS, {"trials": int, "failed": int})
    best = store.typed(_BEST, {"cell": str, "name": str | None, "score": float}, (Origin.FOUND.value, COMPLETE))
    cell, given, score = best[0] if best else (None, None, None)
    return Overview(
        store.folder.name,
        state_of(store.folder, finished=store.finished is not None),
        changed,
        size,
        simulated=store.simulated,
        strategy=store.strategy,
        proposals=proposals,
        planned=None if store.strategy == OUTSIDE else _planned(store.profile),
        trials=trials,
        failed_trials=failed,
        best_cell=cell,
        best_name=given,
        best_score=score,
    )


def state_of(folder: Path, *, finished: bool) -> RunState:
    """Return the state of the run in a folder, whose store can be read."""
    return RunState.RUNNING if is_driven(folder) else RunState.FINISHED if finished else RunState.STOPPED


def is_driven(folder: Path) -> bool:
    """Return whether a process drives the run in a folder: it holds the lock of the run.

    The lock is taken for some microseconds, which a process that starts to drive the run meanwhile waits for.
    """
    return is_locked(folder / LOCK_FILE)


def _planned(profile: str) -> int | None:
    """Return the number of proposals of a profile, or None if it has no such number."""
    try:
        section = parse_toml(profile).get("search")
    except ValueError:
        return None
    planned = section.get("proposals") if isinstance(section, dict) else None
    return planned if isinstance(planned, int) and not isinstance(planned, bool) else None


def _size(folder: Path) -> int:
    """Return the bytes of all files in a folder, as far as they can be seen."""
    total = 0
    for path, _, files in os.walk(folder):
        for file in files:
            try:
                total += os.lstat(os.path.join(path, file)).st_size
            except OSError:  # removed meanwhile
                continue
    return total


def printed_size(size_bytes: int) -> str:
    """Return a size for people."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.1f} GB"

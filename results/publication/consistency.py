"""What a stored run must satisfy on its own, whatever has been searched: the first half of `gatesearch verify`.

for check in consistency(store, ranked, finished=True):
    print(check.name, check.ok, check.detail)
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from results.store.errors import ResultsError, StoreError, one_line
from results.store.graphs import graph_of
from results.store.records import CellRow
from results.store.sanitize import csv_text, printable
from results.store.schema import SCHEMA
from results.store.store import FILE, PROFILE_FILE, Store
from results.tables.leaderboard import leaderboard
from search.cells.errors import CellError
from search.cells.operations import Op

TABLE_FILE = "leaderboard.csv"
MANIFEST_FILE = "published.json"
"""Beside a published run: where it comes from, and the SHA-256 of the other files."""

FINDINGS_FILE = "findings.md"
PUBLISHED_FILES = (FILE, PROFILE_FILE, TABLE_FILE, FINDINGS_FILE)
MAX_MANIFEST = 10_000_000
"""Bytes; more is no manifest of ours."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: whether it holds (None: it could not be told), and in words what was seen."""

    name: str
    ok: bool | None
    detail: str


class _BrokenError(Exception):
    """What a check found to be wrong, in words."""


def consistency(store: Store, ranked: Sequence[str], finished: bool) -> Iterator[Check]:
    """Check a store, its cells' ids and lineage, and the files beside it, one after the other.

    What a store says that is not sound is not looked at. `ranked` are the run's ranked tasks. Of a run that is not
    `finished` the table may be older than the store.
    """
    sound = _checked("store", lambda: _check_store(store))
    yield sound
    if not sound.ok:
        return
    yield _checked("ids", lambda: _check_ids(store.cells()))
    yield _checked("lineage", lambda: _check_lineage(store.cells()))
    yield _checked("profile", lambda: _check_profile(store))
    table = _checked("table", lambda: _check_table(store, ranked))
    if not table.ok and not finished:
        table = Check("table", None, "the run has not ended, and its table is older than its store; --resume renews it")
    yield table
    if os.path.exists(store.folder / MANIFEST_FILE):
        yield _checked("checksums", lambda: _check_published(store.folder))


def _checked(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, printable(check()))
    except (_BrokenError, ResultsError, CellError) as error:
        return Check(name, False, printable(" ".join(str(error).split())))


def _check_store(store: Store) -> str:
    """SQLite's own checks, the tables as this version makes them, and rows that read back."""
    orphans = store.select("PRAGMA foreign_key_check")
    if orphans:
        table, _, parent, _ = orphans[0]
        raise _BrokenError(f"{len(orphans)} rows name what is not there, the first in {table}, of {parent}")
    found = {" ".join(str(sql).split()) for (sql,) in store.select("SELECT sql FROM sqlite_master WHERE sql NOT NULL")}
    missing = [sql.split()[2] for sql in SCHEMA if " ".join(sql.split()) not in found]
    if missing or len(found) != len(SCHEMA):
        raise _BrokenError(f"its tables are not those of this version ({', '.join(missing) or 'some are added'})")
    try:
        trials = store.check()
    except StoreError as error:
        raise _BrokenError(f"a row cannot be read: {error}") from error
    evaluations, proposals = store.evaluations(), store.proposals()
    indices = [row.index for row in proposals if row.index >= 0]
    late = len(indices) - (indices[-1] + 1 if indices else 0)
    in_flight = f", {-late} before the last still in flight" if late else ""
    return f"{trials:,} trials, {len(evaluations):,} evaluations, {len(indices):,} proposals{in_flight}"


def _check_ids(cells: Sequence[CellRow]) -> str:
    """That every cell's id is the hash of its stored graph, and its counts are those of that graph."""
    for cell in cells:
        graph = graph_of(cell)
        counts = (len(graph), graph.states, sum(node.op is Op.LINEAR for node in graph))
        if counts != (cell.nodes, cell.states, cell.products):
            raise _BrokenError(f"cell {cell.id} has {counts} nodes, states and products, not what its row says")
    return f"{len(cells):,} formulas hash to the ids of their cells"


def _check_lineage(cells: Sequence[CellRow]) -> str:
    """That every found cell goes back, parent by parent, to one that was given; each parent was proposed earlier."""
    known = {cell.id: cell for cell in cells}
    roots: set[str] = set()
    depth: dict[str, int] = {}
    for cell in cells:
        if cell.origin == "baseline":
            if cell.parent is not None or cell.proposal is not None:
                raise _BrokenError(f"cell {cell.id} was given, but has a parent or a proposal")
            depth[cell.id] = 0
            continue
        if cell.origin != "found" or cell.proposal is None or cell.parent is None or not cell.mutations:
            raise _BrokenError(f"cell {cell.id} lacks its origin, proposal, parent or mutations")
        parent = known.get(cell.parent)
        if parent is None:
            raise _BrokenError(f"the parent {cell.parent} of cell {cell.id} is not stored")
        if parent.proposal is not None and parent.proposal >= cell.proposal:
            raise _BrokenError(f"cell {cell.id} of proposal {cell.proposal} has a parent of proposal {parent.proposal}")
    # Parents come earlier, so a walk ends, and in the order of proposals each parent's depth is known.
    for cell in sorted(cells, key=lambda c: -1 if c.proposal is None else c.proposal):
        if cell.parent is not None:
            depth[cell.id] = depth[cell.parent] + 1
            if depth[cell.id] == 1:
                roots.add(known[cell.parent].name or cell.parent)
    found = sum(cell.origin == "found" for cell in cells)
    if not found:
        return "no found cells"
    return f"{found:,} found cells go back to {', '.join(sorted(roots))}, by {max(depth.values())} steps at most"


def _check_profile(store: Store) -> str:
    path = store.folder / PROFILE_FILE
    with one_line(path):
        same = path.read_bytes() == store.profile.encode()
    if not same:
        raise _BrokenError(f"{path} is not the profile that the store has; the store's counts")
    return f"{PROFILE_FILE} is that of the store"


def _check_published(folder: Path) -> str:
    """That the files beside a published run's manifest are those that it was published with."""
    path = folder / MANIFEST_FILE
    with one_line(path):
        if path.stat().st_size > MAX_MANIFEST:
            raise _BrokenError(f"{path} has more than {MAX_MANIFEST:,} bytes")
        text = path.read_bytes()
    try:
        sums = json.loads(text)["sha256"]
        named = {str(name): str(value) for name, value in sums.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _BrokenError(f"{path} is no manifest of a published run: it has no checksums") from None
    if set(named) != set(PUBLISHED_FILES):
        raise _BrokenError(f"{path} has checksums of {', '.join(sorted(named)) or 'nothing'}, not of the run's files")
    for name in PUBLISHED_FILES:
        with one_line(folder / name):
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != named[name]:
            raise _BrokenError(f"{folder / name} is not the file that was published")
    return f"{', '.join(PUBLISHED_FILES)} are those that were published"


def _check_table(store: Store, ranked: Sequence[str]) -> str:
    path = store.folder / TABLE_FILE
    with one_line(path):
        text = path.read_bytes()
    frame = leaderboard(store, ranked)
    if text != csv_text(frame).encode():
        raise _BrokenError(f"{path} is not what the store says; gatesearch leaderboard RUN -o FILE writes what it says")
    return f"{TABLE_FILE}, {len(frame):,} rows, is what the store says, byte for byte"

"""Consistency of a stored run with itself and with the files beside it: the first half of `gatesearch verify`.

for check in consistency(store, ranked, finished=True):
    print(check.name, check.ok, check.detail)
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from results.store.database import FILE, PROFILE_FILE, RUN_ARCHIVE
from results.store.errors import ResultsError, StoreError, one_line
from results.store.graphs import graph_of
from results.store.records import CellRow
from results.store.sanitize import printable
from results.store.schema import schema_of
from results.store.store import Store
from results.store.words import OUTSIDE, Origin
from results.tables import columns as table
from results.tables.columns import SPLIT_FORMAT
from results.tables.file_names import FULL_FILE, TABLE_FILE, TEXT_FILES, TRIALS_FILE
from results.tables.files import table_texts, trials_bytes
from results.tables.leaderboard import leaderboard
from search.cells.crossover import other_parent
from search.cells.errors import CellError
from search.cells.ids import cell_text, printed_id
from search.cells.operations import Op
from search.cells.text import counted

MANIFEST_FILE = "published.json"
"""Manifest of a published run: its origin, and the SHA-256 of the other files."""

FINDINGS_FILE = "findings.md"
PUBLISHED_FILES = (FILE, PROFILE_FILE, *TEXT_FILES, TRIALS_FILE, FINDINGS_FILE)
_PUBLISHED_BEFORE = (FILE, PROFILE_FILE, TABLE_FILE, FINDINGS_FILE)
"""Published files of versions before `SPLIT_FORMAT`."""

MAX_MANIFEST = 10_000_000
"""Largest manifest that is read, in bytes."""


@dataclass(frozen=True)
class Check:
    """Result of one check: True if it holds, None if that could not be decided, and a description."""

    name: str
    ok: bool | None
    detail: str


class _BrokenError(Exception):
    """A check does not hold, for this reason."""


class _UnreadableError(_BrokenError):
    """The manifest of a published run is not one."""


class _UndecidedError(Exception):
    """A check cannot be decided, for this reason."""


def consistency(store: Store, ranked: Sequence[str], finished: bool) -> Iterator[Check]:
    """Check a store, its cells' ids and lineage, and the files beside it, one after the other.

    If the store is damaged, the other checks are left out.

    Args:
        store: the run.
        ranked: its ranked tasks.
        finished: whether the run has ended; before that, its table may be older than its store.
    """
    sound = _checked("store", lambda: _check_store(store))
    yield sound
    if not sound.ok:
        return
    yield _checked("ids", lambda: _check_ids(store.cells()))
    yield _checked("lineage", lambda: _check_lineage(store.cells(), told=store.strategy == OUTSIDE))
    yield _checked("profile", lambda: _check_profile(store))
    written = _checked("table", lambda: _check_table(store, ranked))
    if written.ok is False and not finished:
        detail = "the run has not ended, and its table is older than its store; --resume updates it"
        written = Check("table", None, detail)
    yield written
    if os.path.exists(store.folder / MANIFEST_FILE):
        yield _checked("checksums", lambda: _check_published(store.folder))


def _checked(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, printable(check()))
    except _UndecidedError as error:
        return Check(name, None, printable(str(error)))
    except (_BrokenError, ResultsError, CellError) as error:
        return Check(name, False, printable(" ".join(str(error).split())))


def _check_store(store: Store) -> str:
    """Run SQLite's own checks, compare the schema with this version's, and read every row."""
    orphans = store.select("PRAGMA foreign_key_check")
    if orphans:
        child, _, parent, _ = orphans[0]
        raise _BrokenError(
            f"{counted(len(orphans), 'row')} without the rows that they refer to, the first from {child} to {parent}"
        )
    found = {" ".join(str(sql).split()) for (sql,) in store.select("SELECT sql FROM sqlite_master WHERE sql NOT NULL")}
    schema = schema_of(store.version)
    missing = [sql.split()[2] for sql in schema if " ".join(sql.split()) not in found]
    if missing or len(found) != len(schema):
        raise _BrokenError(f"its schema is not that of this version ({', '.join(missing) or 'some tables are added'})")
    try:
        trials = store.check()
    except StoreError as error:
        raise _BrokenError(f"a row cannot be read: {error}") from error
    evaluations, proposals = store.evaluations(), store.proposals()
    indices = [row.index for row in proposals if row.index >= 0]
    late = len(indices) - (indices[-1] + 1 if indices else 0)
    in_flight = f", {-late} before the last still in flight" if late else ""
    counts = (trials, "trial"), (len(evaluations), "evaluation"), (len(indices), "proposal")
    return f"{', '.join(counted(number, noun) for number, noun in counts)}{in_flight}"


def _check_ids(cells: Sequence[CellRow]) -> str:
    """Check that every cell's id is the hash of its stored graph, and its counts are those of that graph."""
    for cell in cells:
        graph = graph_of(cell)
        counts = (len(graph), graph.states, sum(node.op is Op.LINEAR for node in graph))
        if counts != (cell.nodes, cell.states, cell.products):
            raise _BrokenError(f"{cell_text(cell.id)} has {counts} nodes, states and products, other than its row has")
    return f"{counted(len(cells), 'formula hashes', 'formulas hash')} to the ids of their cells"


def _check_lineage(cells: Sequence[CellRow], *, told: bool) -> str:
    """Check that every found cell descends from the initial population, and that each parent was proposed earlier.

    Cells that were told from outside may have no parent, and have no mutations.
    """
    known = {cell.id: cell for cell in cells}
    roots: set[str] = set()
    depth: dict[str, int] = {}
    for cell in cells:
        if cell.origin == Origin.BASELINE:
            if cell.parent is not None or cell.proposal is not None:
                raise _BrokenError(f"{cell_text(cell.id)} was given, but has a parent or a proposal")
            depth[cell.id] = 0
            continue
        if cell.origin == Origin.INITIAL:
            if cell.parent is not None or cell.mutations or cell.proposal is None:
                raise _BrokenError(
                    f"{cell_text(cell.id)} of the initial population has a parent, or lacks its proposal"
                )
            depth[cell.id] = 0
            continue
        if told and cell.origin == Origin.FOUND and cell.proposal is not None and cell.parent is None:
            depth[cell.id] = 0
            continue
        drawn = bool(cell.mutations) or told
        if cell.origin != Origin.FOUND or cell.proposal is None or cell.parent is None or not drawn:
            raise _BrokenError(f"{cell_text(cell.id)} lacks its origin, proposal, parent or mutations")
        parent = known.get(cell.parent)
        if parent is None:
            raise _BrokenError(f"the parent {printed_id(cell.parent)} of {cell_text(cell.id)} is not stored")
        if parent.proposal is not None and parent.proposal >= cell.proposal:
            raise _BrokenError(
                f"{cell_text(cell.id)} of proposal {cell.proposal} has a parent of proposal {parent.proposal}"
            )
        second = other_parent(cell.mutations)
        if second is not None and second not in known:
            raise _BrokenError(f"the second parent {printed_id(second)} of {cell_text(cell.id)} is not stored")
        other = None if second is None else known[second].proposal
        if other is not None and other >= cell.proposal:
            raise _BrokenError(
                f"{cell_text(cell.id)} of proposal {cell.proposal} has a second parent of proposal {other}"
            )
    # Parents come earlier, so in the order of proposals each parent's depth is known.
    for cell in sorted(cells, key=lambda c: -1 if c.proposal is None else c.proposal):
        if cell.parent is not None:
            depth[cell.id] = depth[cell.parent] + 1
            if depth[cell.id] == 1:
                roots.add(known[cell.parent].name or printed_id(cell.parent))
    found = sum(cell.origin == Origin.FOUND for cell in cells)
    if not found:
        return "no found cells"
    if told:
        told_words = counted(found, "cell was told", "cells were told")
        return f"{told_words}, {len(cells) - found:,} given; each parent came before its children"
    words = counted(found, "found cell descends", "found cells descend")
    return f"{words} from {', '.join(sorted(roots))}, in at most {counted(max(depth.values()), 'step')}"


def _check_profile(store: Store) -> str:
    path = store.folder / PROFILE_FILE
    with one_line(path):
        same = path.read_bytes() == store.profile.encode()
    if not same:
        raise _BrokenError(f"{path} differs from the profile in the store, which is the one that counts")
    return f"{PROFILE_FILE} is that of the store"


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST_FILE
    with one_line(path):
        if path.stat().st_size > MAX_MANIFEST:
            raise _UnreadableError(f"{path} has more than {MAX_MANIFEST:,} bytes")
        text = path.read_bytes()
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("sha256"), dict):
        raise _UnreadableError(f"{path} is not the manifest of a published run: it has no checksums")
    return manifest


def _check_published(folder: Path) -> str:
    """Check that the files beside a published run's manifest have the checksums in it."""
    files = _PUBLISHED_BEFORE if _format_in(folder) < SPLIT_FORMAT else PUBLISHED_FILES
    if os.path.exists(folder / RUN_ARCHIVE) or RUN_ARCHIVE in _manifest(folder)["sha256"]:
        files = (*files, RUN_ARCHIVE)
    _check_sums(folder, files)
    return f"{', '.join(files)} are the published files"


def published_tree(folder: Path) -> Check:
    """Check that the files in a published folder, at any depth, are those of its manifest."""

    def check() -> str:
        with one_line(folder):
            files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
        files.remove(MANIFEST_FILE)
        _check_sums(folder, files)
        return f"{counted(len(files), 'file is', 'files are')} as published"

    return _checked("checksums", check)


def _check_sums(folder: Path, files: Sequence[str]) -> None:
    path = folder / MANIFEST_FILE
    named = {str(name): str(value) for name, value in _manifest(folder)["sha256"].items()}
    if set(named) != set(files):
        odd = sorted(set(named) ^ set(files))
        more = ", ..." if len(odd) > 3 else ""
        raise _BrokenError(f"{path} has checksums of other files than those that are here: {', '.join(odd[:3])}{more}")
    for name in files:
        with one_line(folder / name):
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != named[name]:
            raise _BrokenError(f"{folder / name} is not the published file")


def _check_table(store: Store, ranked: Sequence[str]) -> str:
    """Check that the tables beside the store are those that the store gives; of an older format, as far as it agrees.

    Columns that changed since the table's format are not compared.
    """
    made = _table_format(store)
    if made > table.FORMAT:
        raise _UndecidedError(
            f"{TABLE_FILE} was made by a later version (format {made}; this one writes {table.FORMAT}); "
            "update gatesearch to check it"
        )
    frame = leaderboard(store, ranked)
    own = table_texts(store, ranked, frame)
    if made == table.FORMAT:
        for name, text in own.items():
            if _read(store.folder / name) != text.encode():
                raise _BrokenError(_differs(store.folder / name))
        trials = _check_trials(store)
        return f"{', '.join(own)}, {_rows(frame)}, equal those of the store, byte for byte{trials}"
    changed = {name for later in range(made + 1, table.FORMAT + 1) for name in table.CHANGED_COLUMNS.get(later, ())}
    changed |= {name.replace("TASK", task, 1) for name in changed for task in ranked}
    texts = (
        {TABLE_FILE: own[FULL_FILE]} if made < SPLIT_FORMAT else {name: own[name] for name in (TABLE_FILE, FULL_FILE)}
    )
    for name, text in texts.items():
        found = _read(store.folder / name).decode(errors="replace")
        if _without(found, changed) != _without(text, changed):
            raise _BrokenError(_differs(store.folder / name))
    return (
        f"{', '.join(texts)}, {_rows(frame)}, made by an earlier version (format {made}; this one writes "
        f"{table.FORMAT}); the columns that both have equal those of the store"
    )


def _rows(frame: pd.DataFrame) -> str:
    return counted(len(frame), "row")


def _read(path: Path) -> bytes:
    with one_line(path):
        return path.read_bytes()


def _check_trials(store: Store) -> str:
    """Check the trials beside the store, which a search writes at its end, and return words on them."""
    path = store.folder / TRIALS_FILE
    if not os.path.exists(path):
        return ""
    written = io.BytesIO(_read(path))
    try:
        found = pd.read_parquet(written)
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        raise _BrokenError(
            f"{path} is no Parquet file ({error}); gatesearch leaderboard RUN --files FOLDER writes it"
        ) from error
    # Values are compared, not bytes, which depend on the version of pyarrow.
    if not found.equals(pd.read_parquet(io.BytesIO(trials_bytes(store)))):
        raise _BrokenError(_differs(path))
    return f"; {TRIALS_FILE}, {counted(len(found), 'trial')}, too"


def _differs(path: Path) -> str:
    return f"{path} differs from what the store gives; gatesearch leaderboard RUN --files FOLDER writes it"


def _table_format(store: Store) -> int:
    """Return the format of the table beside a store: a published run's from its manifest, else that in the store."""
    if os.path.exists(store.folder / MANIFEST_FILE):
        with suppress(_UnreadableError):  # reported by the check of the checksums
            return _format_in(store.folder)
    return store.leaderboard_format


def _format_in(folder: Path) -> int:
    """Return the format of the table in a published folder, by its manifest."""
    made = _manifest(folder).get("leaderboard_format", 1)
    if type(made) is not int or made < 1:
        raise _BrokenError(f"{folder / MANIFEST_FILE}: leaderboard_format is {made!r}, not a number from 1")
    return made


def _without(text: str, columns: set[str]) -> list[list[str]] | None:
    """Return the rows of a CSV, header first, without these columns; None if it is not a table."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return None
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        return None
    kept = [k for k, name in enumerate(rows[0]) if name not in columns]
    return [[row[k] for k in kept] for row in rows]

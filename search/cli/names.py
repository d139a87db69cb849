"""What people type for runs and cells, and what it means."""

import os
import re
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from results.store.errors import StoreError
from results.store.files import runs_folder
from results.store.graphs import graph_of
from results.store.lineage import ancestry
from results.store.records import CellRow
from results.store.store import FILE, Store
from search.cells.errors import UnknownCellError
from search.cells.files import read_source
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, named_cell
from search.core.errors import SearchError

MAX_PATH = 4096
"""No system has longer paths."""

RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def run_folder(run: str) -> Path:
    """The folder of a run that is given by name, or by a path (anything with a slash). Raises `SearchError`."""
    if "\0" in run:
        raise SearchError("a run's name has no NUL characters")
    if len(run) > MAX_PATH:
        raise SearchError(f"run {run[:60]!r}... has {len(run):,} characters; a path has at most {MAX_PATH:,}")
    if "/" in run or os.sep in run:
        if Path(run).name in ("", ".."):
            raise SearchError(f"run {run!r} is not allowed; a path must end with the name of the run's own folder")
        return Path(run)
    if not RUN_NAME.fullmatch(run):
        shown = run if len(run) <= 60 else run[:57] + "..."
        raise SearchError(
            f"run name {shown!r} is not allowed; use up to 100 letters, digits, '.', '-' and '_', no mark first"
        )
    return runs_folder() / run


def open_run(run: str) -> Store:
    """The store of a run, to be read. Raises `SearchError` or `StoreError`."""
    folder = run_folder(run)
    if not os.path.exists(folder / FILE) and "/" not in run:
        known = known_runs()
        hint = f"there are {', '.join(known[:8])}" if known else "none has been started here"
        raise SearchError(f"there is no run {run!r} in {runs_folder()}; {hint}")
    return Store.open(folder, readonly=True)


def known_runs() -> list[str]:
    """The names of the runs in the runs folder, the latest first."""
    try:
        times = {path.parent.name: path.stat().st_mtime for path in runs_folder().glob(f"*/{FILE}")}
    except OSError:
        return []
    return [name for name in sorted(times, key=lambda name: times[name], reverse=True) if RUN_NAME.fullmatch(name)]


@dataclass(frozen=True)
class FoundCell:
    """What a CELL argument stands for: its graph, what to call it, and for a cell of a run its row there."""

    graph: GateGraph
    label: str
    formula: str | None = None  # as its authors wrote it, where there is such a text
    row: CellRow | None = None
    run: str | None = None


def find_cell(cell: str, run: str | None = None) -> FoundCell:
    """The cell that is meant: a library name, a file of one, or the id (or its first digits) of a cell of a run.

    A file holds a formula or a recipe.

    Without `run`, ids are looked for in all runs of the runs folder, the latest first. Raises `CellError`,
    `SearchError` or `StoreError`.
    """
    if cell in LIBRARY:
        return FoundCell(LIBRARY[cell].graph, cell, LIBRARY[cell].formula)
    if (
        "\0" not in cell
        and len(cell) < MAX_PATH
        and ((os.path.exists(cell) and not os.path.isdir(cell)) or "/" in cell or cell.endswith((".cell", ".json")))
    ):
        path = Path(cell)
        graph, formula = read_source(path)
        return FoundCell(graph.canonical(), path.stem, formula.strip() if formula is not None else None)
    if re.fullmatch(r"[0-9a-fA-F]{4,16}", cell):
        return _find_in_runs(cell, run)
    if run is None:
        try:
            named_cell(cell)
        except UnknownCellError as error:
            raise UnknownCellError(
                f"{error} Or give a file of a cell, or at least 4 digits of an id in a run"
            ) from None
    shown = cell if len(cell) <= 100 else f"{cell[:97]}..."
    raise UnknownCellError(f"{shown!r} is neither a named cell, nor a file, nor an id of 4 to 16 hexadecimal digits")


def in_run(found: FoundCell, run: str | None) -> FoundCell:
    """With its row in the run that was named, where it has one: a named cell or a file may be in a run too.

    Raises `SearchError` or `StoreError` where there is no such run.
    """
    if run is None or found.row is not None:
        return found
    with open_run(run) as store:
        row = next((row for row in store.cells() if row.id == found.graph.id), None)
    return found if row is None else replace(found, row=row, run=run)


def lineage(found: FoundCell) -> list[tuple[CellRow, CellRow]]:
    """From a run's cell back to a seed: each ancestor, and the cell that it was mutated from."""
    if found.row is None or found.run is None:
        return []
    with open_run(found.run) as store:
        line = ancestry(store, found.row.id)[::-1]
    return list(pairwise(line))


def _find_in_runs(cell: str, run: str | None) -> FoundCell:
    for name in known_runs() if run is None else [run]:
        try:
            with open_run(name) as store:
                row = store.cell(cell)
        except StoreError as error:
            if run is not None or "could be" in str(error):
                raise
        else:
            return FoundCell(graph_of(row), row.name or row.id[:8], None, row, name)
    raise UnknownCellError(f"no run in {runs_folder()} has a cell {cell!r}; name its folder with --run")

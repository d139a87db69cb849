"""Lookup of cells by name, file, or id in a run."""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from results.store.errors import AmbiguousCellError, StoreError
from results.store.files import runs_folder
from results.store.graphs import graph_of
from results.store.lineage import ancestry
from results.store.queries import named_id
from results.store.records import CellRow
from results.store.runs import MAX_PATH, known_runs, open_run
from search.cells.canonical import FormVersion
from search.cells.crossover import other_parent
from search.cells.errors import UnknownCellError
from search.cells.files import cell_of_file, is_file_name, is_formula, split_member
from search.cells.graph import GateGraph
from search.cells.ids import digits_of
from search.cells.library import LIBRARY, display_formula, label_of, library_name, named_cell, names_by_id
from search.cells.notation.formula import parse_formula
from search.cells.paths import expanded
from search.cells.text import quoted


@dataclass(frozen=True)
class FoundCell:
    """Cell that a lookup found: its canonical graph, a label, and its row if it belongs to a run."""

    graph: GateGraph
    label: str
    text: str | None = None  # formula as its author wrote it, if there is one
    row: CellRow | None = None
    run: str | None = None  # name or path of the run of `row`

    @cached_property
    def formula(self) -> str:
        """Formula for display: the author's text, the library's for a named cell, else the printed graph."""
        return self.text or display_formula(self.graph)


@dataclass(frozen=True)
class LineageStep:
    """Mutation in a lineage: a cell, the parent that it was mutated from, and the transformations in order."""

    cell: str  # label
    parent: str  # label
    proposal: int | None
    transformations: tuple[str, ...]
    other: str | None = None  # label of the second parent of a crossover

    @property
    def parents(self) -> str:
        """Labels of one parent or both, in words."""
        return self.parent if self.other is None else f"{self.parent} and {self.other}"


def find_cell(cell: str, run: str | None = None) -> FoundCell:
    """Find a cell by its name in the library or in a run, by a formula, a file, or an id of 4 digits or more.

    A text with `=` is a formula unless a file has that name. A cell that was given to a run as a file has the file's
    name there. A file contains a formula or recipes, and `cells.json#7` is one of several. The g of an id may be left
    out. Without `run`, an id is searched for in all runs of the runs folder, latest first, and then in the library.

    Raises:
        CellError: there is no such cell, or its formula or file is invalid.
        ResultsError: there is no such run, its store is damaged, or several of its cells have these first digits.
    """
    cell = expanded(cell)
    # A file goes before another spelling, not before a name.
    if (name := library_name(cell)) is not None and (name == cell or not is_path(cell)):
        return FoundCell(LIBRARY[name].graph, name, LIBRARY[name].formula)
    if is_path(cell):
        file = cell_of_file(cell)
        graph, formula = file.read()
        return FoundCell(graph.canonical(), file.label, formula.strip() if formula is not None else None)
    if is_formula(cell):
        written = parse_formula(cell).canonical()
        return FoundCell(written, label_of(written.id), cell.strip())
    if run is not None and (found := _named_in(run, cell)) is not None:
        return found
    if (digits := digits_of(cell)) is not None:
        return _find_by_id(cell, digits, run)
    if run is None:
        try:
            named_cell(cell)
        except UnknownCellError as error:
            joint = " Or" if str(error).endswith("?") else "; or"
            raise UnknownCellError(
                f"{error}{joint} give a formula, a file with one, or the id of a cell, g and at least 4 digits"
            ) from None
    raise UnknownCellError(
        f"{quoted(cell)} is not a named cell, a formula, a file, or an id, which is g and 4 to 16 hexadecimal digits"
    )


def _named_in(run: str, cell: str) -> FoundCell | None:
    """Return the cell that has this name in a run, or None."""
    with open_run(run) as store:
        known = named_id(store, cell)
        if known is None:
            return None
        row = store.cell(known)
    return FoundCell(graph_of(row), row.label, None, row, run)


def in_run(found: FoundCell, run: str | None) -> FoundCell:
    """Return the cell with its row in `run`, if the run has it: a named cell or a file may occur in a run, too.

    Raises:
        ResultsError: there is no such run, or its store is damaged.
    """
    if run is None or found.row is not None:
        return found
    with open_run(run) as store:
        rows = {row.id: row for row in store.cells()}
        # A store of an earlier version knows the text as written by its id of then.
        written = found.graph if found.formula is None else parse_formula(found.formula)
        forms = (found.graph, *(written.in_form(version) for version in FormVersion))
        row = next((rows[graph.id] for graph in forms if graph.id in rows), None)
    return found if row is None else replace(found, row=row, run=run)


def lineage(found: FoundCell) -> list[LineageStep]:
    """Return the mutations from a run's cell back to a seed, latest first; none for a cell without a run.

    Raises:
        ResultsError: the store of the run is missing or damaged.
    """
    if found.row is None or found.run is None:
        return []
    with open_run(found.run) as store:
        line = ancestry(store, found.row.id)[::-1]
        others = {row.id: store.cell(other).label for row in line if (other := other_parent(row.mutations)) is not None}
    return [
        LineageStep(row.label, parent.label, row.proposal, row.mutation_words, others.get(row.id))
        for row, parent in pairwise(line)
    ]


def is_path(cell: str) -> bool:
    """Return whether a text names a file of cells: one that exists, or whose suffix is that of such a file."""
    if "\0" in cell or len(cell) >= MAX_PATH:
        return False
    path = split_member(cell)[0]
    return (os.path.exists(path) and not os.path.isdir(path)) or is_file_name(cell)


def _find_by_id(cell: str, digits: str, run: str | None) -> FoundCell:
    """Find a cell by the first digits of its id: in `run`, or else in all runs and then in the library."""
    for name in known_runs() if run is None else [run]:
        try:
            with open_run(name) as store:
                row = store.cell(cell)
        except AmbiguousCellError:
            raise
        except StoreError:
            if run is not None:
                raise
        else:
            return FoundCell(graph_of(row), row.label, None, row, name)
    names = names_by_id(digits)
    if len(names) > 1:
        raise UnknownCellError(f"{cell!r} begins the ids of several named cells, {', '.join(names)}; give one by name")
    if names:
        return FoundCell(LIBRARY[names[0]].graph, names[0], LIBRARY[names[0]].formula)
    raise UnknownCellError(
        f"neither a run in {runs_folder()} nor the library has a cell {cell!r}; name the folder of its run with --run, "
        f"or write it to a file: gatesearch export {cell} --run FOLDER --to formula -o my.cell"
    )

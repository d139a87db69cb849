"""Cells that a search starts from, as a user names them: names, formulas, ids in runs, files, recipes, folders."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from search.cells.errors import CellError
from search.cells.files import cells_of_file
from search.cells.graph import GateGraph
from search.cells.ids import short_id
from search.cells.library import library_name, name_of
from search.cells.paths import expanded
from search.cells.text import quoted
from search.core.errors import SearchError
from search.engine.cell_lookup import find_cell, is_path

SUFFIXES = (".cell", ".json")
"""Suffixes of the files of a folder that are read: formulas and recipes."""


def read_seed_cells(given: Sequence[str]) -> dict[str, GateGraph]:
    """Return the cells that a user names, by their names in the search.

    A published cell keeps its name, also as a formula. A cell of a run has its name there, one of a file is named after
    the file, and after its index or name in a file with several. Others are called `cell-` and their id.

    Raises:
        CellError: a formula is invalid, a file cannot be read or holds no cell, or there is no such cell.
        ResultsError: a store is damaged, or several cells have an id that begins so.
        SearchError: two cells have the same name, or a folder has no file of cells.
    """
    found: dict[str, GateGraph] = {}
    for each in given:
        for label, graph in _cells(each):
            if label in found:
                raise SearchError(f"seed cell {quoted(each)}: there is a cell {label!r} already; rename the file")
            found[label] = graph
    return found


def _cells(given: str) -> Iterator[tuple[str, GateGraph]]:
    path = expanded(given)
    if os.path.isdir(path):
        files = sorted(file for file in Path(path).iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
        if not files:
            raise SearchError(
                f"seed cells {quoted(given)}: the folder has no file that ends in {' or '.join(SUFFIXES)}; "
                "name its files one by one"
            )
        for file in files:
            yield from _of_file(str(file))
    elif is_path(path):
        yield from _of_file(path)
    elif (name := library_name(given)) is not None:
        yield name, find_cell(name).graph
    else:
        cell = find_cell(given)
        own = name_of(cell.graph.id) if cell.row is None else cell.row.name
        yield own or f"cell-{short_id(cell.graph.id)}", cell.graph


def _of_file(path: str) -> Iterator[tuple[str, GateGraph]]:
    cells = cells_of_file(path)
    if not cells:
        raise CellError(f"{path!r} has no cell; give a file with a formula or recipes")
    for cell in cells:
        yield cell.label, cell.read()[0]

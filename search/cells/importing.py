"""Import of cells that others published: many files with recipes become one formula for each distinct cell."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from search.cells.errors import CellError, FormulaError
from search.cells.files import SUFFIXES, FileCell, cells_of_file
from search.cells.graph import GateGraph
from search.cells.ids import printed_id
from search.cells.library import display_formula, name_of

LONGEST_NAME = 40
"""Longest name of an imported cell's file without its ending, which is the limit for a cell's name in a profile."""


@dataclass(frozen=True)
class ImportedCell:
    """One cell that an import read, or the error in its place.

    `source` is the file, with an index or name after a `#` if it has several cells; `number` is that of the benchmark,
    if the file states one. `graph` is canonical, and None where `error` is set.
    """

    source: str
    label: str
    number: int | None
    graph: GateGraph | None
    error: CellError | None = None


def read_for_import(paths: Iterable[Path]) -> Iterator[ImportedCell]:
    """Yield the cells of all files in order; a file that cannot be read yields one error.

    A folder stands for the files in it that end in .cell or .json, in the order of their names.
    """
    for path in paths:
        try:
            files = _files(path)
        except OSError as error:
            reason = FormulaError(f"{ascii(str(path))[1:-1]}: cannot be read: {error.strerror}")
            yield ImportedCell(str(path), path.stem, None, None, reason)
            continue
        for file in files:
            try:
                cells = cells_of_file(file)
            except CellError as error:
                yield ImportedCell(str(file), file.stem, None, None, error)
                continue
            yield from map(_read, cells)


def _files(path: Path) -> list[Path]:
    """Return the files of a folder, or the path itself if it is none. Raises `OSError` if it cannot be listed."""
    if not os.path.isdir(path):
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and not os.path.isdir(file))


def _read(cell: FileCell) -> ImportedCell:
    try:
        return ImportedCell(cell.name, cell.label, cell.number, cell.read()[0].canonical())
    except CellError as error:
        return ImportedCell(cell.name, cell.label, cell.number, None, error)


@dataclass(frozen=True)
class ImportedFile:
    """File of a distinct cell: its name, its text, and the first source of the cell.

    `earlier` is the text as earlier versions wrote it, with an id without its letter.
    """

    name: str
    text: str
    source: ImportedCell
    earlier: str


def files_of_import(cells: Iterable[ImportedCell]) -> dict[str, ImportedFile]:
    """Return a file for each distinct cell, by the cell's id, in the order in which the cells occur first.

    A file is named after the first source of its cell, shortened and with a number where two names are the same.
    """
    found: dict[str, ImportedFile] = {}
    taken: set[str] = set()
    for cell in cells:
        if cell.graph is not None and cell.graph.id not in found:
            name = _free_name(cell.label, taken)
            taken.add(name.lower())  # some file systems ignore case
            found[cell.graph.id] = ImportedFile(
                f"{name}.cell",
                _text(cell, cell.graph, printed_id(cell.graph.id)),
                cell,
                _text(cell, cell.graph, cell.graph.id),
            )
    return found


def _free_name(label: str, taken: set[str]) -> str:
    """Return a name that a profile accepts for a cell, made from a label; the label may be any text."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", label).strip("-") or "cell"
    plain = plain if plain[0].isalpha() else f"cell-{plain}"
    name, number = plain[:LONGEST_NAME], 2
    while name.lower() in taken:
        name = f"{plain[: LONGEST_NAME - 1 - len(str(number))]}-{number}"
        number += 1
    return name


def _text(cell: ImportedCell, graph: GateGraph, printed: str) -> str:
    """Return the formula with comments on its origin, and its id as it is printed."""
    file = ascii(Path(cell.source).name)[1:-1]
    number = "" if cell.number is None else f", recepie_id {cell.number}"
    known = name_of(graph.id)
    named = "" if known is None else f", the named cell {known}"
    return f"# from {file}{number}\n# id {printed}{named}\n{display_formula(graph)}\n"

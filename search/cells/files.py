"""Files of cells: formulas, and recipes in JSON, told apart by how they begin."""

from pathlib import Path

from search.cells.formula import read_formula
from search.cells.graph import GateGraph
from search.cells.recipe import read_recipe

PEEKED = 4096
"""Bytes within which the first character that is no blank is looked for."""


def is_recipe(path: Path) -> bool:
    """Whether a file is read as a recipe: it is called .json, or begins as JSON does and as no formula can."""
    try:
        with path.open("rb") as file:
            start = file.read(PEEKED).removeprefix(b"\xef\xbb\xbf").lstrip()
    except (OSError, ValueError):
        return False
    return path.suffix.lower() == ".json" or start[:1] in (b"{", b"[")


def read_cell(path: Path) -> GateGraph:
    """The graph in a file. Raises `CellError` naming the file and what is wrong with it."""
    return read_recipe(path) if is_recipe(path) else read_formula(path)

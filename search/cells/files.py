"""Files of cells: formulas, and recipes in JSON, told apart by how they are called or begin."""

from pathlib import Path

from search.cells.errors import FormulaError, GraphError, RecipeError
from search.cells.graph import GateGraph
from search.cells.notation import formula, recipe
from search.cells.notation.formula import parse_formula, read_text
from search.cells.notation.recipe import parse_recipe

MOST = max(formula.MAX_CHARACTERS, recipe.MAX_CHARACTERS)
"""Characters that are read of a file: what it is shows only then."""


def read_cell(path: Path) -> GateGraph:
    """The graph in a file. Raises `CellError` naming the file and what is wrong with it."""
    return read_source(path)[0]


def read_source(path: Path) -> tuple[GateGraph, str | None]:
    """The graph in a file, and its text where that is a formula; a recipe is called .json, or begins as no formula can.

    The file is opened once, so that it may be a pipe. Raises `CellError` as `read_cell`.
    """
    called = path.suffix.lower() == ".json"
    kind, what = (RecipeError, "a recipe") if called else (FormulaError, "a formula or recipe")
    text = read_text(path, MOST, kind, what)
    is_recipe = called or text.lstrip()[:1] in ("{", "[")
    try:
        return (parse_recipe(text), None) if is_recipe else (parse_formula(text), text)
    except (FormulaError, RecipeError, GraphError) as error:
        raise (RecipeError if is_recipe else FormulaError)(f"{path}: {error}") from error

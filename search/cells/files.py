"""Files of cells: formulas, and recipes in JSON, distinguished by suffix or first character."""

from pathlib import Path

from search.cells.errors import FormulaError, GraphError, RecipeError
from search.cells.graph import GateGraph
from search.cells.notation import formula, recipe
from search.cells.notation.formula import parse_formula, read_text
from search.cells.notation.recipe import parse_recipe

MAX_CHARACTERS = max(formula.MAX_CHARACTERS, recipe.MAX_CHARACTERS)
"""Limit of characters read from a file, before its format is known."""


def read_cell(path: Path) -> GateGraph:
    """Return the graph in a file. Raises `CellError` as `read_source` does."""
    return read_source(path)[0]


def read_source(path: Path) -> tuple[GateGraph, str | None]:
    """Return the graph in a file, and the file's text if that is a formula rather than a recipe.

    A recipe has the suffix .json, or begins with a brace or bracket, as no formula does. The file is opened once, so
    it may be a pipe.

    Raises:
        CellError: the file cannot be read or holds no cell; the message names the file and the reason.
    """
    named_json = path.suffix.lower() == ".json"
    kind, expected = (RecipeError, "a recipe") if named_json else (FormulaError, "a formula or recipe")
    text = read_text(path, MAX_CHARACTERS, kind, expected)
    is_recipe = named_json or text.lstrip()[:1] in ("{", "[")
    try:
        return (parse_recipe(text), None) if is_recipe else (parse_formula(text), text)
    except (FormulaError, RecipeError, GraphError) as error:
        raise (RecipeError if is_recipe else FormulaError)(f"{path}: {error}") from error

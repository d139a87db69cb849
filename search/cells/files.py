"""Files of cells: formulas, and recipes in JSON, distinguished by suffix or first character."""

from pathlib import Path

from search.cells.errors import CellError, FormulaError, GraphError, RecipeError
from search.cells.graph import GateGraph
from search.cells.notation import formula, recipe
from search.cells.notation.formula import parse_formula
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
    text = _read_text(path, MAX_CHARACTERS, kind, expected)
    is_recipe = named_json or text.lstrip()[:1] in ("{", "[")
    try:
        return (parse_recipe(text), None) if is_recipe else (parse_formula(text), text)
    except (FormulaError, RecipeError, GraphError) as error:
        raise (RecipeError if is_recipe else FormulaError)(f"{path}: {error}") from error


def _read_text(path: Path, most: int, error: type[CellError], what: str) -> str:
    """Return the text of a UTF-8 file, cut off where it exceeds `most` characters.

    Raises `error`, naming the file, if it cannot be read as text; `what` is the kind of file the message expects.
    """
    shown = repr(str(path))[1:-1]  # escaped, so that the message stays on one line
    try:
        with path.open("rb") as file:
            raw = file.read(most * 4 + 1)
        return raw.decode("utf-8-sig")  # some editors put a byte order mark first
    except OSError as reason:
        raise error(f"{shown}: cannot be read: {reason.strerror}") from reason
    except UnicodeDecodeError as reason:
        raise error(f"{shown}: byte {reason.start} is not UTF-8 text; {what} file is plain text") from reason
    except ValueError as reason:
        raise error(f"{str(path)!r} is not a valid file path ({reason})") from reason

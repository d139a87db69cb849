"""Files of cells: formulas, and recipes in JSON, distinguished by suffix or first character.

A file with several recipes is followed by `#` and the index or name of one: `cells.json#7`, `cells.json#mine`.
"""

import codecs
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from search.cells.errors import CellError, FormulaError, GraphError, RecipeError
from search.cells.graph import GateGraph
from search.cells.notation import formula, recipe_file
from search.cells.notation.formula import parse_formula
from search.cells.notation.recipe_file import RecipeEntry, choose, read_entries
from search.cells.text import quoted

SUFFIXES = (".cell", ".json")
"""Endings of files of cells; a name that ends otherwise could also be the name of a cell."""


@dataclass(frozen=True)
class FileCell:
    """One cell of a file, not parsed yet.

    `name` is the file as it was given, with the index or name of a recipe after a `#` if the file has several. `label`
    is the file's name without its ending, or `recepie-7` for a log of NAS-Bench-NLP with number 7. `content` is a
    formula or a recipe.
    """

    name: str
    label: str
    content: str | RecipeEntry

    @property
    def number(self) -> int | None:
        """Number of the recipe in its benchmark, if a log states one."""
        return None if isinstance(self.content, str) else self.content.number

    def read(self) -> tuple[GateGraph, str | None]:
        """Return the graph, and the text if it is a formula. Raises `CellError`, naming file and reason."""
        if isinstance(self.content, str):
            with _named(self.name, FormulaError):
                return parse_formula(self.content), self.content
        with _named(self.name, RecipeError):
            return self.content.graph(), None


def is_file_name(text: str) -> bool:
    """Return whether a text names a file rather than a cell: it has a slash, or ends as files of cells do.

    A formula with a slash has an operator that formulas do not have, or such a comment.
    """
    return text.endswith(SUFFIXES) or ".json#" in text or ("/" in text and not is_formula(text))


def is_formula(text: str) -> bool:
    """Return whether a text is a formula rather than a name, an id or a file: it has `=`, as no name has.

    A path may have `=` too, as `lr=0.1/best` and `runs/lr=0.1`: it has a slash, and one before the `=`, or neither a
    space, nor a prime, nor a bracket.
    """
    if "=" not in text or text.endswith(SUFFIXES) or ".json#" in text:
        return False
    return "/" not in text or ("/" not in text.partition("=")[0] and any(mark in text for mark in " '(\n"))


def split_member(name: str) -> tuple[str, str | None]:
    """Return the path of a file, and the index or name of a recipe that follows a `#`.

    A `#` in the path of an existing file separates nothing.
    """
    if "#" not in name or os.path.exists(name):
        return name, None
    marks = [match.start() for match in re.finditer("#", name)]
    mark = next((i for i in marks if os.path.exists(name[:i]) and not os.path.isdir(name[:i])), None)
    if mark is None:  # so that the message names the file that is missing
        mark = next((i for i in marks if name[:i].lower().endswith(".json")), None)
    return (name, None) if mark is None else (name[:mark], name[mark + 1 :])


def read_cell(path: str | Path) -> GateGraph:
    """Return the graph in a file. Raises `CellError` as `cell_of_file` does, and if the cell is invalid."""
    return cell_of_file(path).read()[0]


def cell_of_file(path: str | Path) -> FileCell:
    """Return the cell of a file.

    A recipe has the suffix .json, or begins with a brace or bracket, as no formula does. The file is opened once, so
    it may be a pipe.

    Args:
        path: the file, followed by `#` and the index or name of a recipe if it has several.

    Raises:
        CellError: the file cannot be read or holds no such cell; the message names the file and the reason.
    """
    name, member = split_member(str(path))
    return _one(str(path), name, member, _contents(Path(name)))


def cells_of_file(path: str | Path) -> list[FileCell]:
    """Return all cells of a file, or the one after a `#`. Raises `CellError` as `cell_of_file` does."""
    name, member = split_member(str(path))
    contents = _contents(Path(name))
    if isinstance(contents, str) or member is not None or contents[0].key is None:
        return [_one(str(path), name, member, contents)]
    return [_of_entry(f"{name}#{entry.key}", name, entry) for entry in contents]


def _one(shown: str, name: str, member: str | None, contents: str | list[RecipeEntry]) -> FileCell:
    """Return the cell of a file's contents that `member` names, or the only one if that is None."""
    if isinstance(contents, str):
        with _named(shown, FormulaError):
            if member is not None:
                raise FormulaError(f"a file with a formula has one cell; leave out {quoted('#' + member, 60)}")
            return FileCell(shown, Path(name).stem, contents)
    with _named(shown, RecipeError):
        return _of_entry(shown, name, choose(contents, member))


def _of_entry(shown: str, path: str, entry: RecipeEntry) -> FileCell:
    if entry.number is not None:
        return FileCell(shown, f"recepie-{entry.number}", entry)
    return FileCell(shown, Path(path).stem if entry.key is None else f"{Path(path).stem}-{entry.key}", entry)


def _contents(path: Path) -> str | list[RecipeEntry]:
    """Return the formula or the recipes in a file."""
    named_json = path.suffix.lower() == ".json"
    text = _read_text(path, named_json)
    if not (named_json or _begins_as_json(text)):
        return text
    with _named(str(path), RecipeError):
        return read_entries(text)


def _begins_as_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


@contextmanager
def _named(name: str, kind: type[CellError]) -> Iterator[None]:
    """Put the file's name before the message of an error; escaped, so that the message stays on one line."""
    try:
        yield
    except (FormulaError, RecipeError, GraphError) as error:
        raise kind(f"{_escaped(name)}: {error}") from error


def _escaped(path: str) -> str:
    return repr(path)[1:-1]


def _read_text(path: Path, named_json: bool) -> str:
    """Return the text of a UTF-8 file, cut off where it exceeds the limit of its format.

    Raises `CellError`, naming the file, if it cannot be read as text.
    """
    error, what = (RecipeError, "a recipe") if named_json else (FormulaError, "a formula or recipe")
    shown = _escaped(str(path))
    most = 4 * formula.MAX_CHARACTERS + 1  # a character has up to 4 bytes
    try:
        with path.open("rb") as file:
            raw = file.read(most)
            start = raw.removeprefix(codecs.BOM_UTF8).decode("latin-1")
            if len(raw) == most and (named_json or _begins_as_json(start)):
                most = 4 * recipe_file.MAX_CHARACTERS + 1
                raw += file.read(most - len(raw))
        decoder = codecs.getincrementaldecoder("utf-8-sig")()  # some editors put a byte order mark first
        return decoder.decode(raw, final=len(raw) < most)  # a character may be cut in two
    except OSError as reason:
        raise error(f"{shown}: cannot be read: {reason.strerror}") from reason
    except UnicodeDecodeError as reason:
        raise error(f"{shown}: byte {reason.start} is not UTF-8 text; {what} file is plain text") from reason
    except ValueError as reason:
        raise error(f"{str(path)!r} is not a valid file path ({reason})") from reason

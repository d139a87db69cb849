r"""Recipes in the files in which they are published: one by itself, in a log, or many in a list or an object.

| JSON text | recipes |
|---|---|
| `{"f": {"op": ..., "input": [...]}, ...}` | one |
| `{"recepie": "{\"f\": ...}", "recepie_id": 7, ...}`, a log of a training run of NAS-Bench-NLP | one, inside a text |
| `[..., ...]` of recipes and logs | one by each index, counted from 0 |
| `{"mine": {...}, "theirs": {...}}` of recipes and logs | one by each name |

The key of a log is spelled as in that release. A recipe is parsed only when its graph is asked for, so a mistake in one
does not affect the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from search.cells.errors import RecipeError
from search.cells.graph import GateGraph
from search.cells.notation import recipe
from search.cells.notation.recipe import JsonObject, graph_of_recipe, load_json, parse_recipe
from search.cells.text import quoted, shorten

MAX_CHARACTERS = 16 * 1024 * 1024
"""Longest text with several recipes. The 345 recipes of NAS-Bench-NLP that were trained on WikiText-2 have up to 949
characters each, so all of its 14,322 fit."""

_LOG = "recepie"
_NUMBER = "recepie_id"


@dataclass(frozen=True)
class RecipeEntry:
    """One recipe of a file, not parsed yet.

    `key` is its index in a list, its name in an object, or None in a file with one recipe. `number` is the number that
    a log gives to its recipe, None outside of a log.
    """

    key: int | str | None
    data: Any

    @property
    def number(self) -> int | None:
        """Number of the recipe in its benchmark, if a log states one."""
        found = self.data.get(_NUMBER) if _is_log(self.data) else None
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def graph(self) -> GateGraph:
        """Return the recipe's graph, neither pruned nor merged. Raises `RecipeError` as `parse_recipe` does."""
        if not _is_log(self.data):
            return graph_of_recipe(self.data)
        self.data.check()
        inner = self.data[_LOG]
        try:
            return parse_recipe(inner) if isinstance(inner, str) else graph_of_recipe(inner)
        except RecipeError as error:
            raise RecipeError(f"{_LOG!r} of the log: {error}") from None


def read_entries(text: str) -> list[RecipeEntry]:
    """Return the recipes of a JSON text in order.

    Raises:
        RecipeError: the text is too long, no JSON, or has no recipe.
    """
    data = load_json(text, MAX_CHARACTERS, "the JSON")
    if isinstance(data, list):
        if not data:
            raise RecipeError("the list is empty; a list of recipes has at least one")
        return [RecipeEntry(index, each) for index, each in enumerate(data)]
    if isinstance(data, JsonObject) and not _is_log(data) and _is_collection(data):
        data.check()
        return [RecipeEntry(name, each) for name, each in data.items()]
    if isinstance(data, JsonObject) and not _is_log(data) and len(text) > recipe.MAX_CHARACTERS:
        raise RecipeError(f"the recipe has {len(text)} characters; at most {recipe.MAX_CHARACTERS} are allowed")
    return [RecipeEntry(None, data)]


def choose(entries: Sequence[RecipeEntry], member: str | None) -> RecipeEntry:
    """Return the entry with this index or name; without one, the only entry of a file with one recipe.

    Raises:
        RecipeError: there is no such entry, or none is named where there are several.
    """
    first, count = entries[0], len(entries)
    if first.key is None:
        if member is not None:
            raise RecipeError(f"the file has one recipe, and no list in which to find {quoted(member)}; leave '#' out")
        return first
    several = f"a list of {count}" if isinstance(first.key, int) else f"an object of {count} recipes"
    example = quoted(f"FILE#{first.key}", 60)
    if member is None:
        raise RecipeError(
            f"this is {several}, not one recipe; name one of them as in {example}, or import all of them with "
            "'gatesearch import'"
        )
    if isinstance(first.key, int):
        if not (member.isascii() and member.isdigit()):
            raise RecipeError(f"this is {several}; after '#' give an index from 0 to {count - 1}, not {quoted(member)}")
        index = int(member[:20])
        if index >= count:
            raise RecipeError(f"this is {several}, without number {shorten(member, 20)}; give 0 to {count - 1}")
        return entries[index]
    found = next((entry for entry in entries if entry.key == member), None)
    if found is None:
        names = [str(entry.key) for entry in entries]
        near = get_close_matches(shorten(member), names, n=3)
        hint = f"did you mean {' or '.join(map(quoted, near))}?" if near else f"name one of them as in {example}"
        raise RecipeError(f"this is {several}, without {quoted(member)}; {hint}")
    return found


def _is_node(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("op"), str)


def _is_log(value: Any) -> bool:
    """Return whether this is a log: it has a recipe in a text, or as an object that is not itself a node."""
    inner = value.get(_LOG) if isinstance(value, JsonObject) else None
    return isinstance(inner, str) or (isinstance(inner, dict) and not _is_node(inner))


def _is_collection(value: JsonObject) -> bool:
    """Return whether this is an object of recipes or logs, possibly with mistakes, rather than one recipe."""
    values = value.values()
    return not any(map(_is_node, values)) and any(_is_recipe(each) or _is_log(each) for each in values)


def _is_recipe(value: Any) -> bool:
    """Return whether this looks like a recipe: an object with a node."""
    return isinstance(value, dict) and not _is_node(value) and any(_is_node(each) for each in value.values())

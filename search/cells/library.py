"""Library of published cells: look-up by name and by id.

The entries are data in `search.cells.published`, one file or more a family.
"""

import json
import re
from difflib import get_close_matches
from functools import cache
from importlib import resources

from search.cells.canonical import PRESENT, FormVersion
from search.cells.errors import UnknownCellError
from search.cells.graph import GateGraph
from search.cells.ids import short_id
from search.cells.notation.display import format_display
from search.cells.published import (
    continuous,
    found_by_search,
    gru,
    gru_gates,
    linear_attention,
    linear_minimal,
    linear_typed,
    lstm,
    lstm_composed,
    lstm_exponential,
    lstm_peephole,
    lstm_slim,
    multiplicative,
    plain,
    single_gate,
    single_gate_light,
    single_gate_shared,
)
from search.cells.published.entry import NamedCell
from search.cells.text import quoted, shorten

FAMILIES: dict[str, tuple[NamedCell, ...]] = {
    "plain": plain.CELLS,
    "lstm": (
        *lstm.CELLS,
        *lstm_composed.CELLS,
        *lstm_peephole.CELLS,
        *lstm_slim.CELLS,
        *lstm_exponential.CELLS,
    ),
    "gru": (*gru.CELLS, *gru_gates.CELLS),
    "single_gate": (*single_gate.CELLS, *single_gate_light.CELLS, *single_gate_shared.CELLS),
    "linear": (*linear_typed.CELLS, *linear_attention.CELLS, *linear_minimal.CELLS),
    "multiplicative": multiplicative.CELLS,
    "continuous": continuous.CELLS,
    "found_by_search": found_by_search.CELLS,
}
"""Published cells by family."""

LIBRARY: dict[str, NamedCell] = {cell.name: cell for cells in FAMILIES.values() for cell in cells}
"""Published cells by name, in the order of tables."""

assert len(LIBRARY) == sum(len(cells) for cells in FAMILIES.values()), "two cells have one name"

ALIASES: dict[str, str] = {
    shared.name.lower(): cell.name for cell in LIBRARY.values() for shared in cell.same_as if " " not in shared.name
}
"""Names of published cells by other published names of the same graphs, in lower case."""

assert LIBRARY.keys().isdisjoint(ALIASES), "another name of a cell is a cell's name"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")

FAMILY_OF: dict[str, str] = {cell.name: family for family, cells in FAMILIES.items() for cell in cells}
"""Family of each published cell, by name."""

STUDY: dict[str, NamedCell] = {
    name: LIBRARY[name]
    for name in (
        *("tanh", "lstm", "lstm-tanh-o", "lstm-f", "lstm-i", "lstm-o", "lstm-b", "lstm-ob"),
        *("gru", "gru-after", "mut1", "mut2", "mut3"),
    )
}
"""Cells of Jozefowicz et al. 2015, and `gru-after`: the baselines of a search unless its profile names others."""

REFERENCE = "gru"
"""Name of the cell that scores are ratios to."""

SEEDS = ("lstm", "gru")
"""Names of the cells that a search starts from (Jozefowicz et al. 2015, section 3.2)."""


def library_name(text: str) -> str | None:
    """Return the library's name of the cell that a text names, or None: papers write IndRNN, the library indrnn.

    Capitals, hyphens and underscores make no difference. Other published names of the same graph count, too.
    """
    return _spellings().get(_plain(text)) if _NAME.fullmatch(text) else None


@cache
def _spellings() -> dict[str, str]:
    return {_plain(name): known for name, known in [*((name, name) for name in LIBRARY), *ALIASES.items()]}


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def named_cell(name: str) -> NamedCell:
    """Return the cell with this name or other name.

    Raises:
        UnknownCellError: there is none; the message lists similar names.
    """
    known = library_name(name)
    if known is None:
        near = get_close_matches(shorten(name).lower(), LIBRARY, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`gatesearch cells` lists them"
        raise UnknownCellError(f"{quoted(name)} is not a named cell; {hint}")
    return LIBRARY[known]


def name_of(cell_id: str) -> str | None:
    """Return the library's name of the cell with this id, or None if it has none."""
    return _names().get(cell_id)


def names_by_id(digits: str) -> list[str]:
    """Return the library's names of the cells whose ids begin with these digits."""
    return [name for cell_id, name in _names().items() if cell_id.startswith(digits)]


def label_of(cell_id: str, name: str | None = None) -> str:
    """Return the label of a cell in tables and messages: the given name, the library's name, or the shortened id."""
    return name or name_of(cell_id) or short_id(cell_id)


def display_formula(graph: GateGraph) -> str:
    """Return a cell's formula for people: the authors' text of a named cell, else `format_display` of the graph.

    Parsing the text gives a graph with the same id. Raises `GraphError` as `GateGraph.canonical` does.
    """
    name = _names_in(graph.form).get(graph.id)
    return LIBRARY[name].formula if name else format_display(graph)


@cache
def _names_in(form: FormVersion) -> dict[str, str]:
    """Return the names of the library's cells by their ids in a canonical form; in earlier ones, of the study's."""
    if form is PRESENT:
        known = _ids()
        return {known.get(name) or cell.graph.id: name for name, cell in LIBRARY.items()}
    return {cell.written.in_form(form).id: name for name, cell in STUDY.items()}


def _ids() -> dict[str, str]:
    """Return the ids of published cells by name, which are stored because all of them take a second to compute."""
    found: dict[str, str] = json.loads((resources.files("search.cells.published") / "ids.json").read_text("utf-8"))
    return found


@cache
def _names() -> dict[str, str]:
    """Return the names of the library's cells by id; those of the study have their ids of earlier versions too."""
    return {cell: name for form in FormVersion for cell, name in _names_in(form).items()}


@cache
def ids_of(name: str) -> tuple[str, ...]:
    """Return the ids of a named cell: the present one, then those of earlier versions, which their stores have."""
    cell = LIBRARY[name]
    return tuple(dict.fromkeys(cell.written.in_form(form).id for form in reversed(FormVersion)))

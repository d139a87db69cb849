"""Cells in words: label, formula, and what a cell differs in from a named one or where it was published."""

from dataclasses import dataclass
from functools import lru_cache

from results.store.store import Store
from results.tables.leaderboard import displayed
from search.cells.difference import difference_of
from search.cells.errors import CellError
from search.cells.library import label_of, name_of, named_cell
from search.cells.notation.formula import parse_formula
from search.cells.published.citation import full_citation


@dataclass(frozen=True)
class Described:
    """A cell that the page describes.

    `id` is whole, `formula` has the authors' names if known. `difference` says what a found cell differs in from the
    nearest named cell, and `publication` what a published cell is and where it is from.
    """

    id: str
    label: str
    formula: str
    difference: str = ""
    publication: str = ""

    @property
    def about(self) -> tuple[str, ...]:
        """Sentences about the cell."""
        nearest = f"Nearest named cell: {self.difference}." if self.difference else ""
        return tuple(line for line in (nearest, self.publication) if line)


def described(store: Store, cell: str, name: str | None) -> Described:
    """Return a cell in words: a published one with its publication, any other with its difference."""
    formula = store.cell(cell).formula
    label, text = label_of(cell, name), displayed(formula, store.form)
    known = name_of(cell)
    if known is None:
        return Described(cell, label, text, difference=_difference(formula))
    published = named_cell(known)
    return Described(cell, label, text, publication=f"{published.title}. {full_citation(published.reference)}")


@lru_cache(maxsize=4096)
def _difference(formula: str) -> str:
    """Return the difference from the nearest named cell; empty if this version cannot read the formula.

    It is cached, since a page that is renewed while a search runs shows mostly the same cells.
    """
    try:
        return difference_of(parse_formula(formula))
    except CellError:
        return ""

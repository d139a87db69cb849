"""Types of the library's entries: a published cell, the paper it is from, and other names of the same graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from search.cells.graph import GateGraph
from search.cells.notation.formula import parse_formula


@dataclass(frozen=True, slots=True)
class Reference:
    """A publication.

    Attributes:
        key: Key of its BibTeX entry, such as "jozefowicz2015".
        authors: Authors, "Given Family" each.
        title: Title.
        year: Year of the first version.
        arxiv: arXiv identifier, or an empty text.
        doi: DOI, or an empty text.
        venue: Journal, conference or kind of report, or an empty text.
        url: Address, for what has neither arXiv identifier nor DOI.
    """

    key: str
    authors: tuple[str, ...]
    title: str
    year: int
    arxiv: str = ""
    doi: str = ""
    venue: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class SharedName:
    """Another published name of a cell with the same graph, and the publication that uses it."""

    name: str
    reference: Reference


@dataclass(frozen=True)
class NamedCell:
    """A published cell.

    Attributes:
        name: Name that people type.
        summary: One line on what distinguishes the cell.
        formula: Formula, in its authors' names.
        title: Full name.
        reference: Publication that the cell is from.
        verified: Source that the formula was compared with; empty if it is from memory.
        remarks: Facts to know about the entry, a sentence each.
        same_as: Other published names of the same graph.
    """

    name: str
    summary: str
    formula: str
    title: str
    reference: Reference
    verified: str = ""
    remarks: tuple[str, ...] = ()
    same_as: tuple[SharedName, ...] = ()

    @cached_property
    def written(self) -> GateGraph:
        """Graph of the formula as it is written."""
        return parse_formula(self.formula)

    @cached_property
    def graph(self) -> GateGraph:
        """Canonical graph of the formula."""
        return self.written.canonical()

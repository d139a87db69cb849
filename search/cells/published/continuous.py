"""Cells derived from differential equations."""

from search.cells.published.entry import NamedCell

CELLS: tuple[NamedCell, ...] = ()
"""Cells of the family."""

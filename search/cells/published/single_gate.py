"""Cells with one gate."""

from search.cells.published.entry import NamedCell

CELLS: tuple[NamedCell, ...] = ()
"""Cells of the family."""

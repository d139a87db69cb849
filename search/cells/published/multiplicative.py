"""Cells that multiply projections of the input and of the state."""

from search.cells.published.entry import NamedCell

CELLS: tuple[NamedCell, ...] = ()
"""Cells of the family."""

"""Gated linear recurrences, and cells without a matrix product in the loop."""

from search.cells.published.entry import NamedCell

CELLS: tuple[NamedCell, ...] = ()
"""Cells of the family."""

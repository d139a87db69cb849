"""Choice of rows of a leaderboard: by family and properties of the cell, and by the front of score against a cost."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import TYPE_CHECKING

from search.cells.library import FAMILIES, FAMILY_OF, name_of

if TYPE_CHECKING:  # the command line offers the names below, and pandas is slow to import
    import pandas as pd


class Front(StrEnum):
    """Cost of a front of the leaderboard, by the heading of its column."""

    PARAMETERS = "parameters"
    MULTIPLY_ADDS = "mult-adds"
    TIME = "time"


FAMILY_NAMES = tuple(family.replace("_", "-") for family in FAMILIES)
"""Families of published cells, as commands and tables write them."""


def family_of(cell: str) -> str | None:
    """Return the family of the published cell with this whole id, as in `FAMILY_NAMES`; None for any other cell."""
    name = name_of(cell)
    return None if name is None else FAMILY_OF[name].replace("_", "-")


def selected(
    frame: pd.DataFrame,
    *,
    families: Collection[str] = (),
    linear: bool = False,
    product_free: bool = False,
    front: Front | None = None,
) -> pd.DataFrame:
    """Return the rows of a whole leaderboard that pass all of these filters, in their order.

    Args:
        frame: the leaderboard; its index has the whole ids.
        families: families of published cells, as in `FAMILY_NAMES`; none means any cell.
        linear: whether to keep only cells that are linear in the state.
        product_free: whether to keep only cells without a matrix product in a loop through time.
        front: the cost whose Pareto front is kept.
    """
    import pandas as pd

    kept = pd.Series(True, frame.index)
    if families:
        kept &= pd.Series([family_of(str(cell)) in families for cell in frame.index], frame.index)
    if linear:
        kept &= frame["linear_in_state"].fillna(False).astype(bool)
    if product_free:
        kept &= (frame["loop_products"] == 0).fillna(False).astype(bool)
    if front is Front.TIME:
        kept &= frame["front_step_seconds"].astype(bool)
    elif front is not None:
        name = front.replace("mult-adds", "multiply_adds")
        kept &= pd.Series([isinstance(costs, str) and name in costs.split() for costs in frame["front"]], frame.index)
    return frame[kept]

"""Details of one cell of a run, which its page asks for when a row is opened."""

from pathlib import Path
from typing import Any

from results.dashboard.boards import Ranked
from results.report.described import described
from results.report.details import details
from results.scores.estimates import GRU, picks
from results.store.store import Store
from results.store.untouched import read_untouched

_NAMES = "SELECT id, name FROM cells WHERE id IN (?, ?)"


def cell_details(folder: Path, cell: str, ranked: Ranked) -> dict[str, Any] | None:
    """Return the details of a cell (its whole id) and of the GRU, as `results.report.details.details` does.

    Returns:
        The details, or None if the run has no such cell.

    Raises:
        ResultsError: the store cannot be read.
    """

    def read(store: Store) -> dict[str, Any] | None:
        names = dict(store.typed(_NAMES, {"id": str, "name": str | None}, (cell, GRU)))
        if cell not in names:
            return None
        shown = [described(store, one, names[one]) for one in dict.fromkeys((cell, GRU)) if one in names]
        return details(store, picks(store), shown, ranked(store))

    return read_untouched(folder, read)

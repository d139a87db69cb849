"""Graphs of stored cells."""

from results.store.errors import StoreError
from results.store.records import CellRow
from results.store.store import Store
from search.cells.canonical import ID_DIGITS, PRESENT, FormVersion
from search.cells.errors import CellError
from search.cells.graph import GateGraph
from search.cells.ids import cell_text, printed_id
from search.cells.notation.formula import parse_formula
from search.cells.text import quoted


def graph_of(row: CellRow) -> GateGraph:
    """Return the canonical graph of a stored cell's formula; in a store of an earlier version, in that version's form.

    Raises:
        StoreError: the formula is invalid, or that of another cell.
    """
    try:
        written = parse_formula(row.formula)
        for version in reversed(FormVersion):
            graph = written.in_form(version)
            if graph.id == row.id:
                return graph
    except CellError as error:
        raise StoreError(
            f"cell {_quoted_id(row)} has an invalid formula ({error}); restore the store from a backup"
        ) from error
    raise StoreError(
        f"the formula of cell {_quoted_id(row)} is that of {cell_text(written.id)}; restore the store from a backup"
    )


def present_ids(store: Store) -> dict[str, str]:
    """Return the ids that the cells of a store have in the present canonical form, by stored id, where they differ.

    Raises:
        StoreError: the store cannot be read, or a formula is invalid.
    """
    if store.form == PRESENT:
        return {}
    known = {row.id: graph_of(row).in_form(PRESENT).id for row in store.cells()}
    return {old: new for old, new in known.items() if old != new}


def _quoted_id(row: CellRow) -> str:
    return quoted(printed_id(row.id), ID_DIGITS + 1)

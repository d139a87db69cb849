"""Lineage of cells: ancestors, and the family tree from the given cells down."""

from collections.abc import Iterable
from dataclasses import dataclass

from results.store.errors import StoreError, damaged
from results.store.records import CellRow
from results.store.store import Store
from search.cells.ids import printed_id


@dataclass(frozen=True)
class Relative:
    """A cell of a family tree. `line`: the cell and its descendants while each has one child; `branches` come below."""

    line: tuple[CellRow, ...]
    branches: tuple["Relative", ...]


def ancestry(store: Store, cell: str) -> list[CellRow]:
    """Return the cell (a whole id) and its ancestors, the given cell first.

    Raises:
        StoreError: a cell is missing, or is its own ancestor.
    """
    found = {cell: store.cell(cell)}
    row = found[cell]
    while row.parent is not None:
        row = store.cell(row.parent)
        if row.id in found:
            raise StoreError(damaged(store.path, f"cell {printed_id(row.id)} is its own ancestor"))
        found[row.id] = row
    return list(found.values())[::-1]


def family_tree(store: Store, cells: Iterable[str]) -> list[Relative]:
    """Return the smallest trees that hold these cells (whole ids) and their ancestors; roots have no parent.

    Children are in the order of their proposals.

    Raises:
        StoreError: as `ancestry`.
    """
    rows: dict[str, CellRow] = {}
    for cell in cells:
        rows.update((row.id, row) for row in ancestry(store, cell))
    children: dict[str, list[CellRow]] = {}
    for row in rows.values():
        if row.parent is not None:
            children.setdefault(row.parent, []).append(row)
    for siblings in children.values():
        siblings.sort(key=lambda row: (row.proposal if row.proposal is not None else -1, row.id))

    def relative(row: CellRow) -> Relative:
        line = [row]
        while len(children.get(line[-1].id, ())) == 1:
            line += children[line[-1].id]
        return Relative(tuple(line), tuple(relative(child) for child in children.get(line[-1].id, ())))

    roots = sorted((row for row in rows.values() if row.parent is None), key=lambda row: (row.name or "", row.id))
    return [relative(row) for row in roots]

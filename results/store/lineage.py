"""Where cells come from: the family tree of some cells of a run, from the seeds down."""

from collections.abc import Iterable
from dataclasses import dataclass

from results.store.errors import StoreError, damaged
from results.store.records import CellRow
from results.store.store import Store


@dataclass(frozen=True)
class Relative:
    """A cell of a family tree. `line`: itself and those below it, as long as each has one child; then the branches."""

    line: tuple[CellRow, ...]
    branches: tuple["Relative", ...]


def ancestry(store: Store, cell: str) -> list[CellRow]:
    """The cell (a whole id) and its ancestors, the seed first. Raises `StoreError`, also for a cell of its own line."""
    found = {cell: store.cell(cell)}
    row = found[cell]
    while row.parent is not None:
        row = store.cell(row.parent)
        if row.id in found:
            raise StoreError(damaged(store.path, f"cell {row.id} is its own ancestor"))
        found[row.id] = row
    return list(found.values())[::-1]


def family_tree(store: Store, cells: Iterable[str]) -> list[Relative]:
    """The smallest trees that hold these cells (whole ids) and all their ancestors; a root is a cell without a parent.

    Children stand in the order in which they were proposed. Raises `StoreError`.
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

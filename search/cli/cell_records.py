"""Facts on named cells for JSON."""

from typing import Any

from search.cells.ids import printed_id
from search.cells.library import FAMILY_OF
from search.cells.loops import linear_in_state, loop_products
from search.cells.measure import measure
from search.cells.published.entry import NamedCell, Reference


def cell_record(cell: NamedCell) -> dict[str, Any]:
    """Return the facts on a named cell and its publication for JSON."""
    size = measure(cell.graph)
    return {
        "name": cell.name,
        "id": printed_id(cell.graph.id),
        "title": cell.title,
        "family": FAMILY_OF[cell.name].replace("_", "-"),
        "year": cell.reference.year,
        "reference": _publication(cell.reference),
        "same_as": [{"name": shared.name, "reference": _publication(shared.reference)} for shared in cell.same_as],
        "states": cell.graph.states,
        "matrix_products": size.products,
        "loop_products": loop_products(cell.graph),
        "linear_in_state": linear_in_state(cell.graph),
        "pointwise_operations": size.pointwise,
        "summary": cell.summary,
        "verified": cell.verified,
        "remarks": list(cell.remarks),
        "formula": cell.formula,
    }


def _publication(reference: Reference) -> dict[str, Any]:
    """Return the fields of a publication that are not empty."""
    fields = {name: getattr(reference, name) for name in Reference.__dataclass_fields__}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items() if value}

"""`gatesearch cells`: list the named cells."""

import json

import click
from rich.console import Console
from rich.table import Table

from search.cells.library import LIBRARY
from search.cells.measure import measure
from search.cells.text import short_id

_EPILOG = """\b
Examples:
  gatesearch cells
  gatesearch cells --json | jq '.[].formula'
"""


@click.command(epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects instead of a table.")
def cells(as_json: bool) -> None:
    """List the named cells: the study's baselines, its three best mutants, and variants that its claims refer to."""
    rows = []
    for cell in LIBRARY.values():
        size = measure(cell.graph)
        rows.append(
            {
                "name": cell.name,
                "id": cell.graph.id,
                "states": cell.graph.states,
                "matrix_products": size.products,
                "pointwise_operations": size.pointwise,
                "summary": cell.summary,
                "formula": cell.formula,
            }
        )
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("name", "id", "states", "products", "pointwise", "summary"):
        table.add_column(heading, justify="right" if heading in ("states", "products", "pointwise") else "left")
    for row in rows:
        table.add_row(
            str(row["name"]),
            short_id(str(row["id"])),
            str(row["states"]),
            str(row["matrix_products"]),
            str(row["pointwise_operations"]),
            str(row["summary"]),
        )
    Console(emoji=False).print(table)

"""`gatesearch cells`: list the named cells."""

import re

import click

from search.cells.ids import short_id
from search.cells.library import FAMILIES, FAMILY_OF, LIBRARY
from search.cells.loops import linear_in_state, loop_products
from search.cells.measure import measure
from search.cells.published.citation import bibtex_entry, references_of
from search.cells.published.entry import NamedCell
from search.cli.cell_records import cell_record
from search.cli.display import output_console
from search.cli.json_output import print_json
from search.cli.tables import print_table
from search.core.errors import SearchError

_FAMILY = {family.replace("_", "-"): family for family in FAMILIES}

_SUMMARY = 30
"""Least columns of the summaries, which are wrapped; where there are fewer, other columns are left out."""

_EPILOG = """\b
Examples:
  gatesearch cells
  gatesearch cells --no-loop-products --year 2016-2018
  gatesearch cells --family lstm --family gru
  gatesearch cells --linear --bibtex > linear.bib
  gatesearch cells --json | jq '.[].formula'
"""


@click.command(epilog=_EPILOG)
@click.option(
    "--family",
    "families",
    multiple=True,
    type=click.Choice(list(_FAMILY)),
    metavar="FAMILY",
    help=f"Cells of this family: {', '.join(_FAMILY)}.",
)
@click.option("--year", "year", metavar="YEAR", help="Cells published in this year: 2016, 2016-2018.")
@click.option("--linear", is_flag=True, help="Cells that are linear in the state.")
@click.option("--no-loop-products", is_flag=True, help="Cells without a matrix product in a loop through time.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects instead of a table.")
@click.option("--bibtex", is_flag=True, help="Print BibTeX entries of the publications instead of a table.")
def cells(
    families: tuple[str, ...], year: str | None, linear: bool, no_loop_products: bool, as_json: bool, bibtex: bool
) -> None:
    """List the named cells: published ones, each with the publication it is from.

    In the table, products are matrix products for each step, and loop counts those whose result has an effect on their
    own input at later steps; all others are computed for all steps at once. A cell is linear in the state if every
    state follows a recurrence s' = a * s + b, element by element, where a and b do not depend on s. Several options
    choose the cells that all of them choose; --family can be given more than once.
    """
    if as_json and bibtex:
        raise SearchError("--json and --bibtex are two forms of output; leave one out")
    years = None if year is None else _years(year)
    wanted = {_FAMILY[family] for family in families} or set(FAMILIES)
    chosen = [
        cell
        for cell in LIBRARY.values()
        if FAMILY_OF[cell.name] in wanted
        and (years is None or cell.reference.year in years)
        and (not linear or linear_in_state(cell.graph))
        and (not no_loop_products or loop_products(cell.graph) == 0)
    ]
    if as_json:
        print_json([cell_record(cell) for cell in chosen])
    elif bibtex:
        for reference in references_of(chosen):
            click.echo(bibtex_entry(reference))
    else:
        _print(chosen)


def _years(text: str) -> range:
    match = re.fullmatch(r"([0-9]{4})(?:-([0-9]{4}))?", text)
    if match is None or int(match[2] or match[1]) < int(match[1]):
        raise SearchError(f"--year {text!r}: give a year or a range, such as 2016 or 2016-2018")
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def _print(chosen: list[NamedCell]) -> None:
    console = output_console()
    if chosen:
        numbers = ("year", "states", "products", "loop")
        dropped = ("loop", "linear", "products", "states", "year", "id")
        print_table(console, list(map(_texts, chosen)), right=numbers, droppable=dropped, wrapped={"summary": _SUMMARY})
    console.print(f"\n{len(chosen)} of {len(LIBRARY)} named cells", highlight=False)


def _texts(cell: NamedCell) -> dict[str, str]:
    """Return the row of a cell, by heading."""
    return {
        "name": cell.name,
        "id": short_id(cell.graph.id),
        "year": str(cell.reference.year),
        "states": str(cell.graph.states),
        "products": str(measure(cell.graph).products),
        "loop": str(loop_products(cell.graph)),
        "linear": "yes" if linear_in_state(cell.graph) else "",
        "summary": cell.summary,
    }

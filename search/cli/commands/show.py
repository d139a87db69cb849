"""`gatesearch show`: show one cell."""

from pathlib import Path
from typing import Any

import click

from results.store.files import write_atomically
from results.store.sanitize import printable
from search.cells.difference import describe, nearest_named
from search.cells.drawing.files import FORMATS, file_content
from search.cells.drawing.picture import draw_formula
from search.cells.drawing.tree import draw_tree
from search.cells.ids import printed_id
from search.cells.library import name_of, named_cell
from search.cells.loops import linear_in_state, loop_products
from search.cells.measure import measure
from search.cells.notation.display import format_display
from search.cells.notation.formula import parse_written
from search.cells.published.citation import bibtex_entry, full_citation, references_of
from search.cells.published.entry import NamedCell
from search.cells.recognition import describe_flipped, flipped_gates
from search.cells.simplify import live_states
from search.cells.text import state_name
from search.cells.wrapping import wrapped
from search.cli.cell_records import cell_record
from search.cli.completion import complete_cells, complete_runs
from search.cli.display import output_console
from search.cli.json_output import print_json
from search.cli.outputs import UserPath, check_free, force_option
from search.core.errors import SearchError
from search.engine.cell_lookup import FoundCell, find_cell, in_run, lineage


@click.command(
    epilog="""\b
Examples:
  gatesearch show gru
  gatesearch show my.cell --units 128
  gatesearch show "h' = tanh(linear(x) + h)"
  gatesearch show 3fa2 --run quick-1
  gatesearch show mut1 --kernels
  gatesearch show lstm -o lstm.svg
  gatesearch show lstm -o lstm.pdf           or .png, or .tex for TikZ
  gatesearch show gru --bibtex
  gatesearch show 3fa2 --json | jq .nearest
"""
)
@click.argument("cell", shell_complete=complete_cells)
@click.option(
    "--units", default=128, show_default=True, type=click.IntRange(1, 65536), help="Units for the parameter count."
)
@click.option(
    "--run",
    metavar="RUN",
    shell_complete=complete_runs,
    help="Run to search for the id, and source of the lineage.  [default: all runs, for ids]",
)
@click.option(
    "-o",
    "--output",
    type=UserPath(dir_okay=False, path_type=Path),
    help="Draw the cell into this file: .svg, .png, .pdf, or .tex (TikZ).",
)
@click.option("--no-legend", is_flag=True, help="With --output: leave out the legend below the drawing.")
@force_option
@click.option("--bibtex", is_flag=True, help="Print only the BibTeX entries of a published cell.")
@click.option("--kernels", is_flag=True, help="Show the compiled steps, the derived backward pass and machine code.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object with the facts instead of text.")
def show(
    cell: str,
    units: int,
    run: str | None,
    output: Path | None,
    no_legend: bool,
    force: bool,
    bibtex: bool,
    kernels: bool,
    as_json: bool,
) -> None:
    """Show CELL: formula, size, publication or difference from the nearest named cell, a text diagram, and lineage.

    A cell whose id is that of a published cell is shown with its publication, whatever its own name.

    The diagram is a tree: an operator joins the entries below it. W is a matrix that multiplies a value computed from
    the input alone, U any other matrix.

    CELL is a named cell (`gatesearch cells`), a formula in quotes, a file with a formula or a recipe (cells.json#7 is
    one recipe of a list), or the first digits of the id of a cell in a run.
    """
    if as_json and (bibtex or kernels):
        raise SearchError(f"--json and {'--bibtex' if bibtex else '--kernels'} are mutually exclusive; leave one out")
    found = in_run(find_cell(cell, run), run)
    formula, canonical = found.formula, format_display(found.graph)
    if output is not None:
        if output.suffix.lower() not in FORMATS:
            raise SearchError(f"--output {str(output)!r}: give a name that ends in {', '.join(FORMATS)}")
        check_free(output, force)
        drawing = draw_formula(formula, f"the cell {found.label}", legend=not no_legend)
        write_atomically(output, file_content(drawing, output))
    published = named_cell(name) if (name := name_of(found.graph.id)) else None
    if bibtex:
        if published is None:
            raise SearchError(f"{found.label!r} is not a published cell; `gatesearch cells` lists those")
        for reference in references_of([published]):
            click.echo(bibtex_entry(reference))
        return
    if as_json:
        print_json(_record(found, published, units))
        return
    size = measure(found.graph)
    click.echo(f"{printable(found.label)}  (id {printed_id(found.graph.id)})\n")
    click.echo(_indent(formula))
    if formula.strip() != canonical:
        click.echo("\ncanonical form:\n")
        click.echo(_indent(canonical))
    click.echo(f"\nstates                {size.states} ({', '.join(_state_names(formula, size.states))})")
    click.echo(f"matrix products       {size.products} per step")
    click.echo(f"products in loops     {loop_products(found.graph)} per step")
    click.echo(f"pointwise operations  {size.pointwise} per step")
    click.echo(f"parameters            {size.parameters(units):,} per layer of {units} units")
    click.echo(f"linear in the state   {'yes' if linear_in_state(found.graph) else 'no'}")
    if published is not None:
        click.echo()
        gates = flipped_gates(parse_written(formula).graph, published) if found.label != published.name else []
        for line in _publication(published, found.label, gates):
            click.echo(line)
    else:
        near = nearest_named(found.graph)[1]
        edits = f"{near.distance} edit{'' if near.distance == 1 else 's'}"
        click.echo(f"nearest named cell    {near.name} ({edits if near.proven else f'at most {edits}'})")
        click.echo(_indent("\n".join(wrapped(describe(near), _width(100) - 4))))
    click.echo("\ndiagram:")
    click.echo(_indent(draw_tree(formula)))
    for line in _lineage(found):
        click.echo(printable(line))
    if output is not None:
        click.echo(f"\ndrawn in {printable(str(output))}")
    if kernels:
        from search.kernels.explain import explain  # the code generator is slow to import

        click.echo("\n" + explain(found.graph))


def _state_names(formula: str, states: int) -> list[str]:
    """Return the names of the states of a formula that `states` vectors are left of."""
    written = parse_written(formula)
    names = [written.states[state] for state in live_states(written.graph)]
    if len(names) != states:  # the terms of a sum cancel, and with them some state
        return [state_name(state) for state in range(states)]
    return names


def _record(found: FoundCell, published: NamedCell | None, units: int) -> dict[str, Any]:
    """Return the facts on a cell for JSON."""
    size = measure(found.graph)
    near = None if published is not None else nearest_named(found.graph)[1]
    return {
        "label": found.label,
        "id": printed_id(found.graph.id),
        "run": found.run,
        "formula": found.formula,
        "canonical_formula": format_display(found.graph),
        "states": _state_names(found.formula, size.states),
        "matrix_products": size.products,
        "loop_products": loop_products(found.graph),
        "pointwise_operations": size.pointwise,
        "units": units,
        "parameters": size.parameters(units),
        "linear_in_state": linear_in_state(found.graph),
        "published": None if published is None else cell_record(published),
        "nearest": None
        if near is None
        else {"name": near.name, "edits": near.distance, "proven": near.proven, "difference": describe(near)},
        "lineage": [
            {
                "cell": step.cell,
                "parents": [step.parent] if step.other is None else [step.parent, step.other],
                "proposal": step.proposal,
                "transformations": step.transformations,
            }
            for step in lineage(found)
        ],
    }


def _indent(text: str) -> str:
    return "\n".join(f"    {printable(line)}" for line in text.expandtabs().splitlines())


def _publication(cell: NamedCell, label: str, flipped: list[str]) -> list[str]:
    """Return the lines on the publication of a cell with this id, and the gates that the shown formula has flipped."""
    named = cell.title if cell.name == label else f"{cell.name}, {cell.title}"
    named = f"{named}, {describe_flipped(flipped)}" if flipped else named
    parts = [("published as", named), ("reference", full_citation(cell.reference))]
    parts += [("also published as", f"{shared.name}: {full_citation(shared.reference)}") for shared in cell.same_as]
    parts.append(("verified by", cell.verified or "nothing, the formula is from memory"))
    parts += [("remark", remark) for remark in cell.remarks]
    indent = " " * 22
    return [line for name, text in parts for line in wrapped(f"{name:22}{text}", _width(110), indent)]


def _width(most: int) -> int:
    """Return the columns of lines of words: those of the terminal, and at most so many."""
    return min(output_console().width, most)


def _lineage(found: FoundCell) -> list[str]:
    """Return the lines on the cell's lineage, from the cell back to a seed."""
    lines = []
    for step in lineage(found):
        lines.append(f"    {step.cell} from {step.parents} (proposal {step.proposal}):")
        lines += [f"        {transformation}" for transformation in step.transformations]
    return ["", f"lineage in run {found.run}:", *lines] if lines else []

"""`gatesearch show`: one cell."""

from pathlib import Path

import click

from results.store.files import write_atomically
from results.store.sanitize import printable
from search.cells.canonical import live_states
from search.cells.drawing.picture import draw_formula
from search.cells.drawing.tree import draw_tree
from search.cells.measure import measure
from search.cells.notation.formula import format_formula, parse_written
from search.cli.names import FoundCell, find_cell, in_run, lineage
from search.cli.outputs import check_free
from search.core.errors import SearchError


@click.command(
    epilog="""\b
Examples:
  gatesearch show gru
  gatesearch show my.cell --units 128
  gatesearch show 3fa2 --run quick-1
  gatesearch show mut1 --kernels
  gatesearch show lstm -o lstm.svg
"""
)
@click.argument("cell")
@click.option("--units", default=128, show_default=True, type=click.IntRange(1, 65536), help="Size to count for.")
@click.option(
    "--run", metavar="RUN", help="The run of the cell and its lineage; without it, ids are looked for in all."
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Draw the cell into this file, as SVG."
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@click.option("--kernels", is_flag=True, help="Show what becomes of it: steps, derived backward, machine code.")
def show(cell: str, units: int, run: str | None, output: Path | None, force: bool, kernels: bool) -> None:
    """Show CELL: formula, states, parameters, matrix products and pointwise operations, a picture in words, lineage.

    In the picture, W and U are matrices (W where the input alone decides what they are multiplied by), and a sign
    joins what stands below it.

    CELL is a named cell (`gatesearch cells`), a file with a formula, or the first digits of the id of a run's cell.
    """
    found = in_run(find_cell(cell, run), run)
    formula = found.formula or format_formula(found.graph)
    if output is not None:
        if output.suffix.lower() != ".svg":
            raise SearchError(f"--output {str(output)!r}: drawings are SVG; give a name that ends in .svg")
        check_free(output, force)
        write_atomically(output, draw_formula(formula, f"the cell {found.label}"))
    size = measure(found.graph)
    click.echo(f"{printable(found.label)}  (id {found.graph.id})\n")
    click.echo(_indent(formula))
    if found.formula is not None and found.formula.strip() != format_formula(found.graph):
        click.echo("\ncanonical form:\n")
        click.echo(_indent(format_formula(found.graph)))
    written = parse_written(formula)
    names = [written.states[state] for state in live_states(written.graph)]
    click.echo(f"\nstates                {size.states} ({', '.join(names)})")
    click.echo(f"matrix products       {size.products} a step")
    click.echo(f"pointwise operations  {size.pointwise} a step")
    click.echo(f"parameters            {size.parameters(units):,} a layer of {units} units")
    click.echo("\npicture:")
    click.echo(_indent(draw_tree(formula)))
    for line in _lineage(found):
        click.echo(printable(line))
    if output is not None:
        click.echo(f"\ndrawn in {printable(str(output))}")
    if kernels:
        from search.kernels.explain import explain  # the code generator is not needed to show a formula

        click.echo("\n" + explain(found.graph))


def _indent(text: str) -> str:
    return "\n".join(f"    {printable(line)}" for line in text.expandtabs().splitlines())


def _lineage(found: FoundCell) -> list[str]:
    """From the cell back to a seed: each ancestor and what was done to it."""
    lines = []
    for row, parent in lineage(found):
        lines.append(f"    {row.name or row.id[:8]} from {parent.name or parent.id[:8]} (proposal {row.proposal}):")
        lines += [f"        {mutation}" for mutation in row.mutations]
    return ["", f"lineage in run {found.run}:", *lines] if lines else []

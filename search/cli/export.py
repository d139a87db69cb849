"""`gatesearch export`: a cell to take away, as PyTorch, as a recipe or as a formula."""

from importlib.metadata import version
from pathlib import Path

import click

from results.estimates import picks
from results.files import write_atomically
from search.cells.export import export_module
from search.cells.formula import format_formula
from search.cells.library import LIBRARY, name_of
from search.cells.recipe import format_recipe
from search.cli.names import FoundCell, find_cell, lineage, open_run
from search.errors import SearchError

_EPILOG = """\b
Examples:
  gatesearch export gru                          to read it
  gatesearch export lstm-b -o lstm_b.py          then: from lstm_b import LSTMB
  gatesearch export my.cell -o my_cell.py --force
  gatesearch export 3fa2 --run quick-1 -o found.py
  gatesearch export mut1 --to json -o mut1.json  then: gatesearch show mut1.json

\b
The class that is written is used as torch.nn.LSTM is:
  cell = LSTMB(input_size=64, hidden_size=128, num_layers=2)
  output, (h_n, c_n) = cell(x)
"""


@click.command(epilog=_EPILOG)
@click.argument("cell")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; else the screen.")
@click.option(
    "--to",
    type=click.Choice(["python", "json", "formula"]),
    default="python",
    show_default=True,
    help="A PyTorch module, a recipe of NAS-Bench-NLP, or a formula.",
)
@click.option("--run", metavar="RUN", help="The run that an id is looked for in; without it, all runs, latest first.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def export(cell: str, output: Path | None, to: str, run: str | None, force: bool) -> None:
    """Write CELL as a PyTorch module that needs nothing but PyTorch, or as a recipe or formula that is read back here.

    Arguments, shapes, states and packed sequences are those of torch.nn.LSTM; the names in the code are those of the
    formula. Its docstring says where the cell comes from and, for a cell of a run, how it scored there.

    A recipe is the JSON of NAS-Bench-NLP; cells that it has no words for (relu, initial biases) are refused.

    CELL is a named cell (`gatesearch cells`), a file with a formula or a recipe, or the first digits of the id of a
    run's cell.
    """
    found = find_cell(cell, run)
    _free(output, force)
    if to == "json":
        text = format_recipe(found.graph) + "\n"
    elif to == "formula":
        text = formula_of(found) + "\n"
    else:
        text = export_module(formula_of(found), found.label, tuple(_origin(found))).text
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text)


def formula_of(found: FoundCell) -> str:
    """As its authors wrote it where that is known, else the canonical form."""
    name = name_of(found.graph.id)
    return found.formula or (LIBRARY[name].formula if name else format_formula(found.graph))


def _free(output: Path | None, force: bool) -> None:
    """That the file may be written. Raises `SearchError`."""
    if output is not None and output.exists() and not force:
        raise SearchError(f"{str(output)!r} exists and is not overwritten; give another name, or --force")


def _origin(found: FoundCell) -> list[str]:
    """Where a cell comes from and how it scored, a paragraph each."""
    name = name_of(found.graph.id)
    known = f", the named cell {name}: {LIBRARY[name].summary}" if name else ""
    paragraphs = [f"Written by gatesearch {version('gatesearch')}; cell {found.graph.id[:8]}{known}."]
    if found.run is None or found.row is None:
        return paragraphs
    steps = [
        f"{row.name or row.id[:8]} from {parent.name or parent.id[:8]} (proposal {row.proposal}): "
        f"{'; '.join(row.mutations)}"
        for row, parent in lineage(found)
    ]
    if steps:
        paragraphs.append(f"Found in run {found.run}; from the cell back to a seed:")
        paragraphs.append("\n".join(f"    {step}" for step in steps))
    scores = _scores(found.run, found.row.id)
    if scores:
        paragraphs.append(f"Best setting by validation in run {found.run}: {'; '.join(scores)}.")
    return paragraphs


def _scores(run: str, cell: str) -> list[str]:
    with open_run(run) as store:
        best = picks(store)
        metrics = dict(store.select("SELECT DISTINCT task, metric FROM trials"))
        made_up = " (simulated: made up)" if store.simulated else ""
    own = best[best["cell"] == cell].sort_values("task")
    return [
        f"{row.task} {str(metrics[row.task]).replace('_', ' ')} {row.validation:.4f} on validation, "
        f"{row.test:.4f} on test{made_up}"
        for row in own.itertuples()
    ]

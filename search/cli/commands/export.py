"""`gatesearch export`: write a cell as a PyTorch or Equinox module, a recipe or a formula."""

from pathlib import Path

import click

from results.store.files import write_atomically
from search.cells.export.equinox import export_equinox
from search.cells.export.module import export_module
from search.cells.export.names import check_class_name
from search.cells.notation.recipe import format_recipe
from search.cells.text import quoted
from search.cli.completion import complete_cells, complete_runs
from search.cli.outputs import UserPath, check_free, force_option
from search.core.errors import SearchError
from search.engine.cell_lookup import FoundCell, find_cell, in_run
from search.engine.trust import task_of_run
from search.profiles.loading import profile_of

_EPILOG = """\b
Examples:
  gatesearch export gru                       print it
  gatesearch export lstm-b -o lstm_b.py       then: from lstm_b import LSTMB
  gatesearch export my.cell -o my_cell.py --force
  gatesearch export 3fa2 --run quick-1 -o found.py
  gatesearch export 3fa2 --task xml --weights w.safetensors -o f.py
  gatesearch export mut1 --to json -o m.json  then: gatesearch show m.json
  gatesearch export gru --name Reader --bidirectional -o reader.py
  gatesearch export gru --to equinox -o gru_jax.py

\b
Use the exported class like torch.nn.LSTM:
  cell = LSTMB(input_size=64, hidden_size=128, num_layers=2)
  output, (h_n, c_n) = cell(x)
"""


@click.command(epilog=_EPILOG)
@click.argument("cell", shell_complete=complete_cells)
@click.option(
    "-o", "--output", type=UserPath(dir_okay=False, path_type=Path), help="File to write.  [default: print it]"
)
@click.option(
    "--to",
    type=click.Choice(["python", "equinox", "json", "formula"]),
    default="python",
    show_default=True,
    help="A PyTorch module, an Equinox module for JAX, a NAS-Bench-NLP recipe, or a formula.",
)
@click.option("--name", metavar="CLASS", help="Name of the class.  [default: made from the name or id of the cell]")
@click.option("--bidirectional", is_flag=True, help="Let the PyTorch class go both ways by default.")
@click.option(
    "--run",
    metavar="RUN",
    shell_complete=complete_runs,
    help="Run to search for the id.  [default: all runs, latest first]",
)
@click.option(
    "--weights",
    type=UserPath(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Retrain the cell's best trial on --task, and write its weights (.safetensors).",
)
@click.option(
    "--task",
    help="Task of the run, for --weights. MODULE:CLASS for a task of the run's author; its code is then imported.",
)
@click.option(
    "--repeat",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Trial for --weights: 0 is the search's, 1, 2, ... a finalist's.",
)
@force_option
def export(
    cell: str,
    output: Path | None,
    to: str,
    name: str | None,
    bidirectional: bool,
    run: str | None,
    weights: Path | None,
    task: str | None,
    repeat: int,
    force: bool,
) -> None:
    """Write CELL as a PyTorch module that depends only on PyTorch, as an Equinox module, a recipe or a formula.

    The PyTorch class has the arguments, shapes, states and packed sequences of torch.nn.LSTM, and the names of the
    formula; CLASSCell beside it is one time step. torch.jit.script, torch.compile, torch.export and ONNX take it,
    for sequences of any length. Its docstring gives the cell's origin and, for a cell of a run, its setting,
    scores and verdict there.

    The Equinox module has the same equations and names, and from_torch, which takes over a PyTorch state dict.

    With --weights, the module has a second class: the trained network with embedding and readout. A run stores no
    weights, so the trial is retrained. This takes as long as the trial did, and gives the same numbers if versions and
    processor are the same.

    A recipe is JSON in the format of NAS-Bench-NLP, which cannot express relu and initial biases. Recipes and formulas
    can be given as CELL.

    CELL is a named cell (`gatesearch cells`), a formula in quotes, a file with a formula or a recipe, or the first
    digits of the id of a cell in a run.
    """
    if to in ("json", "formula") and name is not None:
        raise SearchError(f"--name {quoted(name)} is for a module, which --to {to} is not; leave it out")
    if to != "python" and bidirectional:
        raise SearchError(f"--bidirectional is for --to python, not --to {to}; leave it out")
    if weights is not None and bidirectional:
        raise SearchError("--bidirectional does not go with --weights: runs train one way; leave one of them out")
    if name is not None:
        check_class_name(name)
    found = in_run(find_cell(cell, run), run)
    check_free(output, force)
    check_free(weights, force)
    if weights is None and task is None and repeat:
        raise SearchError(f"--repeat {repeat} is for --weights; add --weights FILE and --task, or leave it out")
    if weights is not None or task is not None:
        text = _with_weights(found, to, name, run, output, weights, task, repeat)
    elif to == "json":
        text = format_recipe(found.graph) + "\n"
    elif to == "formula":
        text = found.formula + "\n"
    else:
        from search.engine.cell_origin import describe_origin  # imports pandas, which is slow

        origin = tuple(describe_origin(found))
        if to == "equinox":
            text = export_equinox(found.formula, found.label, origin, name=name)
        else:
            text = export_module(found.formula, found.label, origin, name=name, bidirectional=bidirectional).text
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text)


def _with_weights(
    found: FoundCell,
    to: str,
    name: str | None,
    run: str | None,
    output: Path | None,
    weights: Path | None,
    task: str | None,
    repeat: int,
) -> str:
    """Retrain the trial, write its weights, and return the text of the module."""
    run = found.run or run
    if weights is None or task is None or run is None or to != "python":
        raise SearchError("trained weights need --weights FILE, --task and --run, and --to python; add what is missing")
    if weights.suffix != ".safetensors":
        raise SearchError(f"--weights {str(weights)!r}: give a name that ends in .safetensors")
    if output is not None and output.absolute() == weights.absolute():
        raise SearchError(f"--output and --weights are both {str(weights)!r}; give the module another name")
    from results.store.runs import open_run
    from search.engine.trial_weights import export_network, retrain_stored, stored_trial  # imports PyTorch

    with open_run(run) as store:
        trial = stored_trial(store, found, task_of_run(store, profile_of(store), task, "--task"), repeat)
    row = trial.row
    click.echo(
        f"retraining {found.label} on {trial.task}: {row.steps:,} steps, {row.seconds:.0f} s in the run", err=True
    )
    trained = retrain_stored(trial)
    if not trained.as_stored:
        click.echo(
            f"warning: the validation metric is {trained.result.validation:.6g}, but {row.validation:.6g} in the run: "
            "versions, processor, commit or data differ from those of the run",
            err=True,
        )
    return export_network(trained, weights, name)

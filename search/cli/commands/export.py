"""`gatesearch export`: a cell to take away, as PyTorch, as a recipe or as a formula."""

from importlib.metadata import version
from pathlib import Path

import click

from results.scores.estimates import picks
from results.store.files import write_atomically
from results.store.records import TrialRow
from results.store.sanitize import printable
from results.store.store import Store
from results.tables.leaderboard import leaderboard
from search.cells.export.module import export_module
from search.cells.library import LIBRARY, name_of
from search.cells.notation.formula import format_formula
from search.cells.notation.recipe import format_recipe
from search.cli.loading import task_of_run
from search.cli.names import FoundCell, find_cell, in_run, lineage, open_run
from search.cli.outputs import check_free
from search.core.errors import SearchError
from search.profiles.loading import profile_of
from search.profiles.tasks import load_task_of
from search.training.settings import Setting

_EPILOG = """\b
Examples:
  gatesearch export gru                          to read it
  gatesearch export lstm-b -o lstm_b.py          then: from lstm_b import LSTMB
  gatesearch export my.cell -o my_cell.py --force
  gatesearch export 3fa2 --run quick-1 -o found.py
  gatesearch export 3fa2 --run quick-1 --task xml --weights xml.safetensors -o f.py
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
@click.option(
    "--weights",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Train the cell's best trial on --task again, and write its weights (.safetensors).",
)
@click.option(
    "--task",
    help="The task of the run that --weights are for; one of its author's by MODULE:CLASS, which is then imported.",
)
@click.option(
    "--repeat", default=0, show_default=True, type=click.IntRange(0), help="0: the search's; else a finalist's."
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def export(
    cell: str,
    output: Path | None,
    to: str,
    run: str | None,
    weights: Path | None,
    task: str | None,
    repeat: int,
    force: bool,
) -> None:
    """Write CELL as a PyTorch module that needs nothing but PyTorch, or as a recipe or formula that is read back here.

    Arguments, shapes, states and packed sequences are those of torch.nn.LSTM; the names in the code are those of the
    formula. Its docstring says where the cell comes from and, for a cell of a run, how it scored there.

    With --weights, the file has a second class: the whole network that was trained, with embedding and readout. A run
    keeps no weights; the trial is trained again, which takes as long as it took, and gives the same numbers.

    A recipe is the JSON of NAS-Bench-NLP; cells that it has no words for (relu, initial biases) are refused.

    CELL is a named cell (`gatesearch cells`), a file with a formula or a recipe, or the first digits of the id of a
    run's cell.
    """
    found = in_run(find_cell(cell, run), run)
    check_free(output, force)
    check_free(weights, force)
    if weights is None and task is None and repeat:
        raise SearchError(f"--repeat {repeat} is of trained weights; add --weights FILE and --task, or leave it out")
    if weights is not None or task is not None:
        text = _with_weights(found, to, run, output, weights, task, repeat)
    elif to == "json":
        text = format_recipe(found.graph) + "\n"
    elif to == "formula":
        text = formula_of(found) + "\n"
    else:
        text = export_module(formula_of(found), found.label, tuple(_origin(found))).text
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text)


def _with_weights(
    found: FoundCell,
    to: str,
    run: str | None,
    output: Path | None,
    weights: Path | None,
    task: str | None,
    repeat: int,
) -> str:
    """Train the trial again, write its weights, and return the module's text."""
    run = found.run or run
    if weights is None or task is None or run is None or to != "python":
        raise SearchError("trained weights need --weights FILE, --task and the --run of the cell, and --to python")
    if weights.suffix != ".safetensors":
        raise SearchError(f"--weights {str(weights)!r}: give a name that ends in .safetensors")
    if output is not None and output.absolute() == weights.absolute():
        raise SearchError(f"--output and --weights are both {str(weights)!r}; give the module another name")
    from search.engine.engine import budgets
    from search.training.weights import is_same, module_weights, network_of, train_again, write_weights

    with open_run(run) as store:
        profile = profile_of(store)
        task = task_of_run(store, profile, task, "--task")
        row = _trial(store, found, task, repeat)
        name = printable(store.name)  # not its path: the files are there to be passed on
    setting = Setting.from_key(row.setting)
    loaded = load_task_of(profile, task)
    click.echo(f"training again: {found.label} on {task}, {row.steps:,} steps, {row.seconds:.0f} s then", err=True)
    trained = train_again(found.graph, loaded, setting, budgets(profile)[task], row.seed)
    if trained.model is None:
        raise SearchError(f"trained again, the trial {trained.result.state}: {trained.result.reason}")
    same = is_same(trained.result, row.curve, row.validation)
    if not same:
        click.echo(
            f"warning: trained again, validation is {trained.result.validation:.6g} and was {row.validation:.6g}: "
            "versions, processor, commit or data are not those of the run",
            err=True,
        )
    told = (
        f"Trained on {task} in run {name}: {row.setting}, seed {row.seed}; {row.metric.replace('_', ' ')} "
        f"{trained.result.validation:.6g} on validation, {trained.result.test:.6g} on test."
    )
    network = network_of(trained.model, weights)
    exported = export_module(formula_of(found), found.label, (*_origin(found), told), network)
    metadata = {
        "cell": found.graph.id,
        "run": name,
        "task": task,
        "setting": row.setting,
        "seed": str(row.seed),
        "repeat": str(row.repeat),
        "metric": row.metric,
        "validation": repr(trained.result.validation),
        "test": repr(trained.result.test),
        "as_stored": str(same).lower(),
        "gatesearch": version("gatesearch"),
    }
    write_weights(weights, module_weights(trained.model, exported.blocks), metadata)
    return exported.text


def _trial(store: Store, found: FoundCell, task: str, repeat: int) -> TrialRow:
    """The best trial of a cell on a task by validation, or a finalist's at that setting."""
    if store.simulated:
        raise SearchError(f"run {store.name!r} is simulated: no cell was trained, so there are no weights")
    best = picks(store)
    own = best[(best["cell"] == found.graph.id) & (best["task"] == task)]
    known = sorted(set(best["task"][best["cell"] == found.graph.id]))
    if own.empty:
        hint = f"it has some on {', '.join(known)}" if known else "it has none at all"
        raise SearchError(f"cell {found.label} has no result on {task!r} in run {store.name!r}; {hint}")
    row = store.trial(found.graph.id, task, str(own["setting"].iloc[0]), repeat)
    if row is None or row.validation is None:
        raise SearchError(
            f"cell {found.label} has no result of repeat {repeat} on {task!r} in run {store.name!r}; give 0"
        )
    return row


def formula_of(found: FoundCell) -> str:
    """As its authors wrote it where that is known, else the canonical form."""
    name = name_of(found.graph.id)
    return found.formula or (LIBRARY[name].formula if name else format_formula(found.graph))


def _origin(found: FoundCell) -> list[str]:
    """Where a cell comes from and how it scored, a paragraph each."""
    name = name_of(found.graph.id)
    known = f", the named cell {name}: {LIBRARY[name].summary}" if name else ""
    paragraphs = [f"Written by gatesearch {version('gatesearch')}; cell {found.graph.id[:8]}{known}."]
    if found.run is None or found.row is None:
        return paragraphs
    with open_run(found.run) as store:
        run = printable(store.name)
    steps = [
        f"{row.name or row.id[:8]} from {parent.name or parent.id[:8]} (proposal {row.proposal}): "
        f"{'; '.join(row.mutations)}"
        for row, parent in lineage(found)
    ]
    if steps:
        paragraphs.append(f"Found in run {run}; from the cell back to a seed:")
        paragraphs.append("\n".join(f"    {step}" for step in steps))
    return [*paragraphs, *_scores(found.run, found.row.id)]


def _scores(run: str, cell: str) -> list[str]:
    """What the run found of a cell: its score in the table, and its best trial on each task."""
    with open_run(run) as store:
        ranked = profile_of(store).ranked
        name, table = printable(store.name), leaderboard(store, ranked)
        best = picks(store)
        metrics = dict(store.typed("SELECT DISTINCT task, metric FROM trials", {"task": str, "metric": str}))
        made_up = " (simulated: made up)" if store.simulated else ""
    own = best[best["cell"] == cell].sort_values("task")
    tasks = [
        f"{row.task} {str(metrics[row.task]).replace('_', ' ')} {row.validation:.4f} on validation, "
        f"{row.test:.4f} on test{made_up}"
        for row in own.itertuples()
    ]
    line = table[table.index == cell]
    score = "" if line.empty or line["score"].isna().all() else f"score {line['score'].iloc[0]:.4f}, "
    rank = f"rank {line['rank'].iloc[0]:.0f} of {table['rank'].count()} " if score else ""
    told = (
        [f"In run {name}: {score}{rank}(the smallest ratio to the GRU on {', '.join(ranked)}{made_up})."]
        if score
        else []
    )
    return [*told, f"Best setting by validation in run {name}: {'; '.join(tasks)}."] if tasks else told

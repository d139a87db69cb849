"""`gatesearch train`: train one cell on one task, and show its learning curve."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from results.store.graphs import graph_of
from results.store.runs import open_run
from results.store.sanitize import printable
from results.store.words import MEMORIZATION, TrialState
from search.cells.graph import GateGraph
from search.cells.ids import printed_id, short_id
from search.cli.completion import complete_cells, complete_profiles, complete_runs, complete_tasks
from search.cli.descriptions import summary_line, warnings_of
from search.cli.display import duration, output_console, say, warn
from search.cli.json_output import print_json
from search.cli.plots import line_plot
from search.cli.running import quiet_option, warn_without_machine_code
from search.cli.slow_imports import slow_imports
from search.cli.streams import reserved_output
from search.cli.task_options import option, task_options
from search.core.errors import SearchError
from search.engine.cell_lookup import FoundCell, find_cell, in_run
from search.engine.trust import imported_paths, task_of_run
from search.kernels.optimisers import OPTIMISERS, OptimiserName
from search.profiles.fields import Scalar
from search.profiles.loading import load_profile, profile_of
from search.training.settings import Setting
from tasks.task import Metric, Task

if TYPE_CHECKING:  # imports PyTorch, which is slow, as what the functions below import
    from search.engine.repetition import Repetition
    from search.engine.single import Overrides, SingleTrial
    from search.training.trial import Point, TrialResult

_EPILOG = """\b
Examples:
  gatesearch train gru xml
  gatesearch train lstm-b arithmetic --learning-rate 0.5 --epochs 20
  gatesearch train gru language --optimiser adamw --learning-rate 0.002
  gatesearch train my.cell language --parameters 500000 --seed 1
  gatesearch train 3fa2 music --run quick-1             the run's trial again
  gatesearch train 3fa2 music --run quick-1 --epochs 50 the same, but longer
  gatesearch train gru xml --json | jq .test
"""


@click.command(epilog=_EPILOG)
@click.argument("cell", shell_complete=complete_cells)
@click.argument("task", shell_complete=complete_tasks)
@click.option(
    "--profile",
    shell_complete=complete_profiles,
    help="Profile for task sizes, settings and budget.  [default: the run's, or quick]",
)
@click.option(
    "--run",
    metavar="RUN",
    shell_complete=complete_runs,
    help="Train the cell as this run did: with its setting, seed, budget and data.",
)
@click.option("--scale", type=click.FloatRange(0, min_open=True), help="Scale of the initial weights.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="Initial learning rate.")
@click.option("--max-norm", type=click.FloatRange(0, min_open=True), help="Norm to which gradients are clipped.")
@click.option("--optimiser", type=click.Choice([name.value for name in OptimiserName]), help="Optimiser.")
@click.option("--weight-decay", type=click.FloatRange(0, 1), help="Weight decay of adamw.")
@click.option("--dropout", type=click.FloatRange(0, 0.99), help="Share of inputs and outputs of layers left out.")
@click.option("--variational/--no-variational", default=None, help="Variational dropout, of recurrent units too.")
@click.option("--tied/--untied", default=None, help="Use the embedding's matrix for the readout.")
@click.option("--layers", type=click.IntRange(1, 16), help="Number of layers.")
@click.option(
    "--parameters", "parameter_budget", type=click.IntRange(1), help="Parameter budget; determines the number of units."
)
@click.option("--epochs", type=click.IntRange(1), help="Maximum number of epochs.")
@click.option("--epoch-steps", type=click.IntRange(1), help="Training steps per epoch.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Random seed.  [default: the run's trial's, or 0]")
@click.option("--data", metavar="PATH", help="Read the task's data from this file or folder.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object; progress goes to standard error.")
@quiet_option("the result")
@option
def train(
    cell: str,
    task: str,
    profile: str | None,
    run: str | None,
    seed: int | None,
    data: str | None,
    options: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Train CELL on TASK once, and print its learning curve and its validation and test metrics.

    Options that are not given come from the profile; where its grid has a list of values, the middle one is used. TASK
    is a task of the profile, another task by name, or package.module:MyTask. CELL is a named cell (`gatesearch cells`),
    a formula in quotes, a file with a formula or a recipe, or the first digits of the id of a cell in a run.

    With --run, the search's best trial of CELL on TASK is trained again: its setting, seed, budget and data are the
    run's, unless an option changes them, and the first line says what is not the run's.
    """
    found = find_cell(cell, run)
    with slow_imports():
        from search.engine.single import Overrides, plan_trial

    overrides, extra = Overrides(**given), task_options(options, data)
    with reserved_output() if as_json else nullcontext() as reserved:
        console = output_console(stderr=as_json)
        progress = output_console(stderr=as_json, quiet=quiet)
        if run is None:
            chosen = _Chosen(plan_trial(load_profile(profile or "quick"), task, overrides, extra), found.graph)
        else:
            chosen = _of_run(in_run(found, run), task, run, profile, seed, overrides, extra)
        _announce(progress, found, task, chosen)
        for warning in warnings_of(task, chosen.trial.task):
            warn(console, warning)
        warn_without_machine_code(console)
        trial, again = chosen.trial, chosen.again

        def on_epoch(point: Point) -> None:
            _show_epoch(progress, point, trial.task.metric)

        result = again.train(chosen.graph, on_epoch) if again else trial.train(chosen.graph, seed or 0, on_epoch)
        if reserved is not None:
            print_json(_record(found, chosen, seed or 0, result), reserved)
        elif not quiet:
            _show_curve(result, trial.task.metric, console.width)
        _show_result(console, result, trial.task)
        if again is not None and not again.changed:
            _compare(console, again, result)


@dataclass(frozen=True)
class _Chosen:
    """Trial to be trained, the graph of its cell, and what the first line says of the run."""

    trial: SingleTrial
    graph: GateGraph
    again: Repetition | None = None
    note: str = ""


def _announce(console: Console, found: FoundCell, task: str, chosen: _Chosen) -> None:
    """Print what is trained, with what, and on what data."""
    trial, setting, metric = chosen.trial, chosen.trial.setting, chosen.trial.task.metric
    say(
        console,
        f"{found.label} ({short_id(found.graph.id)}) on {trial.task.name}, {metric.name} ({metric.unit}){chosen.note}",
    )
    console.print(
        f"{_special(setting)}initial scale {setting.scale:g}, learning rate {setting.learning_rate:g}, "
        f"gradient norm at most {setting.max_norm:g}, layers {setting.layers}, "
        f"a budget of {setting.parameter_budget:,} parameters, at most {trial.budget.steps:,} steps",
        highlight=False,
    )
    say(console, summary_line(trial.task.name if chosen.again else task, trial.task))


def _record(found: FoundCell, chosen: _Chosen, seed: int, result: TrialResult) -> dict[str, Any]:
    """Return a trial and its result for JSON. A run's trial has a seed of its own in place of the user's."""
    trial, again = chosen.trial, chosen.again
    task, budget = trial.task, trial.budget
    metric = task.metric
    views = {view.name: view.of(result.test) for view in metric.views if result.test is not None}
    return {
        "cell": found.label,
        "id": printed_id(chosen.graph.id),
        "task": task.name,
        "metric": metric.name,
        "unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
        "checksum": task.checksum,
        "setting": asdict(trial.setting),
        "most_steps": budget.steps,
        "epoch_steps": budget.epoch_steps,
        "seed": None if again else seed,
        "trial_seed": str(
            again.seed if again else trial.seed_of(chosen.graph.id, seed)
        ),  # not exact as a number in JSON
        "state": result.state,
        "reason": result.reason,
        "validation": result.validation,
        "validation_se": result.validation_se,
        "test": result.test,
        "test_se": result.test_se,
        "test_in_other_units": views,
        "other_metrics": [asdict(other) for other in result.others],
        "baseline": task.baseline_name,
        "constant_baseline": task.constant_baseline(),
        "best_step": result.best_step,
        "steps": result.steps,
        "seconds": result.seconds,
        "units": result.units,
        "parameters": result.parameters,
        "curve": [asdict(point) for point in result.curve],
        "repeats_the_run": None if again is None or again.changed else again.is_repeated(result),
    }


def _of_run(
    found: FoundCell,
    task: str,
    run: str,
    profile: str | None,
    seed: int | None,
    overrides: Overrides,
    options: dict[str, Scalar],
) -> _Chosen:
    """Return the run's trial of the cell on the task, or one by the run's profile if it has none."""
    from search.engine.repetition import repetition_of
    from search.engine.single import plan_trial

    with open_run(run) as store:
        name, own = printable(store.name), profile_of(store)
        is_own = task in (MEMORIZATION, *own.tasks) or task in imported_paths(own).values()
        key = task_of_run(store, own, task, "TASK") if is_own else task
        again = None
        if profile is None and found.row is not None and is_own:
            again = repetition_of(store, own, found.row.id, key, overrides=overrides, options=options, seed=seed)
        simulated = store.simulated
    if again is not None:
        assert found.row is not None
        same = f"; the trial of run {name} again"
        changed = f"; like the trial of run {name}, but not the run's: {', '.join(again.changed)}"
        return _Chosen(again.trial, graph_of(found.row), again, changed if again.changed else same)
    if profile is not None:
        why = f"not the run's trial, but by profile {profile}"
    elif simulated:
        why = f"not the run's trial, since run {name} is simulated: the middle of its grid"
    else:
        why = f"not the run's trial, since run {name} has none with a result: the middle of its grid"
    trial = plan_trial(own if profile is None else load_profile(profile), key, overrides, options)
    return _Chosen(trial, found.graph, note=f"; {why}")


def _compare(console: Console, again: Repetition, result: TrialResult) -> None:
    """Say whether the stored trial was repeated."""
    if again.is_repeated(result):
        say(console, "equal to the run's trial: the learning curve and the metric, to the last digit")
        return
    validation = "no result" if again.row.validation is None else f"validation {again.row.validation:.4f}"
    warn(
        console,
        f"the run's trial has {validation} after {again.row.steps:,} steps, which training did not repeat: versions, "
        "processor or commit differ from those of the run",
    )


def _special(setting: Setting) -> str:
    """Return what a setting has beside the study's hyperparameters, for the start of a line; nothing for none."""
    found = []
    if setting.optimiser is not OptimiserName.SGD:
        decay = f" with weight decay {setting.weight_decay:g}" if OPTIMISERS[setting.optimiser].decays else ""
        found.append(f"{setting.optimiser}{decay}")
    if setting.dropout:
        found.append(f"{'variational ' if setting.variational else ''}dropout {setting.dropout:g}")
    if setting.tied:
        found.append("tied embedding")
    return "".join(f"{text}, " for text in found)


def _show_epoch(console: Console, point: Point, metric: Metric) -> None:
    console.print(
        f"step {point.step:>7,}  training loss {point.loss:.4f} nats  validation {metric.name} {point.validation:.4f}",
        highlight=False,
    )


def _show_curve(result: TrialResult, metric: Metric, width: int) -> None:
    if len(result.curve) < 2:
        return
    steps, values = [point.step for point in result.curve], [point.validation for point in result.curve]
    click.echo(line_plot(f"validation {metric.name}", "training steps", steps, values, width=width, height=16))


def _show_result(console: Console, result: TrialResult, task: Task) -> None:
    metric = task.metric
    say(
        console,
        f"{result.state}: {result.reason}; {result.steps:,} steps in {duration(result.seconds)}, "
        f"{result.units} units, {result.parameters:,} parameters",
    )
    if result.validation is None or result.test is None:
        if result.state is TrialState.DIVERGED:
            raise SearchError("the trial diverged, so it has no result; try a smaller learning rate or initial scale")
        raise SearchError(f"the trial failed ({result.reason}); change the option or the file that this names")
    direction = "higher" if metric.higher_is_better else "lower"
    say(
        console,
        f"{metric.name}: validation {result.validation:.4f} ± {result.validation_se:.4f} at step "
        f"{result.best_step:,}, test {result.test:.4f} ± {result.test_se:.4f} "
        f"({direction} is better; {task.baseline_name} {task.constant_baseline():.4f} on validation)",
    )
    for line in other_numbers(result, metric):
        say(console, line)


def other_numbers(result: TrialResult, metric: Metric) -> list[str]:
    """Return the test metric of a trial in its other units, and the other metrics, a line each."""
    lines = [
        f"test {view.name} {view.of(result.test):.4f} ({view.unit})" for view in metric.views if result.test is not None
    ]
    return lines + [f"test {other.name} {other.test:.4f} ± {other.test_se:.4f}" for other in result.others]

"""`gatesearch train`: one trial, with its curve."""

from typing import Any

import click
import plotext
import torch
from rich.console import Console

from search.cli.display import duration, say
from search.cli.names import find_cell
from search.core.errors import SearchError
from search.core.keys import trial_seed
from search.profiles.loading import load_profile
from search.profiles.sections import MEMORIZATION, MemorizationSection, Profile, TaskSection
from search.training.schedule import Budget
from search.training.settings import Grid, Setting
from search.training.trial import Point, TrialResult, train_trial
from tasks.registry import load_task
from tasks.task import Metric

_EPILOG = """\b
Examples:
  gatesearch train gru xml
  gatesearch train lstm-b arithmetic --learning-rate 0.5 --epochs 20
  gatesearch train my.cell language --parameters 500000 --seed 1
  gatesearch train 3fa2 music --run quick-1 --profile overnight
"""


@click.command(epilog=_EPILOG)
@click.argument("cell")
@click.argument("task")
@click.option("--profile", default="quick", show_default=True, help="Where sizes and budget come from.")
@click.option("--run", metavar="RUN", help="The run that an id is looked for in.")
@click.option("--scale", type=click.FloatRange(0, min_open=True), help="Initial scale.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="Learning rate.")
@click.option("--max-norm", type=click.FloatRange(0, min_open=True), help="Longest gradient.")
@click.option("--layers", type=click.IntRange(1, 16), help="Layers.")
@click.option("--parameters", type=click.IntRange(1), help="Parameter budget; the units follow from it.")
@click.option("--epochs", type=click.IntRange(1), help="Epochs at most.")
@click.option("--epoch-steps", type=click.IntRange(1), help="Training steps an epoch.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**63 - 1), help="Seed of the trial.")
@click.option("--data", metavar="PATH", help="Let the task read your files.")
def train(cell: str, task: str, profile: str, run: str | None, seed: int, data: str | None, **given: Any) -> None:
    """Train CELL on TASK once, show its learning curve, and print validation and test.

    What is not given comes from the profile; of its grid, the middle of each list. TASK is a task of the profile, any
    other by name, or package.module:MyTask.
    """
    console = Console()
    found = find_cell(cell, run)
    chosen = load_profile(profile)
    section = _section(chosen, task)
    options = dict(section.options) | ({"data": data} if data is not None else {})
    name = section.task if isinstance(section, TaskSection) and section.task else task
    loaded = load_task(name, **options)
    setting = _setting(chosen.grid_of(section), given)
    target = section.accuracy if isinstance(section, MemorizationSection) else None
    budget = _budget(section, given, target)
    torch.set_num_threads(1)
    metric = loaded.metric
    say(console, f"{found.label} ({found.graph.id[:8]}) on {loaded.name}, {metric.name} ({metric.unit})")
    console.print(
        f"scale {setting.scale:g}, learning rate {setting.learning_rate:g}, norm at most {setting.max_norm:g}, "
        f"{setting.layers} layer(s), {setting.parameter_budget:,} parameters at most; up to {budget.steps:,} steps",
        highlight=False,
    )
    result = train_trial(
        found.graph,
        loaded,
        setting,
        budget,
        trial_seed(seed, found.graph.id, loaded.name, setting.key, 0),
        on_epoch=lambda point: _show_epoch(console, point, metric),
    )
    _show_curve(result, metric, console.width)
    _show_result(console, result, metric, loaded.constant_baseline())


def _section(profile: Profile, task: str) -> TaskSection | MemorizationSection:
    if task == MEMORIZATION:
        return profile.memorization
    if task in profile.tasks:
        return profile.tasks[task]
    # A task that the profile does not have is trained as its first one is.
    first = next(iter(profile.tasks.values()))
    return TaskSection(task=task, parameters=first.parameters, grid=first.grid, schedule=first.schedule)


def _setting(grid: Grid, given: dict[str, Any]) -> Setting:
    def pick(name: str, values: tuple[Any, ...]) -> Any:
        return given[name] if given[name] is not None else sorted(values)[len(values) // 2]

    return Setting(
        pick("scale", grid.scales),
        pick("learning_rate", grid.learning_rates),
        pick("max_norm", grid.max_norms),
        pick("layers", grid.layers),
        pick("parameters", grid.parameter_budgets),
    )


def _budget(section: TaskSection | MemorizationSection, given: dict[str, Any], target: float | None) -> Budget:
    budget = section.schedule.budget(target)
    values = {name: given[name] for name in ("epochs", "epoch_steps") if given[name] is not None}
    return Budget(**{**budget.__dict__, **values})


def _show_epoch(console: Console, point: Point, metric: Metric) -> None:
    console.print(
        f"step {point.step:>7,}  training loss {point.loss:.4f} nats  validation {metric.name} {point.validation:.4f}",
        highlight=False,
    )


def _show_curve(result: TrialResult, metric: Metric, width: int) -> None:
    if len(result.curve) < 2:
        return
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(min(width, 90), 16)
    figure.title(f"validation {metric.name}")
    figure.label("training steps")
    curve = figure.signal([p.step for p in result.curve], [p.validation for p in result.curve], marker="braille")
    figure.draw(curve.lines())
    click.echo(plotext.uncolorize(str(figure.build())))


def _show_result(console: Console, result: TrialResult, metric: Metric, constant_baseline: float) -> None:
    console.print(
        f"{result.state}: {result.reason}; {result.steps:,} steps in {duration(result.seconds)}, "
        f"{result.units} units, {result.parameters:,} parameters",
        highlight=False,
        soft_wrap=True,
    )
    if result.validation is None or result.test is None:
        raise SearchError(f"the trial {result.state} and has no result; try a smaller learning rate or scale")
    direction = "higher" if metric.higher_is_better else "lower"
    console.print(
        f"validation {result.validation:.4f} ± {result.validation_se:.4f} at step {result.best_step:,}, "
        f"test {result.test:.4f} ± {result.test_se:.4f} "
        f"({direction} is better; constant baseline {constant_baseline:.4f})",
        highlight=False,
        soft_wrap=True,
    )

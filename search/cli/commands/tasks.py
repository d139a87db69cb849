"""`gatesearch tasks`: list the tasks, or print samples of one."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any, TextIO

import click

from results.store.sanitize import printable
from search.cli.completion import complete_profiles, complete_tasks
from search.cli.descriptions import ceiling_of, description_json, description_table, summary_line, warnings_of
from search.cli.display import output_console, say, warn
from search.cli.json_output import print_json
from search.cli.plots import target_plots
from search.cli.streams import reserved_output
from search.cli.tables import print_table
from search.cli.task_options import option, task_options
from search.core.errors import SearchError
from search.profiles.fields import Scalar
from search.profiles.loading import load_profile
from search.profiles.sections import Profile
from search.profiles.tasks import load_named_task, path_of, section_of, task_names
from tasks.checking import check_task
from tasks.registry import TASKS, missing_extra, needs_data, parameters_of, task_class
from tasks.task import Split
from tasks.watch import OwnCode

_EPILOG = """\b
Examples:
  gatesearch tasks
  gatesearch tasks --profile paper --json
  gatesearch tasks arithmetic --samples 3
  gatesearch tasks package.module:MyTask
  gatesearch tasks package.module:MyTask --check
  gatesearch tasks language --data FOLDER
  gatesearch tasks series --data FILE.csv --option horizon=24
"""


@click.command(epilog=_EPILOG)
@click.argument("name", shell_complete=complete_tasks, required=False)
@click.option(
    "--profile",
    default="quick",
    show_default=True,
    shell_complete=complete_profiles,
    help="Profile for the sizes of the tasks.",
)
@click.option("--samples", default=2, show_default=True, type=click.IntRange(1, 50), help="Number of samples of NAME.")
@click.option("--data", metavar="PATH", help="Read the data of NAME from this file or folder.")
@option
@click.option("--check", is_flag=True, help="Check every rule of tasks, and print what was checked.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects instead of a table.")
def tasks(
    name: str | None,
    profile: str,
    samples: int,
    data: str | None,
    options: tuple[str, ...],
    check: bool,
    as_json: bool,
) -> None:
    """List the tasks with the sizes of a profile: metric, output size, and baselines that use no input.

    With NAME, a task or package.module:MyTask, also print what was read, by split, and samples of its sequences, or a
    plot of real values. Tasks that only read files of yours are listed without numbers, unless the profile names the
    files. With --check, read several hundred windows in several shapes instead, and check batches, sets and attributes;
    what breaks a rule is an error.
    """
    if data is not None and name is None:
        raise SearchError(f"--data {data!r} needs the name of a task, as in: gatesearch tasks language --data {data}")
    if options and name is None:
        raise SearchError(f"--option {options[0]!r} needs the name of a task, as in: gatesearch tasks series")
    given = task_options(options, data)
    with reserved_output() if as_json else nullcontext() as reserved:
        _show(name, load_profile(profile), samples, given, check, reserved)


def _show(
    name: str | None, chosen: Profile, samples: int, given: dict[str, Scalar], check: bool, output: TextIO | None
) -> None:
    """Print the tasks as tables, or as JSON to `output`."""
    names = [name] if name is not None else list(dict.fromkeys([*TASKS, *task_names(chosen)]))
    lacking = {} if name is not None else {each: what for each in names if (what := _lacks(chosen, each))}
    names = [each for each in names if each not in lacking]
    if check:
        _check(chosen, names, given, output)
        return
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    warnings: list[str] = []
    for task_name in names:
        task = load_named_task(chosen, task_name, given)
        rows.append(
            {
                "name": task_name,
                "metric": task.metric.name,
                "unit": task.metric.unit,
                "higher_is_better": task.metric.higher_is_better,
                "input": task.interface.input,
                "input_size": task.input_size,
                "output": task.output,
                "output_size": task.output_size,
                "baseline": task.baseline_name,
                "constant_baseline": task.constant_baseline(),
                "ceiling": ceiling_of(task, Split.VALIDATION),
                "uniform_loss_nats": task.uniform_loss(),
                "parameters": parameters_of(task),
                "checksum": task.checksum,
                "summary": task.summary,
                "splits": description_json(task),
            }
        )
        lines.append(summary_line(task_name, task))
        warnings += warnings_of(task_name, task)
    if output is not None:
        empty = dict.fromkeys(rows[0])
        rows += [empty | {"name": each, "summary": TASKS[each].summary} for each in lacking]
        print_json(rows, output)
        return
    console = output_console()
    numbers = ("outputs", "baseline", "ceiling", "uniform, nats")
    print_table(console, list(map(_texts, rows)), right=numbers, droppable=numbers[::-1])
    console.print()
    for row in rows:
        say(console, f"{row['name']}: {row['summary']}")
    for each, what in lacking.items():
        say(console, f"{each}, which needs {what}: {TASKS[each].summary}")
    console.print()
    if name is not None:
        console.print(description_table(task))
        console.print()
    for line in lines:
        say(console, line)
    for warning in warnings:
        warn(console, warning)
    console.print(
        "↑ higher is better, ↓ lower is better; baseline: the best constant prediction on validation, of series and "
        "frames of speech the naive forecast, which repeats the last value; ceiling: the best value on average that "
        "any predictor could reach there; uniform: the loss of equal probabilities per step in the loss mask; steps of "
        "training + validation + test",
        style="dim",
    )
    if name is not None:
        with OwnCode(task, "label"):
            plots = target_plots(task, console.width)
        for plot in plots:
            click.echo("\n" + plot)
        if plots:
            return
        batch = next(task.evaluation(Split.VALIDATION, samples, 60))
        for column in range(min(samples, batch.inputs.shape[1])):
            with OwnCode(task, "render"):
                text = task.render(batch, column)
            click.echo("\n" + "\n".join(map(printable, text.split("\n"))))


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the row of a task in the table, by heading."""
    return {
        "task": str(row["name"]),
        "metric": f"{row['metric']} {'↑' if row['higher_is_better'] else '↓'}",
        "outputs": f"{row['output_size']:,}",
        "baseline": f"{row['constant_baseline']:.4f}",
        "ceiling": "" if row["ceiling"] is None else f"{row['ceiling']:.4f}",
        "uniform, nats": f"{row['uniform_loss_nats']:.4f}",
    }


def _lacks(profile: Profile, name: str) -> str:
    """Return what a task needs to be read: files that the profile does not name, or an extra; empty for nothing."""
    in_profile = name in task_names(profile)
    kind = task_class(path_of(profile, name)) if in_profile else TASKS[name]
    if needs_data(kind) and not (in_profile and "data" in section_of(profile, name).options):
        return "--data PATH"
    extra = None if in_profile else missing_extra(kind)
    return f"pip install 'gatesearch[{extra}]'" if extra else ""


def _check(profile: Profile, names: list[str], given: Mapping[str, Scalar], output: TextIO | None) -> None:
    """Check tasks, and print what was checked, as JSON to `output` if it is given.

    Raises:
        TaskError: a rule is broken; the first one is named.
    """
    rows = []
    for name in names:
        found = check_task(load_named_task(profile, name, given), thorough=True)
        sets = {part.name: {k: v for k, v in asdict(part).items() if k != "name"} for part in found.sets}
        rows.append({"name": name, "sets": sets, "unpicklable": found.unpicklable, "checked": found.lines()})
        if output is None:
            click.echo("\n  ".join([f"{name}: no rule is broken", *found.lines()]))
    if output is not None:
        print_json(rows, output)

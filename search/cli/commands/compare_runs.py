"""`gatesearch compare-runs`: put two runs side by side."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from results.store.runs import open_run
from results.store.sanitize import printable
from results.store.words import Evidence
from search.cells.ids import printed_id
from search.cells.text import counted, shorten
from search.cli.completion import complete_runs, complete_tasks
from search.cli.display import duration, output_console, say, warn
from search.cli.json_output import print_json
from search.cli.run_argument import two_runs
from search.cli.slow_imports import slow_imports
from search.cli.tables import print_table

if TYPE_CHECKING:  # imports pandas, which is slow
    from search.engine.run_comparison import Changes, RunComparison, RunSide

TOP = 20
"""Cells that are shown by default."""

FIELDS = 12
"""Fields of the profiles that are shown."""

_FULL = 100
"""Width of a terminal from which on numbers have four decimals."""

_EPILOG = """\b
Examples:
  gatesearch compare-runs quick-1 quick-2
  gatesearch compare-runs                        the latest two
  gatesearch compare-runs quick-1 quick-2 --task xml
  gatesearch compare-runs here/run copied/run --top 100
  gatesearch compare-runs quick-1 quick-2 --json | jq .trials
"""


@click.command(name="compare-runs", epilog=_EPILOG)
@click.argument("first", metavar="[A]", required=False, shell_complete=complete_runs)
@click.argument("second", metavar="[B]", required=False, shell_complete=complete_runs)
@click.option(
    "--task",
    metavar="TASK",
    shell_complete=complete_tasks,
    help="Compare the metric of this task.  [default: the score]",
)
@click.option(
    "--top",
    default=TOP,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of cells to show, best in A first.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object with everything, all cells included.")
def compare_runs(first: str | None, second: str | None, task: str | None, top: int, as_json: bool) -> None:
    """Compare runs A and B: what they were made of, their verdicts, and the cells and trials that both have.

    The profile, data, versions, processor and commit are compared as they were when the runs began. Trials are the same
    if cell, task, setting and random seed are: of those that ended in both runs it is told how many have equal numbers.

    B - A is the difference of the score, or of the metric of --task, with its standard error as if the errors of the
    two runs were independent. In brackets are estimates of the search, which have no error and are biased in favour of
    the cell. Ranks are those by score. No test is made: `gatesearch finalists` confirms cells on fresh seeds.

    A and B are names in results/runs (or in GATESEARCH_RUNS), or paths of runs' folders. Without B, A is compared with
    the latest run; without both, the latest two are compared.
    """
    with slow_imports():
        from search.engine.run_comparison import compare_stores

    a, b = two_runs(first, second)
    with open_run(a) as store, open_run(b) as other:
        found = compare_stores(store, other, task)
    if as_json:
        print_json(_record(found))
        return
    console = output_console()
    _print(console, found, top)


def _print(console: Console, found: RunComparison, top: int) -> None:
    console.print(_sides(found, console.width))
    console.print()
    for letter, side in (("A", found.a), ("B", found.b)):
        say(console, f"{letter}: {side.verdict.text}", indent="   ")
    console.print()
    if found.profile:
        console.print(_profile(found.profile))
    for line in _lines(found):
        say(console, line)
    console.print()
    _warn(console, found)
    if found.cells.empty:
        say(console, "no cell has a result in both runs")
        return
    what = "score" if found.task is None else f"test {found.metric} of {found.task}"
    better = "higher" if found.higher else "lower"
    say(console, f"{counted(len(found.cells), 'cell')} in both, {_correlation(found)}")
    say(console, f"{what}, {better} is better; best in A first:")
    digits = _digits(found, 4 if console.width >= _FULL else 3)
    rows = [_texts(row, digits) for row in found.cells.head(top).to_dict("records")]
    numbers = ("rank A", "rank B", "A", "B", "B - A")
    print_table(console, rows, right=numbers, droppable=numbers[:-1])
    if len(found.cells) > top:
        say(console, f"{len(found.cells) - top:,} more: --top {len(found.cells)}, or --json")


def _sides(found: RunComparison, width: int) -> Table:
    own, other = _facts(found.a), _facts(found.b)
    names = [printable(side.name) for side in (found.a, found.b)]
    folders = [name.rpartition("/")[2] for name in names]
    if max(map(len, own)) + sum(len(name) + len("  A: ") for name in names) > width and folders[0] != folders[1]:
        names = folders  # whole paths do not fit
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", f"A: {names[0]}", f"B: {names[1]}"):
        table.add_column(heading, overflow="fold")
    for name, value in own.items():
        table.add_row(name, printable(value), printable(other[name]))
    return table


def _facts(side: RunSide) -> dict[str, str]:
    """Return the rows of a run in the table of both."""
    of = side.overview
    planned = "" if of.planned is None else f" of {of.planned:,}"
    best = ""
    if side.best is not None:
        there = side.best.rank_there
        score = f"{side.best.score:.4f}" if side.best.retrained else f"({side.best.score:.4f})"
        best = f"{side.best.label} {score}, {f'rank {there}' if there else 'no rank'} in the other"
    changed = datetime.fromtimestamp(of.changed, UTC).strftime("%Y-%m-%d %H:%M")
    return {
        "state": f"{of.state}{', simulated' if of.simulated else ''}",
        "started": "" if side.started is None else side.started.replace("T", " ").removesuffix("Z")[:16],
        "last written": changed,
        "strategy": of.strategy or "",
        "seed": str(side.seed),
        "proposals": f"{of.proposals or 0:,}{planned}",
        "trials": f"{of.trials or 0:,}, of which {of.failed_trials or 0:,} failed",
        "training": duration(side.training_seconds),
        "environments": f"{side.environments}",
        "best found": best,
    }


def _profile(changed: Changes) -> Table:
    """Return a table of the fields of the profiles that differ, the first ones if there are many."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("profile", "A", "B"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "profile")
    for name, values in list(changed.items())[:FIELDS]:
        table.add_row(printable(name), *(_short(value) for value in values))
    if len(changed) > FIELDS:
        table.add_row(f"{len(changed) - FIELDS:,} more fields: --json")
    return table


def _lines(found: RunComparison) -> list[str]:
    """Return the lines on profile, data, environment and trials."""
    lines = [] if found.profile else ["profile: the same"]
    for letter, tasks in (("A", found.only_a), ("B", found.only_b)):
        if tasks:
            lines.append(f"tasks of {letter} alone: {', '.join(tasks)}")
    lines.append(f"data: {'those of ' + ', '.join(found.data) + ' differ' if found.data else 'the same'}")
    if not found.environment:
        lines.append("environment: the same processor, commit and versions")
    for name, (a, b) in found.environment.items():
        lines.append(f"environment: {name} {_short(a)} in A, {_short(b)} in B")
    return [*lines, _trials(found)]


def _short(value: Any) -> str:
    return "not set" if value is None else printable(shorten(value if isinstance(value, str) else repr(value), 40))


def _trials(found: RunComparison) -> str:
    trials = found.trials
    paused = f"; {trials.paused:,} more are paused in one of the runs" if trials.paused else ""
    if not trials.shared:
        return f"trials: none has ended in both with the same cell, task, setting and random seed{paused}"
    line = (
        f"trials: {trials.shared:,} with the same cell, task, setting and random seed; {trials.equal:,} of them equal"
    )
    if trials.equal < trials.shared:
        line += f", the others apart by up to {100 * trials.largest:.2g} %"
    if trials.state_differs:
        line += f"; {trials.state_differs:,} ended in another state"
    if trials.slowdown is not None:
        line += f"; B took {trials.slowdown:.2f} times as long (median)"
    return line + paused


def _warn(console: Console, found: RunComparison) -> None:
    for side, letter in ((found.a, "A"), (found.b, "B")):
        if side.overview.simulated:
            warn(console, f"{letter} is simulated: its numbers are made up, no cell was trained")
    if found.kinds[0] != found.kinds[1]:
        warn(
            console,
            f"A ranks by {found.kinds[0]} and B by {found.kinds[1]}; both are compared by {found.kinds[0]}",
        )
    if found.data:
        warn(console, f"the data of {', '.join(found.data)} differ, so that the values there are not comparable")


def _correlation(found: RunComparison) -> str:
    if found.correlation is None:
        return "too few for a rank correlation"
    return f"rank correlation {found.correlation:.2f} (Spearman)"


def _texts(row: Mapping[Hashable, Any], digits: int) -> dict[str, str]:
    """Return the row of a cell in the table, by heading."""
    import pandas as pd

    texts = {"cell": printable(str(row["cell"] if pd.isna(row["name"]) else row["name"]))}
    for side in "ab":
        texts[f"rank {side.upper()}"] = "" if pd.isna(row[f"rank_{side}"]) else str(row[f"rank_{side}"])
    for side in "ab":
        error, evidence = row[f"value_{side}_se"], row[f"evidence_{side}"]
        texts[side.upper()] = _value(row[f"value_{side}"], error, evidence, digits)
    return texts | {"B - A": _measured(row["difference"], row["difference_se"], f"+.{digits}f", digits)}


def _digits(found: RunComparison, least: int) -> int:
    """Return the decimals that show two digits of the smallest error, at least `least` and at most seven."""
    errors = found.cells[["value_a_se", "value_b_se"]].to_numpy(float)
    known = errors[errors > 0]  # not those that are missing, either
    return min(max(least, 1 - math.floor(math.log10(known.min()))), 7) if known.size else least


def _value(value: Any, error: Any, evidence: str, digits: int) -> str:
    shown = _measured(value, error, f".{digits}f", digits)
    return shown if Evidence(evidence).is_retrained or not shown else f"({shown})"


def _measured(value: Any, error: Any, form: str, digits: int) -> str:
    import pandas as pd

    if pd.isna(value):
        return ""
    return format(value, form) + ("" if pd.isna(error) else f"±{error:.{digits}f}")


def _record(found: RunComparison) -> dict[str, Any]:
    """Return a comparison for JSON."""
    from results.tables.files import plain_records

    return {
        "a": _side_record(found.a),
        "b": _side_record(found.b),
        "profile": _pairs(found.profile),
        "data": _pairs(found.data),
        "environment": _pairs(found.environment),
        "tasks": found.tasks,
        "tasks_of_a": found.only_a,
        "tasks_of_b": found.only_b,
        "compared": "score" if found.task is None else found.task,
        "metric": found.metric or None,
        "higher_is_better": found.higher,
        "kinds": found.kinds,
        "trials": {
            "shared": found.trials.shared,
            "paused": found.trials.paused,
            "equal": found.trials.equal,
            "largest_difference": found.trials.largest,
            "other_state": found.trials.state_differs,
            "slowdown": found.trials.slowdown,
        },
        "rank_correlation": found.correlation,
        "cells": plain_records(found.cells.assign(id=[printed_id(str(cell)) for cell in found.cells.index])),
    }


def _side_record(side: RunSide) -> dict[str, Any]:
    best = side.best
    facts = side.overview.as_json()
    for name in ("best_cell", "best_name", "best_score"):  # by the search's own trials; `best_found` is by the table
        del facts[name]
    return facts | {
        "run": side.name,
        "seed": side.seed,
        "started": side.started,
        "training_seconds": side.training_seconds,
        "environments": side.environments,
        "verdict": side.verdict.as_json(),
        "best_found": None
        if best is None
        else {
            "id": printed_id(best.cell),
            "score": best.score,
            "retrained": best.retrained,
            "rank_in_the_other": best.rank_there,
        },
    }


def _pairs(changed: Changes) -> dict[str, dict[str, Any]]:
    return {name: {"a": a, "b": b} for name, (a, b) in changed.items()}

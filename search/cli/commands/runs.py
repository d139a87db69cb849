"""`gatesearch runs`: list the runs."""

import time
from pathlib import Path

import click
from rich.console import Console

from results.store.files import runs_folder
from results.store.overview import Overview, RunState, overview, printed_size
from results.store.runs import known_runs
from results.store.sanitize import printable
from results.store.words import Evidence
from results.tables.best_found import BestFound, best_in_files
from search.cells.ids import printed_id, short_id, without_letter
from search.cli.display import duration, output_console, say, warn
from search.cli.json_output import print_json
from search.cli.tables import print_table

_EPILOG = """\b
Examples:
  gatesearch runs
  gatesearch runs --json | jq -r '.[] | select(.state == "stopped").name'
"""

_STYLES = {RunState.RUNNING: "green", RunState.STOPPED: "yellow", RunState.UNREADABLE: "bold red"}
_LEFT_OUT = ("size", "failed", "trials", "changed", "proposals", "best found")
"""Columns that a narrow terminal leaves out, the first one first."""


@click.command(epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects instead of a table.")
def runs(as_json: bool) -> None:
    """List the runs in results/runs (or in GATESEARCH_RUNS), latest first.

    A run is running (a process drives it), finished, or stopped: `gatesearch search NAME --resume` continues it. Failed
    are the trials that diverged or raised an error. Best is the first found cell of the ranked table of a finished run.
    Before there is one, it is the cell with the best score by the search's own trials; these are biased in its favour,
    so such a score is in brackets.
    """
    found = [overview(runs_folder() / name) for name in known_runs()]
    best = {run.name: _best(run, runs_folder() / run.name) for run in found}
    if as_json:
        print_json([_record(run, best[run.name]) for run in found])
        return
    console = output_console()
    if not found:
        say(console, f"there is no run in {runs_folder()}; start one with: gatesearch search")
        return
    numbers = ("proposals", "trials", "failed", "changed", "size")
    styles = {"state": [_STYLES.get(run.state, "") for run in found]}
    rows = [_texts(run, best[run.name]) for run in found]
    print_table(console, rows, right=numbers, droppable=_LEFT_OUT, styles=styles)
    for run in found:
        if run.error is not None:
            warn(Console(stderr=True, emoji=False), run.error)


def _record(run: Overview, best: BestFound | None) -> dict[str, object]:
    return run.as_json() | {
        "best_cell": None if best is None else best.cell,
        "best_name": None if best is None else best.name,
        "best_score": None if best is None else best.score,
        "best_score_se": None if best is None else best.error,
        "best_evidence": None if best is None else str(best.evidence),
        "folder": str(runs_folder() / run.name),
    }


def _texts(run: Overview, best: BestFound | None) -> dict[str, str]:
    """Return the row of a run, by heading."""
    return {
        "name": printable(run.name),
        "state": f"{run.state}{', simulated' if run.simulated else ''}",
        "proposals": _progress(run),
        "trials": _count(run.trials),
        "failed": _count(run.failed_trials),
        "best found": "" if best is None else _best_text(best),
        "changed": f"{duration(max(0.0, time.time() - run.changed))} ago",
        "size": printed_size(run.size_bytes),
    }


def _progress(run: Overview) -> str:
    if run.proposals is None or run.planned is None:
        return _count(run.proposals)
    return f"{run.proposals:,} of {run.planned:,}"


def _best(run: Overview, folder: Path) -> BestFound | None:
    """Return the best found cell by the table of a finished run, or else by the search's own trials."""
    if run.state is RunState.FINISHED and run.trials is not None:
        best = best_in_files(folder, run.trials)
        if best is not None:
            return best
    if run.best_cell is None or run.best_score is None:
        return None
    return BestFound(printed_id(run.best_cell), run.best_name, run.best_score, None, Evidence.SEARCH)


def _best_text(best: BestFound) -> str:
    label = printable(best.name or short_id(without_letter(best.cell)))
    if not best.evidence.is_retrained:
        return f"{label} ({best.score:.4f})"
    return f"{label} {best.score:.4f}" + ("" if best.error is None else f"\N{PLUS-MINUS SIGN}{best.error:.4f}")


def _count(count: int | None) -> str:
    return "" if count is None else f"{count:,}"

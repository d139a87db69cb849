"""Table and verdict that a run ends in: for a console, and for JSON."""

from functools import partial
from typing import Any

from rich.console import Console

from results.scores.verdict import RunVerdict
from results.store.runs import name_for_commands
from results.tables.files import full_records
from results.tables.leaderboard import leaderboard
from results.tables.readable import render_table
from results.tables.run_verdict import verdict_of
from search.cli.tables import fitting_table
from search.engine.observer import OpenRun

TABLE_ROWS = 20
"""Rows of the leaderboard that are shown at the end."""


class RunTable:
    """Top of a run's leaderboard, and the run's verdict."""

    def __init__(self, run: OpenRun) -> None:
        self._run = run
        self._frame = leaderboard(run.store, run.profile.ranked, display=False, loops=False)

    def print(self, console: Console) -> None:
        """Print the top of the leaderboard."""
        console.print(fitting_table(console, partial(render_table, self._frame, TABLE_ROWS)))

    def verdict(self) -> RunVerdict:
        """Return the verdict of the table."""
        return verdict_of(self._run.store, self._run.profile.ranked, self._frame)


def record_of(run: OpenRun) -> dict[str, Any]:
    """Return the run, its verdict and its table, as `leaderboard --json` has them."""
    table = leaderboard(run.store, run.profile.ranked)
    return {
        "run": name_for_commands(run.store),
        "folder": str(run.store.folder),
        "verdict": verdict_of(run.store, run.profile.ranked, table).as_json(),
        "rows": full_records(table),
    }

"""Pages of the dashboard as HTML: of all runs, of one run, and the parts of both that renew themselves.

The templates escape every text; names, formulas and reasons are of unknown origin. Style, table, charts and tooltips
are those of the report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from results.dashboard.board import Best, Board
from results.dashboard.watcher import Line
from results.report.page_files import page_file, style, vega
from results.report.report import Page
from results.store.overview import printed_size
from search.cells.ids import short_id

EVERY_SECONDS = 5
"""Time after which an open page that is in sight asks for what has changed."""

FEW_RUNS = 100
"""Rows of the page of all runs that are shown at first."""

SCRIPTS = ("table.js", "charts.js", "details.js", "live.js")
"""Scripts of the pages, in order; the last is the dashboard's, the others are the report's."""


@dataclass(frozen=True)
class Column:
    """Heading of the page of all runs, as `results.report.page_table.Heading`."""

    words: str
    name: str  # in a search for numbers; empty for text
    meaning: str
    descending: bool = True  # the first click
    unit: str = ""


COLUMNS = (
    Column("run", "", "name of the run's folder"),
    Column("state", "", "running: a process drives it; stopped: gatesearch search NAME --resume continues it"),
    Column("progress", "progress", "share of the planned proposals that have ended"),
    Column("proposals", "proposals", "proposals that have ended, without given cells and promotions"),
    Column("trials", "trials", "trials that have ended, those of finalists included"),
    Column(
        "best cell",
        "",
        "best found cell of the ranked table, or of given cells the best beside GRU and LSTM. In brackets: by the "
        "search's own trials, which are biased in its favour",
    ),
    Column("score", "score", "score of the best cell \N{PLUS-MINUS SIGN} standard error", unit="GRU = 1"),
    Column(
        "speed",
        "speed",
        "trials a minute: over the last ten minutes that this page was open, or else since the start",
        unit="trials/min",
    ),
    Column("pace", "pace", "proposals a minute, measured alike", unit="proposals/min"),
    Column("left", "left", "seconds until the last proposal at this pace; unknown with halving", False),
    Column(
        "elapsed",
        "elapsed",
        "seconds since the run was started or last resumed; of a run that went through at once, that it took",
    ),
    Column("failed", "failed", "trials that diverged or raised an error, and the most frequent reason", True),
    Column("changed", "changed", "seconds since something was last stored", False, unit="ago"),
    Column("size", "size", "bytes of all files in the run's folder"),
)
"""Columns of the page of all runs, in order."""


@cache
def _environment() -> Environment:
    loader = ChoiceLoader([PackageLoader("results.dashboard", "page"), PackageLoader("results.report", "page")])
    found = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    found.filters["short_id"] = short_id
    found.filters["size"] = printed_size
    return found


def runs_page() -> str:
    """Return the page of all runs; its part is `runs_part`."""
    return _environment().get_template("runs.html").render(_frame("Runs"))


def run_page(name: str) -> str:
    """Return the page of one run; its parts are `status_part` and `board_part`."""
    return _environment().get_template("run.html").render(_frame(name), name=name)


def message_page(title: str, text: str) -> str:
    """Return a page with one line."""
    return _environment().get_template("message.html").render(_frame(title), text=text)


def runs_part(lines: Sequence[Line], best: Mapping[str, Best], folder: str) -> str:
    """Return the table of all runs; `best` has the best cells by run, as far as they are known with their errors."""
    running = [line for line in lines if line.state == "running"]
    others = [line for line in lines if line.state != "running"]
    groups = [(title, part) for title, part in (("Running", running), ("Not running", others)) if part]
    values: dict[str, Any] = {"groups": groups, "best": best, "columns": COLUMNS, "few": FEW_RUNS, "folder": folder}
    return _environment().get_template("runs_part.html").render(values)


def status_part(line: Line) -> str:
    """Return state, progress, speed and failures of a run."""
    return _environment().get_template("status_part.html").render(line=line, run=line.overview, facts=line.facts)


def board_part(board: Board | None, line: Line) -> str:
    """Return the verdict, the ranked table and the charts of a run, or that they are being made."""
    values: dict[str, Any] = {"board": board, "line": line}
    return _environment().get_template("board_part.html").render(values)


def board_html(page: Page) -> str:
    """Return the parts of a report that are renewed: verdict, tiles, table, scores, funnel, failures and curves."""
    values = page.head() | page.table() | page.search() | page.learning_curves()
    return _environment().get_template("board.html").render(values, specs=page.specs)


@cache
def static_files() -> dict[str, tuple[str, str]]:
    """Return type and text of the files that the pages refer to, by name."""
    own = resources.files("results.dashboard") / "page"
    scripts = {name: page_file(name) for name in SCRIPTS[:-1]} | {SCRIPTS[-1]: (own / SCRIPTS[-1]).read_text("utf-8")}
    styles = {"dashboard.css": f"{style()}\n{(own / 'dashboard.css').read_text('utf-8')}"}
    found = {name: ("text/javascript", text) for name, text in (scripts | {"vega.js": vega()}).items()}
    return found | {name: ("text/css", text) for name, text in styles.items()}


def _frame(title: str) -> dict[str, Any]:
    return {"title": title, "scripts": SCRIPTS, "every": EVERY_SECONDS}

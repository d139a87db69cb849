"""Tables on narrow terminals: whole words and numbers, and a line that names the columns that are left out."""

import io
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.bench.breakdown import Breakdown
from search.cli.display import output_console
from search.cli.tables import fitting_table, print_table
from tests.paths import ROOT
from tests.test_search.test_cli.conftest import COMMAND, Gatesearch

EVENING, BASELINES = (str(ROOT / "results" / "published" / name) for name in ("evening", "baselines"))


def terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal to rich
    monkeypatch.setenv("COLUMNS", str(width))


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_the_list_of_cells_is_cut_nowhere(width: int, gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch) -> None:
    records = json.loads(gatesearch("cells", "--json").out)
    terminal(monkeypatch, width)
    text = plain(gatesearch("cells").out)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text
    words = text.split()
    for record in records:
        assert record["name"] in words
        assert set(record["summary"].split()) <= set(words)
    headings = lines[0].split()
    hidden = re.findall(r"\w+", " ".join(words).partition("not shown: ")[2].partition(";")[0])
    assert sorted(headings + hidden) == ["id", "linear", "loop", "name", "products", "states", "summary", "year"]
    assert ("year" in headings, "loop" in headings) == (width >= 80, width >= 120)


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80])
def test_a_comparison_of_runs_keeps_its_cells_and_whole_numbers(
    width: int, gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal(monkeypatch, width)
    text = plain(gatesearch("compare-runs", EVENING, BASELINES, "--top", "3").out)
    assert "…" not in text
    rows = re.findall(r"^(gru|gru-after|mut3) .* ([-+][\d.]+±[\d.]+) *$", text, re.MULTILINE)
    assert [name for name, _ in rows] == ["gru", "gru-after", "mut3"]
    assert ("not shown: rank A" in text) == (width == 60)


def test_tasks_are_listed_whole(gatesearch: Gatesearch, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = json.loads(gatesearch("tasks", "xml", "--profile", "tiny.toml", "--json").out)[0]
    terminal(monkeypatch, 45)
    text = plain(gatesearch("tasks", "xml", "--profile", "tiny.toml").out)
    assert "…" not in text
    assert re.search(rf"^xml +accuracy ↑ +29 +{wide['constant_baseline']:.4f}", text, re.MULTILINE)
    assert "not shown: uniform, nats" in text
    assert f"{wide['splits']['test']['steps']:,}" in text


def test_what_is_no_terminal_gets_a_line_for_each_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"name": "a", "text": "word " * 30, "number": "1"}, {"name": "b", "text": "", "number": "10"}]
    monkeypatch.setenv("COLUMNS", "40")
    assert output_console().width == 40
    monkeypatch.delenv("COLUMNS")
    print_table(output_console(), rows, right=("number",), droppable=("number",), wrapped={"text": 10})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", "a", "b"]
    assert [line.rstrip()[-2:] for line in lines[1:]] == [" 1", "10"]


def test_the_ranked_table_of_a_pipe_is_whole(gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program, a pager or a log file gets the ranks and every task, however wide the terminal beside it is."""
    monkeypatch.delenv("COLUMNS")
    text = gatesearch("leaderboard", BASELINES, "--top", "2").out
    assert "left out" not in text
    (headings,) = (line.split() for line in text.splitlines() if line.startswith("rank "))
    tasks = ["arithmetic", "xml", "language", "music"]
    assert headings == ["rank", "cell", "name", "score", *tasks, "parameters", "mult-adds", "time"]


def test_no_number_of_a_broken_down_trial_is_cut(gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Breakdown("memorization", "native", 32, 14, 1.5, 1.25, 1.2, 1.2, 1.2, 1.2, 1234.567, 1234.568, 0.25, 99.0)
    monkeypatch.setattr("search.bench.breakdown.break_down", lambda *given: [row])
    terminal(monkeypatch, 60)
    text = plain(gatesearch("bench", "gru", "--trial").out)
    assert max(map(len, text.splitlines()[1:-1])) <= 60
    assert re.search(r"^memorization( +[\d.]+%?)+ *$", text, re.MULTILINE)
    assert "not shown: units" in text
    assert "total" in text


@pytest.mark.slow
def test_numbers_stand_below_each_other_where_plus_minus_takes_two_characters(
    here: Path,
) -> None:
    """In a process of its own, whose streams are those of the command."""
    environment = os.environ | {"COLUMNS": "90", "PYTHONIOENCODING": "ascii"}
    line = [str(COMMAND), "leaderboard", EVENING, "--top", "25"]
    said = subprocess.run(line, capture_output=True, check=True, env=environment).stdout.decode("ascii")
    rows = [line for line in said.splitlines() if re.search(r"\d\+-\d", line) or "(0." in line]
    assert len(rows) == 25
    assert len({len(row) for row in rows}) == 1
    assert len(rows[0]) <= 90
    bars = {tuple(match.start() for match in re.finditer(r"\|", row)) for row in rows}
    assert len(bars) == 1  # the columns of every row begin at the same places
    ends = {tuple(re.search(r"\d(?=\D*$)", cell).start() for cell in row.split("|")[-4:]) for row in rows}  # type: ignore[union-attr]
    assert len(ends) == 1  # and the last digits of the tasks' numbers, with and without an error


def test_a_wider_text_never_makes_a_table_wider_than_the_terminal() -> None:
    def make(width: int) -> Table:
        table = Table(box=None, padding=(0, 1, 0, 0))
        for _ in range(3 if width >= 24 else 2):
            table.add_column("a")
        table.add_row(*(Text("1.0\N{PLUS-MINUS SIGN}0.1") for _ in table.columns))
        return table

    for width, columns in ((24, 2), (27, 3)):
        console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"), width=width)
        assert len(fitting_table(console, make).columns) == columns
        console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), width=width)
        assert len(fitting_table(console, make).columns) == 3


def test_a_name_that_is_wider_than_the_terminal_hides_no_number() -> None:
    written = io.StringIO()
    console = Console(file=written, width=60, force_terminal=True, color_system=None)
    print_table(console, [{"cell": "x" * 60, "score": "+0.1234±0.0123", "state": "finished"}], right=("score",))
    text = "".join(written.getvalue().split())
    assert all(text.count(c) >= n for c, n in {"x": 60, "±": 1}.items())
    assert sorted(c for c in text if c.isdigit()) == sorted("0123400123")

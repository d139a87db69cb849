"""`docs/found.md`: the contenders are those of the declared rule, and the numbers those of the published runs."""

import csv
import json
import re
import sqlite3
from collections import defaultdict
from contextlib import closing
from statistics import mean

import pytest

from results.publication.archive import unpacked
from results.store.database import FILE, RUN_ARCHIVE
from search.cells.graph import GateGraph
from search.cells.notation.formula import parse_formula
from search.cli.main import run
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "found.md").read_text("utf-8")
FIRST_SEEDS = range(1, 7)
"""Repeats of the six fresh seeds that the best cells of a search are retrained on."""


def shares_of(name: str) -> dict[str, dict[str, float]]:
    """Return the shares of the GRU's gain of each found cell that a search retrained, by cell and task."""
    with (
        unpacked(ROOT / "results" / "published" / name, RUN_ARCHIVE) as folder,
        closing(sqlite3.connect(folder / FILE)) as connection,
    ):
        (text,) = connection.execute("SELECT information FROM run").fetchone()
        constants = json.loads(text)["constants"]
        (gru,) = connection.execute("SELECT id FROM cells WHERE name = 'gru'").fetchone()
        found = {cell for (cell,) in connection.execute("SELECT id FROM cells WHERE origin = 'found'")}
        tests: dict[tuple[str, str], list[float]] = defaultdict(list)
        query = "SELECT cell, task, test FROM trials WHERE repeat BETWEEN ? AND ?"
        for cell, task, test in connection.execute(query, (FIRST_SEEDS[0], FIRST_SEEDS[-1])):
            tests[cell, task].append(test)
    assert all(len(values) == len(FIRST_SEEDS) for values in tests.values())
    gains = {key: mean(values) - constants[key[1]]["test"] for key, values in tests.items()}
    shares: dict[str, dict[str, float]] = defaultdict(dict)
    for (cell, task), gain in gains.items():
        if cell in found:
            shares[cell][task] = gain / gains[gru, task]  # of losses, both are negative
    assert len(shares) == 12
    return shares


@pytest.mark.slow
@pytest.mark.parametrize("name", ["discover", "fast"])
def test_the_contenders_are_those_of_the_declared_rule(name: str) -> None:
    shares = shares_of(name)
    best = sorted(shares, key=lambda cell: -min(shares[cell].values()))
    tasks = shares[best[0]]
    expected = {*best[:4], *(max(shares, key=lambda cell: shares[cell][task]) for task in tasks)}
    files = sorted((ROOT / "docs" / "found").glob(f"{name}-*.cell"))
    assert {parse_formula(path.read_text("utf-8")).canonical().id for path in files} == expected

    section = PAGE.split(f"## What `{name}` returned")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(?:\w+-\d)`, `g(\w{8})` \|((?: [\d.]+ \|)+)", section, re.MULTILINE)
    assert {cell for cell, _ in rows} == {cell[:8] for cell in expected}
    for cell, numbers in rows:
        (whole,) = (each for each in shares if each.startswith(cell))
        assert [float(n) for n in numbers.split("|")[:-1]] == pytest.approx(
            [shares[whole][task] for task in ("arithmetic", "xml", "language", "music") if task in tasks], abs=6e-4
        )


BEST = {"arithmetic": "rhn-3", "xml": "g-lstm-4", "language": "nbrc", "music": "sru-v1-tanh"}
"""Best published cell of each task."""

ANCESTORS = {f"discover-{n}": "lstm-b" if n == 5 else "gru-after" for n in range(1, 7)} | {
    f"fast-{n}": "brc" for n in range(1, 6)
}
SIGNS = {"better": "+", "worse": "-", "even": "=", "undecided": "·"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("contenders", "The same tasks and sizes"),
        ("contenders-large", "Twice the units"),
        ("contenders-other", "Other data"),
    ],
)
def test_the_declared_tests_say_what_the_page_says(name: str, title: str, capsys: pytest.CaptureFixture[str]) -> None:
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    against = ["gru", "lstm", *(f"{task}={cell}" for task, cell in BEST.items())]
    options = [f"--against={other}" for other in against]
    options += [f"--pair={cell},{ancestor}" for cell, ancestor in ANCESTORS.items()]
    folder = str(ROOT / "results" / "published" / name)
    assert run(["pairs", folder, *ANCESTORS, *options, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 4 * 4 * len(ANCESTORS) == 176
    found = {(row["cell"], row["task"], row["other"]): row for row in rows}
    for cell, ancestor in ANCESTORS.items():
        shown = []
        for task, best in BEST.items():
            four = [found[cell, task, other] for other in ("gru", "lstm", best, ancestor)]
            signs = "".join(SIGNS[row["verdict"]] for row in four)
            shown.append(f"{100 * four[0]['difference']:+.1f} % `{signs}`")
        assert f"| `{cell}` | {' | '.join(shown)} |" in section
    better = {(row["cell"], row["task"]) for row in rows} - {
        (row["cell"], row["task"]) for row in rows if row["verdict"] != "better"
    }
    assert better == {("discover-5", "xml")}


def test_the_parts_of_the_best_cell_are_tested_as_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    parts = sorted(path.stem for path in (ROOT / "docs" / "plans" / "parts").glob("*.cell"))
    assert len(parts) == 8
    folder = str(ROOT / "results" / "published" / "parts")
    assert run(["pairs", folder, *parts, "--against", "discover-5", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["cell"] for row in rows] == parts
    section = PAGE.split("\n### discover-5\n")[1].split("\n### ")[0]
    with (ROOT / "results" / "published" / "parts" / "leaderboard.csv").open() as file:
        units = {row["name"]: row["xml_units"] for row in csv.DictReader(file)}
    assert f"against `discover-5` ({units['discover-5']} units)" in section
    for row in rows:
        shown = (
            f"{units[row['cell']]} | {row['value']:.4f} | {100 * row['difference']:+.1f} % "
            f"({100 * row['low']:+.1f} to {100 * row['high']:+.1f} %), {row['verdict']} |"
        )
        assert re.search(rf"^\| `{row['cell']}` \| [^|]+ \| {re.escape(shown)}$", section, re.MULTILINE), row["cell"]
    shorter = parse_formula(section.split("```text\n")[1].split("```")[0])
    assert shorter.canonical().id == cell_of("docs/plans/parts/no-second-order-term.cell").id


def cell_of(path: str) -> GateGraph:
    """Return the canonical cell of a file."""
    return parse_formula((ROOT / path).read_text("utf-8")).canonical()


@pytest.mark.slow
@pytest.mark.parametrize("number", [3, 5, 6])
def test_the_modules_of_the_page_are_what_export_writes(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    path = ROOT / "docs" / "found" / f"discover_{number}.py"
    assert f"(found/{path.name})" in PAGE
    assert run(["export", f"discover-{number}", "--run", str(ROOT / "results" / "published" / "contenders")]) == 0
    assert capsys.readouterr().out == path.read_text("utf-8")

"""Stores of unknown origin: every reader reads them or refuses them in one line."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

import results
from results.store.errors import StoreError
from results.store.graphs import graph_of
from results.store.lineage import ancestry
from results.store.sanitize import csv_text
from results.store.store import FILE, Store
from results.store.summary import funnel
from results.tables.leaderboard import leaderboard
from results.tables.readable import render_table, to_latex, to_markdown
from search.cells.ids import short_id
from tests.test_results.rows import GRU, TASKS, make_baseline, make_cell, make_evaluation, make_store, make_trial

CHILD = "00ff00ff00ff00ff"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with make_store(tmp_path) as store:
        for cell in (make_baseline("gru"), make_cell(CHILD, parent=GRU)):
            store.add_cell(cell)
            trials = [make_trial(cell.id, task) for task in TASKS]
            store.record(make_evaluation(cell.id), trials)
    return tmp_path


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / FILE)) as connection:
        connection.executescript(";".join(statements))


def table(store: Store) -> object:
    return csv_text(leaderboard(store, TASKS))


def rows(store: Store) -> object:
    return store.cells(), store.trials(curves=True), store.evaluations(), store.proposals(), store.environments()


@pytest.mark.parametrize(
    ("statement", "read", "words"),
    [
        ("UPDATE trials SET validation = 'high'", table, "validation is 'high', which is not a finite number"),
        ("UPDATE trials SET validation = 'high'", rows, "a row of trials: validation is 'high'"),
        ("UPDATE trials SET validation = 9e999", table, "validation is inf, which is not a finite number"),
        ("UPDATE trials SET validation = x'00'", rows, "validation is b'\\\\x00', which is not"),
        ("UPDATE trials SET steps = 1.5", rows, "steps is 1.5, which is not a whole number"),
        ("UPDATE trials SET steps = 1.5", table, "steps is 3.0, which is not a whole number"),
        ("UPDATE trials SET steps = 9223372036854775807", table, "integer overflow"),
        ("UPDATE trials SET task = CAST(x'ff' AS TEXT) WHERE task = 'music'", table, "UTF-8"),
        ("UPDATE trials SET state = 'excellent'", rows, "trial state 'excellent' is unknown"),
        ("UPDATE trials SET seed = -1", rows, "trial seed -1 is outside"),
        ("UPDATE trials SET curve = '[[1,'", rows, "curve is '.*', which no run writes"),
        ("UPDATE trials SET curve = '[1]'", rows, "which no run writes"),
        ("UPDATE trials SET curve = '[[1, NaN, 2]]'", rows, "NaN is not JSON"),
        ("UPDATE trials SET curve = '[[1, \"a\", 2]]'", rows, "which no run writes"),
        (f"UPDATE trials SET curve = '[[1, 1{'0' * 400}, 2]]'", rows, "too large"),
        (f"UPDATE trials SET curve = '{'[' * 100_000}'", rows, "recursion"),
        (f"UPDATE trials SET curve = '[[{'1' * 5000}, 1, 2]]'", rows, "which no run writes"),
        ("UPDATE cells SET mutations = '{}'", rows, "it must be a list of texts"),
        ("UPDATE cells SET mutations = '[[]]'", lambda store: store.cell(GRU), "it must be a list of texts"),
        ("UPDATE cells SET name = 1, nodes = 'a'", rows, "a row of cells: nodes is 'a'"),
        ("UPDATE cells SET formula = x'00'", table, "formula is b"),
        (
            "UPDATE evaluations SET stage = 'a'",
            funnel,
            "stage is 'a', which is not a whole number",
        ),
        (
            "INSERT INTO proposals VALUES (0, 'propose', NULL, NULL, 'failed', NULL, '{\"a\": 1.5}')",
            rows,
            "an object of",
        ),
        ("INSERT INTO environments VALUES ('a', '[]')", rows, "the description of an environment"),
        ("INSERT INTO environments VALUES ('a', '{\"versions\": 1}')", rows, "has versions"),
        ("UPDATE run SET information = '[]'", lambda store: store.information, "valid dictionary|should be an object"),
        ("UPDATE run SET information = '{'", lambda store: store.information, "Invalid JSON"),
        ("UPDATE run SET information = '{\"simulated\": 3}'", lambda store: store.simulated, "has simulated"),
        (
            'UPDATE run SET information = \'{"retrained": {"repeats": "a", "constant_guess": {}}}\'',
            lambda store: store.information,
            "has retrained.repeats",
        ),
        (f"UPDATE run SET information = '{'[' * 100_000}'", lambda store: store.information, "recursion"),
        (
            f"UPDATE cells SET formula = 'h = ' WHERE id = '{CHILD}'",
            lambda store: graph_of(store.cell("00ff")),
            "line 1",
        ),
        ("UPDATE run SET seed = 'a'", rows, "seed is 'a', which is not a whole number"),
        ("UPDATE run SET name = x'00'", rows, "name is b'.*', which is not text"),
        ("DELETE FROM run", rows, "its table run has no row"),
        ("INSERT INTO run SELECT * FROM run", rows, "its table run has several rows"),
        ("DROP TABLE evaluations", rows, "its schema is not that of a run: evaluations"),
        ("ALTER TABLE trials ADD COLUMN mood", rows, "its schema is not that of a run: trials"),
        ("CREATE VIEW more AS SELECT 1", rows, "its schema is not that of a run: view more"),
        (
            "PRAGMA foreign_keys = OFF; ALTER TABLE trials RENAME TO old; CREATE VIEW trials AS "
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS cell FROM n",
            table,
            "its schema is not that of a run: trials, .*view trials",
        ),
        (
            "CREATE TRIGGER t AFTER INSERT ON cells BEGIN DELETE FROM trials; END",
            rows,
            "its schema is not that of a run: trigger t",
        ),
    ],
)
def test_what_no_run_writes_is_refused_in_one_line(
    folder: Path, statement: str, read: Callable[[Store], object], words: str
) -> None:
    change(folder, statement)
    with pytest.raises(StoreError, match=words) as caught, Store.open(folder, readonly=True) as store:
        read(store)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    assert FILE in message or "restore the store" in message


@pytest.mark.parametrize("statement", ["CREATE TABLE notes (a)", "CREATE INDEX fast ON trials (task)"])
def test_what_is_added_beside_the_tables_is_no_harm(folder: Path, statement: str) -> None:
    change(folder, statement)
    with Store.open(folder) as store:
        assert len(store.cells()) == 2


def test_a_formula_of_another_cell_is_refused(folder: Path) -> None:
    with Store.open(folder) as store, pytest.raises(StoreError, match=f"'g{CHILD}' is that of cell "):
        graph_of(store.cell(CHILD))


@pytest.mark.parametrize("start", "=+-@\t\r")
def test_a_spreadsheet_runs_nothing_of_a_table(folder: Path, start: str) -> None:
    change(folder, f"UPDATE cells SET name = char({ord(start)}) || 'cmd' WHERE id = '{GRU}'")
    with Store.open(folder) as store:
        header, *lines = csv_text(leaderboard(store, TASKS)).replace("\r", "?").splitlines()
    shown = f"'{start}cmd".replace("\r", "?")
    place = header.split(",").index("name")
    assert [line.split(",")[place].strip('"') for line in lines if line.split(",")[1] == short_id(GRU)] == [shown]


def test_what_goes_wrong_while_a_damaged_store_is_read_is_the_stores_fault(folder: Path) -> None:
    """Readers rely on the types of columns; when one fails, the store says why."""
    change(folder, "UPDATE cells SET mutations = '{}'")
    with pytest.raises(StoreError, match=r"a row of cells: mutations is '\{\}'") as caught, Store.open(folder) as store:
        json.loads(store.select("SELECT mutations FROM cells")[0][0])[0]
    assert isinstance(caught.value.__cause__, KeyError)


def test_what_goes_wrong_while_a_sound_store_is_read_is_not(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), Store.open(folder):
        1 / 0  # noqa: B018


def test_a_cell_that_is_its_own_ancestor_is_refused(folder: Path) -> None:
    change(folder, f"UPDATE cells SET parent = '{CHILD}' WHERE id = '{GRU}'")
    with Store.open(folder) as store, pytest.raises(StoreError, match=f"cell g{CHILD} is its own ancestor"):
        ancestry(store, CHILD)


@pytest.mark.parametrize("profile", ["[tasks", "tasks = 1", "name = 1", "a" + ".a" * 2000 + " = 1", "[tasks]\nxml = 1"])
def test_a_run_without_a_profile_is_refused_by_load(folder: Path, profile: str) -> None:
    change(folder, f"UPDATE run SET profile = '{profile}'")
    with pytest.raises(StoreError, match="invalid profile"):
        results.load(folder)


def test_names_are_text_wherever_a_table_goes(folder: Path) -> None:
    """No terminal, LaTeX, Markdown or HTML interprets a part of a name."""
    name = "\x1b[31m\\input{/etc/passwd}\u202e\n<script>[a](b)|$x^2$%~"
    change(folder, f"UPDATE cells SET name = '{name}' WHERE id = '{GRU}'")
    with Store.open(folder) as store:
        frame = leaderboard(store, TASKS)
    console = Console(file=StringIO(), width=200)
    console.print(render_table(frame, None, None))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert r"?[31m\input{/etc/passwd}? <script>[a](b)|$x^2$%~" in shown
    assert "\x1b" not in shown
    latex = to_latex(frame, TASKS)
    assert r"?[31m\textbackslash{}input\{/etc/passwd\}?" in latex
    assert r"|\$x\textasciicircum{}2\$\%\textasciitilde{}" in latex
    assert r"?\[31m\\input{/etc/passwd}? \<script\>\[a\](b)\|$x^2$%~" in to_markdown(frame, TASKS)


def test_numbers_that_are_no_counts_are_refused_or_left_out(folder: Path) -> None:
    change(folder, "UPDATE trials SET units = 9007199254740993")
    with (
        Store.open(folder) as store,
        pytest.raises(StoreError, match="units is 9007199254740993, which is not a whole"),
    ):
        table(store)
    change(folder, "UPDATE trials SET units = 1000000", "UPDATE cells SET products = 1000000000")
    with Store.open(folder) as store:
        assert leaderboard(store, TASKS)[[f"{task}_multiply_adds" for task in TASKS]].isna().all(axis=None)


def test_a_damaged_schema_that_is_no_text_and_a_folder_of_many_lines_are_said_in_one(
    tmp_path: Path, folder: Path
) -> None:
    path = folder / "run.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"CREATE TABLE cells", b"CREATE TABL\xcc \xff\xffells"))
    with pytest.raises(StoreError) as caught:
        Store.open(folder, readonly=True)
    assert str(caught.value).isprintable()
    with pytest.raises(StoreError, match=r"^there is no run in .*a.*b") as caught:
        Store.open(tmp_path / "a\nb", readonly=True)
    assert str(caught.value).isprintable()

"""A sound run passes every check, and each kind of damage fails the check that is there for it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from results.publication.consistency import TABLE_FILE, Check, consistency
from results.store.records import CellRow, ProposalRow
from results.store.store import FILE, PROFILE_FILE, Store
from results.store.words import COMPLETE
from results.tables.leaderboard import write_leaderboard
from search.cells.graph import Op
from search.cells.notation.formula import format_formula, parse_formula
from tests.test_results.rows import TASKS, make_store, make_trial

FORMULAS = {
    "gru-like": "z = sigmoid(linear(x) + linear(h))\nh' = z * h",
    "child": "z = tanh(linear(x) + linear(h))\nh' = z * h",
    "grandchild": "z = tanh(linear(x) + linear(h))\nh' = z - h",
}


def cell_of(name: str, parent: str | None, proposal: int | None) -> CellRow:
    graph = parse_formula(FORMULAS[name]).canonical()
    found = proposal is not None
    return CellRow(
        id=graph.id,
        formula=format_formula(graph),
        name=None if found else name,
        parent=parent,
        mutations=("replaced: z",) if found else (),
        origin="found" if found else "baseline",
        proposal=proposal,
        nodes=len(graph),
        states=graph.states,
        products=sum(node.op is Op.LINEAR for node in graph),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with make_store(tmp_path) as store:
        parent = None
        for k, name in enumerate(FORMULAS):
            row = cell_of(name, parent, k - 1 if k else None)
            store.add_cell(row)
            store.record(None, [make_trial(row.id, task) for task in TASKS])
            store.add_proposal(ProposalRow(k - 1, "propose" if k else "baseline", row.id, parent, COMPLETE, 1.0))
            parent = row.id
        write_leaderboard(store, TASKS, tmp_path / TABLE_FILE)
    return tmp_path


def checks(folder: Path, finished: bool = True) -> dict[str, Check]:
    with Store.open(folder, readonly=True) as store:
        return {check.name: check for check in consistency(store, TASKS, finished)}


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / FILE)) as connection:
        connection.executescript(";".join(statements))


def failed(folder: Path) -> set[str]:
    return {name for name, check in checks(folder).items() if not check.ok}


def test_a_sound_run_passes(folder: Path) -> None:
    found = checks(folder)
    assert all(check.ok for check in found.values()), found
    assert found["store"].detail == "6 trials, 0 evaluations, 2 proposals"
    assert found["lineage"].detail == "2 found cells descend from gru-like, in at most 2 steps"
    assert found["table"].detail == "leaderboard.csv, 3 rows, is what the store says, byte for byte"


@pytest.mark.parametrize(
    ("statement", "names", "words"),
    [
        ("UPDATE trials SET state = 'excellent' WHERE task = 'music'", {"store"}, "state 'excellent'"),
        ("UPDATE trials SET curve = '[[1,'", {"store"}, "a row cannot be read"),
        ("UPDATE trials SET curve = '[1]'", {"store"}, "a row cannot be read"),
        ("UPDATE trials SET validation = 'high'", {"store"}, "a row cannot be read"),
        (
            "DELETE FROM proposals; DELETE FROM cells WHERE proposal = 1",
            {"store"},
            "rows refer to missing rows",
        ),
        ("CREATE TABLE extra (a)", {"store"}, "some tables are added"),
        ("DROP INDEX trials_for_ranking", {"store"}, "trials_for_ranking"),
        ("UPDATE cells SET formula = replace(formula, 'tanh', 'relu')", {"ids", "table"}, "is that of cell"),
        ("UPDATE cells SET formula = 'h = ='", {"ids", "table"}, "line 1"),
        ("UPDATE cells SET products = 7", {"ids", "table"}, "products, not what its row says"),
        ("UPDATE cells SET parent = NULL WHERE proposal = 1", {"lineage", "table"}, "lacks its origin"),
        ("UPDATE cells SET proposal = 0", {"lineage"}, "was given, but has a parent or a proposal"),
        ("UPDATE cells SET proposal = 0 WHERE proposal = 1", {"lineage"}, "has a parent of proposal 0"),
        ("UPDATE trials SET test = test + 1e-12", {"table"}, "is not what the store says"),
    ],
)
def test_damage_is_found_and_named(folder: Path, statement: str, names: set[str], words: str) -> None:
    change(folder, statement)
    found = checks(folder)
    assert {name for name, check in found.items() if not check.ok} == names
    details = [found[name].detail for name in sorted(names)]
    assert any(words in detail for detail in details), details
    assert all("\n" not in detail for detail in details)


def test_files_that_are_not_the_stores_are_found(folder: Path) -> None:
    (folder / PROFILE_FILE).write_text("seed = 1\n")
    with open(folder / TABLE_FILE, "a") as file:
        file.write("1,abc\n")
    assert failed(folder) == {"profile", "table"}
    (folder / PROFILE_FILE).unlink()
    (folder / TABLE_FILE).unlink()
    assert failed(folder) == {"profile", "table"}


def test_the_table_of_a_run_that_goes_on_may_be_old(folder: Path) -> None:
    (folder / TABLE_FILE).write_text("old\n")
    assert checks(folder, finished=False)["table"].ok is None
    assert checks(folder, finished=True)["table"].ok is False


def test_pages_that_were_overwritten_are_found(folder: Path) -> None:
    path = folder / FILE
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    with closing(sqlite3.connect(path)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'trials_for_ranking'").fetchone()[0]
    start = (root - 1) * size
    content[start + 8 : start + 60] = bytes(52)
    path.write_bytes(bytes(content))
    assert "store" in failed(folder)


@pytest.fixture(autouse=True)
def _closed(folder: Path) -> Iterator[None]:
    yield
    assert not list(folder.glob("*-journal"))

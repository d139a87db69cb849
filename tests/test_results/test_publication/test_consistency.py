"""A sound run passes every check, and each kind of damage fails its own check."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from results.publication.consistency import MANIFEST_FILE, Check, consistency
from results.publication.publication import publish
from results.store.records import CellRow, ProposalRow
from results.store.sanitize import csv_text
from results.store.store import FILE, PROFILE_FILE, Store
from results.store.words import COMPLETE
from results.tables import columns, files, leaderboard
from results.tables.file_names import COLUMNS_FILE, FULL_FILE, TABLE_FILE, TRIALS_FILE
from results.tables.files import write_tables
from search.cells.ids import cell_text, printed_id
from search.cells.notation.formula import format_formula, parse_formula
from search.cells.operations import Op
from tests.test_results.rows import TASKS, make_store, make_trial

FORMULAS = {
    "gru-like": "z = sigmoid(linear(x) + linear(h))\nh' = z + h",
    "child": "z = tanh(linear(x) + linear(h))\nh' = z + h",
    "grandchild": "z = tanh(linear(x) + linear(h))\nh' = z - h",
}


SAME = (
    "leaderboard.csv, leaderboard_full.csv, columns.json, 3 rows, equal those of the store, byte for byte; "
    "trials.parquet, 6 trials, too"
)


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
    """A run with its tables."""
    with make_store(tmp_path) as store:
        parent = None
        for k, name in enumerate(FORMULAS):
            row = cell_of(name, parent, k - 1 if k else None)
            store.add_cell(row)
            store.record(None, [make_trial(row.id, task) for task in TASKS])
            store.add_proposal(ProposalRow(k - 1, "propose" if k else "baseline", row.id, parent, COMPLETE, 1.0))
            parent = row.id
        write_tables(store, TASKS, tmp_path, trials=True)
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
    assert found["table"].detail == SAME


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
            "without the rows that they refer to",
        ),
        ("CREATE TABLE extra (a)", {"store"}, "some tables are added"),
        ("DROP INDEX trials_for_ranking", {"store"}, "trials_for_ranking"),
        ("UPDATE cells SET formula = replace(formula, 'tanh', 'relu')", {"ids", "table"}, "is that of cell"),
        ("UPDATE cells SET formula = 'h = ='", {"ids", "table"}, "line 1"),
        ("UPDATE cells SET products = 7", {"ids", "table"}, "products, other than its row has"),
        ("UPDATE cells SET parent = NULL WHERE proposal = 1", {"lineage", "table"}, "lacks its origin"),
        ("UPDATE cells SET proposal = 0", {"lineage", "table"}, "was given, but has a parent or a proposal"),
        ("UPDATE cells SET proposal = 0 WHERE proposal = 1", {"lineage", "table"}, "has a parent of proposal 0"),
        ("UPDATE trials SET test = test + 1e-12", {"table"}, "differs from what the store gives"),
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


def as_next_format(monkeypatch: pytest.MonkeyPatch) -> int:
    """Make this version write tables of the next format, in which formulas have other spaces. Return it."""
    number = columns.FORMAT + 1
    for module in (columns, files):
        monkeypatch.setattr(module, "FORMAT", number)
    monkeypatch.setattr(columns, "CHANGED_COLUMNS", {**columns.CHANGED_COLUMNS, number: ("formula",)})
    monkeypatch.setattr(leaderboard, "displayed", lambda formula, _form: " ; ".join(formula.splitlines()))
    return number


def test_a_new_table_s_format_is_in_the_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = as_next_format(monkeypatch)
    with Store.open(folder) as store:
        assert store.leaderboard_format == number - 1
        write_tables(store, TASKS, folder, trials=True)
        assert store.leaderboard_format == number
    assert checks(folder)["table"] == Check("table", True, SAME)


def test_tables_of_an_earlier_version_are_held_against_the_columns_that_both_have(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = as_next_format(monkeypatch)
    found = checks(folder)["table"]
    assert (found.ok, found.detail) == (
        True,
        f"leaderboard.csv, leaderboard_full.csv, 3 rows, made by an earlier version (format {number - 1}; this one "
        f"writes {number}); the columns that both have equal those of the store",
    )
    for name in (TABLE_FILE, FULL_FILE):
        old = (folder / name).read_bytes()
        for damage in (old.replace(b"0.45", b"0.46", 1), old[:-40], b"", b"\xff"):
            assert damage != old
            (folder / name).write_bytes(damage)
            assert checks(folder)["table"].ok is False, damage
        (folder / name).write_bytes(old)


def test_before_there_were_two_tables_the_first_had_all_columns(folder: Path) -> None:
    """Ids had no letter, and cells without a rank an empty one."""
    whole = pd.read_csv(folder / FULL_FILE, dtype=str, keep_default_na=False)
    added = {name.replace("TASK", task) for name in columns.CHANGED_COLUMNS[columns.SPLIT_FORMAT] for task in TASKS}
    old = whole.assign(cell=whole["cell"].str[1:], parent=whole["parent"].str.removeprefix("g"))
    text = csv_text(old[[name for name in old if name not in added or name in ("cell", "parent", "rank")]])
    (folder / TABLE_FILE).write_text(text)
    for name in (FULL_FILE, COLUMNS_FILE, TRIALS_FILE):
        (folder / name).unlink()
    change(folder, "UPDATE run SET information = json_remove(information, '$.leaderboard_format')")  # missing: 1
    for number in (1, 5):
        with Store.open(folder) as store:
            store.mark(leaderboard_format=number)
        found = checks(folder)["table"]
        assert (found.ok, found.detail) == (
            True,
            f"leaderboard.csv, 3 rows, made by an earlier version (format {number}; this one writes "
            f"{columns.FORMAT}); the columns that both have equal those of the store",
        )
    for damaged in (text.replace("0.45", "0.46", 1), text.replace("search", "retrained", 1)):
        (folder / TABLE_FILE).write_text(damaged)
        assert checks(folder)["table"].ok is False


@pytest.mark.parametrize("name", [TABLE_FILE, FULL_FILE, COLUMNS_FILE, TRIALS_FILE])
def test_each_file_of_the_tables_is_checked(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for damage in (content[:-60], b""):
        (folder / name).write_bytes(damage)
        found = checks(folder)["table"]
        assert found.ok is False
        assert name in found.detail
        assert "\n" not in found.detail
    (folder / name).unlink()
    # A search writes its trials at its end, and earlier versions did not.
    assert checks(folder)["table"].ok is (name == TRIALS_FILE)


def test_trials_of_another_run_are_found(folder: Path) -> None:
    trials = pd.read_parquet(folder / TRIALS_FILE)
    trials.assign(test=trials["test"] + 1e-12).to_parquet(folder / TRIALS_FILE, index=False)
    assert "trials.parquet differs from what the store gives" in checks(folder)["table"].detail


def test_a_table_of_a_later_version_is_left_open(folder: Path) -> None:
    with Store.open(folder) as store:
        store.mark(leaderboard_format=columns.FORMAT + 1)
    assert checks(folder)["table"] == Check(
        "table",
        None,
        f"leaderboard.csv was made by a later version (format {columns.FORMAT + 1}; this one writes {columns.FORMAT}); "
        "update gatesearch to check it",
    )


@pytest.mark.parametrize("number", ["0", "-1", '"2"', "1.5", "true"])
def test_a_format_that_is_not_a_number_from_one_is_refused(folder: Path, number: str) -> None:
    change(folder, f"UPDATE run SET information = json_set(information, '$.leaderboard_format', json('{number}'))")
    found = checks(folder)
    assert found["store"].ok is False
    assert "leaderboard_format" in found["store"].detail


def test_a_published_run_has_the_format_of_its_table_in_its_manifest(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = tmp_path_factory.mktemp("out") / "run"
    with Store.open(folder) as store:
        store.mark(finished="2026-01-01T00:00:00Z")
        manifest = publish(store, published, TASKS, "findings")
    assert manifest["leaderboard_format"] == columns.FORMAT
    assert all(check.ok for check in checks(published).values())
    as_next_format(monkeypatch)
    found = checks(published)
    assert "made by an earlier version" in found["table"].detail
    assert all(check.ok for check in found.values()), found
    path = published / MANIFEST_FILE
    text = path.read_text()
    made = f'"leaderboard_format": {columns.FORMAT - 1}'
    path.write_text(text.replace(made, '"leaderboard_format": 99'))
    assert checks(published)["table"].ok is None
    path.write_text(text.replace(made, '"leaderboard_format": "1"'))
    assert "leaderboard_format is '1'" in checks(published)["table"].detail
    path.write_text(text.replace(f"{made},", ""))  # as before there were formats
    assert (
        "made by an earlier version (format 1" in checks(published)["table"].detail or not checks(published)["table"].ok
    )


def test_members_of_the_initial_population_are_roots_of_lineages(folder: Path) -> None:
    change(
        folder, "UPDATE cells SET origin = 'initial', parent = NULL, mutations = '[]', name = 'z' WHERE proposal = 0"
    )
    lineage = checks(folder)["lineage"]
    assert lineage.ok
    assert lineage.detail == "1 found cell descends from z, in at most 1 step"
    change(folder, "UPDATE cells SET mutations = '[\"by hand\"]' WHERE proposal = 0")
    assert "of the initial population has a parent, or lacks its proposal" in checks(folder)["lineage"].detail


def test_both_parents_of_a_crossover_are_stored_and_earlier(folder: Path) -> None:
    with Store.open(folder, readonly=True) as store:
        ids = {cell.proposal: cell.id for cell in store.cells()}
    words = "UPDATE cells SET mutations = '[\"crossover: tanh#3 replaced by add#4 of {}\"]' WHERE proposal = {}"
    change(folder, words.format(ids[None], 1))
    assert checks(folder)["lineage"].ok
    change(folder, words.format("0" * 16, 1))
    assert (
        f"the second parent {printed_id('0' * 16)} of {cell_text(ids[1])} is not stored"
        in checks(folder)["lineage"].detail
    )
    change(folder, words.format(ids[None], 1), words.format(ids[1], 0))
    assert f"{cell_text(ids[0])} of proposal 0 has a second parent of proposal 1" in checks(folder)["lineage"].detail

"""Files of the tables as their readers see them: pandas with its defaults, a spreadsheet, a program."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import results.run
from results.store.store import Store
from results.tables.columns import COLUMNS, FORMAT, Type, columns
from results.tables.file_names import COLUMNS_FILE, FULL_FILE, TABLE_FILE, TRIALS_FILE
from results.tables.files import write_tables
from results.tables.trials import TIDY
from search.cells.ids import printed_id, short_id
from tests.test_results.rows import TASKS, fill, make_store, random_run

NUMBER = r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?|"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tables of a run in which an id has digits alone, another one looks like a number, and a name like a formula."""
    cells, trials, proposals = random_run(np.random.default_rng(5))
    ids = {cells[3].id: "1234567812345678", cells[4].id: "7e12345678123456"}
    cells = [
        replace(cell, id=ids.get(cell.id, cell.id), parent=ids.get(cell.parent or "", cell.parent)) for cell in cells
    ]
    cells[5] = replace(cells[5], name="=HYPERLINK(1)")
    trials = [replace(trial, cell=ids.get(trial.cell, trial.cell)) for trial in trials]
    proposals = [
        replace(row, cell=ids.get(row.cell or "", row.cell), parent=ids.get(row.parent or "", row.parent))
        for row in proposals
    ]
    with make_store(tmp_path / "run", "".join(f"[tasks.{task}]\n" for task in TASKS)) as store:
        fill(store, cells, trials, proposals)
        write_tables(store, TASKS, store.folder, trials=True)
    return tmp_path / "run"


def described(folder: Path, file: str) -> dict[str, dict[str, object]]:
    known = json.loads((folder / COLUMNS_FILE).read_text())
    assert known["format"] == FORMAT
    return {entry["name"]: entry for entry in known["files"][file]}


@pytest.mark.parametrize("file", [TABLE_FILE, FULL_FILE])
def test_pandas_reads_every_column_as_the_type_that_is_told(folder: Path, file: str) -> None:
    frame, known = pd.read_csv(folder / file), described(folder, file)
    assert list(known) == frame.columns.tolist()
    with (folder / file).open(newline="") as opened:
        texts = list(csv.DictReader(opened))
    for name, entry in known.items():
        fields = [row[name] for row in texts]
        kind = Type(str(entry["type"]))
        if not entry["empty"]:
            assert "" not in fields, name
        if kind is Type.INTEGER:
            assert all(field == "" or field.lstrip("-").isdigit() for field in fields), name
            assert frame[name].dtype == (np.int64 if "" not in fields else np.float64), name
            nullable = pd.read_csv(folder / file, dtype_backend="numpy_nullable")[name].dtype
            assert str(nullable) == "Int64" or set(fields) == {""}
        elif kind is Type.NUMBER:
            assert pd.api.types.is_numeric_dtype(frame[name]), name
        elif kind is Type.BOOLEAN:
            assert set(fields) <= {"True", "False", ""}, name
        else:
            assert [value for value in frame[name] if isinstance(value, str)] == [field for field in fields if field]


def test_ranks_and_ids_come_back_as_they_are(folder: Path) -> None:
    for file in (TABLE_FILE, FULL_FILE):
        frame = pd.read_csv(folder / file)
        assert frame["rank"].dtype == np.int64
        assert {"g12345678", "g7e123456"} & set(frame["cell"])
        assert frame["cell"].str.fullmatch("g[0-9a-f]{8}").all()
    parents = set(frame["parent"].dropna())
    assert not any(pd.notna(pd.to_numeric(parent, errors="coerce")) for parent in parents)


@pytest.mark.parametrize("file", [TABLE_FILE, FULL_FILE])
def test_no_field_begins_a_formula(folder: Path, file: str) -> None:
    text = (folder / file).read_text()
    assert "'=HYPERLINK(1)" in text
    with (folder / file).open(newline="") as opened:
        fields = [field for row in csv.reader(opened) for field in row]
    numbers = pd.Series(fields).str.fullmatch(NUMBER)
    assert not pd.Series(fields)[~numbers].str.startswith(("=", "+", "-", "@", "\t", "\r", "\n")).any()


def test_the_description_has_units_and_directions_of_the_run_s_metrics(folder: Path) -> None:
    known = described(folder, FULL_FILE)
    assert (known["arithmetic_test"]["unit"], known["arithmetic_test"]["better"]) == (
        "fraction of steps in the loss mask",
        "higher",
    )
    assert (known["music_test"]["unit"], known["music_test"]["better"]) == ("nats per step", "lower")
    assert (known["music_test_se"]["unit"], known["music_test_se"]["better"]) == ("nats per step", None)
    assert known["rank"] == {
        "name": "rank",
        "type": "integer",
        "unit": None,
        "better": "lower",
        "empty": False,
        "task": None,
        "meaning": COLUMNS["rank"].meaning,
    }
    assert known["music_units"]["task"] == "music"
    short = described(folder, TABLE_FILE)
    assert list(short) == list(columns(TASKS, main=True))
    assert all(known[name] == entry for name, entry in short.items())


def test_the_trials_are_one_a_row_and_join_the_table(folder: Path) -> None:
    trials, run = pd.read_parquet(folder / TRIALS_FILE), results.run.load(folder)
    assert trials.columns.tolist() == list(TIDY) == list(described(folder, TRIALS_FILE))
    assert trials["id"].tolist() == run.trials["cell"].tolist()
    shared = [name for name in run.trials if name not in ("cell",)]
    for name in shared:
        own, theirs = (frame[name].astype(object).where(frame[name].notna(), None) for frame in (trials, run.trials))
        assert own.tolist() == theirs.tolist(), name
    table = pd.read_csv(folder / FULL_FILE)
    best = trials.merge(table[["id", f"{TASKS[0]}_setting"]], on="id")
    assert len(best) == len(trials[trials["id"].isin(table["id"])]) > 0
    for name, entry in described(folder, TRIALS_FILE).items():
        kinds = {"integer": "i", "number": "f", "boolean": "b"}
        assert trials[name].dtype.kind == kinds.get(str(entry["type"]), "O"), name


def test_the_ids_of_all_frames_are_those_of_the_files(folder: Path) -> None:
    run = results.run.load(folder)
    with Store.open(folder, readonly=True) as store:
        whole = {printed_id(row.id): short_id(row.id) for row in store.cells()}
    table = run.leaderboard()
    assert set(run.cells["cell"]) == set(whole)
    assert set(run.cells["parent"].dropna()) <= set(whole)
    assert set(run.proposals["cell"].dropna()) | set(run.trials["cell"]) <= set(whole)
    assert [whole[str(cell)] for cell in table.index] == table["cell"].tolist()
    assert pd.read_csv(folder / FULL_FILE)["id"].tolist() == table.index.tolist()

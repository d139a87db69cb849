"""`results.load`: frames against the rows of the store, and the example of its docstring."""

import math
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import results
from results import run as module
from results.store.errors import ResultsError
from results.store.store import Store
from results.tables.leaderboard import leaderboard
from search.cells.ids import printed_id
from tests.test_results.rows import GRU, fill, make_evaluation, make_trial, random_run

PROFILE = """
[tasks.arithmetic]
[tasks.extra]
role = "check"
[tasks.music]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with every kind of row, called `kept`."""
    path = tmp_path / "runs" / "kept"
    cells, trials, proposals = random_run(np.random.default_rng(4))
    with Store.create(
        path, name="kept", seed=7, profile=PROFILE, strategy="paper", window=4, information={"cpu": "x"}
    ) as store:
        fill(store, cells, trials, proposals)
        store.add_environment("abc", '{"torch": "2"}')
        store.record(make_evaluation(GRU), [])
        store.record(make_evaluation(GRU, "music", threshold=None, passed=False), [])
        key = '{"layers":2,"learning_rate":0.5,"max_norm":5.0,"parameters":9000,"scale":0.7}'
        curve = ((50, math.nan, 0.25), (100, 1.5, math.nan))
        last = make_trial(GRU, "xml", repeat=2, environment="abc", curve=curve, proposal=3)
        store.record(None, [replace(last, setting=key)])
    return path


def same(found: Any, expected: Any) -> bool:
    """Return whether the values are equal, or missing in both."""
    missing = expected is None or (isinstance(expected, float) and math.isnan(expected))
    return bool(pd.isna(found)) if missing else bool(found == expected)


def test_frames_are_the_rows_of_the_store(folder: Path) -> None:
    run = results.load(folder)
    assert (run.name, run.seed, run.tasks) == ("kept", 7, ("arithmetic", "music"))
    assert run.information["cpu"] == "x"
    assert run.environments["abc"] == {"torch": "2"}
    with Store.open(folder, readonly=True) as store:
        tables: dict[str, tuple[pd.DataFrame, dict[Any, Any], list[str], dict[str, str]]] = {
            "cells": (run.cells, {row.id: row for row in store.cells()}, ["cell"], {"cell": "id"}),
            "trials": (
                run.trials,
                {(r.cell, r.task, r.setting, r.repeat): r for r in store.trials(curves=True)},
                ["cell", "task", "setting", "repeat"],
                {},
            ),
            "proposals": (run.proposals, {r.index: r for r in store.proposals()}, ["proposal"], {"proposal": "index"}),
            "evaluations": (
                run.evaluations,
                {(r.proposal, r.cell, r.task): r for r in store.evaluations()},
                ["proposal", "cell", "task"],
                {},
            ),
        }
        table = leaderboard(store, run.tasks)
    own = {"trial", "scale", "learning_rate", "max_norm", "layers", "budget", "optimiser", "weight_decay"}
    own |= {"dropout", "variational", "tied"}
    for name, (frame, rows, key, names) in tables.items():
        assert list(frame.columns) == list(getattr(module, name.upper())), name
        assert len(frame) == len(rows)
        for record in frame.to_dict("records"):
            place = [record[part][1:] if part == "cell" else record[part] for part in key]
            row = rows[place[0] if len(key) == 1 else tuple(place)]
            for column in record.keys() - own:
                value = getattr(row, names.get(str(column), str(column)))
                value = list(value) if isinstance(value, tuple) else value
                if column in ("cell", "parent") and isinstance(value, str):
                    value = printed_id(value)
                assert same(record[column], value), (name, column)
    (last,) = run.trials[run.trials["task"] == "xml"].to_dict("records")
    assert [last[part] for part in ("scale", "learning_rate", "max_norm", "layers", "budget")] == [0.7, 0.5, 5, 2, 9000]
    assert set(run.trials["optimiser"]) == {"sgd"}
    assert set(run.trials["weight_decay"]) == set(run.trials["dropout"]) == {0.0}
    assert run.trials["tied"].dtype == bool
    assert not run.trials["variational"].any()
    points = run.curves[run.curves["trial"] == last["trial"]].to_dict("records")
    assert [point["step"] for point in points] == [50, 100]
    assert math.isnan(points[0]["loss"])
    assert points[0]["point"] == 0.25
    assert list(run.curves.columns) == list(module.CURVES)
    assert len(run.curves) == 2 * len(run.trials)
    found = run.leaderboard()
    assert found.index.tolist() == [printed_id(str(cell)) for cell in table.index]
    pd.testing.assert_frame_equal(found.reset_index(drop=True), table.reset_index(drop=True))


def test_every_column_has_a_meaning_and_numbers_are_numbers(folder: Path) -> None:
    run = results.load(folder)
    for name in ("CELLS", "TRIALS", "CURVES", "PROPOSALS", "EVALUATIONS"):
        assert all(getattr(module, name).values())
    for column in ("validation", "test", "seconds", "scale", "seed", "steps", "layers", "proposal"):
        assert pd.api.types.is_numeric_dtype(run.trials[column]), column
    assert run.trials["higher_is_better"].dtype == bool
    assert run.evaluations["passed"].dtype == bool


def test_a_run_is_found_by_name_and_one_that_is_not_there_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATESEARCH_RUNS", str(folder.parent))
    assert results.load("kept").folder == folder
    with pytest.raises(ResultsError, match=rf"^there is no run 'nosuch' in {folder.parent}; available: kept$"):
        results.load("nosuch")


def test_a_run_is_read_while_it_is_written_and_its_frames_belong_together(folder: Path) -> None:
    with Store.open(folder) as store:
        run = results.load(folder)
        before = len(run.trials)
        store.record(None, [make_trial(GRU, "xml", setting=99)])
        assert len(run.trials) == before
        assert set(run.curves["trial"]) == set(run.trials["trial"])
        assert len(results.load(folder).trials) == before + 1


def test_a_setting_of_more_than_a_whole_number_can_say_is_left_empty(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "run.sqlite")) as connection, connection:
        connection.execute("UPDATE trials SET setting = json_set(setting, '$.parameters', 9223372036854775807)")
    trials = results.load(folder).trials
    assert trials["budget"].isna().all()
    assert trials["layers"].notna().all()


def test_an_empty_run_has_all_its_columns(tmp_path: Path) -> None:
    with Store.create(
        tmp_path / "x", name="x", seed=0, profile=PROFILE, strategy="paper", window=1, information={}
    ) as store:
        run = results.load(store.folder)
    for name in ("cells", "trials", "curves", "proposals", "evaluations"):
        frame = getattr(run, name)
        assert len(frame) == 0
        assert list(frame.columns) == list(getattr(module, name.upper()))


def test_the_example_of_the_module_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATESEARCH_RUNS", str(folder.parent))
    assert module.__doc__ is not None
    lines = [line[4:] for line in module.__doc__.splitlines() if line.startswith("    ")]
    example = "\n".join(lines).replace("quick-1", "kept")
    assert example.count("run.") >= 5
    exec(compile(example, "example", "exec"), {})  # noqa: S102 - it is our own docstring

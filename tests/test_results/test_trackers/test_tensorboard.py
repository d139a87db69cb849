"""Exports to TensorBoard and MLflow, read back by the readers of those tools."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from results.store.errors import ResultsError
from results.store.store import Store
from results.tables.leaderboard import leaderboard
from results.trackers.exported_trials import exported_trials
from results.trackers.mlflow import KEY, log_run
from results.trackers.tensorboard import write_curves
from search.cells.ids import short_id
from tests.test_results.rows import GRU, LSTM, TASKS, fill, make_baseline, make_store, make_trial, random_run


@pytest.fixture
def small(store: Store) -> Store:
    """GRU and LSTM on two tasks, two settings each; the better one of the GRU with two repeats."""
    fill(store, [make_baseline("gru"), make_baseline("lstm")], [], [])
    curve = ((10, 2.5, 0.125), (20, math.nan, 0.5))
    for cell in (GRU, LSTM):
        for task in TASKS:
            for setting, value in enumerate([0.5, 0.25]):
                store.record(None, [make_trial(cell, task, setting, validation=value, curve=curve)])
    store.record(None, [make_trial(GRU, TASKS[0], 0, repeat=r, seed=r, curve=curve) for r in (1, 2)])
    return store


def test_what_is_logged_is_the_picked_trial_of_each_cell_and_task_and_its_repeats(small: Store) -> None:
    found = [
        (t.label, t.trial.task, json.loads(t.trial.setting)["learning_rate"], t.trial.repeat)
        for t in exported_trials(small, TASKS)
    ]
    wanted = [("gru", "arithmetic", 0, r) for r in range(3)] + [("gru", "music", 1, 0)]
    wanted += [("lstm", "arithmetic", 0, 0), ("lstm", "music", 1, 0)]
    assert sorted(found) == sorted(wanted)
    assert {t.label for t in exported_trials(small, TASKS, cells=1)} == {leaderboard(small, TASKS)["name"].iloc[0]}


def test_paused_repeats_are_not_logged(small: Store) -> None:
    before = exported_trials(small, TASKS)
    small.record(None, [make_trial(GRU, TASKS[0], 0, repeat=3, state="paused")])
    assert exported_trials(small, TASKS) == before


def test_ids_are_found_again_for_every_row(store: Store) -> None:
    fill(store, *random_run(np.random.default_rng(2)))
    labels = {short_id(exported.trial.cell): exported.label for exported in exported_trials(store, TASKS)}
    frame = leaderboard(store, TASKS).head(50)
    for cell, name in zip(frame["cell"], frame["name"], strict=True):
        assert labels.get(cell, "none") in ("none", cell if pd.isna(name) else name)
    assert len(labels) > 5


def test_tensorboard_reads_the_curves_and_writing_again_replaces_them(small: Store, tmp_path: Path) -> None:
    for _ in range(2):
        assert write_curves(small, TASKS, tmp_path / "logs") == 6
    folders = sorted(str(p.parent.relative_to(tmp_path / "logs")) for p in (tmp_path / "logs").rglob("events.*"))
    assert folders == sorted(
        [f"run/arithmetic/gru/{run}" for run in ("search", "seed-1", "seed-2")]
        + ["run/arithmetic/lstm/search", "run/music/gru/search", "run/music/lstm/search"]
    )
    events = EventAccumulator(str(tmp_path / "logs" / "run" / "arithmetic" / "gru" / "seed-1"))
    events.Reload()
    read = {
        tag: [(e.step, float(tensor_util.make_ndarray(e.tensor_proto))) for e in events.Tensors(tag)]
        for tag in ("validation", "training_loss")
    }
    assert read == {"validation": [(10, 0.125), (20, 0.5)], "training_loss": [(10, 2.5)]}


def test_made_up_curves_say_so_in_their_path(small: Store, tmp_path: Path) -> None:
    small.mark(simulated={"delays": 0})
    write_curves(small, TASKS, tmp_path / "logs")
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["simulated-run"]


def test_mlflow_has_the_run_its_trials_and_its_files_once(
    small: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow 3 wants to be asked for its own file store
    uri = (tmp_path / "mlruns").as_uri()
    (small.folder / "leaderboard.csv").write_text("rank\n")
    assert log_run(small, TASKS, uri) == 6
    assert log_run(small, TASKS, uri) == 0
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("gatesearch")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 7
    (parent,) = [run for run in runs if run.data.tags[KEY] == f"test/7/{small.identity}"]
    assert parent.data.params["strategy"] == "study"
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} == {"leaderboard.csv", "profile.toml"}
    (trial,) = [run for run in runs if run.data.params.get("repeat") == "2"]
    assert trial.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert trial.data.params["cell"] == "gru"
    assert trial.data.params["learning_rate"] == "0"
    assert trial.data.metrics["test"] == 0.45
    history = client.get_metric_history(trial.info.run_id, "validation")
    assert [(point.step, point.value) for point in history] == [(10, 0.125), (20, 0.5)]
    small.record(None, [make_trial(GRU, TASKS[0], 0, repeat=3)])
    assert log_run(small, TASKS, uri) == 1


def test_a_store_that_mlflow_refuses_is_one_line(small: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(ResultsError, match="MLflow at 'nonsense://x' refuses: ") as caught:
        log_run(small, TASKS, "nonsense://x")
    assert "\n" not in str(caught.value)
    assert "; check the address and that an MLflow server runs there" in str(caught.value)


def test_runs_of_one_name_in_other_stores_are_told_apart_and_copies_are_not(
    small: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = str(tmp_path / "mlruns")
    assert log_run(small, TASKS, uri) == 6
    with make_store(tmp_path / "other" / "run", started="later") as other:
        fill(other, [make_baseline("gru")], [], [])
        other.record(None, [make_trial(GRU, task) for task in TASKS])
        assert other.identity != small.identity
        assert log_run(other, TASKS, uri) == 2
    shutil.copytree(small.folder, tmp_path / "copy")
    with Store.open(tmp_path / "copy") as copy:
        copy.mark(finished="later")
        assert copy.identity == small.identity
        assert log_run(copy, TASKS, uri) == 0


def test_a_deleted_experiment_has_a_remedy_and_a_deleted_run_is_logged_again(
    small: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = str(tmp_path / "mlruns")
    log_run(small, TASKS, uri)
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("gatesearch")
    assert experiment is not None
    for run in client.search_runs([experiment.experiment_id]):
        if run.data.tags[KEY] == f"test/7/{small.identity}":
            client.delete_run(run.info.run_id)
    assert log_run(small, TASKS, uri) == 6
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(
        ResultsError, match=r"^MLflow's experiment 'gatesearch' is deleted there; restore it \(mlflow exp"
    ):
        log_run(small, TASKS, uri)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("localhost:5000", "http://localhost:5000 for a server, or ./localhost:5000 for a folder"),
        ("me:secret@host:5000/path", "http://...@host:5000/path for a server"),
        (" ", "the address of MLflow is empty"),
    ],
)
def test_an_address_without_a_scheme_is_refused_and_makes_no_folder(
    uri: str, shown: str, small: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ResultsError) as caught:
        log_run(small, TASKS, uri)
    assert shown in str(caught.value)
    assert "secret" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "password", ["se/cret", *(pytest.param(one, marks=pytest.mark.slow) for one in ("secret", "s@secret"))]
)
def test_a_password_in_an_address_is_never_shown(password: str, small: Store) -> None:
    uri = f"http://me:{password}@127.0.0.1:1/x"
    with pytest.raises(ResultsError) as caught:
        log_run(small, TASKS, uri)
    assert "MLflow at 'http://...@127.0.0.1:1/x' refuses: " in str(caught.value)
    assert "cret" not in str(caught.value)

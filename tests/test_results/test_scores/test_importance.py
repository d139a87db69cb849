"""Importance of settings, on trials with a known answer."""

import json
from dataclasses import replace

import numpy as np
import pytest

from results.report.plots import marginals_chart
from results.scores.importance import CELL, FEWEST, PERCENTILE, importance, marginals, rank_percentiles
from results.store.store import Store
from tests.test_results.rows import make_cell, make_trial

CELLS = [f"{k:016x}" for k in range(6)]


def made_run(store: Store, count: int, seed: int = 0) -> list[tuple[str, float, float, float]]:
    """Make trials whose metric depends on the learning rate, a little on the cell, and not on the scale."""
    rng = np.random.default_rng(seed)
    for cell in CELLS:
        store.add_cell(make_cell(cell))
    made = []
    for k in range(count):
        number, rate, scale = int(rng.integers(6)), float(rng.choice([0.1, 0.5, 1.0])), float(rng.choice([1.0, 2.0]))
        metric = -abs(rate - 0.5) + 0.01 * number + 0.001 * float(rng.normal())
        setting = json.dumps({"learning_rate": rate, "scale": scale, "max_norm": 1.0, "layers": 1, "parameters": 9})
        state = "diverged" if rate == 1.0 and k % 2 else "ok"
        # Spaces tell trials with equal hyperparameters apart: a trial's key is its setting's text.
        row = make_trial(CELLS[number], validation=metric, state=state)
        store.record(None, [replace(row, setting=setting + " " * k)])
        made.append((CELLS[number], rate, scale, metric if state == "ok" else -np.inf))
    return made


def test_what_the_metric_is_made_of_matters_and_what_it_is_not_made_of_does_not(store: Store) -> None:
    made_run(store, 400)
    found = importance(store, "arithmetic")
    assert found is not None
    assert found.trials == 400
    assert found.explained > 0.7
    assert next(iter(found.shares)) == "learning rate"
    assert set(found.shares) == {"learning rate", "initial scale", CELL}  # what is always the same is not asked about
    assert found.shares["learning rate"][0] > 10 * abs(found.shares["initial scale"][0])
    assert found.shares[CELL][0] > 5 * abs(found.shares["initial scale"][0])
    assert importance(store, "arithmetic") == found


def test_the_optimiser_matters_where_the_metric_depends_on_it(store: Store) -> None:
    rng = np.random.default_rng(0)
    store.add_cell(make_cell(CELLS[0]))
    for k in range(120):
        name, rate = str(rng.choice(["sgd", "adam", "adamw"])), float(rng.choice([0.1, 0.5]))
        value = {"sgd": 0.1, "adam": 0.9, "adamw": 0.5}[name] + 0.01 * float(rng.random())
        setting = json.dumps({"learning_rate": rate, "optimiser": name, "version": 2}) + " " * k
        store.record(None, [replace(make_trial(CELLS[0], validation=value), setting=setting)])
    found = importance(store, "arithmetic")
    assert found is not None
    assert next(iter(found.shares)) == "optimiser"
    assert found.shares["optimiser"][0] > 1.0
    assert found.explained > 0.8
    rows = marginals(store, "arithmetic")
    middle = rows[rows["hyperparameter"] == "optimiser"].set_index("value")["middle"]
    assert middle["sgd"] < middle["adamw"] < middle["adam"]
    shown = json.dumps(marginals_chart(rows[rows["hyperparameter"] == "optimiser"].assign(task="xml"), "optimiser"))
    assert '"value": "adamw"' in shown
    assert '"format": "~' not in shown


def test_standings_are_shares_of_worse_trials_with_diverged_ones_at_the_bottom(store: Store) -> None:
    made = made_run(store, 80)
    frame = rank_percentiles(store, "arithmetic")
    expected = sorted(
        (sum(m < own for *_, m in made) + (sum(m == own for *_, m in made) - 1) / 2) / 79 for *_, own in made
    )
    assert sorted(frame[PERCENTILE]) == pytest.approx(expected)


def test_a_paused_trial_has_no_standing_and_one_that_was_behind_has(store: Store) -> None:
    made_run(store, 80)
    before = rank_percentiles(store, "arithmetic")
    store.record(None, [make_trial(CELLS[0], setting=1, validation=9.0, state="paused")])
    assert rank_percentiles(store, "arithmetic").equals(before)
    store.record(None, [make_trial(CELLS[0], setting=2, validation=9.0, state="behind")])
    after = rank_percentiles(store, "arithmetic")
    assert len(after) == 81
    assert after[PERCENTILE].max() == 1.0
    assert (after[PERCENTILE] == 1.0).sum() == 1


def test_marginals_are_the_quartiles_of_the_standings(store: Store) -> None:
    made_run(store, 80)
    frame = rank_percentiles(store, "arithmetic")
    found = marginals(store, "arithmetic")
    assert found["hyperparameter"].unique().tolist() == ["learning rate", "initial scale"]
    for row in found.itertuples():
        part = frame.loc[frame[str(row.hyperparameter)] == row.value, PERCENTILE]
        assert row.trials == len(part)
        assert (row.low, row.middle, row.high) == pytest.approx(tuple(np.quantile(part, [0.25, 0.5, 0.75])))


def test_where_lower_is_better_the_lowest_stands_highest(store: Store) -> None:
    store.add_cell(make_cell(CELLS[0]))
    for k, nats in enumerate([9.0, 7.0, 8.0]):
        store.record(None, [make_trial(CELLS[0], "music", k, validation=nats)])
    frame = rank_percentiles(store, "music")
    assert frame[PERCENTILE].tolist() == [0.0, 1.0, 0.5]


def test_of_few_trials_nothing_is_said(store: Store) -> None:
    made_run(store, FEWEST - 1)
    assert importance(store, "arithmetic") is None
    assert importance(store, "music") is None
    assert marginals(store, "music").empty

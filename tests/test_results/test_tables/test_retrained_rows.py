"""Rows of retrained and confirmed cells against plain loops over the trials."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from results.store.records import MeasureRow, TrialRow
from results.store.store import Store
from results.tables.leaderboard import leaderboard
from results.tables.trial_figures import trial_figures
from search.cells.ids import short_id
from tests.test_results.rows import (
    CONSTANTS,
    GRU,
    LSTM,
    TASKS,
    make_gain_store,
)
from tests.test_results.test_tables.finalists import holm_by_loop, make_finalists, named, pick


@pytest.mark.parametrize("seed", range(3))
def test_retrained_cells_are_ranked_by_test_means_and_paired_tests(store: Store, seed: int) -> None:
    found = make_finalists(store, np.random.default_rng(seed))
    frame = leaderboard(store, TASKS)
    assert frame["evidence"].tolist() == ["retrained"] * 5 + ["search"]
    assert frame["rank"].tolist() == [1, 2, 3, 4, 5, 6]
    assert frame["score"][:5].is_monotonic_decreasing
    rows = named(frame)
    tests: dict[tuple[str, str, str], float] = {}
    for task in TASKS:
        values = {
            cell: np.array([0.2 if t.test is None else t.test for t in trials]) for cell, trials in found[task].items()
        }
        for cell, own in values.items():
            row = rows[{GRU: "gru", LSTM: "lstm"}.get(cell, short_id(cell))]
            gru = values[GRU]
            ratio = own.mean() / gru.mean() if task == "arithmetic" else gru.mean() / own.mean()
            assert row[f"{task}_test"] == pytest.approx(own.mean())
            assert row[f"{task}_test_se"] == pytest.approx(stats.sem(own))
            assert row[f"{task}_ratio"] == pytest.approx(ratio)
            assert row[f"{task}_repeats"] == 4
            assert row[f"{task}_lost"] == (1 if (cell, task) == ("b" * 16, "arithmetic") else 0)
            for name, other in (("gru", GRU), ("lstm", LSTM)):
                if cell not in (other, "c" * 16) and (cell, other) != (GRU, LSTM):
                    tests[task, cell, name] = float(stats.ttest_rel(own, values[other]).pvalue)
    for task in TASKS:  # the seeds that chose a found cell cannot judge it
        assert pd.isna([rows["gcccccccc"][f"{task}_vs_{name}"] for name in ("gru", "lstm", "gru_p", "lstm_p")]).all()
    verdicts = set()
    for (task, cell, name), p in zip(tests, holm_by_loop(list(tests.values())), strict=True):
        row = rows[{LSTM: "lstm"}.get(cell, short_id(cell))]
        assert row[f"{task}_vs_{name}_p"] == pytest.approx(p)
        ahead = (row[f"{task}_test"] > rows[name][f"{task}_test"]) == (task == "arithmetic")
        expected = "undecided" if p >= 0.05 else "better" if ahead else "worse"
        assert row[f"{task}_vs_{name}"] == expected
        verdicts.add(expected)
        if (cell, name) == (LSTM, "gru"):
            mirrored = {"better": "worse", "worse": "better"}.get(expected, expected)
            assert rows["gru"][f"{task}_vs_lstm"] == mirrored
    assert verdicts == {"better", "worse", "undecided"}
    rng = np.random.default_rng(0)
    for name, row in rows.items():
        assert row["score"] == min(row[f"{task}_ratio"] for task in TASKS), name
        if row["evidence"] == "retrained":
            errors = [float(row[f"{task}_ratio_se"]) for task in TASKS]
            drawn = rng.normal([row[f"{task}_ratio"] for task in TASKS], errors, (200_000, len(TASKS))).min(axis=1)
            assert row["score_se"] == pytest.approx(drawn.std(), rel=0.02), name
        else:
            assert row["score_se"] == row[f"{row['weakest_task']}_ratio_se"], name
    gru_row = rows["gru"]
    assert [gru_row[c] for c in ("score", "score_se", "arithmetic_ratio_se", "music_ratio_se")] == [1, 0, 0, 0]
    # The search's own numbers are still there, and no repeat has found its way into them.
    best = pick([t for t in store.trials() if t.repeat == 0], "a" * 16, "music")
    assert best is not None
    assert rows["gaaaaaaaa"]["music_validation"] == best.validation
    gru_best = pick([t for t in store.trials() if t.repeat == 0], GRU, "music")
    assert gru_best is not None
    assert gru_best.validation is not None
    assert rows["gaaaaaaaa"]["search_score"] <= gru_best.validation / (best.validation or 0.0)
    assert rows["gdddddddd"]["score"] == rows["gdddddddd"]["search_score"]
    for task in TASKS:
        layers = json.loads(found[task]["a" * 16][0].setting)["layers"]
        assert (rows["gaaaaaaaa"][f"{task}_units"], rows["gaaaaaaaa"][f"{task}_multiply_adds"]) == (
            32,
            layers * 2 * 32**2,
        )


@pytest.mark.parametrize("seed", range(3))
def test_gains_of_retrained_cells_are_measured_from_the_test_set_s_constant_baseline(tmp_path: Path, seed: int) -> None:
    with make_gain_store(tmp_path / "run") as store:
        found = make_finalists(store, np.random.default_rng(seed))
        frame = leaderboard(store, TASKS)
    assert frame["evidence"].tolist() == ["retrained"] * 5 + ["search"]
    rows = named(frame)
    rng = np.random.default_rng(1)
    for task in TASKS:
        constant = CONSTANTS[task]["test"]
        values = {
            # A lost repeat has no gain at all.
            cell: np.array([constant if t.test is None else t.test for t in trials])
            for cell, trials in found[task].items()
        }
        gru = values[GRU] - constant
        for cell, own in values.items():
            row = rows[{GRU: "gru", LSTM: "lstm"}.get(cell, short_id(cell))]
            gain = own - constant
            share = gain.mean() / gru.mean()
            assert row[f"{task}_gain"] == pytest.approx(share)
            # The error of a ratio of means, by drawing both means with their covariance.
            covariance = np.cov(gain, gru) / gain.size
            drawn = rng.multivariate_normal([gain.mean(), gru.mean()], covariance, 100_000)
            deviation = float((drawn[:, 0] / drawn[:, 1]).std())
            assert row[f"{task}_gain_se"] == pytest.approx(deviation, rel=0.03, abs=1e-9)
    for name, row in rows.items():
        if row["evidence"] == "retrained":
            assert row["gain_score"] == min(row[f"{task}_gain"] for task in TASKS), name
            assert row["ratio_score"] == min(row[f"{task}_ratio"] for task in TASKS), name
            errors = [float(row[f"{task}_gain_se"]) for task in TASKS]
            drawn = rng.normal([row[f"{task}_gain"] for task in TASKS], errors, (200_000, len(TASKS))).min(axis=1)
            assert row["score_se"] == pytest.approx(drawn.std(), rel=0.02), name
        assert row["score"] == row["gain_score"]
    assert frame["score"][:5].is_monotonic_decreasing
    assert [rows["gru"][c] for c in ("score", "score_se", "arithmetic_gain_se", "music_gain")] == [1, 0, 0, 1]


def test_accuracy_perplexity_and_the_error_of_the_test_set_are_means_over_the_repeats(store: Store) -> None:
    found = make_finalists(store, np.random.default_rng(0))
    extra = [
        replace(trial, repeat=trial.repeat, test_loss=1.0 + 0.1 * trial.repeat, test_se=0.01 * trial.repeat)
        for trial in found["music"][LSTM]
    ]
    # A symbols task that is ranked by cross entropy, with accuracy beside it.
    trials = [replace(t, task="text", metric="cross_entropy", test=t.test_loss, higher_is_better=False) for t in extra]
    base = replace(trials[0], repeat=0, validation=0.9, test=1.5, test_loss=1.5, test_se=0.25)
    measures = [
        MeasureRow(LSTM, "text", t.setting, t.repeat, "accuracy", 0.3, 0.01, 0.3 + 0.02 * t.repeat, 0.01)
        for t in (base, *trials)
    ]
    store.record(None, [base, *trials], measures)
    figures = trial_figures(store, 4)
    cells = pd.Index([LSTM, GRU, "b" * 16])
    search, repeats = figures.of_search("text", cells), figures.of_repeats("text", cells)
    assert list(search.loc[LSTM]) == pytest.approx([0.25, 0.3, math.exp(1.5)])
    assert list(repeats.loc[LSTM]) == pytest.approx([0.025, 0.35, math.exp(1.25)])
    assert search.loc[GRU].isna().all()
    rows = named(leaderboard(store, TASKS))
    tests = [t.test for t in found["arithmetic"][LSTM] if t.test is not None]
    assert rows["lstm"]["arithmetic_accuracy"] == pytest.approx(np.mean(tests)) == rows["lstm"]["arithmetic_test"]
    assert rows["lstm"]["arithmetic_perplexity"] == pytest.approx(math.exp(1.75))
    assert rows["lstm"]["arithmetic_test_set_se"] == pytest.approx(0.02)
    assert rows["lstm"]["arithmetic_test_se"] == pytest.approx(stats.sem(tests))
    assert math.isnan(rows["lstm"]["music_perplexity"])
    # A repeat was lost: a mean over the others would favour the cell.
    lost = rows["gbbbbbbbb"]
    assert (lost["arithmetic_lost"], math.isnan(lost["arithmetic_accuracy"])) == (1, True)
    assert math.isnan(lost["arithmetic_perplexity"])
    assert lost["arithmetic_test_set_se"] == pytest.approx(0.02)


def confirm(store: Store, found: dict[str, dict[str, list[TrialRow]]], rng: np.random.Generator) -> None:
    """Declare the found finalist as a contender with looks at 5 and 8 seeds, and store the trials of the first look."""
    contender = "c" * 16
    settings = {cell: {task: found[task][cell][0].setting for task in TASKS} for cell in (contender, GRU, LSTM)}
    for task in TASKS:
        shared = rng.normal(0, 0.02, 5)
        for cell, level in ((GRU, 0.5), (LSTM, 0.6), (contender, 0.55)):
            tests = level + shared + rng.normal(0, 0.003, 5)
            first = found[task][cell][0]
            store.record(None, [replace(first, repeat=1001 + r, test=float(test)) for r, test in enumerate(tests)])
    plans = [{"cell": contender, "task": task, "looks": [5, 8]} for task in TASKS]
    constant = {"arithmetic": 0.1, "music": 9.0}
    store.mark(
        constants={task: {"test": value, "validation": 0.0} for task, value in constant.items()},
        confirmation={"level": 0.05, "plans": plans, "settings": settings, "constant_baseline": constant},
    )


def test_contenders_have_the_numbers_and_verdicts_of_their_confirmation(store: Store) -> None:
    found = make_finalists(store, np.random.default_rng(1))
    before = named(leaderboard(store, TASKS))
    confirm(store, found, np.random.default_rng(2))
    frame = leaderboard(store, TASKS)
    rows = named(frame)
    assert {name: row["evidence"] for name, row in rows.items()} == {
        **{"gru": "confirmed", "lstm": "confirmed", "gcccccccc": "confirmed"},
        **{"gaaaaaaaa": "retrained", "gbbbbbbbb": "retrained", "gdddddddd": "search"},
    }
    fresh = [trial for trial in store.trials() if trial.repeat > 1000]
    raw: dict[tuple[str, str], float] = {}
    for task in TASKS:
        values = {
            cell: np.array([t.test for t in fresh if (t.cell, t.task) == (cell, task)], np.float64)
            for cell in (GRU, LSTM, "c" * 16)
        }
        for name, cell in (("gru", GRU), ("lstm", LSTM), ("gcccccccc", "c" * 16)):
            assert rows[name][f"{task}_test"] == pytest.approx(values[cell].mean())
            assert rows[name][f"{task}_repeats"] == 5
        ratio = values["c" * 16].mean() / values[GRU].mean()
        assert rows["gcccccccc"][f"{task}_ratio"] == pytest.approx(ratio if task == "arithmetic" else 1 / ratio)
        for name, other in (("gru", GRU), ("lstm", LSTM)):
            raw[task, name] = 2 * float(stats.ttest_rel(values["c" * 16], values[other]).pvalue)
    for (task, name), p in zip(raw, holm_by_loop(list(raw.values())), strict=True):
        assert rows["gcccccccc"][f"{task}_vs_{name}_p"] == pytest.approx(p)
        # Above the GRU and below the LSTM by 0.05, where music is better when lower.
        ahead = (name == "gru") == (task == "arithmetic")
        assert rows["gcccccccc"][f"{task}_vs_{name}"] == ("better" if ahead else "worse")
    # Named cells keep the family of the first round, which the confirmation does not change.
    for name in ("gaaaaaaaa", "gbbbbbbbb", "lstm"):
        for column in (f"{task}_vs_gru{end}" for task in TASKS for end in ("", "_p")):
            assert rows[name][column] == before[name][column]


def test_a_finalist_counts_once_it_has_every_repeat_at_the_best_setting_of_the_search(store: Store) -> None:
    found = make_finalists(store, np.random.default_rng(0))
    store.mark(retrained={"repeats": 5, "constant_guess": {"arithmetic": 0.2, "music": 9.0}})
    assert set(leaderboard(store, TASKS)["evidence"]) == {"search"}
    store.mark(retrained={"repeats": 4, "constant_guess": {"arithmetic": 0.2, "music": 9.0}})
    assert leaderboard(store, TASKS)["evidence"].tolist().count("retrained") == 5
    best = found["arithmetic"]["c" * 16][0]
    store.record(None, [replace(best, setting='{"layers": 1, "learning_rate": 9}', repeat=0, validation=0.999)])
    row = named(leaderboard(store, TASKS))["gcccccccc"]
    assert (row["evidence"], row["arithmetic_validation"]) == ("search", 0.999)

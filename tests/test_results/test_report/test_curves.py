"""Learning curves of the report, their means and their paired differences from the GRU's."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from results.report.curve_plots import curves_chart, differences_chart
from results.report.curves import COLUMNS, curves_of, difference_curves, mean_curves
from results.scores.estimates import GRU, picks
from results.store.store import Store
from results.store.words import TrialState
from tests.test_results.rows import fill, make_baseline, make_cell, make_trial

CELL = "a" * 16


def curves(rows: dict[tuple[str, int], dict[int, float]]) -> pd.DataFrame:
    parts = [(cell, repeat, step, value) for (cell, repeat), line in rows.items() for step, value in line.items()]
    return pd.DataFrame(parts, columns=list(COLUMNS))


def test_differences_are_paired_by_seed_and_above_0_is_better() -> None:
    cell, gru = (0.5, 0.7, 0.9), (0.4, 0.65, 0.7)
    lines = {(CELL, k + 1): {10: v, 20: v + 1} for k, v in enumerate(cell)}
    lines |= {(GRU, k + 1): {10: v, 20: v} for k, v in enumerate(gru)}
    lines |= {(CELL, 9): {10: 50.0}}  # a seed that the GRU does not have
    found = difference_curves(curves(lines), higher=True).set_index("step")
    test = ttest_rel(cell, gru).confidence_interval(0.95)
    mean = sum(cell) / 3 - sum(gru) / 3
    assert (found.at[10, "low"], found.at[10, "high"]) == pytest.approx((test.low, test.high))
    assert found["pairs"].tolist() == [3, 3]
    assert found["difference"].tolist() == pytest.approx([mean, mean + 1])
    lower = difference_curves(curves(lines), higher=False).set_index("step")
    assert lower.at[10, "difference"] == pytest.approx(-mean)
    assert (lower.at[10, "low"], lower.at[10, "high"]) == pytest.approx((-test.high, -test.low))


def test_the_gru_is_interpolated_and_never_continued() -> None:
    lines = {(CELL, 0): {5: 1.0, 15: 1.0, 25: 1.0}, (GRU, 0): {10: 0.0, 20: 1.0}}
    found = difference_curves(curves(lines), higher=True)
    assert found["step"].tolist() == [15]
    assert found["difference"].tolist() == [0.5]
    assert math.isnan(found["low"].iloc[0])


def test_without_the_gru_there_are_no_differences() -> None:
    assert difference_curves(curves({(CELL, 0): {1: 1.0}}), higher=True).empty


def test_a_mean_ends_with_the_shortest_run() -> None:
    found = mean_curves(curves({(CELL, 1): {10: 1.0, 20: 3.0}, (CELL, 2): {10: 2.0}}))
    assert found[["step", "validation", "runs"]].to_numpy().tolist() == [[10, 1.5, 2]]


def test_curves_are_those_of_the_fresh_seeds_without_paused_trials(store: Store) -> None:
    fill(store, [make_baseline("gru"), make_cell(CELL, parent=GRU, proposal=0)], [], [])
    line = ((10, 2.0, 0.5), (20, 1.0, 0.6))
    store.record(None, [make_trial(CELL, "xml", 0, validation=0.9, curve=line)])
    alone, metric = curves_of(store, picks(store), [CELL, GRU], "xml")
    assert (metric, alone["repeat"].tolist(), alone["validation"].tolist()) == ("accuracy", [0, 0], [0.5, 0.6])
    store.record(None, [make_trial(CELL, "xml", 0, repeat=1, validation=0.8, curve=line[:1])])
    paused = make_trial(CELL, "xml", 0, repeat=2, validation=0.8, curve=line, state=TrialState.PAUSED)
    store.record(None, [paused])
    again, _ = curves_of(store, picks(store), [CELL, GRU], "xml")
    assert (again["repeat"].tolist(), again["step"].tolist()) == ([1], [10])


def test_the_pointer_has_all_values_at_the_nearest_step_and_none_beyond_a_line() -> None:
    frame = pd.DataFrame(
        {"cell": ["gru", "gru", "b"], "step": [10, 20, 10], "validation": [0.25, 0.5, 0.125], "runs": 1, "repeat": 0}
    )
    spec = curves_chart(frame, frame, "accuracy", ["b", "gru"])
    rows = [row for part in spec["datasets"].values() for row in part if "v1" in row]
    assert rows == [{"step": 10, "v0": 0.125, "v1": 0.25}, {"step": 20, "v1": 0.5}]
    (layer,) = (layer for layer in spec["layer"] if layer["mark"]["type"] == "rule")
    assert [entry["title"] for entry in layer["encoding"]["tooltip"][1:]] == ["b", "gru"]
    (line,) = (layer for layer in spec["layer"] if layer["mark"]["type"] == "line")  # none for runs: there is one each
    colours = line["encoding"]["color"]["scale"]
    assert dict(zip(colours["domain"], colours["range"], strict=True)) == {"b": "#0072b2", "gru": "#000000"}


def test_a_chart_has_no_layer_without_values() -> None:
    """Vega complains of one on the page's console."""
    frame = pd.DataFrame(
        {"cell": ["b", "b"], "step": [10, 20], "difference": [0.5, 0.25], "low": np.nan, "high": np.nan}
    )
    marks = {layer["mark"]["type"] for layer in differences_chart(frame, "accuracy", ["b"])["layer"]}
    assert marks == {"rule", "line"}
    known = differences_chart(frame.assign(low=[0.0, np.nan], high=[1.0, np.nan]), "accuracy", ["b"])
    assert known["layer"][0]["mark"]["type"] == "area"


def test_titles_of_values_have_no_quotation_marks_that_would_end_an_expression() -> None:
    name = 'a" + b\\'
    frame = pd.DataFrame({"cell": [name], "step": [1], "difference": [0.5], "low": [0.0], "high": [1.0]})
    spec = differences_chart(frame, "accuracy", [name])
    titles = [
        entry.get("title", "") for layer in spec["layer"] for entry in layer.get("encoding", {}).get("tooltip", [])
    ]
    assert "a' + b/" in titles

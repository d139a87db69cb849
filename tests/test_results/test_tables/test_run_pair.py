"""Two runs side by side, against values that are worked out by hand, plain loops, and SciPy."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from results.store.records import TrialRow
from results.store.store import Store
from results.store.words import ScoreKind
from results.tables.run_pair import SharedTrials, rank_correlation, shared_cells, shared_trials
from tests.test_results.rows import make_cell, make_store, make_trial

A, B, C = "a" * 16, "b" * 16, "c" * 16


def board(rows: dict[str, tuple[object, ...]]) -> pd.DataFrame:
    """Return a leaderboard of rows (name, stage, evidence, rank, score, its error, xml's gain, test and error)."""
    names = ["name", "stage", "evidence", "rank", "score", "score_se", "xml_gain", "xml_test", "xml_test_se"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=names)
    frame["music_gain"] = [2.0] * len(frame)
    frame["cell"] = [f"g{index[:8]}" for index in frame.index]
    return frame


FIRST = board(
    {
        A: ("gru", "complete", "retrained", 1, 1.0, 0.0, 1.0, 0.5, 0.003),
        B: (None, "complete", "retrained", 2, 0.9, 0.03, 0.9, 0.45, 0.004),
        C: (None, "stopped at xml", "search", 3, math.nan, math.nan, 0.4, 0.2, math.nan),
    }
)
SECOND = board(
    {
        C: ("mine", "complete", "search", 3, 0.7, 0.1, 0.7, 0.3, math.nan),
        B: (None, "complete", "retrained", 1, 1.04, 0.04, 1.04, 0.52, 0.003),
    }
)


def test_cells_of_both_are_in_the_order_of_the_first_with_their_difference() -> None:
    found = shared_cells(FIRST, SECOND, ["xml", "music"], ScoreKind.GAIN)
    assert list(found.index) == [B, C]
    own = found.loc[B]
    assert (own["rank_a"], own["rank_b"]) == (2, 1)
    assert own["difference"] == pytest.approx(0.14)
    assert own["difference_se"] == pytest.approx(0.05)  # a right triangle of 3, 4, 5
    other = found.loc[C]
    assert other["name"] == "mine"
    assert found["rank_a"].isna().tolist() == [False, True]
    assert other["rank_b"] == 3
    assert (other["value_a"], other["value_b"]) == (0.4, 0.7)
    assert found["value_b_se"].isna().tolist() == [False, True]  # of a search's own trial
    assert found["difference_se"].isna().tolist() == [False, True]


def test_a_task_is_compared_by_its_test_metric() -> None:
    found = shared_cells(FIRST, SECOND, ["xml", "music"], ScoreKind.GAIN, "xml")
    assert found.loc[B, "difference"] == pytest.approx(0.07)
    assert found.loc[B, "difference_se"] == pytest.approx(0.005)


def test_cells_are_in_the_order_of_the_task_that_is_compared() -> None:
    first = FIRST.assign(xml_test=[0.5, 0.2, 0.45])
    second = SECOND.reindex([C, B])
    assert list(shared_cells(first, second, ["xml"], ScoreKind.GAIN, "xml").index) == [C, B]
    assert list(shared_cells(first, second, ["xml"], ScoreKind.GAIN, "xml", higher=False).index) == [B, C]


def test_the_error_of_the_score_is_not_that_of_fewer_tasks() -> None:
    """A smallest share over the common tasks that is not the run's score has no known error."""
    first = FIRST.assign(score=[0.5, 0.5, math.nan])  # the weakest task is in the first run alone
    found = shared_cells(first, SECOND, ["xml", "music"], ScoreKind.GAIN)
    assert found.loc[B, "value_a"] == 0.9
    assert found["value_a_se"].isna().all()


def test_the_rank_correlation_is_that_of_scipy() -> None:
    draws = np.random.default_rng(3).integers(0, 9, (40, 2)).astype(float)  # with ties
    draws[5, 1] = math.nan
    cells = pd.DataFrame(draws, columns=["value_a", "value_b"])
    known = draws[~np.isnan(draws).any(axis=1)]
    assert rank_correlation(cells) == pytest.approx(spearmanr(known[:, 0], known[:, 1]).statistic)
    assert rank_correlation(cells.head(2)) is None
    assert rank_correlation(cells.assign(value_b=1.0)) is None


def test_trials_are_the_same_by_cell_task_setting_and_seed(tmp_path: Path) -> None:
    rows = [
        make_trial(A, "xml", validation=0.5, test=0.4, seconds=2.0),
        make_trial(A, "music", validation=8.0, test=8.0, seconds=2.0),
        make_trial(B, "xml", validation=0.5, test=0.5, seconds=2.0),
        make_trial(B, "music", validation=None, test=None, state="diverged", seconds=2.0),
        make_trial(C, "xml", validation=0.5, test=None, state="paused", steps=10, seconds=1.0),
    ]
    others = [
        replace(rows[0], seconds=3.0),  # equal
        replace(rows[1], validation=8.0, test=10.0, seconds=5.0),  # by a fifth of the larger number
        replace(rows[2], seed=rows[2].seed + 1),  # another trial
        replace(rows[3], state="ok", validation=9.0, test=9.0, seconds=4.0),
        replace(rows[4], state="ok", validation=0.6, test=0.6, steps=100, seconds=9.0),  # trained further
    ]
    found = shared_trials(_store(tmp_path / "a", rows), _store(tmp_path / "b", others))
    assert (found.shared, found.paused, found.equal, found.state_differs) == (3, 1, 1, 1)
    assert found.largest == pytest.approx(0.2)
    assert found.slowdown == pytest.approx(2.0)
    alone = shared_trials(_store(tmp_path / "c", rows), _store(tmp_path / "d", []))
    assert alone == SharedTrials(0, 0, 0, 0.0, 0, None)


def _store(folder: Path, trials: list[TrialRow]) -> Store:
    store = make_store(folder)
    for cell in dict.fromkeys(row.cell for row in trials):
        store.add_cell(make_cell(cell))
    store.record(None, trials)
    return store

"""Best cell of a run on the page of all runs: that of the report's tile."""

from pathlib import Path

import pytest

from results.dashboard.board import best_of
from results.report.report import Page
from results.tables.leaderboard import leaderboard
from tests.test_results.truths import TASKS, make_run


def test_the_best_given_cell_is_another_than_gru_and_lstm(tmp_path: Path) -> None:
    with make_run(
        tmp_path, {"gru": 0.0, "lstm": 0.0, "mut1": -0.1, "tanh": -0.3}, profile="[search]\nproposals = 0\n"
    ) as store:
        table = leaderboard(store, TASKS, loops=False)
        best, tiles = best_of(table), Page(store, TASKS).head()["tiles"]
    assert best is not None
    assert best.label == "mut1"
    assert best.score == pytest.approx(table.loc[table["name"] == "mut1", "score"].iloc[0])
    assert "best other than GRU and LSTM: mut1" in [title for title, _, _ in tiles]
    assert best_of(table[table["name"].isin(["gru", "lstm"])]) is None

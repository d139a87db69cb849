"""Boards: their charts are those of the report, made without a check of each against Vega-Lite's schema."""

import time
from pathlib import Path

import numpy as np
import pytest
from altair.utils import schemapi

from results.dashboard.boards import Boards
from results.dashboard.pages import board_html
from results.report.report import Page
from results.store.store import Store
from tests.test_results.rows import TASKS, fill, make_store, random_run

LIMIT_SECONDS = 60.0


def test_the_charts_of_a_board_are_valid_though_they_are_not_checked(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_store(runs / "ranked") as store:
        fill(store, *random_run(np.random.default_rng(1)))
    with Store.open(runs / "ranked", readonly=True) as store:
        checked = board_html(Page(store, TASKS))
    modes = []

    class Watched(Page):
        def learning_curves(self) -> dict[str, object]:
            modes.append(schemapi.DEBUG_MODE)
            return super().learning_curves()

    monkeypatch.setattr("results.dashboard.boards.Page", Watched)
    boards = Boards(runs, lambda store: TASKS)
    deadline = time.monotonic() + LIMIT_SECONDS
    while (board := boards.board("ranked", page=True)) is None or board.html is None:
        assert time.monotonic() < deadline
        assert board is None or board.error is None
        time.sleep(0.05)
    boards.stop()
    assert board.html == checked
    assert modes == [False]
    assert schemapi.DEBUG_MODE  # the report's charts are checked

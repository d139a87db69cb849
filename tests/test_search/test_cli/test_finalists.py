"""`gatesearch finalists`: what a search's end did, done again, gone on with, or done to an earlier run."""

import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from tests.test_search.test_cli.conftest import Gatesearch, assert_same_table


@pytest.fixture
def kept(here: Path, finished: Path) -> Path:
    shutil.copytree(finished, here / "runs" / "kept")
    return here / "runs" / "kept"


def counts(run: Path) -> dict[int, int]:
    """Trials by repeat."""
    with sqlite3.connect(run / "run.sqlite") as connection:
        return dict(connection.execute("SELECT repeat, count(*) FROM trials GROUP BY repeat"))


def test_a_search_ends_with_its_finalists_and_there_is_nothing_left_to_do(
    gatesearch: Gatesearch, kept: Path, finished: Path
) -> None:
    trials = counts(kept)
    assert trials[1] == trials[2] == (3 + 2) * 2
    assert set(trials) == {0, 1, 2}
    said = gatesearch("finalists", "kept", "--workers", "0")
    assert (said.status, said.err) == (0, "")
    assert "5 cells, 2 seeds on each of xml, arithmetic; 0 s, estimated from the run's trials\n" in said.out
    assert "\n0 trials: all that this asks for had been trained before; the table is " in said.out
    assert counts(kept) == trials
    assert_same_table(kept, finished)


def test_more_seeds_and_more_cells_are_added(gatesearch: Gatesearch, kept: Path) -> None:
    before = counts(kept)
    assert gatesearch("finalists", "kept", "--workers", "0", "--repeats", "3").status == 0
    assert counts(kept) == before | {3: before[1]}
    assert "new cells" not in gatesearch("finalists", "kept", "--workers", "0", "--cells", "3").out
    assert counts(kept)[1] > before[1]


def test_what_was_trained_again_stays_however_little_is_asked_for(gatesearch: Gatesearch, kept: Path) -> None:
    assert gatesearch("finalists", "kept", "--workers", "0", "--repeats", "3").status == 0
    before, table = counts(kept), pd.read_csv(kept / "leaderboard_full.csv")
    assert gatesearch("finalists", "kept", "--workers", "0").status == 0  # the profile's two seeds are not fewer
    assert counts(kept) == before
    assert gatesearch("finalists", "kept", "--workers", "0", "--cells", "1", "--repeats", "4").status == 0
    assert counts(kept) == before | {4: before[3]}
    after = pd.read_csv(kept / "leaderboard_full.csv")
    assert (after["evidence"] == "retrained").sum() == (table["evidence"] == "retrained").sum() == 5
    assert set(after["xml_repeats"][after["evidence"] == "retrained"]) == {4}


def test_a_run_that_had_none_gets_them_and_equals_one_that_did(
    gatesearch: Gatesearch, here: Path, finished: Path
) -> None:
    text = (here / "tiny.toml").read_text()
    (here / "none.toml").write_text(text.replace("[finalists]\ncells = 2", "[finalists]\ncells = 0"))
    assert gatesearch("search", "none", "--profile", "none.toml", "--workers", "0").status == 0
    assert set(counts(here / "runs" / "none")) == {0}
    assert gatesearch("finalists", "none", "--workers", "0", "--cells", "2").status == 0
    assert_same_table(here / "runs" / "none", finished)


def test_a_run_without_results_is_refused_in_one_line_and_left_as_it_is(gatesearch: Gatesearch, kept: Path) -> None:
    with sqlite3.connect(kept / "run.sqlite") as connection:
        connection.execute("DELETE FROM trials WHERE task = 'arithmetic'")
    said = gatesearch("finalists", "kept", "--workers", "0")
    assert said.status == 2
    assert said.err == (
        "gatesearch: run 'kept' has no result of the GRU on 'arithmetic' yet, so nothing can be compared with it; "
        "finish the search with --resume first\n"
    )
    assert "arithmetic" not in said.out
    assert gatesearch("finalists", "nosuch").status == 2
    assert gatesearch("finalists", "kept", "--repeats", "1").status == 2

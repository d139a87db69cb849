"""Confirmation on the command line: at a search's end, one cell more, more seeds, resumed, and verified."""

import json
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from results.scores.confirmation import confirmation_of
from results.scores.estimates import GRU
from results.store.store import Store
from search.cells.ids import short_id
from search.cli.main import run as main
from tests.test_search.test_cli.conftest import Gatesearch, assert_same_table
from tests.tiny import TINY

PROFILE = TINY.replace(
    "[confirmation]\ncontenders = 0",
    '[confirmation]\ncontenders = 1\ncells = ["tanh"]\nrepeats = 2\nlooks = 2\nmax_repeats = 3',
)
SEARCH = ("--profile", "confirmed.toml", "--workers", "0", "--simulate")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search that ended with a confirmation. Only copy it."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "confirmed.toml").write_text(PROFILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GATESEARCH_RUNS", str(folder / "runs"))
        assert main(["search", "one", *SEARCH]) == 0
    return folder / "runs" / "one"


@pytest.fixture
def run(searched: Path, here: Path) -> Path:
    """A copy of that run, named `one`, which a test may change."""
    return Path(shutil.copytree(searched, here / "runs" / "one"))


def seeds(run: Path, name: str, task: str) -> list[int]:
    """Repeats of the confirmation of a named cell on a task."""
    with sqlite3.connect(run / "run.sqlite") as connection:
        rows = connection.execute(
            "SELECT repeat FROM trials JOIN cells ON cells.id = cell WHERE name = ? AND task = ? AND repeat > 1000 "
            "ORDER BY repeat",
            (name, task),
        )
        return [repeat for (repeat,) in rows]


def test_a_search_ends_with_the_confirmation_of_its_contenders(gatesearch: Gatesearch, run: Path) -> None:
    table = pd.read_csv(run / "leaderboard_full.csv")
    confirmed = table[table["evidence"] == "confirmed"]
    assert set(confirmed["name"].dropna()) == {"gru", "lstm", "tanh"}
    assert (confirmed["origin"] == "found").sum() == 1
    with Store.open(run, readonly=True) as store:
        judged = confirmation_of(store)
    assert judged is not None
    assert len(judged.tests) == 2 * 2 * 2
    for test in judged.tests:
        row = confirmed.set_index("cell").loc[short_id(test.cell)]
        assert row[f"{test.task}_vs_{'gru' if test.other == GRU else 'lstm'}"] == str(test.standing)
        assert row[f"{test.task}_repeats"] in (2, 3)
    again = gatesearch("finalists", "one", "--workers", "0")
    assert again.status == 0
    assert "\n0 trials: all that this asks for had been trained before; the table is " in again.out
    assert f"{len(judged.tests)} declared tests, 5% for all of them together (Holm)" in again.out


def test_verify_knows_the_confirmation_s_trials_and_misses_none(gatesearch: Gatesearch, run: Path) -> None:
    said = gatesearch("verify", "one", "--retrain", "3")
    assert (said.status, said.err) == (0, "")
    with Store.open(run) as store:
        declared = store.confirmation
        assert declared is not None
        plans = [plan.model_dump() for plan in declared.plans if plan.task == "xml"]
        kept = json.loads(json.dumps(declared.model_dump() | {"plans": plans}))
        store.mark(confirmation=kept)
    said = gatesearch("verify", "one", "--retrain", "0")
    assert said.status == 1
    assert "is stored, but no confirmation at this setting was declared" in " ".join(said.out.split())


def test_one_cell_and_task_get_more_seeds(gatesearch: Gatesearch, run: Path) -> None:
    before = {name: seeds(run, name, "xml") for name in ("tanh", "gru", "lstm")}
    said = gatesearch("finalists", "one", "--workers", "0", "--cell", "tanh", "--task", "xml", "--repeats", "5")
    assert (said.status, said.err) == (0, "")
    for name in ("tanh", "gru", "lstm"):
        assert seeds(run, name, "xml") == [1001, 1002, 1003, 1004, 1005]
        assert len(before[name]) < 5
        assert len(seeds(run, name, "arithmetic")) <= 3
    assert "confirmation of " in said.out
    assert "on up to 5 fresh seeds, 8 tests; " in said.out
    first = pd.read_csv(run / "leaderboard_full.csv").set_index("name")
    assert first.loc["tanh", "xml_repeats"] == 5


def test_the_numbers_of_a_task_are_from_the_seeds_of_its_verdict(
    gatesearch: Gatesearch, here: Path, simulated: Path
) -> None:
    """A cell that is confirmed on one task has the numbers of that test there, and is no confirmed cell."""
    shutil.copytree(simulated, here / "runs" / "done")
    said = gatesearch("finalists", "done", "--workers", "0", "--cell", "tanh", "--task", "xml", "--repeats", "5")
    assert said.status == 0
    table = pd.read_csv(here / "runs" / "done" / "leaderboard_full.csv").set_index("name")
    trials = pd.read_parquet(here / "runs" / "done" / "trials.parquet")
    fresh = trials[(trials["name"] == "tanh") & (trials["task"] == "xml") & (trials["repeat"] > 1000)]
    assert len(fresh) >= 5
    row = table.loc["tanh"].to_dict()
    assert (row["xml_repeats"], row["arithmetic_repeats"]) == (len(fresh), 2)
    assert row["xml_test"] == pytest.approx(fresh["test"].mean())
    assert row["xml_vs_gru"] in ("better", "worse", "even", "undecided")
    assert row["evidence"] == "retrained"
    assert gatesearch("verify", "done").status == 0


def test_a_cell_that_is_added_grows_the_family_and_the_command_says_so(gatesearch: Gatesearch, run: Path) -> None:
    table = pd.read_csv(run / "leaderboard_full.csv")
    other = str(table[(table["evidence"] == "retrained") & (table["origin"] == "found")]["cell"].iloc[0])
    said = gatesearch("finalists", "one", "--workers", "0", "--cell", other)
    assert said.status == 0
    assert "warning: the family of tests grows from 8 to 12" in said.out
    after = pd.read_csv(run / "leaderboard_full.csv").set_index("cell")
    assert after.loc[other, "evidence"] == "confirmed"


def test_an_extended_search_keeps_its_declaration(gatesearch: Gatesearch, run: Path, here: Path) -> None:
    with Store.open(run, readonly=True) as store:
        before = store.confirmation
    assert gatesearch("search", "one", "--resume", "--workers", "0").status == 0
    with Store.open(run, readonly=True) as store:
        assert store.confirmation == before
    assert gatesearch("search", "one", "--resume", "--workers", "0", "--proposals", "9").status == 0
    with Store.open(run, readonly=True) as store:
        after = store.confirmation
    assert before is not None
    assert after is not None
    assert after.plans[: len(before.plans)] == before.plans


def test_a_confirmation_that_lost_trials_is_completed_to_the_same_table(
    gatesearch: Gatesearch, run: Path, here: Path
) -> None:
    shutil.copytree(run, here / "runs" / "cut")
    with sqlite3.connect(here / "runs" / "cut" / "run.sqlite") as connection:
        connection.execute("DELETE FROM trials WHERE repeat > 1001 OR (repeat = 1001 AND task = 'xml')")
    assert gatesearch("finalists", "cut", "--workers", "0").status == 0
    assert_same_table(here / "runs" / "cut", run)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--task", "xml"), "--task xml needs --repeats N, the seeds to confirm the contenders on; add it"),
        (("--cell", "gru"), "--cell gru: contenders are compared with the GRU itself; name another cell"),
        (("--cell", "tanh", "--task", "nosuch"), "--task nosuch: run 'one' has no such ranked task"),
        (("--cell", "tanh", "--cells", "3"), "--cells 3 is a number for the first round"),
    ],
)
def test_what_cannot_be_confirmed_is_refused(
    gatesearch: Gatesearch, run: Path, options: tuple[str, ...], message: str
) -> None:
    said = gatesearch("finalists", "one", "--workers", "0", *options)
    assert said.status == 2
    assert said.err.startswith(f"gatesearch: {message}")


@pytest.mark.slow
def test_simulated_searches_of_a_known_truth_are_counted(gatesearch: Gatesearch, here: Path) -> None:
    (here / "confirmed.toml").write_text(
        PROFILE.replace("max_repeats = 3", "max_repeats = 12").replace("repeats = 2\nlooks", "repeats = 8\nlooks")
    )
    said = gatesearch("bench", "--confirmation", "2", "--effect", "0.3", "--profile", "confirmed.toml", "--json")
    assert said.status == 0
    found = json.loads(said.out)
    assert found["runs"] == 2
    assert found["null_better"] <= found["null_wrong"] <= 1
    assert (
        found["confirmed_on_all"] <= found["confirmed"] <= found["contender"] <= found["finalist"] <= found["proposed"]
    )
    assert gatesearch("bench", "--confirmation", "1", "--profile", "confirmed.toml").out.startswith("1 null runs, in ")

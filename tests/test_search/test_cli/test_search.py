"""Whole searches by command line: what they leave, what their options change, and what they refuse."""

import json
import re
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from results.store.store import Store
from search.cells.ids import short_id
from search.cells.notation.formula import parse_formula
from search.profiles.loading import parse_profile
from tests.test_search.test_cli.conftest import Gatesearch, assert_same_table

SEARCH = ("search", "--profile", "tiny.toml", "--workers", "0")
SIMULATED = (*SEARCH, "--simulate")
"""For what a search does with its trials, however they came to their results."""

OWN_TASK = '''
"""A task of one's own."""

from tasks.memorization import Memorization


class Echo(Memorization):
    name = "echo"
    summary = "letters [again]"

    def __init__(self) -> None:
        super().__init__(length=2, validation=300, test=300)
'''


def test_a_search_leaves_a_store_its_profile_and_a_table_that_pandas_reads(finished: Path) -> None:
    files = {"run.sqlite", "profile.toml", "leaderboard.csv", "leaderboard_full.csv", "columns.json", "trials.parquet"}
    assert files <= {path.name for path in finished.iterdir()}
    table = pd.read_csv(finished / "leaderboard_full.csv")
    assert set(table.loc[table["origin"] == "baseline", "name"]) == {"tanh", "lstm", "gru"}
    assert table.loc[table["name"] == "gru", "score"].item() == 1.0
    assert table["rank"].dtype == "int64"
    ranked = table[(table["stage"] == "complete") & table["score"].notna()]
    fresh = ranked[ranked["evidence"] == "retrained"]  # these come first, and ties share a rank
    assert fresh["rank"].tolist() == fresh["score"].rank(method="min", ascending=False).tolist()
    assert ranked["rank"].is_monotonic_increasing
    assert ranked.groupby("evidence")["score"].apply(lambda scores: scores.is_monotonic_decreasing).all()
    np.testing.assert_allclose(ranked["score"], ranked[["xml_ratio", "arithmetic_ratio"]].min(axis=1))
    profile = parse_profile((finished / "profile.toml").read_text(), "the file")
    assert profile.search.proposals == 6
    with sqlite3.connect(finished / "run.sqlite") as connection:
        trials = pd.read_sql("SELECT * FROM trials", connection)
        proposals = pd.read_sql('SELECT * FROM proposals WHERE "index" >= 0', connection)
    assert proposals["index"].tolist() == list(range(6))
    assert table["trials"].sum() == len(trials)  # nobody was stopped by memorization, so every trial's cell is a row


def test_what_was_announced_and_summed_up_is_what_was_done(gatesearch: Gatesearch, here: Path) -> None:
    said = gatesearch(*SEARCH, "--seed", "3", "--proposals", "2")
    assert (said.status, said.err) == (0, "")
    assert f"run tiny-1 in {here / 'runs' / 'tiny-1'}, " in said.out
    assert "3 given cells, 2 proposals (paper), tasks xml, arithmetic; seed 3\n" in said.out
    assert "for the 9 trials of the given cells" in said.out  # 3 cells, each on memorization and two tasks
    assert f"the table is {here / 'runs' / 'tiny-1' / 'leaderboard.csv'}\n" in said.out
    files, following = said.out.splitlines()[-2:]
    folder = here / "runs" / "tiny-1"
    assert files.startswith(f"files in {folder}: ")
    assert {*files.partition(": ")[2].split(", ")} == {path.name for path in folder.iterdir()} - {"run.lock"}
    log = [line.split(" ", 1)[1] for line in (folder / "run.log").read_text().splitlines()]
    assert log[0] == f"run tiny-1 in {folder}, in this process"
    assert log[-2:] == [files, following]
    assert sum(line.startswith("proposal -") for line in log) == 3
    assert sum(line.startswith(("proposal 0: ", "proposal 1: ")) for line in log) == 2
    assert following == "next: gatesearch report tiny-1, gatesearch findings tiny-1, gatesearch verify tiny-1"
    assert "\x1b" not in said.out
    second = gatesearch(*SEARCH, "--proposals", "0")
    assert "run tiny-2 in " in second.out
    assert "0 new cells proposed, 0 cells examined again; passed: none" in second.out
    assert len(pd.read_csv(here / "runs" / "tiny-2" / "leaderboard_full.csv")) == 3


def test_the_same_seed_gives_the_same_table_and_a_resumed_end_trains_nothing(
    gatesearch: Gatesearch, here: Path, finished: Path
) -> None:
    assert gatesearch(*SEARCH, "again").status == 0
    assert_same_table(here / "runs" / "again", finished)
    before = (here / "runs" / "again" / "leaderboard.csv").read_bytes()
    assert gatesearch("search", "again", "--resume", "--workers", "0").status == 0
    assert (here / "runs" / "again" / "leaderboard.csv").read_bytes() == before  # seconds included
    assert gatesearch("search", "--resume", "--workers", "0").out.startswith("run again in ")
    with Store.open(here / "runs" / "again", readonly=True) as store:
        assert len(store.information["resumed"]) == 2


def test_a_run_is_extended_to_what_it_would_have_been_from_the_start(gatesearch: Gatesearch, here: Path) -> None:
    plain = here / "plain.toml"
    plain.write_text((here / "tiny.toml").read_text().replace("cells = 2", "cells = 0"))
    line = ("search", "--profile", "plain.toml", "--workers", "0", "--simulate")
    assert gatesearch(*line, "short", "--proposals", "2").status == 0
    assert gatesearch(*line, "whole").status == 0  # six
    short, whole = here / "runs" / "short", here / "runs" / "whole"
    assert len(pd.read_csv(short / "leaderboard_full.csv")) < len(pd.read_csv(whole / "leaderboard_full.csv"))
    before = (short / "run.sqlite").read_bytes(), (short / "profile.toml").read_bytes()
    refused = gatesearch("search", "short", "--resume", "--proposals", "1", "--workers", "0")
    assert (refused.status, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert "--proposals 1: run 'short' has 2, and what is done is kept" in refused.err
    assert ((short / "run.sqlite").read_bytes(), (short / "profile.toml").read_bytes()) == before
    for proposals in ("4", "6", "6"):  # the last is a resumption of what is done
        said = gatesearch("search", "short", "--resume", "--proposals", proposals, "--workers", "0")
        assert (said.status, said.err) == (0, "")
        assert f", {proposals} proposals (paper)" in said.out
    assert_same_table(short, whole)
    assert (short / "profile.toml").read_text() == (whole / "profile.toml").read_text()
    with Store.open(short, readonly=True) as store:
        assert store.profile == (short / "profile.toml").read_text()
        assert len(store.information["extended"]) == 2
        assert store.information["finished"] is not None
    assert gatesearch("verify", "short").status == 0


def test_an_extended_run_trains_its_new_finalists(gatesearch: Gatesearch, here: Path, simulated: Path) -> None:
    """Those of the smaller run stay in the table, since they were trained; the others are as from the start."""
    assert gatesearch(*SIMULATED, "short", "--proposals", "2").status == 0
    assert gatesearch("search", "short", "--resume", "--proposals", "6", "--workers", "0").status == 0
    runs = (here / "runs" / "short", simulated)
    short, whole = (pd.read_csv(run / "leaderboard_full.csv").set_index("cell") for run in runs)
    again = [set(table.index[table["evidence"] == "retrained"]) for table in (short, whole)]
    assert len(again[1]) == 5  # three that were given, two that were found
    assert again[1] <= again[0]
    assert len(again[0] - again[1]) <= 2
    columns = ["xml_test", "xml_test_se", "arithmetic_test", "score"]
    pd.testing.assert_frame_equal(short.loc[sorted(again[1]), columns], whole.loc[sorted(again[1]), columns])
    assert gatesearch("verify", "short").status == 0


def test_tasks_are_chosen_in_the_order_given_and_the_strategy_is_kept(gatesearch: Gatesearch, here: Path) -> None:
    said = gatesearch(*SIMULATED, "r", "--tasks", "arithmetic, xml", "--strategy", "random", "--proposals", "3")
    assert said.status == 0
    assert "3 proposals (random), tasks arithmetic, xml;" in said.out
    with Store.open(here / "runs" / "r", readonly=True) as store:
        assert store.strategy == "random"
        assert {row.kind for row in store.proposals() if row.index >= 0} == {"propose"}
    assert gatesearch(*SIMULATED, "one", "--tasks", "xml", "--proposals", "0").status == 0
    assert "arithmetic_test" not in pd.read_csv(here / "runs" / "one" / "leaderboard_full.csv").columns


def test_a_formula_file_and_a_task_of_ones_own_are_searched_with(gatesearch: Gatesearch, here: Path) -> None:
    formula = "z = sigmoid(linear(x) + linear(h))\nh' = h + z * (tanh(linear(x)) - h)\n"
    (here / "light.cell").write_text(formula)
    (here / "owntasks.py").write_text(OWN_TASK)
    own = ("--seed-cell", "light.cell", "--task", "owntasks:Echo")
    assert gatesearch(*SEARCH, "own", *own, "--proposals", "1").status == 0
    table = pd.read_csv(here / "runs" / "own" / "leaderboard_full.csv")
    row = table[table["name"] == "light"].iloc[0]
    assert row["cell"] == short_id(parse_formula(formula).canonical().id)
    assert row["origin"] == "baseline"
    assert row["echo_settings"] == 1
    again = ("search", "own", "--resume", "--task", "owntasks:Echo", "--workers", "0")
    assert gatesearch(*again).status == 0  # the cell is kept with the run; code is not, and is named again
    said = gatesearch("tasks", "owntasks:Echo")
    assert "letters [again]" in said.out


def test_tasks_read_files_of_ones_own(gatesearch: Gatesearch, here: Path) -> None:
    rng = np.random.default_rng(0)
    (here / "ptb").mkdir()
    for split in ("train", "valid", "test"):
        words = rng.choice(["the", "cell", "was", "<unk>", "N"], size=(60, 8))
        (here / "ptb" / f"ptb.{split}.txt").write_text("\n".join(" " + " ".join(line) + " " for line in words))
    parts = {part: np.empty(3, dtype=object) for part in ("traindata", "validdata", "testdata")}
    for lowest, pieces in zip((40, 41, 42), parts.values(), strict=True):
        for k in range(3):
            pieces[k] = (np.arange(40)[:, None] % 5 + lowest == np.arange(88)).astype(np.uint8)
    savemat(here / "piano.mat", parts)
    schedule = "{ batch = 3, unroll = 10, epoch_steps = 2, epochs = 2, halvings = 1 }"
    (here / "tiny.toml").write_text(
        (here / "tiny.toml").read_text()
        + "".join(
            f"[tasks.{task}]\nparameters = [20000]\nbaseline_settings = 1\nschedule = {schedule}\n"
            for task in ("language", "music")
        )
    )
    data = ("--data", "language=ptb", "--data", "music=piano.mat", "--tasks", "language,music", "--proposals", "0")
    said = gatesearch(*SEARCH, "files", *data)
    assert (said.status, said.err) == (0, "")
    table = pd.read_csv(here / "runs" / "files" / "leaderboard_full.csv").set_index("name")
    # 5 words and <eos>: no model does much worse than ln 6 nats on a word or 88 ln 2 on a chord.
    assert 0 < table["language_test"]["gru"].item() < 1.1 * np.log(6)
    assert 0 < table["music_test"]["gru"].item() < 88 * np.log(2)
    with Store.open(here / "runs" / "files", readonly=True) as store:
        kept = parse_profile(store.profile, "the run's")
    assert kept.tasks["language"].options["data"] == str(here / "ptb")


def test_a_folder_with_brackets_in_its_name_is_named_as_it_is(
    gatesearch: Gatesearch, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = here / "runs [bold] [" / "]"
    monkeypatch.setenv("GATESEARCH_RUNS", str(folder))
    said = gatesearch(*SIMULATED, "b", "--proposals", "0")
    assert said.status == 0
    assert f"run b in {folder / 'b'}, " in said.out


def test_a_run_is_called_after_its_profile_whatever_the_file_is_called(gatesearch: Gatesearch, here: Path) -> None:
    (here / "My profile (2).toml").write_text((here / "tiny.toml").read_text())
    said = gatesearch("search", "--profile", "My profile (2).toml", "--workers", "0", "--simulate", "--proposals", "0")
    assert said.status == 0
    assert said.out.startswith("run simulated-My-profile-2-1 in ")


def test_a_run_says_how_it_was_made(finished: Path) -> None:
    with Store.open(finished, readonly=True) as store:
        information = store.information
    assert {"versions", "cpu", "platform", "commit", "data", "started", "finished"} <= information.keys()
    assert set(information["data"]) == {"memorization", "xml", "arithmetic"}
    assert json.dumps(information)


def test_quiet_says_the_verdict_alone_and_verbose_a_line_for_each_proposal(gatesearch: Gatesearch, here: Path) -> None:
    line = ("search", "--profile", "tiny.toml", "--workers", "0", "--simulate")
    quiet = gatesearch(*line, "-q", "still")
    assert (quiet.status, quiet.err) == (0, "")
    assert quiet.out.strip().startswith("SIMULATED: every number is made up")
    outside = gatesearch(*line, "-q", str(here / "outside"))
    assert (outside.status, outside.out.splitlines()[0]) == (0, f"run outside in {here / 'outside'}")
    assert not {"rank", "proposals", "files"} & {each.split(" ")[0] for each in quiet.out.splitlines()}
    loud = gatesearch(*line, "-v", "loud")
    told = [each for each in loud.out.splitlines() if each.startswith("proposal ")]
    assert len(told) == 9  # three given cells and six proposals
    assert any(re.fullmatch(r"proposal -\d: baseline gru, complete", each) for each in told)
    logs = [(here / "runs" / name / "run.log").read_text() for name in ("still", "loud")]
    assert len(set(map(len, map(str.splitlines, logs)))) == 1  # the log does not depend on what is shown
    both = gatesearch(*line, "-q", "-v", "none")
    assert (both.status, both.err) == (2, "gatesearch: -q and -v are mutually exclusive; leave one out\n")

"""`gatesearch search --simulate`: a search like any other that trains nothing, and says so wherever it can be read."""

import re
import sqlite3
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from results.store.store import Store
from tests.test_search.test_cli.conftest import Gatesearch, assert_same_table

SEARCH = ("search", "--profile", "tiny.toml", "--workers", "0")
SAYS = "SIMULATED: every number is made up, no cell was trained"


def test_a_simulated_run_says_so_in_every_place_and_for_good(gatesearch: Gatesearch, here: Path) -> None:
    said = gatesearch(*SEARCH, "--simulate")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("run simulated-tiny-1 in ")
    assert said.out.count(SAYS) == 3  # before it starts, at the table, and in the verdict
    run = here / "runs" / "simulated-tiny-1"
    table = pd.read_csv(run / "leaderboard_full.csv")
    assert table["simulated"].all()
    assert SAYS in gatesearch("leaderboard", "simulated-tiny-1").out
    with sqlite3.connect(run / "run.sqlite") as connection:
        reasons = pd.read_sql("SELECT reason FROM trials", connection)["reason"]
    assert len(reasons) >= 9
    assert reasons.str.startswith("simulated: ").all()
    with Store.open(run, readonly=True) as store:
        assert store.simulated
        assert store.information["simulated"] == {"delays": 0.0, "equal": False, "planted": 0.0, "optimum": None}


def test_a_trained_run_is_not_marked(finished: Path) -> None:
    assert not pd.read_csv(finished / "leaderboard_full.csv")["simulated"].any()
    with Store.open(finished, readonly=True) as store:
        assert not store.simulated
        assert not any(row.reason.startswith("simulated") for row in store.trials())


def test_a_simulated_run_stays_simulated_when_it_is_resumed(gatesearch: Gatesearch, here: Path) -> None:
    assert gatesearch(*SEARCH, "whole", "--simulate").status == 0
    assert gatesearch(*SEARCH, "part", "--simulate").status == 0
    with sqlite3.connect(here / "runs" / "part" / "run.sqlite") as connection:
        for table, proposal in (("trials", "proposal"), ("evaluations", "proposal"), ("proposals", '"index"')):
            connection.execute(f"DELETE FROM {table} WHERE {proposal} >= 2")
    said = gatesearch("search", "part", "--resume", "--workers", "0")
    assert (said.status, said.out.count(SAYS)) == (0, 3)
    assert_same_table(here / "runs" / "part", here / "runs" / "whole")
    with Store.open(here / "runs" / "part", readonly=True) as store:
        assert all(row.reason.startswith("simulated: ") for row in store.trials())


def test_a_run_keeps_what_it_is(gatesearch: Gatesearch, here: Path) -> None:
    assert gatesearch(*SEARCH, "real", "--proposals", "0").status == 0
    for option in (("--simulate",), ("--delays", "0")):
        said = gatesearch("search", "real", "--resume", *option)
        assert (said.status, said.out) == (2, "")
        assert said.err.startswith(f"gatesearch: {option[0]} cannot be given with --resume")


def test_delays_are_for_simulated_trials_and_bounded(gatesearch: Gatesearch, here: Path) -> None:
    for options in (("--delays", "1"), ("--simulate", "--delays", "-1"), ("--simulate", "--delays", "nan")):
        said = gatesearch(*SEARCH, *options)
        assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
        assert said.err.startswith(f"gatesearch: --delays {options[-1]} is ")
    assert not (here / "runs").exists()


def test_an_optimum_is_stored_with_the_run_and_drawn_again_on_resumption(gatesearch: Gatesearch, here: Path) -> None:
    assert gatesearch(*SEARCH, "climb", "--simulate", "--optimum", "mut1").status == 0
    with Store.open(here / "runs" / "climb", readonly=True) as store:
        assert store.simulation is not None
        assert store.simulation.optimum == "mut1"
        drawn = store.trials()
    with sqlite3.connect(here / "runs" / "climb" / "run.sqlite") as connection:
        connection.execute("DELETE FROM trials WHERE proposal >= 0")
        connection.execute("DELETE FROM evaluations WHERE proposal >= 0")
        connection.execute('DELETE FROM proposals WHERE "index" >= 0')
    assert gatesearch("search", "climb", "--resume", "--workers", "0").status == 0
    with Store.open(here / "runs" / "climb", readonly=True) as store:
        assert store.trials() == drawn


def test_an_optimum_is_a_cell_of_a_simulated_run(gatesearch: Gatesearch, here: Path) -> None:
    for options, words in (
        (("--optimum", "mut1"), "--optimum mut1 is for simulated trials; add --simulate, or leave it out"),
        (("--simulate", "--optimum", "mut7"), "the optimum 'mut7' is neither a named cell nor a formula ("),
    ):
        said = gatesearch(*SEARCH, *options)
        assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
        assert said.err.startswith(f"gatesearch: {words}")
    assert not (here / "runs").exists()


def test_a_search_with_halving_says_how_many_were_promoted_and_what_was_trained(
    gatesearch: Gatesearch, here: Path
) -> None:
    text = (here / "tiny.toml").read_text("utf-8").replace("epochs = 2, halvings = 1", "epochs = 4, halvings = 1")
    text = text.replace("[search]\nproposals = 6", '[search]\nallocation = "halving"\nproposals = 30')
    (here / "halving.toml").write_text(text + "\n[halving]\nrungs = 3\nsettings = [1, 1, 1]\nseeds = 1\n", "utf-8")
    said = gatesearch("search", "rungs", "--profile", "halving.toml", "--simulate", "--workers", "0")
    assert (said.status, said.err) == (0, "")
    reached = re.search(r"(\d+) promotions; candidates at rung ([\d:, ]+)\n", said.out)
    saved = re.search(r"halving trained ([\d.]+) % of the steps of training every candidate in full", said.out)
    assert reached
    assert saved
    counts = [int(part.split(": ")[1]) for part in reached[2].split(", ")]
    with Store.open(here / "runs" / "rungs", readonly=True) as store:
        rungs: Counter[int] = Counter()
        tried: Counter[str] = Counter()
        for row in store.proposals():
            if row.index >= 0 and row.cell is not None:
                rungs[tried[row.cell]] += 1
                tried[row.cell] += 1
        trials = [row for row in store.trials() if row.repeat <= 0 and row.proposal is not None and row.proposal >= 0]
        steps = sum(row.steps for row in trials if row.task != "memorization")
        given = {cell.id for cell in store.cells() if cell.origin == "baseline"}
        steps += sum(row.steps for row in store.trials() if row.cell in given and row.repeat < 0)
        whole = [
            np.mean([row.steps for row in store.trials(task=task) if row.cell in given and row.repeat == 0])
            for task in ("xml", "arithmetic")
        ]
    assert counts == [rungs[rung] for rung in range(4)]
    assert int(reached[1]) == sum(counts[1:])
    assert counts[2] > 0
    assert float(saved[1]) == pytest.approx(100 * steps / (len(tried) * sum(whole)), rel=0.05)  # of two digits
    assert "paused at rung 1" in pd.read_csv(here / "runs" / "rungs" / "leaderboard_full.csv")["stage"].tolist()
    told = gatesearch("findings", "rungs").out
    assert "What halving trained" in told
    assert re.search(rf"rung 1 \(11.1 % of the steps\): {counts[0]} candidates, {counts[1]} promoted", told)

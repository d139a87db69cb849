"""A search over optimisers, dropout and tied readouts: trained, verified, reported and listed as any other."""

import json
from pathlib import Path

import pytest

import results
from tests.test_search.test_cli.conftest import Gatesearch
from tests.tiny import TINY

GRID = """
[tasks.xml.grid]
scales = [1.0]
learning_rates = [0.3]
max_norms = [2.5]
layers = [2]
optimisers = ["sgd", "adam", "adamw"]
adam_learning_rates = [0.003, 0.01]
dropouts = [0.0, 0.2]
variational = true
tied = true
"""


@pytest.mark.slow
def test_a_run_over_a_mixed_grid_is_verified_trained_again_and_reported(gatesearch: Gatesearch, here: Path) -> None:
    every = TINY.replace("[tasks.xml]\n", '[tasks.xml]\nbaseline_settings = "all"\n').replace(
        "settings = 1\nbaseline_settings = 1\nparameters = [8000]\noptions = { min",
        "settings = 2\nparameters = [8000]\noptions = { min",
    )
    every = every.replace(
        "epochs = 2, halvings = 1, chance_epochs = 4", 'epochs = 2, chance_epochs = 4, rule = "cosine", warmup = 3'
    )
    (here / "mixed.toml").write_text(every + GRID)
    said = gatesearch("search", "mixed", "--profile", "mixed.toml", "--proposals", "2", "--workers", "0")
    assert (said.status, said.err) == (0, "")
    run = results.load(here / "runs" / "mixed")
    trials = run.trials[run.trials["task"] == "xml"]
    kinds = {
        (str(o), float(r), float(w), float(d), bool(v))
        for o, r, w, d, v in trials[["optimiser", "learning_rate", "weight_decay", "dropout", "variational"]].to_numpy()
    }
    rates = [("sgd", 0.3, 0.0), *((o, r, w) for o, w in (("adam", 0.0), ("adamw", 0.01)) for r in (0.003, 0.01))]
    assert kinds == {(*rate, dropout, dropout > 0) for rate in rates for dropout in (0.0, 0.2)}
    assert trials["tied"].all()
    assert not run.trials.loc[run.trials["task"] == "memorization", "tied"].any()
    said = gatesearch("verify", "mixed", "--retrain", "5")
    assert (said.status, said.err) == (0, "")
    assert said.out.count("equal to the last bit") == 5
    assert gatesearch("report", "mixed").status == 0


def test_train_takes_an_optimiser_dropout_and_a_tied_readout(gatesearch: Gatesearch) -> None:
    options = ("--epochs", "1", "--epoch-steps", "3", "--profile", "tiny.toml")
    said = gatesearch(
        "train", "gru", "xml", *options, "--optimiser", "adamw", "--dropout", "0.2", "--variational", "--tied"
    )
    assert (said.status, said.err) == (0, "")
    start = (
        "adamw with weight decay 0.01, variational dropout 0.2, tied embedding, initial scale 1, learning rate 0.005, "
    )
    assert start in said.out
    plain = gatesearch("train", "gru", "xml", *options)
    assert "\ninitial scale 1, learning rate 0.3, " in plain.out
    for given, message in (
        (("--optimiser", "lion"), "'lion' is not one of 'sgd', 'adam', 'adamw'"),
        (("--weight-decay", "0.1"), "weight_decay is 0.1, but the optimiser sgd has no weight decay"),
        (("--variational",), "dropout is 0, which cannot be variational"),
    ):
        said = gatesearch("train", "gru", "xml", *options, *given)
        assert (said.status, said.err.count("\n")) == (2, 1)
        assert message in said.err


def test_a_simulated_run_over_a_mixed_grid_is_verified(gatesearch: Gatesearch, here: Path) -> None:
    (here / "mixed.toml").write_text(TINY + GRID)
    arguments = ("search", "made-up", "--profile", "mixed.toml", "--simulate", "--proposals", "40", "--workers", "0")
    assert gatesearch(*arguments).status == 0
    assert gatesearch("verify", "made-up").status == 0
    settings = [json.loads(text) for text in results.load(here / "runs" / "made-up").trials["setting"].unique()]
    assert {setting.get("optimiser", "sgd") for setting in settings} == {"sgd", "adam", "adamw"}

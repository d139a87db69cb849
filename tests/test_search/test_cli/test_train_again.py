"""`gatesearch train --run`: a trial of a run again, to the last digit, and what is said of it if it is another."""

import re
import shutil
from pathlib import Path

import pytest

from results.scores.estimates import picks
from results.store.store import Store
from search.cells.ids import short_id
from tests.test_search.test_cli.conftest import Gatesearch, Said
from tests.tiny import TINY

HALVING = TINY.replace("proposals = 6", 'proposals = 6\nallocation = "halving"').replace(
    "[grid]", "[halving]\nrungs = 2\neta = 3\nsettings = [2, 1]\n[grid]"
)


def first_line(said: Said) -> str:
    return said.out.splitlines()[0]


@pytest.mark.parametrize("task", ["xml", "arithmetic", "memorization"])
def test_a_trial_of_a_run_is_trained_again_to_the_last_digit(task: str, gatesearch: Gatesearch, finished: Path) -> None:
    with Store.open(finished, readonly=True) as store:
        best = picks(store)
        own = best[best["task"] == task].iloc[0]
        row = store.trial(own["cell"], task, own["setting"], 0)
    assert row is not None
    said = gatesearch("train", short_id(str(own["cell"])), task, "--run", str(finished))
    assert (said.status, said.err) == (0, "")
    assert first_line(said).endswith("; the trial of run done again")
    assert f"validation {row.validation:.4f} ± {row.validation_se:.4f} at step {row.best_step}, " in said.out
    assert "equal to the run's trial: the learning curve and the metric, to the last digit\n" in said.out


def test_a_trial_of_rungs_is_trained_again_with_its_measurements_between_epochs(
    gatesearch: Gatesearch, here: Path
) -> None:
    (here / "halving.toml").write_text(HALVING)
    assert gatesearch("search", "rungs", "--profile", "halving.toml", "--workers", "0").status == 0
    said = gatesearch("train", "gru", "xml", "--run", "rungs")
    assert (said.status, said.err) == (0, "")
    assert len(re.findall("^step ", said.out, re.M)) > 2
    assert "equal to the run's trial" in said.out


def test_what_is_not_the_runs_is_named_in_the_first_line(gatesearch: Gatesearch, finished: Path) -> None:
    run = ("--run", str(finished))
    changed = gatesearch("train", "gru", "xml", *run, "--learning-rate", "0.5", "--epochs", "1", "--seed", "3")
    assert first_line(changed).endswith("; like the trial of run done, but not the run's: learning rate, epochs, seed")
    assert "initial scale 1, learning rate 0.5, " in changed.out
    assert "equal to the run's trial" not in changed.out
    same = gatesearch("train", "gru", "xml", *run, "--learning-rate", "0.3", "--epochs", "2")
    assert first_line(same).endswith("; the trial of run done again")
    other = gatesearch("train", "mut1", "xml", *run)
    assert first_line(other).endswith(
        "; not the run's trial, since run done has none with a result: the middle of its grid"
    )
    assert "8,000 parameters" in other.out
    by_profile = gatesearch("train", "gru", "xml", *run, "--profile", "tiny.toml")
    assert first_line(by_profile).endswith("; not the run's trial, but by profile tiny.toml")


def test_a_simulated_run_has_no_trial_to_train_again(gatesearch: Gatesearch, simulated: Path) -> None:
    said = gatesearch("train", "gru", "xml", "--run", str(simulated))
    assert said.status == 0
    assert first_line(said).endswith("; not the run's trial, since run done is simulated: the middle of its grid")


def test_other_data_are_not_the_runs(gatesearch: Gatesearch, here: Path) -> None:
    for words in (here / "words", here / "others"):
        words.mkdir()
        for split, seen in (("train", "bird dog cat"), ("valid", "cat"), ("test", "bird")):
            (words / f"{split}.txt").write_text(f"the dog of {words.name} sees a {seen}\n" * 40)
    profile, _, section = TINY.partition("[tasks.xml]")
    section = section.partition("[tasks.arithmetic]")[0]
    options = re.sub("options = .*", "", section)
    (here / "words.toml").write_text(f"{profile}[tasks.language]{options}")
    arguments = ("--profile", "words.toml", "--proposals", "0", "--workers", "0", "--data", "language=words")
    assert gatesearch("search", "read", *arguments).status == 0
    again = gatesearch("train", "gru", "language", "--run", "read")
    assert (again.status, "equal to the run's trial" in again.out) == (0, True)
    other = gatesearch("train", "gru", "language", "--run", "read", "--data", "others")
    assert first_line(other).endswith("but not the run's: data")
    shutil.rmtree(here / "words")
    gone = gatesearch("train", "gru", "language", "--run", "read")
    assert (gone.status, gone.err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            "--optimiser adam --learning-rate 5",
            "learning_rate of adam is 5.0; it must be a number above 0 and at most 1",
        ),
        (
            "--weight-decay 0",
            "weight_decay is 0, but the optimiser sgd has no weight decay; use adamw, or leave it out",
        ),
        ("--variational", "dropout is 0, which cannot be variational"),
        ("--scale 1e7", "scale is 10000000.0; it must be a number above 0 and at most 1e+06"),
    ],
)
def test_what_profiles_refuse_is_refused(options: str, said: str, gatesearch: Gatesearch) -> None:
    refused = gatesearch("train", "gru", "xml", "--profile", "tiny.toml", *options.split())
    assert (refused.status, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert said in refused.err
